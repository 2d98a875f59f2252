package drill

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// enumeration: does any answer tell whether an address has an account? Asked of a client that does not register people by itself.
func enumeration(ctx context.Context, t *Target) (Verdict, error) {
	if t.Strict == "" {
		return Verdict{}, fmt.Errorf("the target names no client with auto_register off")
	}
	p, err := t.SignUp(ctx, "known")
	if err != nil {
		return Verdict{}, err
	}
	for path, body := range map[string]map[string]string{
		"/login/password":      {"password": "not the right password"},
		"/register":            {"password": "another good password"},
		"/email/verify/resend": {},
		"/password/forgot":     {},
	} {
		known, err := ask(ctx, t, path, body, p.Email)
		if err != nil {
			return Verdict{}, err
		}
		unknown, err := ask(ctx, t, path, body, Fresh("known"))
		if err != nil {
			return Verdict{}, err
		}
		if known != unknown {
			return succeeded("%s tells: %q for a known, %q for an unknown address", path, known, unknown)
		}
	}
	return refused("every answer is the same for known and unknown addresses")
}

// beat is how long an answer that must not tell is held back at least.
const beat = 50 * time.Millisecond

// enumerationByClock: does an answer come as soon as its work is done, so that a clock tells the work for a known from that for an unknown address?
// A classifier would need thousands of timings; this looks at the quickest of a few.
func enumerationByClock(ctx context.Context, t *Target) (Verdict, error) {
	p, err := t.SignUp(ctx, "timed")
	if err != nil {
		return Verdict{}, err
	}
	for _, path := range []string{"/password/forgot", "/email/verify/resend"} {
		for _, email := range []string{p.Email, Fresh("timed"), Fresh("timed")} {
			began := t.Now()
			r, err := t.Visitor().Post(ctx, path, map[string]string{"email": email, "client_id": t.Strict})
			took := t.Now().Sub(began)
			if err != nil {
				return Verdict{}, err
			}
			if r.Status != http.StatusAccepted {
				return Verdict{}, fmt.Errorf("%s: %s", path, r)
			}
			if took < beat {
				return succeeded("%s answers after %v, which is the time of its work", path, took)
			}
		}
	}
	return refused("every answer waits for its beat")
}

// ask gives all of an answer that could tell something, without the parts that differ every time.
func ask(ctx context.Context, t *Target, path string, body map[string]string, email string) (string, error) {
	in := map[string]string{"email": email, "client_id": t.Strict}
	for k, v := range body {
		in[k] = v
	}
	r, err := t.Visitor().Post(ctx, path, in)
	if err != nil {
		return "", err
	}
	var names []string
	for _, c := range r.Cookies {
		names = append(names, c.Name)
	}
	text := r.Body
	if id := r.Text("trace_id"); id != "" {
		text = bytes.ReplaceAll(text, []byte(id), nil)
	}
	return fmt.Sprintf("%d %s %s %s", r.Status, r.Header.Get("Content-Type"), names, text), nil
}

// preHijack: a stranger plants sign-ups for the victim's address before, between and after the victim's own.
func preHijack(ctx context.Context, t *Target) (Verdict, error) {
	const planted = "the stranger knows this one"
	email := Fresh("victim")
	stranger, victim := t.Visitor(), t.Visitor()
	plant := func() error {
		r, err := stranger.Post(ctx, "/register", map[string]string{"email": email, "password": planted, "name": "Stranger", "client_id": t.ClientID})
		if err == nil && r.Status != http.StatusAccepted {
			err = fmt.Errorf("register: %s", r)
		}
		return err
	}
	if err := plant(); err != nil {
		return Verdict{}, err
	}
	link, err := t.Link(ctx, email, 1)
	if err != nil {
		return Verdict{}, err
	}
	if r, err := victim.Post(ctx, link, map[string]string{}); err != nil {
		return Verdict{}, err
	} else if r.Status < 400 {
		return afterPlanted(ctx, stranger, email, planted)
	}
	if err := plant(); err != nil {
		return Verdict{}, err
	}
	if r, err := victim.Post(ctx, link, map[string]string{"new_password": Password}); err != nil || r.Status >= 400 {
		return Verdict{}, fmt.Errorf("the victim's own proof: %v %v", r, err)
	}
	if err := plant(); err != nil {
		return Verdict{}, err
	}
	return afterPlanted(ctx, stranger, email, planted)
}

func afterPlanted(ctx context.Context, stranger *Visitor, email, planted string) (Verdict, error) {
	for _, path := range []string{"/login/password"} {
		r, err := stranger.Post(ctx, path, map[string]string{"email": email, "password": planted, "client_id": stranger.Target.ClientID})
		if err != nil {
			return Verdict{}, err
		}
		if r.Status == http.StatusOK {
			return succeeded("the planted password logs the stranger in to the victim's account")
		}
	}
	owner := &Person{Email: email, Password: Password, Visitor: stranger.Target.Visitor()}
	access, _, err := owner.Bearer(ctx)
	if err != nil {
		return succeeded("the victim cannot log in: %v", err)
	}
	me, err := stranger.Target.Me(ctx, access)
	if err != nil || strings.Contains(string(me.Body), "Stranger") {
		return succeeded("something the stranger planted is in the account (%v)", err)
	}
	return refused("no planted password, name or link works")
}

// linkScanner: mail gateways fetch every link. GET and HEAD must leave it usable.
func linkScanner(ctx context.Context, t *Target) (Verdict, error) {
	v := t.Visitor()
	email := Fresh("scanned")
	if _, err := v.Post(ctx, "/register", map[string]string{"email": email, "password": Password, "client_id": t.ClientID}); err != nil {
		return Verdict{}, err
	}
	link, err := t.Link(ctx, email, 1)
	if err != nil {
		return Verdict{}, err
	}
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodGet} {
		if r, err := t.Visitor().Do(ctx, method, link, nil); err != nil || r.Status != http.StatusOK {
			return succeeded("%s of the link was not answered with its page a second time: %v %v", method, r, err)
		}
	}
	if r, err := v.Post(ctx, link, map[string]string{}); err != nil || r.Status >= 400 {
		return succeeded("the link was burnt by looking at it: %v %v", r, err)
	}
	return refused("looking at the link changed nothing")
}
