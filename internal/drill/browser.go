package drill

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// sessionFixation: the attacker puts cookies of their choice into the victim's browser before the victim logs in. None of them may
// become, or stay, a key to the victim's session.
func sessionFixation(ctx context.Context, t *Target) (Verdict, error) {
	p, err := t.SignUp(ctx, "fixed")
	if err != nil {
		return Verdict{}, err
	}
	attacker, err := t.SignUp(ctx, "fixer")
	if err != nil {
		return Verdict{}, err
	}
	if _, err := attacker.LogIn(ctx, attacker.Visitor); err != nil {
		return Verdict{}, err
	}
	victim := attacker.Thief() // a browser full of the attacker's cookies
	if r, err := p.LogIn(ctx, victim); err != nil || r.Status != http.StatusOK {
		return Verdict{}, fmt.Errorf("login over planted cookies: %v %v", r, err)
	}
	for name, planted := range attacker.Cookies {
		if victim.Cookies[name] == planted {
			return succeeded("cookie %s survived the login as planted", name)
		}
	}
	me, err := attacker.Get(ctx, "/me")
	if err != nil {
		return Verdict{}, err
	}
	if me.Text("email") == p.Email {
		return succeeded("the planted session became the victim's")
	}
	return refused("every cookie was new after the login")
}

// loginCSRF: another site posts the attacker's credentials from the victim's browser, so that the victim works in the attacker's account.
func loginCSRF(ctx context.Context, t *Target) (Verdict, error) {
	p, err := t.SignUp(ctx, "csrf")
	if err != nil {
		return Verdict{}, err
	}
	for _, header := range [][2]string{{"Origin", "https://attacker.example"}, {"Sec-Fetch-Site", "cross-site"}, {"Origin", "null"}} {
		v := t.Visitor().With(header[0], header[1])
		r, err := p.LogIn(ctx, v)
		if err != nil {
			return Verdict{}, err
		}
		if r.Status != http.StatusForbidden || len(v.Cookies) > 0 {
			return succeeded("a login posted with %s: %s answered %s and set %d cookies", header[0], header[1], r, len(v.Cookies))
		}
	}
	return refused("posts from other sites are refused and set nothing")
}

// hostPoisoning: reset mail asked for under a Host of the attacker's choice, so that its link carries the token to them.
func hostPoisoning(ctx context.Context, t *Target) (Verdict, error) {
	p, err := t.SignUp(ctx, "host")
	if err != nil {
		return Verdict{}, err
	}
	body := map[string]string{"email": p.Email, "client_id": t.ClientID}
	evil := t.Visitor()
	evil.Host = "attacker.example"
	r, err := evil.Post(ctx, "/password/forgot", body)
	if err != nil {
		return Verdict{}, err
	}
	if r.Status != http.StatusMisdirectedRequest {
		return succeeded("a foreign Host was served: %s", r)
	}
	v := t.Visitor().With("X-Forwarded-Host", "attacker.example").With("Forwarded", "host=attacker.example").With("X-Original-Host", "attacker.example")
	if r, err := v.Post(ctx, "/password/forgot", body); err != nil || r.Status != http.StatusAccepted {
		return Verdict{}, fmt.Errorf("forgot: %v %v", r, err)
	}
	mails, err := t.Mailbox(ctx, p.Email, 2)
	if err != nil || len(mails) < 2 {
		return Verdict{}, fmt.Errorf("no reset mail: %v", err)
	}
	for _, m := range mails {
		if strings.Contains(m.Text+m.HTML+strings.Join(m.Links, " "), "attacker.example") {
			return succeeded("a mail carries the attacker's host")
		}
	}
	return refused("421 for a foreign Host; forwarded headers changed no mail")
}

// foreignGuesses: strangers guess until the account's budget is spent. The owner's known device must still get in.
func foreignGuesses(ctx context.Context, t *Target) (Verdict, error) {
	p, err := t.SignUp(ctx, "guessed")
	if err != nil {
		return Verdict{}, err
	}
	if r, err := p.LogIn(ctx, p.Visitor); err != nil || r.Status != http.StatusOK {
		return Verdict{}, fmt.Errorf("first login: %v %v", r, err)
	}
	limited := false
	for i := 0; i < 150 && !limited; i++ {
		r, err := t.Visitor().Post(ctx, "/login/password", map[string]string{
			"email": p.Email, "password": fmt.Sprintf("wrong guess %d", i), "client_id": t.ClientID,
		})
		if err != nil {
			return Verdict{}, err
		}
		limited = r.Status == http.StatusTooManyRequests
	}
	if !limited {
		return succeeded("150 guesses were not slowed down")
	}
	r, err := p.LogIn(ctx, p.Visitor)
	if err != nil {
		return Verdict{}, err
	}
	if r.Status != http.StatusOK {
		return succeeded("the owner is locked out on a known device: %s", r)
	}
	return refused("guesses are limited and the owner's device still logs in")
}
