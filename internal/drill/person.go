package drill

import (
	"context"
	"fmt"
	"net/http"
)

// Password that the people of the drills use; long enough for every default policy.
const Password = "correct horse battery staple"

// Person is somebody with a proved mailbox.
type Person struct {
	Email, Password string
	*Visitor        // the browser they signed up with
}

// SignUp makes a person: login with an unknown address, mail, proof in the same browser.
func (t *Target) SignUp(ctx context.Context, name string) (*Person, error) {
	p := &Person{Email: Fresh(name), Password: Password, Visitor: t.Visitor()}
	if r, err := p.Post(ctx, "/register", map[string]string{"email": p.Email, "password": p.Password, "client_id": t.ClientID}); err != nil {
		return nil, err
	} else if r.Status != http.StatusAccepted {
		return nil, fmt.Errorf("register: %s", r)
	}
	link, err := t.Link(ctx, p.Email, 1)
	if err != nil {
		return nil, err
	}
	r, err := p.Post(ctx, link, map[string]string{})
	if err != nil {
		return nil, err
	}
	if r.Status >= 400 {
		return nil, fmt.Errorf("proof: %s", r)
	}
	return p, nil
}

// LogIn logs the person in with v and gives the answer.
func (p *Person) LogIn(ctx context.Context, v *Visitor) (*Reply, error) {
	return v.Post(ctx, "/login/password", map[string]string{"email": p.Email, "password": p.Password, "client_id": v.Target.ClientID})
}

// Bearer logs the person in from an app that keeps no cookies and gives both tokens.
func (p *Person) Bearer(ctx context.Context) (access, refresh string, err error) {
	v := p.Target.Visitor().With("X-Token-Mode", "bearer")
	r, err := p.LogIn(ctx, v)
	if err != nil {
		return "", "", err
	}
	if r.Status != http.StatusOK {
		return "", "", fmt.Errorf("login: %s", r)
	}
	return r.Text("access_token"), r.Text("refresh_token"), nil
}

// Refresh presents tokens from an app that keeps no cookies; access may be empty.
func (t *Target) Refresh(ctx context.Context, access, refresh string) (*Reply, error) {
	v := t.Visitor()
	if access != "" {
		v = v.With("Authorization", "Bearer "+access)
	}
	return v.Post(ctx, "/jwt/refresh", map[string]string{"refresh_token": refresh, "client_id": t.ClientID})
}

// Me asks who the access token is.
func (t *Target) Me(ctx context.Context, access string) (*Reply, error) {
	return t.Visitor().With("Authorization", "Bearer "+access).Get(ctx, "/me")
}

// Logout ends the session of an access token.
func (t *Target) Logout(ctx context.Context, access string) (*Reply, error) {
	return t.Visitor().With("Authorization", "Bearer "+access).Post(ctx, "/logout", map[string]any{})
}
