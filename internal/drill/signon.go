package drill

import (
	"context"
	"fmt"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// signOnCookie names the sign-on session of a browser at the issuer.
const signOnCookie = "__Host-gh_sso"

// signOnFixation: the attacker puts a sign-on cookie into the victim's browser, one that he made up or his own, and waits until the victim has
// signed on with it. Each login must make a fresh one, and the planted one must be worth nothing.
func signOnFixation(ctx context.Context, t *Target) (Verdict, error) {
	victim, err := t.SignUp(ctx, "planted")
	if err != nil {
		return Verdict{}, err
	}
	attacker, err := t.SignUp(ctx, "planter")
	if err != nil {
		return Verdict{}, err
	}
	own := t.Visitor()
	if _, err := attacker.SignOn(ctx, own, map[string]string{"prompt": ""}); err != nil {
		return Verdict{}, err
	}
	if own.Cookies[signOnCookie] == "" {
		return Verdict{}, fmt.Errorf("the attacker's own sign-on set no cookie")
	}
	for _, planted := range []string{secret.Random(32), own.Cookies[signOnCookie]} {
		if v, err := planting(ctx, victim, planted); err != nil || !v.Held() {
			return v, err
		}
	}
	return refused("every login made a cookie of its own, and the planted ones are nobody's")
}

// planting signs the victim on, twice, in a browser with the planted cookie.
func planting(ctx context.Context, victim *Person, planted string) (Verdict, error) {
	browser := victim.Target.Visitor()
	browser.Cookies[signOnCookie] = planted
	stale := []string{planted}
	for range 2 {
		if to, err := victim.SignOn(ctx, browser, map[string]string{"prompt": "login"}); err != nil || to.Query().Get("code") == "" {
			return Verdict{}, fmt.Errorf("signing on over a planted cookie: %v %w", to, err)
		}
		for _, old := range stale {
			if browser.Cookies[signOnCookie] == old {
				return succeeded("the sign-on cookie survived the login")
			}
			thief := victim.Target.Visitor()
			thief.Cookies[signOnCookie] = old
			to, err := victim.SignOn(ctx, thief, nil) // in silence: nobody is asked for a password
			if err != nil {
				return Verdict{}, err
			}
			if to.Query().Get("code") != "" {
				return succeeded("the cookie of before the login signs on")
			}
		}
		stale = append(stale, browser.Cookies[signOnCookie])
	}
	return refused("a fresh cookie each time")
}
