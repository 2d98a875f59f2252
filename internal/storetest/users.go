package storetest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// Users runs the suite of user.Store.
func Users(t *testing.T, r Rooms) {
	play(t, r, []step{
		{"get", userGet}, {"absent users", absentUsers}, {"profile", profile}, {"profile of an old version", profileConflict},
		{"one profile change wins", oneProfileWins}, {"profile text", profileText}, {"disable and enable", disable},
		{"delete", deleteUser}, {"raise the epoch", raiseEpoch}, {"epoch raised by many", epochByMany},
		{"children end too", childrenEndWithUser}, {"purge", purgeUsers}, {"purge by portions", purgePortions},
		{"purge forgets the person", purgeForgets}, {"other tenants untouched", usersElsewhere},
		{"register", registering}, {"unregister", unregistering}, {"registrations that are asked for", heldRegistrations},
	})
}

func userGet(s *scene) {
	email := s.address()
	u := s.person(email)
	want := user.User{
		TenantID: s.tenant.ID, ID: u.ID, Status: user.Active, Epoch: 1, Name: "Ann", Locale: "en", CreatedAt: noon.Add(time.Minute),
		UpdatedAt: noon.Add(time.Minute), Version: u.Version,
		Identifiers: []user.Identifier{{
			Kind: user.Email, Value: email, Typed: email, VerifiedAt: noon.Add(time.Minute), VerifiedHow: "mail", Primary: true,
		}},
		Registration: &user.Registration{ClientID: "app", Roles: []string{"member"}, CreatedAt: noon.Add(time.Minute)},
	}
	s.same("user", u, want)
	if u.CreatedAt.Location() != time.UTC {
		s.Fatalf("instants come back in %v", u.CreatedAt.Location())
	}
	for _, client := range []string{"", "other", "APP"} {
		got, err := s.Users.Get(s.ctx, s.tenant.ID, u.ID, client)
		s.ok(err)
		if got.Registration != nil {
			s.Fatalf("a registration with %q: %+v", client, got.Registration)
		}
	}
}

// absentUsers: every verb says NotFound and writes nothing, for an id that is unknown, malformed, or another tenant's.
func absentUsers(s *scene) {
	stranger := s.elsewhere().person(s.address())
	name := "Mallory"
	for _, id := range []string{secret.NewID(noon), stranger.ID, "", "nonsense", "' OR 1=1 --"} {
		m := s.mark()
		_, err := s.Users.Get(s.ctx, s.tenant.ID, id, "app")
		s.refused(err, fault.NotFound, fault.ReasonNotFound)
		s.refused(s.Users.SetStatus(s.ctx, s.tenant.ID, id, user.Disabled, noon, m.Record), fault.NotFound, fault.ReasonNotFound)
		s.refused(s.Users.Delete(s.ctx, s.tenant.ID, id, noon, noon, m.Record), fault.NotFound, fault.ReasonNotFound)
		_, err = s.Users.RaiseEpoch(s.ctx, s.tenant.ID, id, "test", noon, m.Record)
		s.refused(err, fault.NotFound, fault.ReasonNotFound)
		err = s.Users.UpdateProfile(s.ctx, user.ProfileChange{TenantID: s.tenant.ID, UserID: id, Version: 1, At: noon, Name: &name}, m.Record)
		if kind := fault.From(err).Kind; err == nil || kind != fault.NotFound && kind != fault.Conflict {
			s.Fatalf("profile of nobody: %v", err)
		}
		s.wrote(m, false)
	}
}

func profile(s *scene) {
	u := s.person(s.address())
	name, locale, data := "Åsa \U0001F469\u200d\U0001F680", "sv", json.RawMessage(`{"a":[1,2,{"b":null}],"ü":"x"}`)
	change := user.ProfileChange{TenantID: s.tenant.ID, UserID: u.ID, Version: u.Version, At: noon.Add(time.Hour), Name: &name, Locale: &locale}
	m := s.mark()
	s.ok(s.Users.UpdateProfile(s.ctx, change, m.Record))
	s.wrote(m, true)
	got := s.get(u.ID)
	if got.Name != name || got.Locale != locale || len(got.Data) != 0 || got.Version <= u.Version || !got.UpdatedAt.Equal(change.At) {
		s.Fatalf("after a change of name and locale: %+v", got)
	}
	change.Version, change.Name, change.Locale, change.Data = got.Version, nil, nil, &data
	s.ok(s.Users.UpdateProfile(s.ctx, change, audit.Record{}))
	got = s.get(u.ID)
	s.same("data", decoded(s, got.Data), decoded(s, data))
	if got.Name != name || got.Locale != locale {
		s.Fatalf("a field that was nil changed: %+v", got)
	}
	empty := ""
	change.Version, change.Name, change.Data = got.Version, &empty, nil
	s.ok(s.Users.UpdateProfile(s.ctx, change, audit.Record{}))
	if got = s.get(u.ID); got.Name != "" || len(got.Data) == 0 {
		s.Fatalf("after an empty name: %+v", got)
	}
}

func decoded(s *scene, raw json.RawMessage) (v any) {
	s.Helper()
	s.ok(json.Unmarshal(raw, &v))
	return v
}

