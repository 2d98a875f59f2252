package storetest

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// Logins runs the suite of login.Store and login.Janitor.
func Logins(t *testing.T, r Rooms) {
	play(t, r, []step{
		{"attempt round trip", attemptRoundTrip}, {"attempt by token", attemptByToken}, {"which attempt", whichAttempt},
		{"twenty attempts", twentyAttempts}, {"prove", prove}, {"one proof wins", oneProofWins}, {"one attempt of many wins", oneAttemptWins},
		{"saves against a proof", savesAgainstProof},
		{"prove deletes the rest", proveDeletes}, {"prove a taken address", proveTaken}, {"addresses that look alike", addressesAlike},
		{"bad text in sign-ups", loginBadText}, {"other tenants' tokens", tokensElsewhere}, {"save twice", saveTwice},
		{"ticket round trip", ticketRoundTrip}, {"tickets replace", ticketsReplace},
		{"reset", reset}, {"reset makes a user", resetMakesUser}, {"one reset wins", oneResetWins}, {"one new user by reset", oneResetUser},
		{"reset against prove", resetAgainstProve}, {"email change", changeEmail}, {"email change to a taken address", changeTaken},
		{"one email change wins", oneChangeWins}, {"janitor", janitor}, {"where a mail leads back to", returnTo},
	})
}

func attemptRoundTrip(s *scene) {
	email := s.address()
	s.same("known of a stranger", s.known(email), login.Known{})
	a := s.attempt(email)
	a.Typed, a.Name = " U\u0308ser@Example.COM", "Åsa \U0001F600"
	m := s.mark()
	s.ok(s.Logins.SaveAttempt(s.ctx, a, m.Record))
	s.wrote(m, true)
	k := s.known(email)
	if k.User != nil || k.Password != nil || k.Attempt == nil {
		s.Fatalf("known: %+v", k)
	}
	s.same("attempt", *k.Attempt, a)
	if k.Attempt.CreatedAt.Location() != time.UTC || k.Attempt.Password.CreatedAt.Location() != time.UTC {
		s.Fatal("instants do not come back in UTC")
	}
}

func (s *scene) attemptGone(tokenHash []byte, at time.Time) {
	s.Helper()
	_, err := s.Logins.AttemptByToken(s.ctx, s.tenant.ID, tokenHash, at)
	s.refused(err, fault.Gone, fault.ReasonGone)
}

func (s *scene) ticketGone(tokenHash []byte, at time.Time) {
	s.Helper()
	_, err := s.Logins.TicketByToken(s.ctx, s.tenant.ID, tokenHash, at)
	s.refused(err, fault.Gone, fault.ReasonGone)
}

func attemptByToken(s *scene) {
	inert := s.attempt(s.address())
	inert.TokenHash = nil
	s.saved(inert)
	a := s.saved(s.attempt(s.address()))
	got, err := s.Logins.AttemptByToken(s.ctx, s.tenant.ID, a.TokenHash, a.ExpiresAt.Add(-time.Microsecond))
	s.ok(err)
	s.same("attempt", got, a)
	s.attemptGone(a.TokenHash, a.ExpiresAt)
	for _, h := range [][]byte{nil, {}, {0}, a.TokenHash[:31], secret.Hash("other"), append([]byte{}, append(a.TokenHash, 0)...)} {
		s.attemptGone(h, noon)
	}
	s.ticketGone(a.TokenHash, noon) // a sign-up's token is no ticket
}

func whichAttempt(s *scene) {
	email := s.address()
	var all []login.Attempt
	for i := range 4 {
		a := s.attempt(email)
		a.CreatedAt = noon.Add(time.Duration(i) * time.Microsecond)
		all = append(all, a)
	}
	all[3].TokenHash = nil            // inert ones are never shown
	all[2].ExpiresAt = noon.Add(3600) // 3.6 µs
	for _, a := range []login.Attempt{all[1], all[3], all[0], all[2]} {
		s.saved(a)
	}
	for browser, want := range map[string]int{"": 1, "unknown": 1, all[0].Browser: 0, all[1].Browser: 1, all[2].Browser: 1, all[3].Browser: 1} {
		k, err := s.Logins.Known(s.ctx, login.KnownQuery{TenantID: s.tenant.ID, ClientID: "app", Email: email, Browser: browser, At: noon.Add(time.Hour)})
		if s.ok(err); k.Attempt == nil || k.Attempt.ID != all[want].ID {
			s.Fatalf("browser %q: got %+v, want attempt %d", browser, k.Attempt, want)
		}
	}
	nobody := s.address()
	a := s.attempt(nobody)
	a.Browser = "" // made without a cookie; a caller without one must not count as the same browser before a newer attempt
	s.saved(a)
	b := s.attempt(nobody)
	b.CreatedAt = noon.Add(time.Second)
	s.saved(b)
	if k := s.known(nobody); k.Attempt == nil || k.Attempt.ID != b.ID {
		s.Fatalf("got %+v, want the newest", k.Attempt)
	}
}

