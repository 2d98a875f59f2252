package drill

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// application is one that somebody registered (RFC 7591).
type application struct{ id, secret string }

// registers makes an application of the metadata. It takes people to the same place as the drills' client.
func (t *Target) registers(ctx context.Context, about map[string]any) (application, error) {
	if t.Initial == "" {
		return application{}, fmt.Errorf("the target has no initial access token")
	}
	about["redirect_uris"] = []string{callback}
	r, err := t.Visitor().With("Authorization", "Bearer "+t.Initial).Post(ctx, "/oauth2/clients", about)
	if err == nil && r.Status != http.StatusCreated {
		err = fmt.Errorf("registering: %s", r)
	}
	if err != nil {
		return application{}, err
	}
	return application{r.Text("client_id"), r.Text("client_secret")}, nil
}

// shows is a visitor that authenticates as the application with a secret.
func (t *Target) shows(id, text string) *Visitor {
	return t.Visitor().With("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(text))))
}

// codeSubstitution: an application of the attacker's gets hold of the code, and even the verifier, that another one was given, and redeems it
// under its own name (RFC 6749 section 10.5).
func codeSubstitution(ctx context.Context, t *Target) (Verdict, error) {
	evil, err := t.registers(ctx, map[string]any{"token_endpoint_auth_method": "none"})
	if err != nil {
		return Verdict{}, err
	}
	victim, err := t.SignUp(ctx, "substituted")
	if err != nil {
		return Verdict{}, err
	}
	code, err := victim.Code(ctx)
	if err != nil {
		return Verdict{}, err
	}
	r, err := t.Visitor().Post(ctx, "/oauth2/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "client_id": {evil.id}, "code_verifier": {verifier},
	})
	if err != nil {
		return Verdict{}, err
	}
	if r.Status == http.StatusOK {
		return succeeded("an application redeemed another one's code")
	}
	if r, err = exchange(ctx, t.Visitor(), code, verifier); err != nil || r.Status != http.StatusOK {
		return Verdict{}, fmt.Errorf("the client itself: %v %v", r, err)
	}
	return refused("a code is worth nothing to another application, and the try did not spend it")
}

// clientImpersonation: whoever has a code, a verifier or a token of a confidential application still has not its secret.
func clientImpersonation(ctx context.Context, t *Target) (Verdict, error) {
	app, err := t.registers(ctx, map[string]any{})
	if err != nil {
		return Verdict{}, err
	}
	for _, guess := range []string{app.secret + "x", app.id, "x"} {
		r, err := t.shows(app.id, guess).Post(ctx, "/oauth2/introspect", url.Values{"token": {"x"}})
		if err != nil {
			return Verdict{}, err
		}
		if r.Status != http.StatusUnauthorized {
			return succeeded("a wrong secret was answered %s", r)
		}
	}
	if r, err := t.shows(app.id, app.secret).Post(ctx, "/oauth2/introspect", url.Values{"token": {"x"}}); err != nil || r.Status != http.StatusOK {
		return Verdict{}, fmt.Errorf("the application itself: %v %v", r, err)
	}
	return refused("only its own secret makes an application")
}

// introspectionByStrangers: the attacker has a stolen token, and an application of his own to ask about it: whose it is, what it opens.
func introspectionByStrangers(ctx context.Context, t *Target) (Verdict, error) {
	evil, err := t.registers(ctx, map[string]any{})
	if err != nil {
		return Verdict{}, err
	}
	victim, err := t.SignUp(ctx, "asked-about")
	if err != nil {
		return Verdict{}, err
	}
	access, refresh, err := victim.Bearer(ctx)
	if err != nil {
		return Verdict{}, err
	}
	for _, token := range []string{access, refresh} {
		r, err := t.shows(evil.id, evil.secret).Post(ctx, "/oauth2/introspect", url.Values{"token": {token}})
		if err != nil || r.Status != http.StatusOK {
			return Verdict{}, fmt.Errorf("introspection: %v %v", r, err)
		}
		if string(r.Body) != `{"active":false}` && string(r.Body) != `{"active":false}`+"\n" {
			return succeeded("an application hears about a token that is none of its business")
		}
	}
	return refused("to a stranger every token is like rubbish")
}

// signed is a form with a client assertion (RFC 7523) of the application.
func signed(t *Target, key *jose.PrivateKey, id string) (url.Values, error) {
	text, err := jose.Sign(key, "JWT", map[string]any{
		"iss": id, "sub": id, "aud": t.Issuer, "exp": t.Now().Add(time.Minute).Unix(), "jti": secret.Random(16),
	})
	return url.Values{
		"token": {"x"}, "client_assertion": {text}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}, err
}

// replayedAssertion: an application's signed proof of itself is overheard and sent again.
func replayedAssertion(ctx context.Context, t *Target) (Verdict, error) {
	key, err := jose.Generate("app", jose.ES256)
	if err != nil {
		return Verdict{}, err
	}
	public, err := key.Public().JWK()
	if err != nil {
		return Verdict{}, err
	}
	app, err := t.registers(ctx, map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": json.RawMessage(jose.JWKS(public))})
	if err != nil {
		return Verdict{}, err
	}
	form, err := signed(t, key, app.id)
	if err != nil {
		return Verdict{}, err
	}
	if r, err := t.Visitor().Post(ctx, "/oauth2/introspect", form); err != nil || r.Status != http.StatusOK {
		return Verdict{}, fmt.Errorf("the application itself: %v %v", r, err)
	}
	r, err := t.Visitor().Post(ctx, "/oauth2/introspect", form)
	if err != nil {
		return Verdict{}, err
	}
	if r.Status != http.StatusUnauthorized {
		return succeeded("an overheard assertion works a second time: %s", r)
	}
	return refused("an assertion works once")
}

// keysSSRF: an application says that its keys are published at an address inside the server's own network, so that the server asks there for
// the attacker. Nothing may be dialled, however the address is written.
func keysSSRF(ctx context.Context, t *Target) (Verdict, error) {
	inside, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return Verdict{}, err
	}
	defer func() { _ = inside.Close() }()
	dialled := make(chan struct{}, 16)
	go func() {
		for {
			c, err := inside.Accept()
			if err != nil {
				return
			}
			dialled <- struct{}{}
			_ = c.Close()
		}
	}()
	key, err := jose.Generate("app", jose.ES256)
	if err != nil {
		return Verdict{}, err
	}
	_, port, err := net.SplitHostPort(inside.Addr().String())
	if err != nil {
		return Verdict{}, err
	}
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0", "127.1", "2130706433", "0x7f000001"} {
		if err := t.asksForKeys(ctx, key, "https://"+host+":"+port+"/jwks"); err != nil {
			return Verdict{}, err
		}
		select {
		case <-dialled: // the server answers only after it tried
			return succeeded("the server dialled %s inside its own network", host)
		default:
		}
	}
	return refused("no address inside is dialled for an application's keys")
}

// asksForKeys registers an application with its keys at an address and makes the server want them.
func (t *Target) asksForKeys(ctx context.Context, key *jose.PrivateKey, at string) error {
	app, err := t.registers(ctx, map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": at})
	if err != nil {
		return err
	}
	form, err := signed(t, key, app.id)
	if err != nil {
		return err
	}
	r, err := t.Visitor().Post(ctx, "/oauth2/introspect", form)
	if err == nil && r.Status < 400 {
		err = fmt.Errorf("an application without keys was believed: %s", r)
	}
	return err
}
