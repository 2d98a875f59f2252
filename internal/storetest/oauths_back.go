package storetest

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// OAuthBack is the suite of oauth.Devices, oauth.Opaques and oauth.Registrations.
func OAuthBack(t *testing.T, r Rooms) {
	play(t, r, []step{
		{"device round trip", deviceRoundTrip},
		{"a device is answered once", deviceSwap},
		{"a device is let in once", deviceOnce},
		{"a redemption is guarded", deviceGuards},
		{"devices are purged", devicePurged},
		{"opaque tokens", opaques},
		{"single tokens in the feed", revokedTokens},
		{"initial access tokens", initials},
		{"a registration spends a use", registers},
		{"registrations change and go", registrationChanges},
	})
}

func (s *scene) device(change ...func(*oauth.Device)) oauth.Device {
	d := oauth.Device{
		TenantID: s.tenant.ID, Hash: secret.Bytes(32), UserCode: secret.Bytes(32), Pepper: 1<<32 - 1, ClientID: "app", Scope: []string{"openid"},
		Resource: []string{"https://api.example.com"}, DPoPKey: "k", Place: "192.0.2.0/24", Agent: "TV ü", Stage: oauth.DevicePending, CreatedAt: noon,
		ExpiresAt: noon.Add(10 * time.Minute), IntervalS: 5, Version: 1,
	}
	for _, c := range change {
		c(&d)
	}
	return d
}

func (s *scene) addedDevice(change ...func(*oauth.Device)) oauth.Device {
	s.Helper()
	d := s.device(change...)
	s.ok(s.Devices.Add(s.ctx, d, audit.Record{}))
	return d
}

func (s *scene) redevice(d oauth.Device) oauth.Device {
	s.Helper()
	got, err := s.Devices.ByDevice(s.ctx, s.tenant.ID, d.Hash)
	s.ok(err)
	return got
}

func deviceRoundTrip(s *scene) {
	d := s.addedDevice()
	s.same("by device code", s.redevice(d), d)
	got, err := s.Devices.ByUser(s.ctx, s.tenant.ID, d.UserCode, noon)
	s.ok(err)
	s.same("by user code", got, d)
	_, err = s.Devices.ByUser(s.ctx, s.tenant.ID, d.UserCode, d.ExpiresAt)
	s.refused(err, fault.NotFound, fault.ReasonNotFound)
	_, err = s.Devices.ByDevice(s.ctx, s.elsewhere().tenant.ID, d.Hash)
	s.refused(err, fault.NotFound, fault.ReasonNotFound)
	m := s.mark()
	s.refused(s.Devices.Add(s.ctx, s.device(func(x *oauth.Device) { x.UserCode = d.UserCode }), m.Record), fault.Conflict, "")
	s.wrote(m, false)
	bad := s.device(func(x *oauth.Device) { x.Agent = "a\x00" })
	s.refused(s.Devices.Add(s.ctx, bad, audit.Record{}), fault.Invalid, "")
}

func deviceSwap(s *scene) {
	d := s.addedDevice()
	to := d
	to.Stage, to.UserID, to.Epoch, to.SSOID, to.AuthTime, to.AMR, to.ACR, to.Scope = oauth.DeviceAllowed, "u", 3, "sso", noon, []string{"pwd"}, "1", []string{}
	to.PolledAt, to.IntervalS = noon.Add(time.Microsecond), 10
	won := s.together(func(int) (bool, error) { return s.Devices.Swap(s.ctx, d, to, audit.Record{}) })
	if won != 1 {
		s.Fatalf("%d of %d answers were taken", won, callers)
	}
	to.Version = 2
	s.same("answered", s.redevice(d), to)
}

func (s *scene) allowed(u user.User) oauth.Device {
	s.Helper()
	return s.addedDevice(func(d *oauth.Device) { d.Stage, d.UserID, d.Epoch = oauth.DeviceAllowed, u.ID, u.Epoch })
}

func deviceOnce(s *scene) {
	u := s.person(s.address())
	d := s.allowed(u)
	families := make([]session.Family, callers)
	for i := range families {
		families[i] = s.family(u)
	}
	winner := -1
	won := s.together(func(i int) (bool, error) {
		ok, err := s.Devices.Redeem(s.ctx, d, families[i], &user.Registration{ClientID: "app", CreatedAt: noon}, audit.Record{})
		if ok {
			winner = i
		}
		return ok, err
	})
	if won != 1 {
		s.Fatalf("%d of %d devices were let in", won, callers)
	}
	for i, f := range families {
		if _, err := s.Sessions.Load(s.ctx, session.Ref{TenantID: s.tenant.ID, ID: f.ID}); (err == nil) != (i == winner) {
			s.Fatalf("family %d of winner %d: %v", i, winner, err)
		}
	}
	got := s.redevice(d)
	if got.Stage != oauth.DeviceSpent || got.SessionID != families[winner].ID {
		s.Fatalf("%+v", got)
	}
	if ok, err := s.Devices.Swap(s.ctx, got, d, audit.Record{}); ok || err != nil {
		s.Fatalf("a spent one was changed: %v, %v", ok, err)
	}
}

