package login_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// telling is a store that takes its time where it finds somebody, as every index does.
type telling struct{ login.Store }

func (s telling) Known(ctx context.Context, q login.KnownQuery) (login.Known, error) {
	k, err := s.Store.Known(ctx, q)
	time.Sleep(time.Millisecond)
	if k.User != nil || k.Attempt != nil {
		time.Sleep(700 * time.Microsecond)
	}
	return k, err
}

// TestAnswersComeOnTheBeat: what tells nothing by its text tells nothing by its time, although known addresses take longer.
func TestAnswersComeOnTheBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memoryBackend(t)
		b.logins = telling{b.logins}
		w := newWorld(t, b, login.Config{Beat: 20 * time.Millisecond})
		classes := w.classes(t)
		member := w.member(t, "changer@example.com")
		for name, verb := range map[string]func(email string) error{
			"login": func(email string) error {
				_, err := w.login(w.call("bx"), w.shut, email, "a wrong password")
				return err
			},
			"login at a page": func(email string) error {
				_, err := w.prove(w.call("bx"), w.shut, email, "a wrong password")
				return err
			},
			"check": func(email string) error {
				_, err := w.svc.Check(t.Context(), w.call(""), login.CheckRequest{Tenant: w.t, Email: email, Password: secret.NewText("a wrong password")})
				return err
			},
			"register": func(email string) error { return w.register(w.call("bx"), email, goodPassword) },
			"resend":   func(email string) error { return w.resend(w.call("bx"), email) },
			"forgot":   func(email string) error { return w.forgot(w.call("bx"), email) },
			"change": func(email string) error {
				_, _, err := w.svc.Update(t.Context(), w.call("bx"), w.live(member, "changer@example.com"), login.MeChange{Email: &email})
				return err
			},
		} {
			for class, email := range classes {
				w.now = w.now.Add(3 * time.Hour) // limits are forgotten
				began := time.Now()
				_ = verb(email)
				if took := time.Since(began); took < 20*time.Millisecond || took > 24*time.Millisecond {
					t.Errorf("%s of a %s address: answered after %v", name, class, took)
				}
			}
		}
		began := time.Now()
		if _, err := w.login(w.call("bx"), w.shut, classes["member"], goodPassword); err != nil || time.Since(began) >= 20*time.Millisecond {
			t.Errorf("who knows the password waited %v: %v", time.Since(began), err)
		}
	})
}

// TestWorkLongerThanABeat: the answer comes on the next one.
func TestWorkLongerThanABeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memoryBackend(t)
		b.logins = telling{b.logins}
		w := newWorld(t, b, login.Config{Beat: 1500 * time.Microsecond})
		w.member(t, "ada@example.com")
		began := time.Now()
		must(t, w.forgot(w.call("bx"), "ada@example.com"))
		if took := time.Since(began); took < 3*time.Millisecond || took > 3300*time.Microsecond {
			t.Errorf("1.7 ms of work was answered after %v", took)
		}
	})
}
