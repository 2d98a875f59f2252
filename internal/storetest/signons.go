package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// SignOns is the suite of sso.Store.
func SignOns(t *testing.T, r Rooms) {
	play(t, r, []step{
		{"round trip", signOnRoundTrip},
		{"an open is refused to who may not log in", signOnGuarded},
		{"a proof changes the secret, once", signOnProve},
		{"touch", signOnTouch},
		{"revoke ends what was opened under it", signOnRevoke},
		{"revoke by user", signOnRevokeUser},
		{"acts on the user end it", signOnUserActs},
		{"log out everywhere ends it", signOnEverywhere},
		{"a session cannot be opened under one that has ended", signOnOpenUnder},
		{"list and purge", signOnListPurge},
		{"another tenant", signOnElsewhere},
	})
}

// signOn is a sign-on session of u that nobody stored yet; its cookie's secret is its id.
func (s *scene) signOn(u user.User) sso.Session {
	id := secret.NewID(noon)
	return sso.Session{
		TenantID: s.tenant.ID, ID: id, Hash: secret.Hash(id), UserID: u.ID, Epoch: u.Epoch, CreatedAt: noon, LastSeen: noon,
		IdleExpiry: noon.Add(24 * time.Hour), AbsoluteExpiry: noon.Add(30 * 24 * time.Hour), AuthTime: noon.Add(-time.Second), AMR: []string{"pwd", "otp"},
		ACR: "1", Agent: "Браузер", Place: "192.0.2.0/24", Device: "device", Version: 1,
	}
}

func (s *scene) signedOn(u user.User) sso.Session {
	s.Helper()
	n := s.signOn(u)
	s.ok(s.SignOns.Open(s.ctx, n, audit.Record{}))
	return n
}

func (s *scene) cookie(n sso.Session) sso.Live {
	s.Helper()
	l, err := s.SignOns.ByHash(s.ctx, s.tenant.ID, n.Hash)
	s.ok(err)
	return l
}

func (s *scene) signOnEnded(reason string, list ...sso.Session) {
	s.Helper()
	for _, n := range list {
		got := s.cookie(n).Session
		if got.RevokedReason != reason || got.RevokedAt.IsZero() || got.Version <= n.Version {
			s.Fatalf("sign-on session: revoked at %v for %q, want %q", got.RevokedAt, got.RevokedReason, reason)
		}
		if ok, err := s.SignOns.Prove(s.ctx, got, got, audit.Record{}); err != nil || ok {
			s.Fatalf("an ended sign-on session was proved: %v, %v", ok, err)
		}
		if ok, err := s.SignOns.Touch(s.ctx, got, noon, noon); err != nil || ok {
			s.Fatalf("an ended sign-on session was touched: %v, %v", ok, err)
		}
	}
}

func (s *scene) signOnLives(list ...sso.Session) {
	s.Helper()
	for _, n := range list {
		if got := s.cookie(n).Session; !got.RevokedAt.IsZero() {
			s.Fatalf("ended for %q", got.RevokedReason)
		}
	}
}

func signOnRoundTrip(s *scene) {
	u := s.person(s.address())
	n, m := s.signOn(u), s.mark()
	s.ok(s.SignOns.Open(s.ctx, n, m.Record))
	s.wrote(m, true)
	got := s.cookie(n)
	s.same("session", got.Session, n)
	u.Registration = nil
	s.same("user", got.User, u)
	if got.User.PrimaryEmail().Value == "" {
		s.Fatal("without its identifiers")
	}
	_, err := s.SignOns.ByHash(s.ctx, s.tenant.ID, secret.Hash("another"))
	s.refused(err, fault.NotFound, fault.ReasonNotFound)
	_, err = s.SignOns.ByHash(s.ctx, s.tenant.ID, nil)
	s.refused(err, fault.NotFound, fault.ReasonNotFound)
	twin := s.signOn(u)
	twin.Hash = n.Hash
	m = s.mark()
	s.refused(s.SignOns.Open(s.ctx, twin, m.Record), fault.Conflict, "")
	s.wrote(m, false)
}