func profileConflict(s *scene) {
	u := s.person(s.address())
	name := "New"
	for _, version := range []int64{0, u.Version - 1, u.Version + 1, -1} {
		m := s.mark()
		err := s.Users.UpdateProfile(s.ctx, user.ProfileChange{TenantID: s.tenant.ID, UserID: u.ID, Version: version, At: noon, Name: &name}, m.Record)
		s.refused(err, fault.Conflict, fault.ReasonConflict)
		s.wrote(m, false)
	}
	s.same("user", s.get(u.ID), u)
}

func oneProfileWins(s *scene) {
	u := s.person(s.address())
	m := s.mark()
	s.onlyOne(fault.Conflict, func(i int) error {
		name := string(rune('A' + i))
		rec := m.Record
		if i > 0 {
			rec = s.record()
		}
		return s.Users.UpdateProfile(s.ctx, user.ProfileChange{TenantID: s.tenant.ID, UserID: u.ID, Version: u.Version, At: noon, Name: &name}, rec)
	})
	backlog, err := s.Outbox.Backlog(s.ctx)
	if s.ok(err); backlog != m.backlog+1 {
		s.Fatalf("%d records were written by one winner", backlog-m.backlog)
	}
}

func profileText(s *scene) {
	u := s.person(s.address())
	for _, bad := range badTexts {
		m := s.mark()
		err := s.Users.UpdateProfile(s.ctx, user.ProfileChange{TenantID: s.tenant.ID, UserID: u.ID, Version: u.Version, At: noon, Name: &bad}, m.Record)
		s.refused(err, fault.Invalid, "")
		s.wrote(m, false)
	}
	for _, pair := range twins {
		for _, name := range pair {
			u = s.get(u.ID)
			s.ok(s.Users.UpdateProfile(s.ctx, user.ProfileChange{TenantID: s.tenant.ID, UserID: u.ID, Version: u.Version, At: noon, Name: &name}, audit.Record{}))
			if got := s.get(u.ID).Name; got != name {
				s.Fatalf("%+q came back as %+q", name, got)
			}
		}
	}
}

// closed checks that no session of u can be opened as u was read.
func (s *scene) closed(u user.User) {
	s.Helper()
	m := s.mark()
	s.refused(s.Sessions.Open(s.ctx, s.family(u), nil, m.Record), fault.Conflict, fault.ReasonUserChanged)
	s.wrote(m, false)
}

func disable(s *scene) {
	u, friend := s.person(s.address()), s.person(s.address())
	a, b, c := s.opened(u), s.opened(u, inOther), s.opened(friend)
	m := s.mark()
	s.ok(s.Users.SetStatus(s.ctx, s.tenant.ID, u.ID, user.Disabled, noon.Add(time.Hour), m.Record))
	s.wrote(m, true)
	s.ended(s.load(a.ID).Family.RevokedReason, a, b)
	if at := s.load(a.ID).Family.RevokedAt; !at.Equal(noon.Add(time.Hour)) {
		s.Fatalf("ended at %v", at)
	}
	s.live(c)
	s.closed(u)
	if now := s.get(u.ID); now.Status != user.Disabled || s.load(a.ID).Holder.Status != user.Disabled {
		s.Fatalf("status %s", now.Status)
	}
	s.ok(s.Users.SetStatus(s.ctx, s.tenant.ID, u.ID, user.Active, noon.Add(2*time.Hour), audit.Record{}))
	u = s.get(u.ID)
	if u.Status != user.Active {
		s.Fatalf("status %s", u.Status)
	}
	s.ended(s.load(a.ID).Family.RevokedReason, a, b) // enabling brings no session back
	s.live(s.opened(u))
}

func deleteUser(s *scene) {
	email := s.address()
	u := s.person(email)
	a := s.opened(u)
	m := s.mark()
	s.ok(s.Users.Delete(s.ctx, s.tenant.ID, u.ID, noon.Add(time.Hour), noon.Add(31*24*time.Hour), m.Record))
	s.wrote(m, true)
	now := s.get(u.ID)
	if now.Status != user.Deleted || !now.DeletedAt.Equal(noon.Add(time.Hour)) || !now.PurgeAt.Equal(noon.Add(31*24*time.Hour)) {
		s.Fatalf("after delete: %+v", now)
	}
	s.ended(s.load(a.ID).Family.RevokedReason, a)
	s.closed(u)
	s.closed(now)
	if k := s.known(email); k.User != nil || k.Password != nil {
		s.Fatalf("a deleted user is still known: %+v", k)
	}
}

func raiseEpoch(s *scene) {
	u := s.person(s.address())
	a, b := s.opened(u), s.opened(u)
	m := s.mark()
	epoch, err := s.Users.RaiseEpoch(s.ctx, s.tenant.ID, u.ID, "stolen_phone", noon.Add(time.Hour), m.Record)
	s.ok(err)
	s.wrote(m, true)
	now := s.get(u.ID)
	if epoch != u.Epoch+1 || now.Epoch != epoch || s.load(a.ID).Holder.Epoch != epoch {
		s.Fatalf("epoch %d, read %d, want %d", epoch, now.Epoch, u.Epoch+1)
	}
	s.ended("stolen_phone", a, b)
	s.closed(u)
	s.live(s.opened(now))
}

