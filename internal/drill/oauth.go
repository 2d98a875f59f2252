package drill

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
)

// callback is what the drills' client has registered.
const callback = "http://localhost/callback"

// authorization is a request of the client that is as it should be, asking in silence: nobody is signed on, so the answer comes at once.
func authorization(t *Target, change map[string]string) string {
	q := url.Values{
		"client_id": {t.ClientID}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid"}, "state": {"xyzzy"}, "nonce": {"n"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"}, "prompt": {"none"},
	}
	for name, value := range change {
		q.Set(name, value)
		if value == "" {
			q.Del(name)
		}
	}
	return "/oauth2/authorize?" + q.Encode()
}

// mixUp: the client deals with the attacker's server and with ours. The attacker's passes people on to ours under the client's name, and the
// answer comes back to the client as if it were the attacker's own. What tells them apart is the issuer in every answer, successes and
// refusals alike (RFC 9207 section 2.4).
func mixUp(ctx context.Context, t *Target) (Verdict, error) {
	p, err := t.SignUp(ctx, "mixed")
	if err != nil {
		return Verdict{}, err
	}
	answers := map[string]*url.URL{}
	if answers["a code"], err = p.SignOn(ctx, t.Visitor(), map[string]string{"prompt": ""}); err != nil {
		return Verdict{}, err
	}
	for name, change := range map[string]map[string]string{
		"nobody is signed on": nil, "no such scope": {"scope": "no such scope"}, "implicit": {"response_type": "token"}, "no PKCE": {"code_challenge": ""},
	} {
		r, err := t.Visitor().Get(ctx, authorization(t, change))
		if err != nil {
			return Verdict{}, err
		}
		if answers[name], err = url.Parse(r.Header.Get("Location")); err != nil || r.Status != http.StatusSeeOther {
			return Verdict{}, fmt.Errorf("%s: answered %s", name, r)
		}
	}
	for name, back := range answers {
		q := back.Query()
		if q.Get("state") != "xyzzy" || q.Has("code") != (name == "a code") || q.Has("error") == q.Has("code") {
			return Verdict{}, fmt.Errorf("%s: the answer is %s", name, back.Path)
		}
		if iss := q.Get("iss"); iss == "" || t.Issuer != "" && iss != t.Issuer {
			return succeeded("an answer (%s) says it is from %q: a client takes it for the attacker's", name, iss)
		}
	}
	return refused("every answer names its issuer")
}

// plantedRequest: the attacker begins a sign-on in his own browser and has the victim's finish it: the victim would go on in an account, or
// give a code to an application, that the attacker chose (RFC 9700 section 4.7).
func plantedRequest(ctx context.Context, t *Target) (Verdict, error) {
	attacker := t.Visitor()
	r, err := attacker.Get(ctx, authorization(t, map[string]string{"prompt": ""}))
	if err != nil || r.Status != http.StatusSeeOther {
		return Verdict{}, fmt.Errorf("the attacker's own request: %v %v", r, err)
	}
	page, err := url.Parse(r.Header.Get("Location"))
	if err != nil || page.Query().Get("i") == "" {
		return Verdict{}, fmt.Errorf("no page to go to: %s", r.Header.Get("Location"))
	}
	next := "/oauth2/continue?i=" + url.QueryEscape(page.Query().Get("i"))
	if r, err = attacker.Get(ctx, next); err != nil || r.Status != http.StatusSeeOther {
		return Verdict{}, fmt.Errorf("the attacker's own next step: %v %v", r, err)
	}
	other := t.Visitor()
	if _, err := other.Get(ctx, authorization(t, map[string]string{"prompt": ""})); err != nil {
		return Verdict{}, err
	}
	for _, victim := range []*Visitor{t.Visitor(), other} {
		before := maps.Clone(victim.Cookies)
		for _, path := range []string{next, "/ui/login?" + page.RawQuery, "/ui/register?" + page.RawQuery} {
			r, err := victim.Get(ctx, path)
			if err != nil {
				return Verdict{}, err
			}
			if r.Status < 400 || !maps.Equal(before, victim.Cookies) {
				return succeeded("the victim's browser goes on with the attacker's request: %s", r)
			}
		}
	}
	return refused("a request goes on only in the browser that began it")
}

// openRedirect: a redirect URI that is not the registered one, in every disguise. None may be redirected to, and none may appear where a
// browser would follow it.
func openRedirect(ctx context.Context, t *Target) (Verdict, error) {
	tricks := RedirectTricks(callback)
	v := t.Visitor()
	if r, err := v.Get(ctx, authorization(t, nil)); err != nil || r.Status != http.StatusSeeOther {
		return Verdict{}, fmt.Errorf("the registered address: %v %v", r, err)
	}
	for _, trick := range tricks {
		for _, mode := range []string{"", "form_post"} {
			r, err := v.Get(ctx, authorization(t, map[string]string{"redirect_uri": trick, "response_mode": mode}))
			if err != nil {
				return Verdict{}, err
			}
			if r.Status < 400 || r.Status >= 500 || r.Header.Get("Location") != "" {
				return succeeded("%q was answered %s to %q", trick, r, r.Header.Get("Location"))
			}
		}
	}
	return refused("none of %d addresses leaves the list", len(tricks))
}
