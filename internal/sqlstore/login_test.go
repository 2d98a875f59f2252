package sqlstore_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/ephemeral"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/race"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// raced calls fn 64 times at once and gives how many succeeded; the others must have failed with reason.
func raced(t *testing.T, reason fault.Reason, fn func(i int) error) int {
	t.Helper()
	return race.Winners(t, func(i int) (bool, error) {
		err := fn(i)
		if err != nil && fault.ReasonOf(err) == reason {
			return false, nil
		}
		return err == nil, err
	})
}

func TestOneOf64ProvesAnAttempt(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) {
		seed(t, s)
		a := attempt("race@example.com")
		other := attempt("race@example.com")
		for _, x := range []login.Attempt{a, other} {
			if err := s.Logins().SaveAttempt(t.Context(), x, audit.Record{}); err != nil {
				t.Fatal(err)
			}
		}
		won := raced(t, fault.ReasonGone, func(i int) error {
			mine := []login.Attempt{a, other}[i%2]
			id := secret.NewID(t0)
			return s.Logins().Prove(t.Context(), login.Proof{Attempt: mine, UserID: id, Password: credential.Password{ID: id, PHC: "x"}, At: t0}, event("proved"))
		})
		if won != 1 {
			t.Errorf("%d users were made of one address", won)
		}
		if found, _ := s.Events().Find(t.Context(), sqlstore.TrailQuery{TenantID: tenantID, Trace: "trace-proved"}); len(found) != 1 {
			t.Errorf("%d events", len(found))
		}
	})
}

func ticket(kind login.TicketKind, userID, email string) login.Ticket {
	return login.Ticket{
		TenantID: tenantID, ID: secret.NewID(t0), Kind: kind, ClientID: "store", UserID: userID, Email: email, Typed: email,
		TokenHash: secret.Bytes(32), CreatedAt: t0, ExpiresAt: t0.Add(time.Hour),
	}
}

func TestOneOf64SpendsATicket(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) {
		seed(t, s)
		userID := enrol(t, s, "old@example.com")
		f := family(userID)
		if err := s.Sessions().Open(t.Context(), f, nil, audit.Record{}); err != nil {
			t.Fatal(err)
		}
		spend := map[string]func(tk login.Ticket) error{
			"reset": func(tk login.Ticket) error {
				id := secret.NewID(t0)
				_, err := s.Logins().Reset(t.Context(), login.ResetSpend{Ticket: tk, UserID: id, Password: credential.Password{ID: id, PHC: "new"}, At: t0}, audit.Record{})
				return err
			},
			"change": func(tk login.Ticket) error { return s.Logins().ChangeEmail(t.Context(), tk, t0, audit.Record{}) },
		}
		for _, c := range []struct {
			spend  string
			ticket login.Ticket
		}{
			{"reset", ticket(login.TicketReset, userID, "old@example.com")},
			{"reset", ticket(login.TicketReset, "", "newcomer@example.com")},
			{"change", ticket(login.TicketEmailChange, userID, "new@example.com")},
		} {
			if err := s.Logins().SaveTicket(t.Context(), c.ticket, audit.Record{}); err != nil {
				t.Fatal(err)
			}
			read, err := s.Logins().TicketByToken(t.Context(), tenantID, c.ticket.TokenHash, t0)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.ticket, read); diff != "" {
				t.Error(diff)
			}
			if won := raced(t, fault.ReasonGone, func(int) error { return spend[c.spend](read) }); won != 1 {
				t.Errorf("%s of %s: spent %d times", c.spend, c.ticket.Email, won)
			}
		}
		u, err := s.Users().Get(t.Context(), tenantID, userID, "store")
		want := []user.Identifier{{Kind: user.Email, Value: "new@example.com", Typed: "new@example.com", VerifiedAt: t0, VerifiedHow: "mail", Primary: true}}
		if err != nil || u.Epoch != 2 || u.Name != "Ada" {
			t.Errorf("after all: %+v, %v", u, err)
		}
		if diff := cmp.Diff(want, u.Identifiers); diff != "" {
			t.Error(diff)
		}
		got, err := s.Sessions().Load(t.Context(), session.Ref{TenantID: tenantID, ID: f.ID})
		if err != nil || got.Family.RevokedReason != "password_reset" || got.Holder.Email != "new@example.com" || !got.Holder.Registered {
			t.Errorf("the session: %+v, %v", got, err)
		}
		known, err := s.Logins().Known(t.Context(), login.KnownQuery{TenantID: tenantID, ClientID: "store", Email: "new@example.com", At: t0})
		if err != nil || known.User == nil || known.Password == nil || known.Password.PHC != "new" || known.Attempt != nil {
			t.Errorf("known: %+v, %v", known, err)
		}
	})
}

func TestOneOf64SpendsAValue(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) {
		v := s.Values()
		if err := v.Put(t.Context(), "k", []byte("v"), t0, time.Minute); err != nil {
			t.Fatal(err)
		}
		won := raced(t, fault.ReasonGone, func(int) error {
			got, err := v.Spend(t.Context(), "k", t0)
			if err == nil && got == nil {
				err = fault.New(fault.Gone, fault.ReasonGone, "")
			}
			return err
		})
		if won != 1 {
			t.Errorf("spent %d times", won)
		}
	})
}

func TestLimitIsExactFor64AtOnce(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) {
		wide := ephemeral.Charge{Name: "wide", Key: "w", Limit: ephemeral.Limit{N: 1000, Window: time.Hour}}
		narrow := ephemeral.Charge{Name: "narrow", Key: "n", Limit: ephemeral.Limit{N: 5, Window: time.Minute}}
		won := raced(t, fault.ReasonLimited, func(i int) error {
			charges := []ephemeral.Charge{wide, narrow}
			if i%2 == 0 {
				charges[0], charges[1] = narrow, wide
			}
			v, err := s.Limits().Take(t.Context(), charges, t0)
			if err == nil && v.Refused != "" {
				err = fault.New(fault.Limited, fault.ReasonLimited, v.Refused)
			}
			return err
		})
		if won != 5 {
			t.Errorf("%d of 5 passed", won)
		}
		v, err := s.Limits().Take(t.Context(), []ephemeral.Charge{wide, narrow}, t0)
		if err != nil || v.Refused != "narrow" || v.RetryAfter != 12*time.Second {
			t.Errorf("got %+v, %v", v, err)
		}
		if err := s.Limits().GiveBack(t.Context(), []ephemeral.Charge{narrow}, t0); err != nil {
			t.Fatal(err)
		}
		if v, err := s.Limits().Take(t.Context(), []ephemeral.Charge{wide, narrow}, t0); err != nil || v.Refused != "" {
			t.Errorf("after giving back: %+v, %v", v, err)
		}
	})
}

func TestRevocationsAreNumberedWithoutGaps(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) {
		rec := audit.Record{Revocations: []audit.Revocation{{TenantID: tenantID, Kind: "token", At: t0}, {TenantID: tenantID, Kind: "key", At: t0}}}
		if won := raced(t, "", func(int) error { return s.Sessions().Record(t.Context(), rec) }); won != 64 {
			t.Fatalf("%d written", won)
		}
		feed, err := s.Events().Revocations(t.Context(), tenantID, 0, 1000)
		if err != nil || len(feed) != 128 {
			t.Fatalf("%d entries, %v", len(feed), err)
		}
		for i, r := range feed {
			if r.Seq != int64(i+1) || r.Kind != []string{"token", "key"}[i%2] {
				t.Fatalf("entry %d: %+v", i, r)
			}
		}
	})
}
