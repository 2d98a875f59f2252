package storetest

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

func (s *scene) wantTicket(t login.Ticket) {
	s.Helper()
	got, err := s.Logins.TicketByToken(s.ctx, s.tenant.ID, t.TokenHash, t.ExpiresAt.Add(-time.Microsecond))
	s.ok(err)
	s.same("ticket", got, t)
}

func ticketRoundTrip(s *scene) {
	u := s.person(s.address())
	t := s.ticket(login.TicketReset, u.ID, u.PrimaryEmail().Value)
	t.Typed = "Ünser@Example.COM"
	m := s.mark()
	s.ok(s.Logins.SaveTicket(s.ctx, t, m.Record))
	s.wrote(m, true)
	s.wantTicket(t)
	s.wantTicket(s.savedTicket(s.ticket(login.TicketReset, "", s.address()))) // an address without a user
	s.ticketGone(t.TokenHash, t.ExpiresAt)
	inert := s.ticket(login.TicketReset, "", s.address())
	inert.TokenHash = nil
	s.savedTicket(inert)
	for _, h := range [][]byte{nil, {}, t.TokenHash[:31], secret.Hash("other")} {
		s.ticketGone(h, noon)
	}
	s.attemptGone(t.TokenHash, noon)
}

func ticketsReplace(s *scene) {
	u := s.person(s.address())
	email := u.PrimaryEmail().Value
	old := s.savedTicket(s.ticket(login.TicketReset, u.ID, email))
	other := s.savedTicket(s.ticket(login.TicketEmailChange, u.ID, email))
	neighbour := s.savedTicket(s.ticket(login.TicketReset, "", s.address()))
	newer := s.savedTicket(s.ticket(login.TicketReset, u.ID, email))
	s.ticketGone(old.TokenHash, noon)
	for _, t := range []login.Ticket{other, neighbour, newer} {
		s.wantTicket(t)
	}
}

func reset(s *scene) {
	email := s.address()
	u, friend := s.person(email), s.person(s.address())
	mine, theirs := s.sessionOf(u.ID), s.sessionOf(friend.ID)
	child := s.opened(u, func(f *session.Family) { f.ParentID = mine.ID })
	change := s.savedTicket(s.ticket(login.TicketEmailChange, u.ID, s.address())) // pending changes of the user go too
	planted := s.saved(s.attempt(email))
	t := s.savedTicket(s.ticket(login.TicketReset, u.ID, email))
	spend := resetOf(t)
	m := s.mark()
	id, err := s.Logins.Reset(s.ctx, spend, m.Record)
	if s.ok(err); id != u.ID {
		s.Fatalf("reset of %q, want %q", id, u.ID)
	}
	s.wrote(m, true)
	k := s.known(email)
	if k.User == nil || k.Password == nil || k.Attempt != nil || k.User.Epoch != u.Epoch+1 || k.Password.PHC != spend.Password.PHC ||
		k.Password.PepperID != spend.Password.PepperID || k.User.PrimaryEmail().VerifiedHow != "reset" || k.User.Name != "Ann" {
		s.Fatalf("known: %+v %+v", k.User, k.Password)
	}
	s.ended("password_reset", mine, child)
	s.live(theirs)
	s.closed(u)
	s.ticketGone(t.TokenHash, noon)
	s.ticketGone(change.TokenHash, noon)
	s.attemptGone(planted.TokenHash, noon)
	m = s.mark()
	spend.Password = password("$second$")
	_, err = s.Logins.Reset(s.ctx, spend, m.Record)
	s.refused(err, fault.Gone, fault.ReasonGone)
	s.wrote(m, false)
	if got := s.known(email).Password.PHC; got == "$second$" {
		s.Fatal("a refused reset set the password")
	}
}

// resetMakesUser: whoever proves the mailbox by a reset owns the address; the attempts for it were perhaps a stranger's.
func resetMakesUser(s *scene) {
	email := s.address()
	planted := s.saved(s.attempt(email))
	spend := resetOf(s.savedTicket(s.ticket(login.TicketReset, "", email)))
	id, err := s.Logins.Reset(s.ctx, spend, audit.Record{})
	if s.ok(err); id != spend.UserID {
		s.Fatalf("made %q, want %q", id, spend.UserID)
	}
	u := s.get(id)
	e := u.PrimaryEmail()
	if u.Status != user.Active || u.Epoch != 1 || u.Name != "" || e.Value != email || !e.VerifiedAt.Equal(spend.At) || e.VerifiedHow != "reset" || !e.Primary {
		s.Fatalf("user: %+v", u)
	}
	if u.Registration == nil || len(u.Registration.Roles) != 1 || s.known(email).Password.PHC != spend.Password.PHC {
		s.Fatalf("registration: %+v", u.Registration)
	}
	s.attemptGone(planted.TokenHash, noon)
	s.refused(s.Logins.Prove(s.ctx, proof(planted), audit.Record{}), fault.Gone, fault.ReasonGone)
	s.live(s.sessionOf(id))
}

