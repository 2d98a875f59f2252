package storetest

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// registering: a registration is made, gets other roles and keeps the rest; nobody absent is registered.
func registering(s *scene) {
	u := s.person(s.address())
	at := noon.Add(time.Hour)
	r := user.Registration{ClientID: "other", Roles: []string{"reader"}, Data: []byte(`{"a":1}`), CreatedAt: at}
	m := s.mark()
	s.ok(s.Users.Register(s.ctx, s.tenant.ID, u.ID, r, at, m.Record))
	s.wrote(m, true)
	got, err := s.Users.Get(s.ctx, s.tenant.ID, u.ID, "other")
	s.ok(err)
	s.same("registration", got.Registration, &r)
	again := user.Registration{ClientID: "other", Roles: []string{"writer"}, CreatedAt: at.Add(time.Hour)}
	s.ok(s.Users.Register(s.ctx, s.tenant.ID, u.ID, again, at, audit.Record{}))
	r.Roles = again.Roles
	got, err = s.Users.Get(s.ctx, s.tenant.ID, u.ID, "other")
	s.ok(err)
	s.same("registration with other roles", got.Registration, &r)
	stranger := s.elsewhere().person(s.address())
	for _, id := range []string{stranger.ID, secret.NewID(noon), ""} {
		m := s.mark()
		s.refused(s.Users.Register(s.ctx, s.tenant.ID, id, r, at, m.Record), fault.NotFound, fault.ReasonNotFound)
		s.refused(s.Users.Unregister(s.ctx, s.tenant.ID, id, "app", at, m.Record), fault.NotFound, fault.ReasonNotFound)
		s.wrote(m, false)
	}
}

// unregistering ends the person's sessions at that client, voids its codes, and leaves everything else alone.
func unregistering(s *scene) {
	u, friend := s.person(s.address()), s.person(s.address())
	n := s.signedOn(u)
	here, theirs, elsewhere := s.opened(u), s.opened(friend), s.family(u)
	elsewhere.ClientID = "other"
	s.ok(s.Sessions.Open(s.ctx, elsewhere, &user.Registration{ClientID: "other", CreatedAt: noon}, audit.Record{}))
	code := s.minted(n)
	m := s.mark()
	s.ok(s.Users.Unregister(s.ctx, s.tenant.ID, u.ID, "app", noon.Add(time.Minute), m.Record))
	s.wrote(m, true)
	s.ended("registration_removed", here)
	s.live(theirs, elsewhere)
	got, err := s.Users.Get(s.ctx, s.tenant.ID, u.ID, "app")
	s.ok(err)
	if got.Registration != nil || got.Epoch != u.Epoch {
		s.Fatalf("after it: %+v", got)
	}
	if ok, err := s.Codes.Exchange(s.ctx, s.tenant.ID, code.Hash, s.family(u), nil, audit.Record{}); ok || err != nil {
		s.Fatalf("a code outlives the registration: %v, %v", ok, err)
	}
	s.refused(s.Users.Unregister(s.ctx, s.tenant.ID, u.ID, "app", noon, audit.Record{}), fault.NotFound, fault.ReasonNotFound)
}

// heldRegistrations: every verb that opens a session refuses, and leaves no trace, when it asks for a registration that is not there; and one
// that is there is left as it is.
func heldRegistrations(s *scene) {
	u := s.person(s.address())
	n := s.signedOn(u)
	for _, client := range []string{"app", "other"} {
		asks := &user.Registration{ClientID: client, Held: true}
		code, d := s.minted(n), s.allowed(u)
		for name, open := range map[string]func(rec audit.Record) (bool, error){
			"open": func(rec audit.Record) (bool, error) { return true, s.Sessions.Open(s.ctx, s.family(u), asks, rec) },
			"exchange": func(rec audit.Record) (bool, error) {
				return s.Codes.Exchange(s.ctx, s.tenant.ID, code.Hash, s.family(u), asks, rec)
			},
			"redeem": func(rec audit.Record) (bool, error) { return s.Devices.Redeem(s.ctx, d, s.family(u), asks, rec) },
		} {
			m := s.mark()
			m.Tokens = []audit.OpaqueToken{s.opaque()}
			ok, err := open(m.Record)
			if client == "other" {
				s.refused(err, fault.Forbidden, fault.ReasonNotRegistered)
			} else if s.ok(err); !ok {
				s.Fatalf("%s: not opened", name)
			}
			s.wrote(m, client == "app")
			if _, err := s.Opaques.Opaque(s.ctx, s.tenant.ID, m.Tokens[0].Hash); (err == nil) != (client == "app") {
				s.Fatalf("%s at %s: the token of it: %v", name, client, err)
			}
		}
		got, err := s.Users.Get(s.ctx, s.tenant.ID, u.ID, client)
		s.ok(err)
		if (got.Registration != nil) != (client == "app") {
			s.Fatalf("asking made a registration: %+v", got.Registration)
		}
	}
}