func signOnGuarded(s *scene) {
	for _, c := range []struct {
		name string
		act  func(u user.User) error
	}{
		{"disabled", func(u user.User) error {
			return s.Users.SetStatus(s.ctx, s.tenant.ID, u.ID, user.Disabled, noon, audit.Record{})
		}},
		{"deleted", func(u user.User) error {
			return s.Users.Delete(s.ctx, s.tenant.ID, u.ID, noon, noon.Add(time.Hour), audit.Record{})
		}},
		{"at another epoch", func(u user.User) error {
			_, err := s.Users.RaiseEpoch(s.ctx, s.tenant.ID, u.ID, "test", noon, audit.Record{})
			return err
		}},
	} {
		u := s.person(s.address())
		s.ok(c.act(u))
		m := s.mark()
		s.refused(s.SignOns.Open(s.ctx, s.signOn(u), m.Record), fault.Conflict, fault.ReasonUserChanged)
		s.wrote(m, false)
	}
}

func signOnProve(s *scene) {
	u := s.person(s.address())
	n := s.signedOn(u)
	to := func(text string) sso.Session {
		t := n
		t.Hash, t.AuthTime, t.AMR, t.ACR, t.LastSeen = secret.Hash(text), noon.Add(time.Hour), []string{"hwk"}, "2", noon.Add(time.Hour)
		t.IdleExpiry, t.AbsoluteExpiry, t.Agent, t.Place, t.Device = noon.Add(25*time.Hour), noon.Add(31*24*time.Hour), "a", "p", "d"
		return t
	}
	m := s.mark()
	won := s.together(func(i int) (bool, error) {
		return s.SignOns.Prove(s.ctx, n, to(n.ID+string(rune('A'+i))), audit.Record{})
	})
	if won != 1 {
		s.Fatalf("%d of %d proofs were taken", won, callers)
	}
	s.wrote(m, false)
	if _, err := s.SignOns.ByHash(s.ctx, s.tenant.ID, n.Hash); fault.ReasonOf(err) != fault.ReasonNotFound {
		s.Fatalf("the old secret still works: %v", err)
	}
	list, err := s.SignOns.List(s.ctx, s.tenant.ID, u.ID, noon)
	s.ok(err)
	if len(list) != 1 {
		s.Fatalf("%d sessions", len(list))
	}
	want := to("")
	want.Hash, want.Version = list[0].Hash, n.Version+1
	s.same("after a proof", list[0], want)
	stale := s.mark()
	if ok, err := s.SignOns.Prove(s.ctx, n, to("late"), stale.Record); ok || err != nil {
		s.Fatalf("a stale proof: %v, %v", ok, err)
	}
	s.wrote(stale, false)
}

func signOnTouch(s *scene) {
	n := s.signedOn(s.person(s.address()))
	ok, err := s.SignOns.Touch(s.ctx, n, noon.Add(time.Minute), noon.Add(48*time.Hour))
	s.ok(err)
	got := s.cookie(n).Session
	if !ok || got.Version != n.Version || !got.LastSeen.Equal(noon.Add(time.Minute)) || !got.IdleExpiry.Equal(noon.Add(48*time.Hour)) {
		s.Fatalf("%v %+v", ok, got)
	}
	n.Version++
	if ok, err := s.SignOns.Touch(s.ctx, n, noon, noon); ok || err != nil {
		s.Fatalf("at another version: %v, %v", ok, err)
	}
}

func under(n sso.Session) func(*session.Family) { return func(f *session.Family) { f.SSOID = n.ID } }

