package storetest

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// returnTo: attempts and tickets remember where their mail leads back to.
func returnTo(s *scene) {
	a := s.attempt(s.address())
	a.ReturnTo = "an opaque id"
	s.saved(a)
	got, err := s.Logins.AttemptByToken(s.ctx, s.tenant.ID, a.TokenHash, noon)
	s.ok(err)
	s.same("attempt", got, a)
	s.same("known attempt", *s.known(a.Email).Attempt, a)
	t := s.ticket(login.TicketReset, "", s.address())
	t.ReturnTo = "another"
	s.wantTicket(s.savedTicket(t))
}

func (s *scene) passwordChange(u user.User) credential.Change {
	s.Helper()
	old := s.known(u.PrimaryEmail().Value).Password
	return credential.Change{
		TenantID: s.tenant.ID, UserID: u.ID, OldPHC: old.PHC, Password: password("$changed$" + s.address()), At: noon.Add(time.Minute),
	}
}

func changePassword(s *scene) {
	u, friend := s.person(s.address()), s.person(s.address())
	mine, theirs := s.sessionOf(u.ID), s.sessionOf(friend.ID)
	child := s.opened(u, func(f *session.Family) { f.ParentID = mine.ID })
	pending := s.savedTicket(s.ticket(login.TicketReset, u.ID, u.PrimaryEmail().Value)) // a mailed reset link must not undo the change
	signOn := s.signedOn(u)
	c := s.passwordChange(u)
	m := s.mark()
	epoch, err := s.Credentials.Change(s.ctx, c, m.Record)
	if s.ok(err); epoch != u.Epoch+1 {
		s.Fatalf("epoch %d, want %d", epoch, u.Epoch+1)
	}
	s.wrote(m, true)
	k := s.known(u.PrimaryEmail().Value)
	if k.User.Epoch != epoch || k.Password.PHC != c.Password.PHC || k.Password.PepperID != c.Password.PepperID || !k.Password.UpdatedAt.Equal(c.At) {
		s.Fatalf("known: %+v %+v", k.User, k.Password)
	}
	s.ended("password_changed", mine, child)
	s.live(theirs)
	s.closed(u)
	s.ticketGone(pending.TokenHash, noon)
	s.signOnEnded("password_changed", signOn)
	m = s.mark()
	_, err = s.Credentials.Change(s.ctx, c, m.Record) // from the old password again
	s.refused(err, fault.Conflict, fault.ReasonUserChanged)
	s.wrote(m, false)
	if got := s.get(u.ID); got.Epoch != epoch {
		s.Fatalf("a refused change raised the epoch to %d", got.Epoch)
	}
}

// onePasswordWins: of many changes from one password at once, one is made.
func onePasswordWins(s *scene) {
	u := s.person(s.address())
	f := s.sessionOf(u.ID)
	c := s.passwordChange(u)
	before := s.mark()
	s.onlyOne(fault.Conflict, func(int) error {
		_, err := s.Credentials.Change(s.ctx, c, s.record())
		return err
	})
	backlog, err := s.Outbox.Backlog(s.ctx)
	if s.ok(err); backlog != before.backlog+1 || s.get(u.ID).Epoch != u.Epoch+1 {
		s.Fatalf("%d records were written, epoch %d", backlog-before.backlog, s.get(u.ID).Epoch)
	}
	s.ended("password_changed", f)
}

func changeDisabled(s *scene) {
	u := s.person(s.address())
	c := s.passwordChange(u)
	s.ok(s.Users.SetStatus(s.ctx, s.tenant.ID, u.ID, user.Disabled, noon, audit.Record{}))
	_, err := s.Credentials.Change(s.ctx, c, audit.Record{})
	s.refused(err, fault.Conflict, fault.ReasonUserChanged)
	c.UserID = "nobody"
	_, err = s.Credentials.Change(s.ctx, c, audit.Record{})
	s.refused(err, fault.Conflict, fault.ReasonUserChanged)
}
