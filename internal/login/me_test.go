package login_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

func TestProfile(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		id := w.member(t, "ada@example.com")
		live := w.live(id, "ada@example.com")
		name, locale, data := "  Ada Zoe\u0308 ", "de-CH", json.RawMessage(`{"theme":"dark"}`)
		u, pending, err := w.svc.Update(ctx, w.call(""), live, login.MeChange{Name: &name, Locale: &locale, Data: &data})
		if err != nil || pending || u.Name != "Ada Zo\u00eb" || u.Locale != "de-CH" || string(u.Data) != `{"theme":"dark"}` {
			t.Fatalf("Update: %+v, %t, %v", u, pending, err)
		}
		live.Loaded.Holder = session.Holder{
			Present: true, Status: u.Status, Epoch: u.Epoch, Name: u.Name, Locale: u.Locale, Email: "ada@example.com", Verified: true,
			VerifiedAt: u.PrimaryEmail().VerifiedAt, CreatedAt: u.CreatedAt, Registered: true, Roles: u.Registration.Roles, UserData: u.Data,
			RegisterData: u.Registration.Data,
		}
		got, err := w.svc.Profile(ctx, w.call(""), live)
		show := func(u user.User) string {
			return fmt.Sprintf("%s %s %s %q %q %s %s %+v", u.ID, u.PrimaryEmail().Value, u.PrimaryEmail().VerifiedAt, u.Name, u.Locale, u.Data,
				u.CreatedAt, u.Registration.Roles)
		}
		if err != nil || show(got) != show(u) {
			t.Errorf("Profile: %s, %v, want %s", show(got), err, show(u))
		}
		if _, err := w.svc.Profile(ctx, w.call(""), session.Live{Loaded: session.Loaded{Family: session.Family{TenantID: w.t.ID}}}); err == nil {
			t.Error("a session without a user has a profile")
		}
		for _, bad := range []string{`[]`, `1`, `{"a":`, `{}{}`, `"x"`, `{"a":"` + strings.Repeat("x", 16<<10) + `"}`} {
			raw := json.RawMessage(bad)
			other := "Other"
			_, _, err := w.svc.Update(ctx, w.call(""), live, login.MeChange{Name: &other, Data: &raw})
			wantReason(t, "data "+bad[:min(len(bad), 20)], err, fault.ReasonInvalid)
		}
		if u, err = w.b.users.Get(ctx, w.t.ID, id, ""); err != nil || u.Name != "Ada Zo\u00eb" {
			t.Errorf("a refused change wrote the name %q (%v)", u.Name, err)
		}
	})
}

func TestParallelProfileChanges(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		id := w.member(t, "ada@example.com")
		got := raced(func(n int) error {
			name := strings.Repeat("x", n+1)
			_, _, err := w.svc.Update(context.Background(), w.call(""), w.live(id, "ada@example.com"), login.MeChange{Name: &name})
			return err
		})
		if got[""] == 0 || got[""]+got[fault.ReasonConflict] != parallel {
			t.Errorf("%v, want successes and conflicts", got)
		}
	})
}

func TestChangeOfAddress(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		id := w.member(t, "ada@example.com")
		to := "Ada@Example.org"
		stale := w.live(id, "ada@example.com")
		stale.Loaded.Family.AuthTime = w.now.Add(-11 * time.Minute)
		_, _, err := w.svc.Update(ctx, w.call("b1"), stale, login.MeChange{Email: &to})
		wantReason(t, "login 11 minutes old", err, fault.ReasonStepUpRequired)
		if m := w.j.mail("ada@example.org"); m.To != "" {
			t.Errorf("mailed all the same: %q", m.Template)
		}
		same := "ADA@example.com"
		if _, pending, err := w.svc.Update(ctx, w.call("b1"), stale, login.MeChange{Email: &same}); pending || err != nil {
			t.Errorf("the address one has: %t, %v", pending, err)
		}
		u, pending, err := w.svc.Update(ctx, w.call("b1"), w.live(id, "ada@example.com"), login.MeChange{Email: &to})
		if err != nil || !pending || u.PrimaryEmail().Value != "ada@example.com" {
			t.Fatalf("Update: %+v, %t, %v", u, pending, err)
		}
		token := w.token(t, "ada@example.org")
		_, err = w.verify(w.call("b2"), token, "a wrong password", "")
		wantReason(t, "elsewhere with a wrong password", err, fault.ReasonInvalidCredentials)
		_, err = w.reset(w.call("b1"), token, "another tractor 92")
		wantReason(t, "as a reset link", err, fault.ReasonGone)
		p, err := w.verify(w.call("b2"), token, goodPassword, "")
		if err != nil || p.UserID != id {
			t.Fatalf("verify: %+v, %v", p, err)
		}
		if m := w.j.mail("ada@example.com"); m.Template != "email_changed" {
			t.Errorf("the old address is sent %q", m.Template)
		}
		_, err = w.login(w.call(""), w.shut, "ada@example.org", goodPassword)
		must(t, err)
		_, err = w.login(w.call(""), w.shut, "ada@example.com", goodPassword)
		wantReason(t, "old address", err, fault.ReasonInvalidCredentials)
	})
}