func signOnRevoke(s *scene) {
	u := s.person(s.address())
	n, other := s.signedOn(u), s.signedOn(u)
	a, b, gone := s.opened(u, under(n)), s.opened(u, under(n), func(f *session.Family) { f.ClientID = "other" }), s.opened(u, under(n))
	past := s.opened(u, under(n), func(f *session.Family) { f.IdleExpiry, f.AbsoluteExpiry = noon.Add(time.Minute), noon.Add(time.Minute) })
	child := s.opened(u, func(f *session.Family) { f.ParentID = a.ID })
	apart, elsewhere := s.opened(u), s.opened(u, under(other))
	s.revokes(session.Match{ID: gone.ID}, "logout", gone)
	m := s.mark()
	end := sso.End{Match: sso.Match{TenantID: s.tenant.ID, ID: n.ID}, At: noon.Add(time.Hour), Reason: "signed_off"}
	got, err := s.SignOns.Revoke(s.ctx, end, m.Record)
	s.ok(err)
	s.wrote(m, true)
	if len(got) != 4 || !slices.Contains(got, session.Ended{ID: past.ID, ClientID: "app", Subject: u.ID}) ||
		!slices.Contains(got, session.Ended{ID: b.ID, ClientID: "other", Subject: u.ID}) {
		s.Fatalf("ended: %+v", got)
	}
	s.ended("signed_off", a, b, child, past)
	s.ended("logout", gone)
	s.live(apart, elsewhere)
	s.signOnEnded("signed_off", n)
	s.signOnLives(other)
	again, err := s.SignOns.Revoke(s.ctx, end, audit.Record{})
	s.ok(err)
	if backlog, err := s.Outbox.Backlog(s.ctx); len(again) != 0 || err != nil || backlog != m.backlog+1 {
		s.Fatalf("a second time: %+v, %v", again, err)
	}
	_, err = s.SignOns.Revoke(s.ctx, sso.End{Match: sso.Match{TenantID: s.tenant.ID}, At: noon}, audit.Record{})
	s.refused(err, fault.Internal, "")
}

func signOnRevokeUser(s *scene) {
	u, friend := s.person(s.address()), s.person(s.address())
	a, b, stays, far := s.signedOn(u), s.signedOn(u), s.signedOn(u), s.signedOn(friend)
	f, g, kept := s.opened(u, under(a)), s.opened(u, under(b)), s.opened(u, under(stays))
	got, err := s.SignOns.Revoke(s.ctx, sso.End{
		Match: sso.Match{TenantID: s.tenant.ID, UserID: u.ID, Except: stays.ID}, At: noon.Add(time.Hour), Reason: "others",
	}, audit.Record{})
	s.ok(err)
	if len(got) != 2 {
		s.Fatalf("%+v", got)
	}
	s.ended("others", f, g)
	s.live(kept)
	s.signOnEnded("others", a, b)
	s.signOnLives(stays, far)
}

// signOnUserActs: an account that is enabled again must not find a browser still signed on.
func signOnUserActs(s *scene) {
	u := s.person(s.address())
	n := s.signedOn(u)
	s.ok(s.Users.SetStatus(s.ctx, s.tenant.ID, u.ID, user.Disabled, noon.Add(time.Hour), audit.Record{}))
	s.ok(s.Users.SetStatus(s.ctx, s.tenant.ID, u.ID, user.Active, noon.Add(2*time.Hour), audit.Record{}))
	s.signOnEnded(string(fault.ReasonUserDisabled), n)
	n = s.signedOn(s.get(u.ID))
	_, err := s.Users.RaiseEpoch(s.ctx, s.tenant.ID, u.ID, "raised", noon.Add(time.Hour), audit.Record{})
	s.ok(err)
	s.signOnEnded("raised", n)
	n = s.signedOn(s.get(u.ID))
	s.ok(s.Users.Delete(s.ctx, s.tenant.ID, u.ID, noon.Add(time.Hour), noon.Add(2*time.Hour), audit.Record{}))
	s.signOnEnded("user_deleted", n)
	purged, err := s.Users.Purge(s.ctx, s.tenant.ID, noon.Add(3*time.Hour), 10)
	s.ok(err)
	if _, err := s.SignOns.ByHash(s.ctx, s.tenant.ID, n.Hash); purged != 1 || fault.ReasonOf(err) != fault.ReasonNotFound {
		s.Fatalf("an erased user's sign-on session stays: %d, %v", purged, err)
	}
}

