package drill

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// verifier is of authorization's challenge (RFC 7636 appendix B).
const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

// SignOn signs the person on at the issuer in the browser v, by an authorization request of the client with the changes, and gives the address
// that the client's page is opened with.
func (p *Person) SignOn(ctx context.Context, v *Visitor, change map[string]string) (*url.URL, error) {
	r, err := v.Get(ctx, authorization(p.Target, change))
	if err != nil {
		return nil, err
	}
	for range 5 {
		to, err := url.Parse(r.Header.Get("Location"))
		if err != nil || r.Status != http.StatusSeeOther {
			return nil, fmt.Errorf("signing on: %s", r)
		}
		switch {
		case to.Query().Has("code") || to.Query().Has("error"):
			return to, nil
		case to.Path == "/ui/login":
			r, err = v.Post(ctx, to.RequestURI(), url.Values{"email": {p.Email}, "password": {p.Password}, "i": {to.Query().Get("i")}})
		default:
			r, err = v.Get(ctx, to.RequestURI())
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("signing on leads nowhere: %s", r)
}

// Code signs the person on at the issuer in a fresh browser and gives the authorization code that the client's page receives.
func (p *Person) Code(ctx context.Context) (string, error) {
	to, err := p.SignOn(ctx, p.Target.Visitor(), map[string]string{"prompt": ""})
	if err == nil && to.Query().Get("code") == "" {
		err = fmt.Errorf("signing on gave %s", to.Query().Get("error"))
	}
	if err != nil {
		return "", err
	}
	return to.Query().Get("code"), nil
}

// exchange spends a code as the drills' client, which is a public one.
func exchange(ctx context.Context, v *Visitor, code, verifier string) (*Reply, error) {
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "client_id": {v.Target.ClientID}, "code_verifier": {verifier},
	}
	return v.Post(ctx, "/oauth2/token", form)
}

// codeInjection: the attacker has a victim's code (from a log, a referrer, a screen) and brings it to the token endpoint, or into a session of
// the client that he began himself. Without the verifier it is worth nothing (RFC 9700 section 4.5).
func codeInjection(ctx context.Context, t *Target) (Verdict, error) {
	victim, err := t.SignUp(ctx, "injected")
	if err != nil {
		return Verdict{}, err
	}
	code, err := victim.Code(ctx)
	if err != nil {
		return Verdict{}, err
	}
	for _, guess := range []string{"", "M25iVXpKU3puUjFaYWg3T1NDTDQtcW1ROUY5YXlwalNoc0hhakxifmZHag", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"} {
		r, err := exchange(ctx, t.Visitor(), code, guess)
		if err != nil {
			return Verdict{}, err
		}
		if r.Status == http.StatusOK {
			return succeeded("a code without its verifier became tokens")
		}
		if r.Text("error") != "invalid_grant" {
			return Verdict{}, fmt.Errorf("refused with %s, %s", r, r.Text("error"))
		}
	}
	if r, err := exchange(ctx, t.Visitor(), code, verifier); err != nil || r.Status != http.StatusOK {
		return Verdict{}, fmt.Errorf("the client itself: %v %v", r, err)
	}
	return refused("a code is worth nothing without its verifier, and the tries did not spend it")
}

// codeReplay: a code is used twice. One of the two who had it is a thief, so what it gave ends (RFC 6749 section 4.1.2).
func codeReplay(ctx context.Context, t *Target) (Verdict, error) {
	victim, err := t.SignUp(ctx, "replayed")
	if err != nil {
		return Verdict{}, err
	}
	code, err := victim.Code(ctx)
	if err != nil {
		return Verdict{}, err
	}
	first, err := exchange(ctx, t.Visitor(), code, verifier)
	if err != nil || first.Status != http.StatusOK {
		return Verdict{}, fmt.Errorf("the first use: %v %v", first, err)
	}
	bearer := t.Visitor().With("Authorization", "Bearer "+first.Text("access_token"))
	if r, err := bearer.Get(ctx, "/oauth2/userinfo"); err != nil || r.Status != http.StatusOK {
		return Verdict{}, fmt.Errorf("userinfo before: %v %v", r, err)
	}
	again, err := exchange(ctx, t.Visitor(), code, verifier)
	if err != nil {
		return Verdict{}, err
	}
	if again.Status == http.StatusOK {
		return succeeded("one code gave tokens twice")
	}
	r, err := bearer.Get(ctx, "/oauth2/userinfo")
	if err != nil {
		return Verdict{}, err
	}
	if r.Status != http.StatusUnauthorized {
		return succeeded("after a replay the first tokens live on: %s", r)
	}
	return refused("the second use ended what the first one gave")
}
