package drill

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// verifier is of authorization's challenge (RFC 7636 appendix B).
const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

// Code signs the person on at the issuer in a fresh browser and gives the authorization code that the client's page receives.
func (p *Person) Code(ctx context.Context) (string, error) {
	return p.Authorize(ctx, authorization(p.Target, map[string]string{"prompt": ""}))
}

// Authorize is Code for the request at path.
func (p *Person) Authorize(ctx context.Context, path string) (string, error) {
	to, err := p.answer(ctx, p.Target.Visitor(), path)
	if err == nil && to.Query().Get("code") == "" {
		err = fmt.Errorf("signing on gave %s", to.Query().Get("error"))
	}
	if err != nil {
		return "", err
	}
	return to.Query().Get("code"), nil
}

// SignOn signs the person on at the issuer in the browser v, by an authorization request of the client with the changes, and gives the address
// that the client's page is opened with.
func (p *Person) SignOn(ctx context.Context, v *Visitor, change map[string]string) (*url.URL, error) {
	return p.answer(ctx, v, authorization(p.Target, change))
}

func (p *Person) answer(ctx context.Context, v *Visitor, path string) (*url.URL, error) {
	to, r, err := p.walk(ctx, v, path, func(to *url.URL) bool { return to.Query().Has("code") || to.Query().Has("error") })
	if err == nil && r.Status == http.StatusOK {
		err = fmt.Errorf("a page is shown instead of an answer")
	}
	return to, err
}

// walk follows redirects from path as a browser does, signing on where it is asked to, until an address is the goal or a page is shown.
func (p *Person) walk(ctx context.Context, v *Visitor, path string, goal func(*url.URL) bool) (*url.URL, *Reply, error) {
	r, err := v.Get(ctx, path)
	for range 6 {
		if err != nil {
			return nil, nil, err
		}
		to, err := url.Parse(r.Header.Get("Location"))
		switch {
		case err != nil || r.Status != http.StatusSeeOther && r.Status != http.StatusOK:
			return nil, nil, fmt.Errorf("signing on: %s", r)
		case r.Status == http.StatusOK || goal(to):
			return to, r, nil
		}
		if r, err = v.Get(ctx, to.RequestURI()); to.Path == "/ui/login" && err == nil {
			r, err = v.Post(ctx, to.RequestURI(), url.Values{"email": {p.Email}, "password": {p.Password}, "i": {to.Query().Get("i")}})
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return nil, nil, fmt.Errorf("signing on leads nowhere: %s", r)
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