func signOnEverywhere(s *scene) {
	u := s.person(s.address())
	a, b := s.signedOn(u), s.signedOn(u)
	f, g := s.opened(u, under(a)), s.opened(u, under(b))
	s.revokes(session.Match{UserID: u.ID, Except: g.ID}, "others", f)
	s.signOnEnded("others", a)
	s.signOnLives(b)
	s.revokes(session.Match{UserID: u.ID, ClientID: "app"}, "one app", g)
	s.signOnLives(b)
	s.revokes(session.Match{UserID: u.ID}, "all")
	s.signOnEnded("all", b)
}

func signOnOpenUnder(s *scene) {
	u := s.person(s.address())
	n := s.signedOn(u)
	late := s.family(u)
	late.SSOID, late.CreatedAt = n.ID, n.IdleExpiry
	s.refused(s.Sessions.Open(s.ctx, late, nil, audit.Record{}), fault.Unauthenticated, fault.ReasonSessionRevoked)
	// Opened and ended at once: whatever was opened is ended, and nothing is opened afterwards.
	opened := make([]session.Family, callers)
	s.together(func(i int) (bool, error) {
		if i%8 == 7 {
			_, err := s.SignOns.Revoke(s.ctx, sso.End{Match: sso.Match{TenantID: s.tenant.ID, ID: n.ID}, At: noon.Add(time.Hour), Reason: "race"}, audit.Record{})
			return false, err
		}
		f := s.family(u)
		f.SSOID = n.ID
		err := s.Sessions.Open(s.ctx, f, nil, audit.Record{})
		if err == nil {
			opened[i] = f
		}
		if fault.ReasonOf(err) == fault.ReasonSessionRevoked {
			err = nil
		}
		return err == nil, err
	})
	for _, f := range opened {
		if f.ID == "" {
			continue
		}
		if l := s.load(f.ID); !l.Family.Revoked() {
			s.Fatal("a session outlives the sign-on session it was opened under")
		}
	}
	f := s.family(u)
	f.SSOID = n.ID
	s.refused(s.Sessions.Open(s.ctx, f, nil, audit.Record{}), fault.Unauthenticated, fault.ReasonSessionRevoked)
}

func signOnListPurge(s *scene) {
	u := s.person(s.address())
	old, revoked, live := s.signOn(u), s.signedOn(u), s.signedOn(u)
	old.IdleExpiry = noon.Add(time.Hour)
	s.ok(s.SignOns.Open(s.ctx, old, audit.Record{}))
	_, err := s.SignOns.Revoke(s.ctx, sso.End{Match: sso.Match{TenantID: s.tenant.ID, ID: revoked.ID}, At: noon, Reason: "x"}, audit.Record{})
	s.ok(err)
	list := func(at time.Time) []string {
		all, err := s.SignOns.List(s.ctx, s.tenant.ID, u.ID, at)
		s.ok(err)
		var ids []string
		for _, n := range all {
			ids = append(ids, n.ID)
		}
		return ids
	}
	newest := []string{live.ID, old.ID}
	slices.Sort(newest)
	slices.Reverse(newest)
	s.same("live ones", list(noon), newest)
	s.same("later", list(noon.Add(2*time.Hour)), []string{live.ID})
	purged, err := s.SignOns.Purge(s.ctx, s.tenant.ID, noon.Add(2*time.Hour), 1)
	s.ok(err)
	more, err := s.SignOns.Purge(s.ctx, s.tenant.ID, noon.Add(2*time.Hour), 10)
	s.ok(err)
	if purged != 1 || more != 1 {
		s.Fatalf("purged %d and %d", purged, more)
	}
	s.signOnLives(live)
}

func signOnElsewhere(s *scene) {
	u := s.person(s.address())
	n, far := s.signedOn(u), s.elsewhere()
	_, err := far.SignOns.ByHash(s.ctx, far.tenant.ID, n.Hash)
	s.refused(err, fault.NotFound, fault.ReasonNotFound)
	for _, m := range []sso.Match{{TenantID: far.tenant.ID, ID: n.ID}, {TenantID: far.tenant.ID, UserID: u.ID}} {
		_, err := far.SignOns.Revoke(s.ctx, sso.End{Match: m, At: noon, Reason: "x"}, audit.Record{})
		s.ok(err)
	}
	s.signOnLives(n)
}