// twentyAttempts: a stranger who signs an address up again and again pushes out the oldest, and fills no disk.
func twentyAttempts(s *scene) {
	email, other := s.address(), s.saved(s.attempt(s.address()))
	var all []login.Attempt
	for i := range 25 {
		a := s.attempt(email)
		a.CreatedAt = noon.Add(time.Duration(i) * time.Second)
		all = append(all, s.saved(a))
	}
	for i, a := range all {
		_, err := s.Logins.AttemptByToken(s.ctx, s.tenant.ID, a.TokenHash, noon.Add(time.Minute))
		if (err != nil) != (i < 5) {
			s.Fatalf("attempt %d of 25: %v", i, err)
		}
	}
	_, err := s.Logins.AttemptByToken(s.ctx, s.tenant.ID, other.TokenHash, noon)
	s.ok(err)
}

func prove(s *scene) {
	email := s.address()
	a := s.attempt(email)
	a.Typed = "Typed " + email
	p := proof(s.saved(a))
	p.Name, p.Password = "", password("$new$")
	m := s.mark()
	s.ok(s.Logins.Prove(s.ctx, p, m.Record))
	s.wrote(m, true)
	k := s.known(email)
	if k.User == nil || k.Password == nil || k.Attempt != nil {
		s.Fatalf("known: %+v", k)
	}
	s.same("user", *k.User, user.User{
		TenantID: s.tenant.ID, ID: p.UserID, Status: user.Active, Epoch: 1, Locale: "en", CreatedAt: p.At, UpdatedAt: p.At, Version: k.User.Version,
		Identifiers:  []user.Identifier{{Kind: user.Email, Value: email, Typed: a.Typed, VerifiedAt: p.At, VerifiedHow: "mail", Primary: true}},
		Registration: &user.Registration{ClientID: "app", Roles: []string{"member"}, CreatedAt: p.At},
	})
	p.Password.UserID = p.UserID
	s.same("password", *k.Password, p.Password, cmpopts.IgnoreFields(credential.Password{}, "CreatedAt", "UpdatedAt"))
	m = s.mark()
	again := p
	again.UserID = secret.NewID(noon)
	s.refused(s.Logins.Prove(s.ctx, again, m.Record), fault.Gone, fault.ReasonGone)
	s.wrote(m, false)
	s.attemptGone(a.TokenHash, noon)
	_, err := s.Users.Get(s.ctx, s.tenant.ID, again.UserID, "")
	s.refused(err, fault.NotFound, "")
}

func oneProofWins(s *scene) {
	a := s.saved(s.attempt(s.address()))
	before := s.mark()
	s.onlyOne(fault.Gone, func(int) error { return s.Logins.Prove(s.ctx, proof(a), s.record()) })
	backlog, err := s.Outbox.Backlog(s.ctx)
	if s.ok(err); backlog != before.backlog+1 || s.known(a.Email).User == nil {
		s.Fatalf("%d records were written", backlog-before.backlog)
	}
}

// oneAttemptWins: twenty attempts for one address, proved at once by 64 callers, make one user: the winner's.
func oneAttemptWins(s *scene) {
	email := s.address()
	var proofs []login.Proof
	for range 20 {
		proofs = append(proofs, proof(s.saved(s.attempt(email))))
	}
	var mu sync.Mutex
	var winner login.Proof
	s.onlyOne(fault.Gone, func(i int) error {
		p := proofs[i%len(proofs)]
		p.UserID = secret.NewID(noon)
		err := s.Logins.Prove(s.ctx, p, audit.Record{})
		if err == nil {
			mu.Lock()
			defer mu.Unlock()
			winner = p
		}
		return err
	})
	if k := s.known(email); k.User == nil || k.User.ID != winner.UserID || k.Password.PHC != winner.Password.PHC {
		s.Fatalf("known: %+v, the winner was %+v", k, winner)
	}
	for _, p := range proofs {
		s.attemptGone(p.Attempt.TokenHash, noon)
	}
}