func oneResetWins(s *scene) {
	u := s.person(s.address())
	f := s.sessionOf(u.ID)
	t := s.savedTicket(s.ticket(login.TicketReset, u.ID, u.PrimaryEmail().Value))
	before := s.mark()
	s.onlyOne(fault.Gone, func(int) error {
		spend := resetOf(t)
		_, err := s.Logins.Reset(s.ctx, spend, s.record())
		return err
	})
	backlog, err := s.Outbox.Backlog(s.ctx)
	if s.ok(err); backlog != before.backlog+1 || s.get(u.ID).Epoch != u.Epoch+1 {
		s.Fatalf("%d records were written, epoch %d", backlog-before.backlog, s.get(u.ID).Epoch)
	}
	s.ended("password_reset", f)
}

func oneResetUser(s *scene) {
	email := s.address()
	t := s.savedTicket(s.ticket(login.TicketReset, "", email))
	s.onlyOne(fault.Gone, func(int) error {
		_, err := s.Logins.Reset(s.ctx, resetOf(t), audit.Record{})
		return err
	})
	if s.known(email).User == nil {
		s.Fatal("the winner's user is not there")
	}
}

// resetAgainstProve: an address whose attempt and reset are proved at once becomes one user, whoever was first.
func resetAgainstProve(s *scene) {
	for range 5 {
		email := s.address()
		a := s.saved(s.attempt(email))
		t := s.savedTicket(s.ticket(login.TicketReset, "", email))
		s.onlyOne(fault.Gone, func(i int) error {
			if i%2 == 0 {
				return s.Logins.Prove(s.ctx, proof(a), audit.Record{})
			}
			_, err := s.Logins.Reset(s.ctx, resetOf(t), audit.Record{})
			return err
		})
		if s.known(email).User == nil {
			s.Fatal("nobody owns the address")
		}
	}
}

func changeEmail(s *scene) {
	old, next := s.address(), s.address()
	u := s.person(old)
	f := s.sessionOf(u.ID)
	planted := s.saved(s.attempt(next))
	pending := s.savedTicket(s.ticket(login.TicketReset, u.ID, old)) // else whoever reads the old mailbox could still take the account
	t := s.ticket(login.TicketEmailChange, u.ID, next)
	t.Typed = "Next " + next
	s.savedTicket(t)
	m := s.mark()
	s.ok(s.Logins.ChangeEmail(s.ctx, t, noon.Add(time.Minute), m.Record))
	s.wrote(m, true)
	got := s.get(u.ID)
	s.same("identifiers", got.Identifiers, []user.Identifier{{
		Kind: user.Email, Value: next, Typed: t.Typed, VerifiedAt: noon.Add(time.Minute), VerifiedHow: got.PrimaryEmail().VerifiedHow, Primary: true,
	}})
	if k := s.known(old); k.User != nil {
		s.Fatal("the old address still finds the user")
	}
	if k := s.known(next); k.User == nil || k.User.ID != u.ID || k.Attempt != nil {
		s.Fatalf("known by the new address: %+v", k)
	}
	if email := s.load(f.ID).Holder.Email; email != next {
		s.Fatalf("the session's holder has %q", email)
	}
	s.attemptGone(planted.TokenHash, noon)
	s.ticketGone(pending.TokenHash, noon)
	s.ticketGone(t.TokenHash, noon)
	m = s.mark()
	s.refused(s.Logins.ChangeEmail(s.ctx, t, noon, m.Record), fault.Gone, fault.ReasonGone)
	s.wrote(m, false)
	s.person(old) // free again
}

func changeTaken(s *scene) {
	u, owner := s.person(s.address()), s.person(s.address())
	t := s.savedTicket(s.ticket(login.TicketEmailChange, u.ID, owner.PrimaryEmail().Value))
	m := s.mark()
	s.refused(s.Logins.ChangeEmail(s.ctx, t, noon, m.Record), fault.Gone, fault.ReasonGone)
	s.wrote(m, false)
	s.same("user", s.get(u.ID), u)
	s.same("owner", s.get(owner.ID), owner)
}

// oneChangeWins: one ticket spent by 64, then 64 people who all move to one address at once.
func oneChangeWins(s *scene) {
	u := s.person(s.address())
	t := s.savedTicket(s.ticket(login.TicketEmailChange, u.ID, s.address()))
	s.onlyOne(fault.Gone, func(int) error { return s.Logins.ChangeEmail(s.ctx, t, noon, audit.Record{}) })
	goal := s.address()
	var tickets [callers]login.Ticket
	for i := range tickets {
		tickets[i] = s.ticket(login.TicketEmailChange, s.person(s.address()).ID, goal)
	}
	for _, t := range tickets { // each replaces the one before, since the address is the same
		s.savedTicket(t)
	}
	s.onlyOne(fault.Gone, func(i int) error { return s.Logins.ChangeEmail(s.ctx, tickets[i], noon, audit.Record{}) })
	if k := s.known(goal); k.User == nil || k.User.ID != tickets[callers-1].UserID {
		s.Fatalf("known: %+v", k.User)
	}
}
