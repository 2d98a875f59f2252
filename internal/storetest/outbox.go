package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/delivery"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// Credentials runs the suite of credential.Store.
func Credentials(t *testing.T, r Rooms) {
	play(t, r, []step{{"rehash", rehash}, {"rehash refused", rehashRefused}, {"one rehash wins", oneRehashWins},
		{"password change", changePassword}, {"one password change wins", onePasswordWins}, {"password change of the disabled", changeDisabled}})
}

func (s *scene) withPassword() (email string, p credential.Password) {
	s.Helper()
	email = s.address()
	s.person(email)
	return email, *s.known(email).Password
}

func rehash(s *scene) {
	email, p := s.withPassword()
	to := credential.Password{ID: p.ID, UserID: p.UserID, PHC: "$better$", PepperID: 1<<32 - 1}
	m := s.mark()
	won, err := s.Credentials.Rehash(s.ctx, s.tenant.ID, p.ID, p.PHC, to, noon.Add(time.Hour), m.Record)
	if s.ok(err); !won {
		s.Fatal("lost")
	}
	s.wrote(m, true)
	to.CreatedAt, to.UpdatedAt = p.CreatedAt, noon.Add(time.Hour)
	s.same("password", *s.known(email).Password, to)
}

func rehashRefused(s *scene) {
	email, p := s.withPassword()
	far := s.newTenant()
	m := s.mark()
	for _, c := range [][3]string{{s.tenant.ID, p.ID, "$other$"}, {far.ID, p.ID, p.PHC}, {s.tenant.ID, secret.NewID(noon), p.PHC}, {s.tenant.ID, p.ID, ""}} {
		won, err := s.Credentials.Rehash(s.ctx, c[0], c[1], c[2], credential.Password{PHC: "$x$"}, noon, m.Record)
		if s.ok(err); won {
			s.Fatalf("rehashed with %q", c)
		}
	}
	s.wrote(m, false)
	s.same("password", *s.known(email).Password, p)
}

func oneRehashWins(s *scene) {
	_, p := s.withPassword()
	before := s.mark()
	won := s.together(func(i int) (bool, error) {
		return s.Credentials.Rehash(s.ctx, s.tenant.ID, p.ID, p.PHC, credential.Password{PHC: fmt.Sprint("$", i)}, noon, s.record())
	})
	backlog, err := s.Outbox.Backlog(s.ctx)
	if s.ok(err); won != 1 || backlog != before.backlog+1 {
		s.Fatalf("%d of %d won and wrote %d records", won, callers, backlog-before.backlog)
	}
}

// Outbox runs the suite of delivery.Store.
func Outbox(t *testing.T, r Rooms) {
	play(t, r, []step{
		{"lease", leaseMessages}, {"retry", retryMessages}, {"one lease a message", oneLeaseAMessage}, {"mailbox", mailbox},
		{"mailbox of 500", mailbox500}, {"mailbox text", mailboxText},
	})
}

// drained empties the outbox of what earlier steps left and gives the instant to go on from.
func (s *scene) drained() time.Time {
	s.Helper()
	for {
		got, err := s.Outbox.Lease(s.ctx, 1000, noon.Add(100_000*time.Hour), time.Microsecond)
		s.ok(err)
		for _, l := range got {
			s.ok(s.Outbox.Done(s.ctx, l.Message.ID))
		}
		if n, err := s.Outbox.Backlog(s.ctx); err != nil || n == 0 {
			s.ok(err)
			return noon
		}
	}
}

func (s *scene) sent(notBefore time.Time) audit.Message {
	s.Helper()
	m := audit.Message{ID: secret.NewID(notBefore), TenantID: s.tenant.ID, Kind: delivery.KindMail, Sealed: []byte{0, 1, 0xff}, NotBefore: notBefore}
	s.ok(s.Sessions.Record(s.ctx, audit.Record{Messages: []audit.Message{m}}))
	return m
}

// leases hands out up to n messages for a minute and checks which.
func (s *scene) leases(n int, at time.Time, want ...delivery.Leased) {
	s.Helper()
	got, err := s.Outbox.Lease(s.ctx, n, at, time.Minute)
	s.ok(err)
	s.same("leased", byID(got), byID(want))
}

func byID(in []delivery.Leased) map[string]delivery.Leased {
	out := map[string]delivery.Leased{}
	for _, l := range in {
		l.Message.NotBefore = time.Time{} // the store may keep the lease's end there
		out[l.Message.ID] = l
	}
	return out
}