func deviceGuards(s *scene) {
	u := s.person(s.address())
	pending := s.addedDevice()
	if ok, err := s.Devices.Redeem(s.ctx, pending, s.family(u), nil, audit.Record{}); ok || err != nil {
		s.Fatalf("a pending one was let in: %v, %v", ok, err)
	}
	n := s.signedOn(u)
	d := s.allowed(u)
	s.ok(s.Users.SetStatus(s.ctx, s.tenant.ID, u.ID, user.Disabled, noon, audit.Record{}))
	m := s.mark()
	_, err := s.Devices.Redeem(s.ctx, d, s.family(u), nil, m.Record)
	s.refused(err, fault.Conflict, fault.ReasonUserChanged)
	s.wrote(m, false)
	if s.redevice(d).Stage != oauth.DeviceAllowed {
		s.Fatal("a refused redemption spent the device")
	}
	s.ok(s.Users.SetStatus(s.ctx, s.tenant.ID, u.ID, user.Active, noon, audit.Record{}))
	under := s.family(u)
	under.SSOID = n.ID // it ended with the account
	if _, err := s.Devices.Redeem(s.ctx, d, under, nil, audit.Record{}); err == nil {
		s.Fatal("let in under a sign-on that has ended")
	}
}

func devicePurged(s *scene) {
	d := s.addedDevice()
	n, err := s.Devices.Purge(s.ctx, s.tenant.ID, d.ExpiresAt, 10)
	s.ok(err)
	if n != 0 {
		s.Fatal("a live one was purged")
	}
	if n, err = s.Devices.Purge(s.ctx, s.tenant.ID, d.ExpiresAt.Add(time.Second), 10); err != nil || n != 1 {
		s.Fatalf("%d, %v", n, err)
	}
}

func (s *scene) opaque() audit.OpaqueToken {
	return audit.OpaqueToken{
		TenantID: s.tenant.ID, Hash: secret.Bytes(32), ID: "jti", SessionID: "sid", ClientID: "app", Claims: []byte(`{"a":"ü"}`), ExpiresAt: noon.Add(time.Minute),
	}
}

func opaques(s *scene) {
	o := s.opaque()
	s.ok(s.Opaques.Put(s.ctx, o))
	got, err := s.Opaques.Opaque(s.ctx, s.tenant.ID, o.Hash)
	s.ok(err)
	s.same("opaque token", got, oauth.Opaque{OpaqueToken: o})
	_, err = s.Opaques.Opaque(s.ctx, s.elsewhere().tenant.ID, o.Hash)
	s.refused(err, fault.NotFound, fault.ReasonNotFound)
	s.refused(s.Opaques.Put(s.ctx, o), fault.Conflict, "")
	m := s.mark()
	s.ok(s.Opaques.RevokeOpaque(s.ctx, s.tenant.ID, o.Hash, noon, m.Record))
	s.wrote(m, true)
	again := s.mark()
	s.ok(s.Opaques.RevokeOpaque(s.ctx, s.tenant.ID, o.Hash, noon.Add(time.Second), again.Record))
	s.wrote(again, false)
	got, err = s.Opaques.Opaque(s.ctx, s.tenant.ID, o.Hash)
	s.ok(err)
	if !got.RevokedAt.Equal(noon) {
		s.Fatal(got.RevokedAt)
	}
	if n, err := s.Opaques.Purge(s.ctx, s.tenant.ID, o.ExpiresAt.Add(time.Second), 10); err != nil || n != 1 {
		s.Fatalf("%d, %v", n, err)
	}
}

func revokedTokens(s *scene) {
	rec := audit.Record{Revocations: []audit.Revocation{
		{TenantID: s.tenant.ID, Kind: "token", Target: "jti", At: noon, Reason: "x", Until: noon.Add(time.Hour)},
		{TenantID: s.tenant.ID, Kind: "session", Target: "sid", At: noon, Reason: "x", Until: noon.Add(time.Hour)},
	}}
	s.ok(s.Sessions.Record(s.ctx, rec))
	for jti, want := range map[string]bool{"jti": true, "sid": false, "other": false} {
		if got, err := s.Opaques.RevokedToken(s.ctx, s.tenant.ID, jti); err != nil || got != want {
			s.Fatalf("%s: %v, %v", jti, got, err)
		}
	}
	if got, err := s.Opaques.RevokedToken(s.ctx, s.elsewhere().tenant.ID, "jti"); err != nil || got {
		s.Fatal("another tenant's revocation counts")
	}
}

func (s *scene) initial(uses int64, expires time.Time) oauth.InitialToken {
	s.Helper()
	i := oauth.InitialToken{
		TenantID: s.tenant.ID, ID: secret.NewID(noon), Name: "CI ü", Hash: secret.Bytes(32), CreatedAt: noon, ExpiresAt: expires, Left: uses,
	}
	s.ok(s.Registrations.AddInitial(s.ctx, i, audit.Record{}))
	return i
}

