package login_test

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// TestAddressOfADeletedAccount: until it is erased nobody can sign up with it, by any road, and no mail carries a link that leads nowhere.
func TestAddressOfADeletedAccount(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const email = "ada@example.com"
		id := w.member(t, email)
		must(t, w.b.users.Delete(context.Background(), w.t.ID, id, w.now, w.now.Add(30*24*time.Hour), noRecord))
		must(t, w.register(w.call("b1"), email, "some other password"))
		if m := w.j.mail(email); m.Template != "closed" || m.Link != "" {
			t.Errorf("registering again mails %q with link %q", m.Template, m.Link)
		}
		for _, c := range []*tenant.Client{w.shut, w.auto} {
			for _, pw := range []string{goodPassword, "some other password"} {
				_, err := w.login(w.call("b1"), c, email, pw)
				wantReason(t, "login at "+c.ID, err, fault.ReasonInvalidCredentials)
			}
		}
		must(t, w.resend(w.call("b1"), email))
		must(t, w.forgot(w.call("b1"), email))
		if m := w.j.mail(email); m.Template != "" {
			t.Errorf("a mail %q was sent", m.Template)
		}
		w.now = w.now.Add(31 * 24 * time.Hour)
		_, err := w.b.users.Purge(context.Background(), w.t.ID, w.now, 10)
		must(t, err)
		if again := w.member(t, email); again == id {
			t.Error("the erased account came back")
		}
	})
}