func leaseMessages(s *scene) {
	at := s.drained()
	now, later := s.sent(at), s.sent(at.Add(time.Hour))
	s.leases(10, at.Add(-time.Microsecond))
	s.leases(0, at)
	s.leases(10, at, delivery.Leased{Message: now})
	s.leases(10, at.Add(time.Minute-time.Microsecond))
	s.ok(s.Outbox.Hold(s.ctx, now.ID, at.Add(3*time.Minute)))
	s.ok(s.Outbox.Hold(s.ctx, now.ID, at.Add(2*time.Minute))) // a late renewal takes nothing away
	s.leases(10, at.Add(3*time.Minute-time.Microsecond))
	s.leases(10, at.Add(time.Hour), delivery.Leased{Message: now}, delivery.Leased{Message: later}) // the first lease ran out unfulfilled
	s.ok(s.Outbox.Done(s.ctx, now.ID))
	s.ok(s.Outbox.Done(s.ctx, now.ID)) // a slow worker after a fast one
	s.ok(s.Outbox.Hold(s.ctx, now.ID, at.Add(9*time.Hour)))
	s.leases(1, at.Add(2*time.Hour), delivery.Leased{Message: later})
	if n, err := s.Outbox.Backlog(s.ctx); err != nil || n != 1 {
		s.Fatalf("backlog %d, %v", n, err)
	}
	s.ok(s.Outbox.Done(s.ctx, later.ID))
	for range 5 {
		s.sent(at)
	}
	for _, want := range []int{2, 2, 1, 0} {
		if got, err := s.Outbox.Lease(s.ctx, 2, at, time.Minute); err != nil || len(got) != want {
			s.Fatalf("leased %d, %v, want %d", len(got), err, want)
		}
	}
}

func retryMessages(s *scene) {
	at := s.drained()
	m := s.sent(at)
	for failed := range 3 {
		s.leases(10, at, delivery.Leased{Message: m, Attempts: failed})
		s.ok(s.Outbox.Retry(s.ctx, m.ID, at.Add(10*time.Second))) // before the lease would have ended
		s.leases(10, at.Add(10*time.Second-time.Microsecond))
		at = at.Add(10 * time.Second)
	}
	s.leases(10, at, delivery.Leased{Message: m, Attempts: 3})
	s.ok(s.Outbox.Done(s.ctx, m.ID))
	s.leases(10, at.Add(1000*time.Hour))
}

func oneLeaseAMessage(s *scene) {
	at := s.drained()
	for range 100 {
		s.sent(at)
	}
	var mu sync.Mutex
	seen := map[string]int{}
	s.together(func(int) (bool, error) {
		for {
			got, err := s.Outbox.Lease(s.ctx, 3, at, time.Minute)
			if err != nil || len(got) == 0 {
				return false, err
			}
			mu.Lock()
			for _, l := range got {
				seen[l.Message.ID]++
			}
			mu.Unlock()
		}
	})
	for id, n := range seen {
		if n != 1 {
			s.Fatalf("message %s was handed to %d callers", id, n)
		}
	}
	s.leases(1000, at) // nothing is left that nobody has
	if len(seen) != 100 {
		s.Fatalf("%d of 100 messages were handed out", len(seen))
	}
	s.drained()
}

func (s *scene) boxMail(to string, at time.Time) delivery.BoxMail {
	return delivery.BoxMail{
		ID: secret.NewID(at), TenantID: s.tenant.ID, To: to, Subject: "Grüße \U0001F4EC", Text: "a\r\nb", HTML: "<p>ä</p>",
		Links: []string{"https://example.com/?a=b&c=d"}, Codes: []string{"012345"}, At: at,
	}
}

func (s *scene) boxed(m delivery.BoxMail) delivery.BoxMail {
	s.Helper()
	s.ok(s.Outbox.PutMail(s.ctx, m))
	return m
}

func (s *scene) wantMailbox(to string, limit int, want ...delivery.BoxMail) {
	s.Helper()
	got, err := s.Outbox.Mailbox(s.ctx, s.tenant.ID, to, limit)
	s.ok(err)
	s.same("mailbox of "+to, got, want)
}

func mailbox(s *scene) {
	far := s.elsewhere()
	theirs := far.boxed(far.boxMail("a@example.com", noon))
	s.wantMailbox("", 10)
	plain := s.boxMail("a@example.com", noon)
	plain.Links, plain.Codes, plain.HTML = nil, nil, ""
	a := s.boxed(plain)
	b := s.boxed(s.boxMail("b@example.com", noon.Add(time.Second)))
	c := s.boxed(s.boxMail("a@example.com", noon.Add(2*time.Second)))
	s.wantMailbox("", 10, c, b, a)
	s.wantMailbox("", 2, c, b)
	s.wantMailbox("a@example.com", 10, c, a)
	s.wantMailbox("a@example.com", 1, c)
	s.wantMailbox("nobody@example.com", 10)
	s.wantMailbox("%", 10)
	s.ok(s.Outbox.ClearMailbox(s.ctx, s.tenant.ID))
	s.wantMailbox("", 10)
	far.wantMailbox("", 10, theirs)
}

func mailbox500(s *scene) {
	far := s.elsewhere()
	theirs := far.boxed(far.boxMail("a@example.com", noon.Add(-time.Hour)))
	for i := range 503 {
		s.boxed(s.boxMail(fmt.Sprint(i), noon.Add(time.Duration(i)*time.Second)))
	}
	got, err := s.Outbox.Mailbox(s.ctx, s.tenant.ID, "", 1000)
	if s.ok(err); len(got) != 500 || got[0].To != "502" || got[499].To != "3" {
		s.Fatalf("%d mails, %q to %q", len(got), got[0].To, got[len(got)-1].To)
	}
	far.wantMailbox("", 10, theirs)
}

func mailboxText(s *scene) {
	for _, bad := range badTexts {
		m := s.boxMail("a@example.com", noon)
		m.Text = bad
		s.refused(s.Outbox.PutMail(context.Background(), m), fault.Invalid, "")
	}
	s.wantMailbox("", 10)
}
