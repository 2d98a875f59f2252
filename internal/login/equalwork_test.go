package login_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// classes makes one address of every state an address can be in, and gives them by name.
func (w *world) classes(t *testing.T) map[string]string {
	t.Helper()
	w.member(t, "member@example.com")
	disabled := w.member(t, "disabled@example.com")
	must(t, w.b.users.SetStatus(context.Background(), w.t.ID, disabled, user.Disabled, w.now, noRecord))
	deleted := w.member(t, "deleted@example.com")
	must(t, w.b.users.Delete(context.Background(), w.t.ID, deleted, w.now, w.now.AddDate(0, 0, 30), noRecord))
	must(t, w.register(w.call("b1"), "pending@example.com", goodPassword))
	w.now = w.now.Add(3 * 3600e9)
	w.j.take()
	return map[string]string{
		"unknown": "unknown@example.com", "member": "member@example.com", "disabled": "disabled@example.com",
		"pending": "pending@example.com", "deleted": "deleted@example.com",
	}
}

// done is everything a caller, or somebody with a clock, may see of a request.
type done struct {
	Kind    fault.Kind
	Reason  fault.Reason
	Text    string
	Fields  []fault.Field
	Verbs   []string
	Refusal string
}

func (w *world) watch(err error) done {
	d := done{Verbs: w.j.take()}
	if f := fault.From(err); f != nil {
		d.Kind, d.Reason, d.Text, d.Fields, d.Refusal = f.Kind, f.Reason, f.Safe, f.Fields, fmt.Sprint(f.RetryAfter)
	}
	return d
}

// TestEqualWork holds every verb that takes an address to one behaviour for all addresses when auto_register is off: the same verbs of
// the stores in the same order, the same number of hashes, events and outbox rows, and the same answer.
func TestEqualWork(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		classes := w.classes(t)
		member := w.member(t, "changer@example.com")
		for name, verb := range map[string]func(email string) error{
			"login, wrong password": func(email string) error {
				_, err := w.login(w.call("bx"), w.shut, email, "a wrong password")
				return err
			},
			"login, wrong password, no browser": func(email string) error {
				_, err := w.login(w.call(""), w.shut, email, "a wrong password")
				return err
			},
			"a page's login": func(email string) error {
				_, err := w.prove(w.call("bx"), w.shut, email, "a wrong password")
				return err
			},
			"a page's login, auto_register": func(email string) error {
				_, err := w.prove(w.call("bx"), w.auto, email, "a wrong password")
				return err
			},
			"a page's login for no client": func(email string) error {
				_, err := w.prove(w.call("bx"), nil, email, "a wrong password")
				return err
			},
			"register": func(email string) error { return w.register(w.call("bx"), email, "some other password") },
			"resend":   func(email string) error { return w.resend(w.call("bx"), email) },
			"forgot":   func(email string) error { return w.forgot(w.call("bx"), email) },
			"change of address": func(email string) error {
				_, pending, err := w.svc.Update(context.Background(), w.call("bx"), w.live(member, "changer@example.com"), login.MeChange{Email: &email})
				if !pending {
					t.Errorf("a change to %s is not pending", email)
				}
				return err
			},
		} {
			want := w.watch(verb(classes["unknown"]))
			if len(want.Verbs) < 3 {
				t.Fatalf("%s: the journal saw only %v", name, want.Verbs)
			}
			for class, email := range classes {
				if diff := cmp.Diff(want, w.watch(verb(email))); diff != "" {
					t.Errorf("%s: %s differs from unknown (-unknown +%s):\n%s", name, class, class, diff)
				}
			}
			w.now = w.now.Add(24 * 3600e9 / 2)
		}
	})
}

// TestEqualWorkWhenLimited: a refusal for too many tries says nothing about the address either.
func TestEqualWorkWhenLimited(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		seen := map[string]done{}
		for class, email := range w.classes(t) {
			call := w.call("bx")
			for range 5 {
				_, err := w.login(call, w.shut, email, "a wrong password")
				wantReason(t, class, err, fault.ReasonInvalidCredentials)
			}
			w.j.take()
			_, err := w.login(call, w.shut, email, "a wrong password")
			seen[class] = w.watch(err)
		}
		for class, d := range seen {
			if diff := cmp.Diff(seen["unknown"], d); diff != "" || d.Reason != fault.ReasonLimited {
				t.Errorf("%s when limited: %v\n%s", class, d.Reason, diff)
			}
		}
	})
}

// TestNothingOfAStrangerIsMailed: what a stranger may choose reaches no mail to the address they chose, which would be a billboard.
func TestNothingOfAStrangerIsMailed(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		call := w.call("BUY CHEAP at evil.example")
		call.Agent = "test agent"
		must(t, w.register(call, "ada@example.com", goodPassword))
		m := w.j.mail("ada@example.com")
		want := map[string]string{"place": "198.18.0.0/24", "device": "test agent", "when": w.now.Format("2006-01-02T15:04:05Z07:00")}
		if diff := cmp.Diff(want, m.Vars); diff != "" {
			t.Errorf("the mail's values (-want +got):\n%s", diff)
		}
		if m.Client != "App shut" || m.Template != "verify" || m.To != "ada@example.com" || m.Code != "" {
			t.Errorf("the mail is %+v", m)
		}
	})
}

func TestLinksComeFromConfiguration(t *testing.T) {
	for issuer, want := range map[string]string{
		"https://login.example.com":   "https://login.example.com/email/verify/",
		"https://login.example.com//": "https://login.example.com/email/verify/",
		"https://example.com/t/main":  "https://example.com/t/main/email/verify/",
		"a-tenant-id":                 "https://public.example.com/t/main/email/verify/",
		"":                            "https://public.example.com/t/main/email/verify/",
		"javascript:alert(1)":         "https://public.example.com/t/main/email/verify/",
	} {
		w := newWorld(t, memoryBackend(t), login.Config{})
		w.t.Issuer, w.t.Slug = issuer, "main"
		must(t, w.register(w.call(""), "ada@example.com", goodPassword))
		link := w.j.mail("ada@example.com").Link
		if len(link) != len(want)+43 || link[:len(want)] != want {
			t.Errorf("issuer %q: link %q, want %q and a token", issuer, link, want)
		}
	}
}