func TestAddressTakenMeanwhile(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		id := w.member(t, "ada@example.com")
		to := "ada@example.org"
		_, _, err := w.svc.Update(context.Background(), w.call("b1"), w.live(id, "ada@example.com"), login.MeChange{Email: &to})
		must(t, err)
		token := w.token(t, to)
		must(t, w.register(w.call("b7"), to, goodPassword))
		_, err = w.verify(w.call("b7"), w.token(t, to), "", "")
		must(t, err)
		_, err = w.verify(w.call("b1"), token, "", "")
		wantReason(t, "the change", err, fault.ReasonGone)
		if w.memberID(t, "ada@example.com") != id || w.memberID(t, to) == id {
			t.Error("an address moved")
		}
	})
}

func TestDelete(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		id := w.member(t, "ada@example.com")
		out, err := w.login(w.call(""), w.shut, "ada@example.com", goodPassword)
		must(t, err)
		stale := w.live(id, "ada@example.com")
		stale.Loaded.Family.AuthTime = w.now.Add(-11 * time.Minute)
		wantReason(t, "login 11 minutes old", w.svc.Delete(ctx, w.call(""), stale), fault.ReasonStepUpRequired)
		must(t, w.svc.Delete(ctx, w.call(""), w.live(id, "ada@example.com")))
		if m := w.j.mail("ada@example.com"); m.Template != "deleted" {
			t.Errorf("the owner is sent %q", m.Template)
		}
		if w.sessionLives(t, out) {
			t.Error("a session survived")
		}
		_, err = w.login(w.call(""), w.shut, "ada@example.com", goodPassword)
		wantReason(t, "login after", err, fault.ReasonInvalidCredentials)
		swept, err := w.svc.Sweep(ctx, w.now.Add(30*24*time.Hour-time.Microsecond))
		if err != nil || swept.Users != 0 {
			t.Errorf("swept too early: %+v, %v", swept, err)
		}
		swept, err = w.svc.Sweep(ctx, w.now.Add(30*24*time.Hour))
		if err != nil || swept.Users != 1 {
			t.Errorf("sweep: %+v, %v", swept, err)
		}
		_, err = w.b.users.Get(ctx, w.t.ID, id, "")
		wantReason(t, "the erased user", err, fault.ReasonNotFound)
	})
}

// TestSweepUsesTheTenantsClock: a moved clock makes things expire.
func TestSweepUsesTheTenantsClock(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		must(t, w.register(w.call("b1"), "ada@example.com", goodPassword))
		if swept, err := w.svc.Sweep(context.Background(), w.now); err != nil || swept.Expired != 0 {
			t.Errorf("%+v, %v", swept, err)
		}
		w.t.Test, w.t.ClockOffset = true, 25*time.Hour
		if swept, err := w.svc.Sweep(context.Background(), w.now); err != nil || swept.Expired != 1 {
			t.Errorf("%+v, %v", swept, err)
		}
	})
}

// flaky is a session room in which the user changes under the caller's hands.
type flaky struct {
	opener
	times  int
	reason fault.Reason
}

func (f *flaky) Open(ctx context.Context, call *audit.Call, req session.OpenRequest) (session.Tokens, error) {
	if f.times--; f.times >= 0 {
		return session.Tokens{}, fault.New(fault.Conflict, f.reason, "changed")
	}
	return f.opener.Open(ctx, call, req)
}

func TestUserChangedDuringLogin(t *testing.T) {
	for times, want := range map[int]fault.Reason{0: "", 2: "", 3: fault.ReasonBusy} {
		w := newWorld(t, memoryBackend(t), login.Config{})
		w.member(t, "ada@example.com")
		v := newWorldOn(t, w, login.Config{Sessions: &flaky{opener: opener{w.b.sessions, w.j}, times: times, reason: fault.ReasonUserChanged}})
		_, err := v.login(v.call(""), v.shut, "ada@example.com", goodPassword)
		wantReason(t, "login", err, want)
	}
}

// full is a hasher whose queue is full.
type full struct{ login.Passwords }

func (full) Verify(context.Context, secret.Text, credential.Password) (bool, bool, error) {
	return false, false, fault.New(fault.Unavailable, fault.ReasonBusy, "busy").After(time.Second)
}
func (full) Decoy(context.Context, secret.Text) error {
	return fault.New(fault.Unavailable, fault.ReasonBusy, "busy").After(time.Second)
}

func TestBusyCostsNoTry(t *testing.T) {
	w := newWorld(t, memoryBackend(t), login.Config{})
	w.member(t, "ada@example.com")
	v := newWorldOn(t, w, login.Config{Passwords: full{credential.NewPasswords(w.ring, credential.Config{MemoryKiB: 64, Passes: 1})}})
	call := v.call("")
	for range 20 {
		for _, email := range []string{"ada@example.com", "nobody@example.com"} {
			_, err := v.login(call, v.shut, email, goodPassword)
			wantReason(t, email, err, fault.ReasonBusy)
		}
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	err := login.Config{}.Validate()
	for _, name := range []string{"Store", "Janitor", "Credentials", "Users", "Sessions", "Recorder", "Passwords", "Limits", "Ring", "Directory", "PublicURL"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in: %v", name, err)
		}
	}
}

var _ user.Store = people{}