// savesAgainstProof: strangers who sign the address up again and again, and ask for resets, cannot keep its owner from proving it, and what
// they plant while the owner proves it is worth nothing afterwards.
func savesAgainstProof(s *scene) {
	for range 3 {
		email := s.address()
		mine := s.saved(s.attempt(email))
		var planted [callers]login.Attempt
		for i := range planted {
			planted[i] = s.attempt(email)
			planted[i].CreatedAt = noon.Add(-time.Hour) // older, so that the owner's is not pushed out
		}
		s.together(func(i int) (bool, error) {
			switch {
			case i == callers/2:
				return true, s.Logins.Prove(s.ctx, proof(mine), audit.Record{})
			case i%4 == 0:
				return true, s.Logins.SaveTicket(s.ctx, s.ticket(login.TicketReset, "", email), audit.Record{})
			}
			return true, s.Logins.SaveAttempt(s.ctx, planted[i], audit.Record{})
		})
		k := s.known(email)
		if k.User == nil || k.Password.PHC != mine.Password.PHC {
			s.Fatalf("known: %+v", k)
		}
		for _, a := range planted {
			s.refused(s.Logins.Prove(s.ctx, proof(a), audit.Record{}), fault.Gone, fault.ReasonGone)
		}
	}
}

func (s *scene) ticket(kind login.TicketKind, userID, email string) login.Ticket {
	id := secret.NewID(noon)
	return login.Ticket{
		TenantID: s.tenant.ID, ID: id, Kind: kind, ClientID: "app", UserID: userID, Email: email, Typed: email, Browser: "b", TokenHash: secret.Hash(id),
		CreatedAt: noon, ExpiresAt: noon.Add(time.Hour),
	}
}

func (s *scene) savedTicket(t login.Ticket) login.Ticket {
	s.Helper()
	s.ok(s.Logins.SaveTicket(s.ctx, t, audit.Record{}))
	return t
}

// proveDeletes: what a stranger planted for the address before, in whatever form, is gone once its owner has proved it.
func proveDeletes(s *scene) {
	email := s.address()
	planted, mine := s.saved(s.attempt(email)), s.saved(s.attempt(email))
	neighbour := s.saved(s.attempt(s.address()))
	friend := s.person(s.address())
	tickets := []login.Ticket{
		s.savedTicket(s.ticket(login.TicketReset, "", email)),
		s.savedTicket(s.ticket(login.TicketEmailChange, friend.ID, email)), // a stranger's account on its way to this address
	}
	stays := s.savedTicket(s.ticket(login.TicketReset, friend.ID, friend.PrimaryEmail().Value))
	s.ok(s.Logins.Prove(s.ctx, proof(mine), audit.Record{}))
	s.attemptGone(planted.TokenHash, noon)
	for _, t := range tickets {
		s.ticketGone(t.TokenHash, noon)
	}
	s.refused(s.Logins.Prove(s.ctx, proof(planted), audit.Record{}), fault.Gone, fault.ReasonGone)
	_, err := s.Logins.AttemptByToken(s.ctx, s.tenant.ID, neighbour.TokenHash, noon)
	s.ok(err)
	_, err = s.Logins.TicketByToken(s.ctx, s.tenant.ID, stays.TokenHash, noon)
	s.ok(err)
}

func proveTaken(s *scene) {
	email := s.address()
	u := s.person(email)
	late := s.saved(s.attempt(email)) // an attempt for a known address with a live token is not made by the service; the store still holds
	m := s.mark()
	s.refused(s.Logins.Prove(s.ctx, proof(late), m.Record), fault.Gone, fault.ReasonGone)
	s.wrote(m, false)
	if k := s.known(email); k.User == nil || k.User.ID != u.ID || k.Password.PHC == late.Password.PHC {
		s.Fatalf("known: %+v", k)
	}
}

// addressesAlike: each of a pair is an account of its own, found by exactly its own bytes.
func addressesAlike(s *scene) {
	for _, pair := range twins {
		house := s.elsewhere()
		var ids [2]string
		for i, email := range pair {
			if k := house.known(email); k.User != nil || k.Attempt != nil {
				s.Fatalf("%+q is taken for %+q", email, pair[1-i])
			}
			ids[i] = house.person(email).ID
		}
		for i, email := range pair {
			k := house.known(email)
			if k.User == nil || k.User.ID != ids[i] || k.User.PrimaryEmail().Value != email {
				s.Fatalf("%+q beside %+q: %+v", email, pair[1-i], k.User)
			}
		}
	}
}