func epochByMany(s *scene) {
	u := s.person(s.address())
	a := s.opened(u)
	s.together(func(int) (bool, error) {
		_, err := s.Users.RaiseEpoch(s.ctx, s.tenant.ID, u.ID, "many", noon, audit.Record{})
		return true, err
	})
	if got := s.get(u.ID).Epoch; got != u.Epoch+callers {
		s.Fatalf("epoch %d after %d raises from %d", got, callers, u.Epoch)
	}
	s.ended("many", a)
}

// childrenEndWithUser: a session handed off to another subject's row, of whatever depth, ends with its parent.
func childrenEndWithUser(s *scene) {
	u := s.person(s.address())
	parent := s.opened(u)
	child := s.opened(u, func(f *session.Family) { f.ParentID = parent.ID })
	foreign := s.opened(user.User{}, func(f *session.Family) { f.Subject, f.ParentID = "someone", child.ID })
	s.ok(s.Users.SetStatus(s.ctx, s.tenant.ID, u.ID, user.Disabled, noon, audit.Record{}))
	for _, f := range []session.Family{parent, child, foreign} {
		s.ended(s.load(f.ID).Family.RevokedReason, f)
	}
}

func purgeUsers(s *scene) {
	email := s.address()
	u, stays := s.person(email), s.person(s.address())
	a := s.opened(u)
	s.ok(s.Users.Delete(s.ctx, s.tenant.ID, u.ID, noon, noon.Add(time.Hour), audit.Record{}))
	s.wantPurged(noon.Add(time.Hour-time.Microsecond), 100, 0)
	s.get(u.ID)
	s.same("known of a deleted account's address", s.known(email), login.Known{Closed: true})
	s.wantPurged(noon.Add(time.Hour), 100, 1)
	s.wantPurged(noon.Add(time.Hour), 100, 0)
	_, err := s.Users.Get(s.ctx, s.tenant.ID, u.ID, "")
	s.refused(err, fault.NotFound, fault.ReasonNotFound)
	_, err = s.Sessions.Load(s.ctx, session.Ref{TenantID: s.tenant.ID, ID: a.ID})
	s.refused(err, fault.NotFound, "")
	s.closed(u)
	s.get(stays.ID)
	s.same("known of an erased account's address", s.known(email), login.Known{})
	again := s.person(email) // the address is free again, for another person
	if again.ID == u.ID {
		s.Fatal("an erased user came back")
	}
}

func (s *scene) wantPurged(at time.Time, limit, want int) {
	s.Helper()
	if n, err := s.Users.Purge(s.ctx, s.tenant.ID, at, limit); err != nil || n != want {
		s.Fatalf("purged %d, %v, want %d", n, err, want)
	}
}

func purgePortions(s *scene) {
	for range 5 {
		s.ok(s.Users.Delete(s.ctx, s.tenant.ID, s.person(s.address()).ID, noon, noon, audit.Record{}))
	}
	for _, want := range []int{2, 2, 1, 0} {
		s.wantPurged(noon, 2, want)
	}
}

// purgeForgets: the trail stays, the personal part of it goes.
func purgeForgets(s *scene) {
	u, stays := s.person(s.address()), s.person(s.address())
	traces := map[string]string{}
	for _, subject := range []string{u.ID, stays.ID} {
		rec := s.record()
		rec.Messages, rec.Events[0].Subject, rec.Events[0].Person = nil, subject, &audit.Person{Address: "192.0.2.1", Agent: "agent", Email: "a@example.com"}
		s.ok(s.Sessions.Record(s.ctx, rec))
		traces[subject] = rec.Events[0].Trace
	}
	s.ok(s.Users.Delete(s.ctx, s.tenant.ID, u.ID, noon, noon, audit.Record{}))
	s.wantPurged(noon, 10, 1)
	seen := map[string]bool{}
	for subject, trace := range traces {
		for _, e := range s.traced(trace) {
			seen[subject] = e.Person != nil
		}
	}
	s.same("which events still name a person", seen, map[string]bool{u.ID: false, stays.ID: true})
}

// usersElsewhere: acts in one tenant leave the same address in another alone.
func usersElsewhere(s *scene) {
	email := s.address()
	far := s.elsewhere()
	u, twin := s.person(email), far.person(email)
	theirs := far.opened(twin)
	s.ok(s.Users.Delete(s.ctx, s.tenant.ID, u.ID, noon, noon, audit.Record{}))
	s.wantPurged(noon, 10, 1)
	far.live(theirs)
	s.same("the other tenant's user", far.get(twin.ID), twin)
	k, err := s.Logins.Known(s.ctx, login.KnownQuery{TenantID: s.tenant.ID, ClientID: "app", Email: email, At: noon})
	if s.ok(err); k.User != nil {
		s.Fatalf("known across tenants: %+v", k.User)
	}
}

func inOther(f *session.Family) { f.ClientID = "other" }