func initials(s *scene) {
	i := s.initial(-1, time.Time{})
	s.refused(s.Registrations.AddInitial(s.ctx, i, audit.Record{}), fault.Conflict, "")
	all, err := s.Registrations.Initials(s.ctx, s.tenant.ID)
	s.ok(err)
	s.same("initial access tokens", all, []oauth.InitialToken{i})
	s.ok(s.Registrations.RevokeInitial(s.ctx, s.tenant.ID, i.ID, noon, audit.Record{}))
	s.ok(s.Registrations.RevokeInitial(s.ctx, s.tenant.ID, i.ID, noon.Add(time.Hour), audit.Record{}))
	if all, err = s.Registrations.Initials(s.ctx, s.tenant.ID); err != nil || !all[0].RevokedAt.Equal(noon) {
		s.Fatalf("%+v, %v", all, err)
	}
	s.refused(s.Registrations.RevokeInitial(s.ctx, s.tenant.ID, "x", noon, audit.Record{}), fault.NotFound, "")
	s.refused(s.register(i.Hash, audit.Record{}), fault.Unauthenticated, fault.ReasonInvalidToken)
}

func (s *scene) register(initial []byte, rec audit.Record) error {
	c := tenant.Client{TenantID: s.tenant.ID, ID: secret.NewID(noon), Name: "New", ManagedBy: "api"}
	return s.Registrations.Register(s.ctx, initial, c, oauth.Registered{TenantID: s.tenant.ID, ClientID: c.ID, Hash: secret.Bytes(32), CreatedAt: noon}, rec)
}

func registers(s *scene) {
	i := s.initial(3, time.Time{})
	won := s.together(func(int) (bool, error) {
		err := s.register(i.Hash, audit.Record{})
		if fault.ReasonOf(err) == fault.ReasonInvalidToken {
			return false, nil
		}
		return err == nil, err
	})
	if won != 3 {
		s.Fatalf("three uses made %d clients", won)
	}
	m := s.mark()
	s.refused(s.register(i.Hash, m.Record), fault.Unauthenticated, fault.ReasonInvalidToken)
	s.wrote(m, false)
	s.refused(s.register(s.initial(1, noon).Hash, audit.Record{}), fault.Unauthenticated, fault.ReasonInvalidToken) // expired at its instant
	s.ok(s.register(s.initial(1, noon.Add(time.Microsecond)).Hash, audit.Record{}))
	e := s.elsewhere()
	s.refused(e.register(s.initial(1, time.Time{}).Hash, audit.Record{}), fault.Unauthenticated, fault.ReasonInvalidToken)
	taken := tenant.Client{TenantID: s.tenant.ID, ID: "app"}
	free := s.initial(1, time.Time{})
	err := s.Registrations.Register(s.ctx, free.Hash, taken, oauth.Registered{TenantID: s.tenant.ID, ClientID: "app", Hash: secret.Bytes(32), CreatedAt: noon}, audit.Record{})
	s.refused(err, fault.Conflict, "") // an existing client is nobody's to take over
	s.ok(s.register(free.Hash, audit.Record{}))
}

func registrationChanges(s *scene) {
	c := tenant.Client{TenantID: s.tenant.ID, ID: secret.NewID(noon), Name: "New", ManagedBy: "api", SecretHash: secret.Bytes(32)}
	r := oauth.Registered{TenantID: s.tenant.ID, ClientID: c.ID, Hash: secret.Bytes(32), CreatedAt: noon}
	i := s.initial(1, time.Time{})
	s.ok(s.Registrations.Register(s.ctx, i.Hash, c, r, audit.Record{}))
	got, err := s.Registrations.Registered(s.ctx, s.tenant.ID, c.ID)
	s.ok(err)
	r.InitialID = i.ID
	s.same("registration", got, r)
	before, err := s.Tenants.Version(s.ctx)
	s.ok(err)
	c.Name = "Renamed"
	s.ok(s.Registrations.Change(s.ctx, c, audit.Record{}))
	snap, err := s.Tenants.Snapshot(s.ctx)
	s.ok(err)
	found := false
	for _, x := range snap.Clients {
		found = found || x.ID == c.ID && x.Name == "Renamed" && len(x.SecretHash) == 32
	}
	if !found || snap.Version <= before {
		s.Fatal("the change is not in the directory")
	}
	u := s.person(s.address())
	f := s.opened(u, func(f *session.Family) { f.ClientID = c.ID })
	s.ok(s.Registrations.Remove(s.ctx, s.tenant.ID, c.ID, noon, audit.Record{}))
	l, err := s.Sessions.Load(s.ctx, session.Ref{TenantID: s.tenant.ID, ID: f.ID})
	s.ok(err)
	if !l.Family.Revoked() {
		s.Fatal("a session outlived its client")
	}
	s.refused(s.Registrations.Remove(s.ctx, s.tenant.ID, c.ID, noon, audit.Record{}), fault.NotFound, "")
	s.refused(s.Registrations.Change(s.ctx, c, audit.Record{}), fault.NotFound, "")
	_, err = s.Registrations.Registered(s.ctx, s.tenant.ID, c.ID)
	s.refused(err, fault.NotFound, "")
	s.refused(s.Registrations.Remove(s.ctx, s.tenant.ID, "app", noon, audit.Record{}), fault.NotFound, "") // not one that registered itself
}