func loginBadText(s *scene) {
	for _, bad := range badTexts {
		a := s.attempt(bad)
		m := s.mark()
		s.refused(s.Logins.SaveAttempt(s.ctx, a, m.Record), fault.Invalid, "")
		a = s.attempt(s.address())
		a.Name = bad
		s.refused(s.Logins.SaveAttempt(s.ctx, a, m.Record), fault.Invalid, "")
		s.refused(s.Logins.SaveTicket(s.ctx, s.ticket(login.TicketReset, "", bad), m.Record), fault.Invalid, "")
		s.wrote(m, false)
		k, err := s.Logins.Known(s.ctx, login.KnownQuery{TenantID: s.tenant.ID, ClientID: "app", Email: bad, At: noon})
		if err != nil && fault.From(err).Kind != fault.Invalid || k.User != nil || k.Attempt != nil {
			s.Fatalf("known of %+q: %+v, %v", bad, k, err)
		}
	}
}

func tokensElsewhere(s *scene) {
	far := s.elsewhere()
	a := far.saved(far.attempt(s.address()))
	u := far.person(s.address())
	t := far.savedTicket(far.ticket(login.TicketReset, u.ID, u.PrimaryEmail().Value))
	s.attemptGone(a.TokenHash, noon)
	s.ticketGone(t.TokenHash, noon)
	p := proof(a)
	p.Attempt.TenantID = s.tenant.ID
	s.refused(s.Logins.Prove(s.ctx, p, audit.Record{}), fault.Gone, fault.ReasonGone)
	spend := resetOf(t)
	spend.Ticket.TenantID = s.tenant.ID
	_, err := s.Logins.Reset(s.ctx, spend, audit.Record{})
	s.refused(err, fault.Gone, fault.ReasonGone)
	far.same("their user", far.get(u.ID), u)
	far.ok(far.Logins.Prove(s.ctx, proof(a), audit.Record{}))
}

func saveTwice(s *scene) {
	a := s.saved(s.attempt(s.address()))
	b := s.attempt(s.address())
	b.ID = a.ID
	m := s.mark()
	s.refused(s.Logins.SaveAttempt(s.ctx, b, m.Record), fault.Conflict, "")
	t := s.savedTicket(s.ticket(login.TicketReset, "", s.address()))
	other := s.ticket(login.TicketReset, "", s.address())
	other.ID = t.ID
	s.refused(s.Logins.SaveTicket(s.ctx, other, m.Record), fault.Conflict, "")
	s.wrote(m, false)
	if k := s.known(b.Email); k.Attempt != nil {
		s.Fatalf("a refused attempt is there: %+v", k.Attempt)
	}
}

func janitor(s *scene) {
	far := s.elsewhere()
	far.saved(far.attempt(s.address()))
	live := s.saved(s.attempt(s.address()))
	for range 3 {
		a := s.attempt(s.address())
		a.ExpiresAt = noon.Add(time.Minute)
		s.saved(a)
		t := s.ticket(login.TicketReset, "", s.address())
		t.ExpiresAt, t.TokenHash = noon.Add(time.Minute), nil
		s.savedTicket(t)
	}
	sum := 0
	for range 10 {
		n, err := s.Janitor.PurgeExpired(s.ctx, s.tenant.ID, noon.Add(time.Minute+time.Microsecond), 2)
		if s.ok(err); n > 2 {
			s.Fatalf("%d went at once, want at most 2", n)
		}
		sum += n
	}
	if sum != 6 {
		s.Fatalf("%d of 6 went", sum)
	}
	_, err := s.Logins.AttemptByToken(s.ctx, s.tenant.ID, live.TokenHash, noon)
	s.ok(err)
	if n, err := far.Janitor.PurgeExpired(s.ctx, far.tenant.ID, noon.Add(1000*time.Hour), 10); err != nil || n != 1 {
		s.Fatalf("the other tenant's: %d, %v", n, err)
	}
}

func resetOf(t login.Ticket) login.ResetSpend {
	return login.ResetSpend{Ticket: t, UserID: secret.NewID(noon), Password: password("$reset$" + t.ID), Roles: []string{"member"}, At: noon.Add(time.Minute)}
}

// sessionOf opens one session of u; used where a verb must end it.
func (s *scene) sessionOf(userID string) session.Family { s.Helper(); return s.opened(s.get(userID)) }
