package storetest

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// Sessions runs the suite of session.Store.
func Sessions(t *testing.T, r Rooms) {
	play(t, r, []step{
		{"round trip", sessionRoundTrip}, {"bare", bareSession}, {"load by hash", loadByHash}, {"load nothing", loadNothing},
		{"holder", holder}, {"registration at open", registrationAtOpen}, {"open refused", openRefused}, {"open twice", openTwice},
		{"session text", sessionText}, {"swap", swapSession}, {"swap keeps what is fixed", swapKeeps}, {"one swap wins", oneSwapWins},
		{"chain of swaps", chainOfSwaps}, {"swap of one field", swapOfOneField}, {"touch", touch}, {"revoke", revoke}, {"revoke by match", revokeByMatch},
		{"revoke again", revokeAgain}, {"children", childrenEnd}, {"one revoke ends", oneRevokeEnds}, {"feed without gaps", feedWithoutGaps},
		{"swap against revoke", swapAgainstRevoke}, {"open against disable", openAgainstDisable}, {"list", listSessions},
		{"child of the dead", childOfTheDead}, {"child against revoke", childAgainstRevoke},
		{"list under inserts", listUnderInserts}, {"purge sessions", purgeSessions}, {"record", recordAlone}, {"any order", anyOrder},
	})
}

// full is a family with every field set.
func (s *scene) full(u user.User) session.Family {
	f := s.family(u)
	pending := hash(f.ID + " 8")
	f.ClientAuth, f.Generation, f.Pending, f.SealedPending, f.SealedHead = true, 1<<32-1, &pending, []byte{0, 1, 0xff}, []byte{0xff, 0}
	for i := range session.MaxConfirmations {
		at := noon.Add(time.Duration(i) * time.Microsecond)
		f.Confirmations = append(f.Confirmations, session.Confirmation{Generation: uint32(i), At: at})
	}
	f.HeadMinted, f.PendingMinted, f.LastSeen = noon.Add(1*time.Microsecond), noon.Add(2*time.Microsecond), noon.Add(3*time.Microsecond)
	f.Binding, f.ParentID, f.SSOID, f.OrgID, f.Device = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", s.opened(u).ID, "sso", "public", "device"
	f.Agent, f.Place, f.Scope, f.Audience = "Браузер/1 \U0001F310", "192.0.2.0/24", "openid email", []string{"https://api.example.com", "b c", ""}
	f.AuthTime, f.AMR, f.ACR, f.AntiCSRF, f.StaticKey = noon.Add(-time.Hour), []string{"pwd", "otp"}, "2", "csrf", true
	f.AccessPayload, f.DatabasePayload = []byte(`{"a":1}`), []byte(`{"b":"\u00e5"}`)
	return f
}

func sessionRoundTrip(s *scene) {
	f := s.full(s.person(s.address()))
	m := s.mark()
	s.ok(s.Sessions.Open(s.ctx, f, nil, m.Record))
	s.wrote(m, true)
	got := s.load(f.ID).Family
	f.Version = got.Version
	s.same("family", got, f)
	if got.CreatedAt.Location() != time.UTC || got.Confirmations[0].At.Location() != time.UTC {
		s.Fatal("instants do not come back in UTC")
	}
	abroad := s.full(s.person(s.address()))
	abroad.CreatedAt = noon.In(time.FixedZone("east", 5*3600+1800)).Add(999 * time.Nanosecond)
	s.ok(s.Sessions.Open(s.ctx, abroad, nil, audit.Record{}))
	if got := s.load(abroad.ID).Family.CreatedAt; !got.Equal(noon) || got.Location() != time.UTC {
		s.Fatalf("an instant from elsewhere came back as %v, want %v", got, noon)
	}
}

// bareSession: what is absent stays absent: no zero instant becomes 1970, no missing hash becomes 32 zero bytes.
func bareSession(s *scene) {
	f := session.Family{
		TenantID: s.tenant.ID, ID: secret.NewID(noon), ClientID: "app", Subject: "not one of our users", Generation: 0,
		Head: hash("x" + secret.Random(8)), CreatedAt: noon,
	}
	s.ok(s.Sessions.Open(s.ctx, f, nil, audit.Record{}))
	l := s.load(f.ID)
	f.Version = l.Family.Version
	s.same("family", l.Family, f)
	if l.Family.Pending != nil || !l.Family.RevokedAt.IsZero() || !l.Family.PendingMinted.IsZero() || !l.Family.AuthTime.IsZero() {
		s.Fatalf("absent fields are there: %+v", l.Family)
	}
	s.same("holder", l.Holder, session.Holder{})
	s.same("listed, since it never expires", s.page(f.Subject, "", 10, noon.Add(1_000_000*time.Hour)), []string{f.ID})
	n, err := s.Sessions.Purge(s.ctx, s.tenant.ID, noon.Add(1_000_000*time.Hour), 10)
	if s.ok(err); n != 0 {
		s.Fatal("a family that never expires was purged")
	}
}

// swapOfOneField: a store that leaves unchanged columns alone must notice each that changes, also between absent and empty.
func swapOfOneField(s *scene) {
	from := s.opened(s.person(s.address()))
	for name, change := range map[string]func(f *session.Family){
		"device":              func(f *session.Family) { f.Device = "d" },
		"agent":               func(f *session.Family) { f.Agent = "a" },
		"place":               func(f *session.Family) { f.Place = "p" },
		"anti csrf":           func(f *session.Family) { f.AntiCSRF = "c" },
		"access payload":      func(f *session.Family) { f.AccessPayload = []byte{} },
		"access payload full": func(f *session.Family) { f.AccessPayload = []byte("{}") },
		"database payload":    func(f *session.Family) { f.DatabasePayload = []byte("{}") },
		"static key":          func(f *session.Family) { f.StaticKey = !f.StaticKey },
		"foreign":             func(f *session.Family) { f.Foreign = true },
		"foreign head":        func(f *session.Family) { f.Foreign, f.Head = true, hash("other") },
		"absolute expiry":     func(f *session.Family) { f.AbsoluteExpiry = f.AbsoluteExpiry.Add(time.Microsecond) },
		"idle expiry":         func(f *session.Family) { f.IdleExpiry = f.IdleExpiry.Add(time.Microsecond) },
		"last seen":           func(f *session.Family) { f.LastSeen = f.LastSeen.Add(time.Microsecond) },
	} {
		from = s.load(from.ID).Family
		to := from
		change(&to)
		ok, err := s.Sessions.Swap(s.ctx, from, to, audit.Record{})
		if s.ok(err); !ok {
			s.Fatalf("%s: not swapped", name)
		}
		to.Version++
		s.same(name, s.load(from.ID).Family, to)
	}
}

func loadByHash(s *scene) {
	u := s.person(s.address())
	f := s.full(u)
	f.Foreign = true
	s.ok(s.Sessions.Open(s.ctx, f, nil, audit.Record{}))
	own := s.opened(u)
	l, err := s.Sessions.Load(s.ctx, session.Ref{TenantID: s.tenant.ID, Hash: f.Head})
	if s.ok(err); l.Family.ID != f.ID || !l.Family.Foreign || !l.Holder.Present {
		s.Fatalf("found %q", l.Family.ID)
	}
	lost := func(tenantID string, h session.Hash) {
		s.Helper()
		_, err := s.Sessions.Load(s.ctx, session.Ref{TenantID: tenantID, Hash: h})
		s.refused(err, fault.NotFound, "")
	}
	lost(s.newTenant().ID, f.Head)
	lost(s.tenant.ID, *f.Pending)
	lost(s.tenant.ID, own.Head) // ours names its family
	next := l.Family
	next.Foreign, next.Head, next.Pending = false, *f.Pending, nil
	ok, err := s.Sessions.Swap(s.ctx, l.Family, next, audit.Record{})
	if s.ok(err); !ok || s.load(f.ID).Family.Foreign {
		s.Fatal("a foreign head was not replaced")
	}
	lost(s.tenant.ID, f.Head)
	lost(s.tenant.ID, next.Head)
}

func loadNothing(s *scene) {
	far := s.elsewhere()
	theirs := far.opened(far.person(s.address()), func(f *session.Family) { f.Foreign = true })
	s.opened(s.person(s.address()))
	for _, ref := range []session.Ref{
		{ID: secret.NewID(noon)}, {ID: theirs.ID}, {ID: "nonsense"}, {ID: "%"}, {}, {Hash: hash("nothing")}, {Hash: theirs.Head},
	} {
		ref.TenantID = s.tenant.ID
		_, err := s.Sessions.Load(s.ctx, ref)
		s.refused(err, fault.NotFound, "")
	}
}

func holder(s *scene) {
	email := s.address()
	u := s.person(email)
	f := s.opened(u)
	want := session.Holder{
		Present: true, Status: user.Active, Epoch: 1, Name: "Ann", Locale: "en", Email: email, Verified: true, Registered: true,
		VerifiedAt: u.PrimaryEmail().VerifiedAt, CreatedAt: u.CreatedAt, Roles: []string{"member"},
	}
	s.same("holder", s.load(f.ID).Holder, want)
	for client, registered := range map[string]bool{"": true, "app": true, "other": false} {
		l, err := s.Sessions.Load(s.ctx, session.Ref{TenantID: s.tenant.ID, ID: f.ID, ClientID: client})
		if s.ok(err); l.Holder.Registered != registered || (len(l.Holder.Roles) == 1) != registered {
			s.Fatalf("for client %q: %+v", client, l.Holder)
		}
	}
}

func registrationAtOpen(s *scene) {
	u := s.person(s.address())
	open := func(client string, roles ...string) {
		s.Helper()
		f := s.family(u)
		f.ClientID = client
		reg := &user.Registration{ClientID: client, Roles: roles, Data: []byte(`{"k":"v"}`), CreatedAt: noon}
		s.ok(s.Sessions.Open(s.ctx, f, reg, audit.Record{}))
	}
	open("other", "reader", "writer")
	open("other", "admin") // made once, never replaced: a second login must not change roles
	open("app", "admin")
	for client, want := range map[string][]string{"other": {"reader", "writer"}, "app": {"member"}} {
		got, err := s.Users.Get(s.ctx, s.tenant.ID, u.ID, client)
		if s.ok(err); got.Registration == nil {
			s.Fatalf("no registration with %s", client)
		}
		s.same("roles with "+client, got.Registration.Roles, want)
	}
	f := s.family(u)
	f.Epoch, f.ClientID = 99, "third"
	err := s.Sessions.Open(s.ctx, f, &user.Registration{ClientID: "third", CreatedAt: noon}, audit.Record{})
	s.refused(err, fault.Conflict, fault.ReasonUserChanged)
	if got, _ := s.Users.Get(s.ctx, s.tenant.ID, u.ID, "third"); got.Registration != nil {
		s.Fatal("a refused open left a registration")
	}
}

func openRefused(s *scene) {
	u := s.person(s.address())
	far := s.elsewhere().person(s.address())
	for name, change := range map[string]func(*session.Family){
		"epoch behind": func(f *session.Family) { f.Epoch-- }, "epoch ahead": func(f *session.Family) { f.Epoch++ },
		"unknown user": func(f *session.Family) { f.UserID = secret.NewID(noon) }, "another tenant's user": func(f *session.Family) { f.UserID = far.ID },
		"malformed user": func(f *session.Family) { f.UserID = "nonsense" },
	} {
		f := s.family(u)
		change(&f)
		m := s.mark()
		if err := s.Sessions.Open(s.ctx, f, nil, m.Record); err == nil {
			s.Fatalf("%s: opened", name)
		} else {
			s.refused(err, fault.Conflict, fault.ReasonUserChanged)
		}
		s.wrote(m, false)
		_, err := s.Sessions.Load(s.ctx, session.Ref{TenantID: s.tenant.ID, ID: f.ID})
		s.refused(err, fault.NotFound, "")
	}
}

func openTwice(s *scene) {
	u := s.person(s.address())
	f := s.opened(u)
	m := s.mark()
	again := s.family(u)
	again.ID = f.ID
	s.refused(s.Sessions.Open(s.ctx, again, nil, m.Record), fault.Conflict, "")
	s.wrote(m, false)
	s.same("family", s.load(f.ID).Family, f)
}

func sessionText(s *scene) {
	u := s.person(s.address())
	for _, bad := range badTexts {
		for _, put := range []func(*session.Family){
			func(f *session.Family) { f.Agent = bad }, func(f *session.Family) { f.Scope = bad }, func(f *session.Family) { f.ClientID = bad },
		} {
			f := s.family(u)
			put(&f)
			m := s.mark()
			s.refused(s.Sessions.Open(s.ctx, f, nil, m.Record), fault.Invalid, "")
			s.wrote(m, false)
		}
		f := s.family(user.User{})
		f.Subject = bad
		s.refused(s.Sessions.Open(s.ctx, f, nil, audit.Record{}), fault.Invalid, "")
	}
	for _, pair := range twins {
		a := s.opened(user.User{}, func(f *session.Family) { f.Subject = pair[0] })
		b := s.opened(user.User{}, func(f *session.Family) { f.Subject = pair[1] })
		ended, err := s.Sessions.Revoke(s.ctx, session.Match{TenantID: s.tenant.ID, Subject: pair[0]}, noon, "test", audit.Record{})
		s.ok(err)
		s.same("ended", ended, []session.Ended{{ID: a.ID, ClientID: "app", Subject: pair[0]}})
		s.live(b)
		_, err = s.Sessions.Revoke(s.ctx, session.Match{TenantID: s.tenant.ID, Subject: pair[1]}, noon, "test", audit.Record{})
		s.ok(err)
	}
}

func swapSession(s *scene) {
	from := s.opened(s.person(s.address()))
	to := s.full(user.User{})
	to.TenantID, to.ID = from.TenantID, from.ID
	to.IdleExpiry, to.Generation = noon.Add(31*24*time.Hour), 2
	m := s.mark()
	won, err := s.Sessions.Swap(s.ctx, from, to, m.Record)
	if s.ok(err); !won {
		s.Fatal("the only caller lost")
	}
	s.wrote(m, true)
	got := s.load(from.ID).Family
	if got.Version != from.Version+1 || got.Head != to.Head || *got.Pending != *to.Pending || got.Generation != 2 || !got.IdleExpiry.Equal(to.IdleExpiry) {
		s.Fatalf("after a swap: %+v", got)
	}
	s.same("seals", [2][]byte{got.SealedHead, got.SealedPending}, [2][]byte{to.SealedHead, to.SealedPending})
	s.same("confirmations", got.Confirmations, to.Confirmations)
	s.same("minted", [2]time.Time{got.HeadMinted, got.PendingMinted}, [2]time.Time{to.HeadMinted, to.PendingMinted})
	next := got
	next.Pending, next.SealedPending, next.SealedHead, next.PendingMinted = nil, nil, nil, time.Time{}
	if won, err = s.Sessions.Swap(s.ctx, got, next, audit.Record{}); err != nil || !won {
		s.Fatalf("second swap: %v, %v", won, err)
	}
	if got = s.load(from.ID).Family; got.Pending != nil || len(got.SealedHead)+len(got.SealedPending) != 0 || !got.PendingMinted.IsZero() {
		s.Fatalf("what was dropped is still there: %+v", got)
	}
	m = s.mark()
	for _, stale := range []session.Family{from, func() session.Family { f := got; f.Version++; return f }()} {
		if won, err = s.Sessions.Swap(s.ctx, stale, to, m.Record); err != nil || won {
			s.Fatalf("a swap from version %d: %v, %v", stale.Version, won, err)
		}
	}
	far := got
	far.TenantID = s.newTenant().ID
	if won, err = s.Sessions.Swap(s.ctx, far, to, m.Record); err != nil || won {
		s.Fatalf("a swap through another tenant: %v, %v", won, err)
	}
	s.wrote(m, false)
	s.same("family", s.load(from.ID).Family, got)
}

// swapKeeps: a refresh can neither rebind a family, nor move it to another person or client, nor end or lengthen it past its limit.
func swapKeeps(s *scene) {
	from := s.opened(s.person(s.address()), func(f *session.Family) { f.Binding = "bound" })
	to := rotated(from)
	to.Binding, to.Subject, to.UserID, to.ClientID, to.ClientAuth, to.OpenedBy = "thief", "x", secret.NewID(noon), "other", true, "x"
	to.ParentID, to.CreatedAt, to.Epoch = secret.NewID(noon), noon.Add(time.Hour), 99
	won, err := s.Sessions.Swap(s.ctx, from, to, audit.Record{})
	if s.ok(err); !won {
		s.Fatal("lost")
	}
	got := s.load(from.ID).Family
	want := rotated(from)
	want.Pending, want.SealedPending, want.PendingMinted, want.Version = to.Pending, to.SealedPending, to.PendingMinted, from.Version+1
	s.same("family", got, want)
}

func oneSwapWins(s *scene) {
	from := s.opened(s.person(s.address()))
	before := s.mark()
	won := s.together(func(int) (bool, error) { return s.Sessions.Swap(s.ctx, from, rotated(from), s.record()) })
	backlog, err := s.Outbox.Backlog(s.ctx)
	if s.ok(err); won != 1 || backlog != before.backlog+1 {
		s.Fatalf("%d of %d swaps won and wrote %d records", won, callers, backlog-before.backlog)
	}
}

// chainOfSwaps: every caller loads and swaps until it has won four times; each version is won once.
func chainOfSwaps(s *scene) {
	from := s.opened(s.person(s.address()))
	const each = 4
	s.together(func(int) (bool, error) {
		for won := 0; won < each; {
			l, err := s.Sessions.Load(s.ctx, session.Ref{TenantID: s.tenant.ID, ID: from.ID})
			if err != nil {
				return false, err
			}
			to := rotated(l.Family)
			to.Generation++
			ok, err := s.Sessions.Swap(s.ctx, l.Family, to, audit.Record{})
			if err != nil {
				return false, err
			}
			if ok {
				won++
			}
		}
		return true, nil
	})
	got := s.load(from.ID).Family
	if wins := int64(callers * each); got.Version != from.Version+wins || int64(got.Generation) != int64(from.Generation)+wins {
		s.Fatalf("version %d, generation %d after %d wins from %d, %d", got.Version, got.Generation, wins, from.Version, from.Generation)
	}
}

func touch(s *scene) {
	f := s.opened(s.person(s.address()))
	wantTouch := func(f session.Family, want bool) {
		s.Helper()
		if got, err := s.Sessions.Touch(s.ctx, f, noon.Add(time.Hour)); err != nil || got != want {
			s.Fatalf("touch: %v, %v, want %v", got, err, want)
		}
	}
	wantTouch(f, true)
	wantTouch(f, true) // the same instant again is still a live family
	got := s.load(f.ID).Family
	f.LastSeen = noon.Add(time.Hour)
	s.same("family", got, f)
	stale := f
	stale.Version++
	wantTouch(stale, false)
	stale = f
	stale.TenantID = s.newTenant().ID
	wantTouch(stale, false)
	_, err := s.Sessions.Revoke(s.ctx, session.Match{TenantID: s.tenant.ID, ID: f.ID}, noon, "test", audit.Record{})
	s.ok(err)
	wantTouch(f, false)
	wantTouch(s.load(f.ID).Family, false)
}

func recordAlone(s *scene) {
	m := s.mark()
	m.Events[0].Detail = map[string]string{"a": "1", "ü": ""}
	m.Events[0].Person = &audit.Person{Address: "192.0.2.1", Email: "a@example.com"}
	s.ok(s.Sessions.Record(s.ctx, m.Record))
	s.wrote(m, true)
	s.same("event", s.traced(m.Events[0].Trace), m.Events)
	for _, bad := range badTexts {
		m := s.mark()
		m.Events[0].Actor.ID = bad
		s.refused(s.Sessions.Record(s.ctx, m.Record), fault.Invalid, "")
		s.wrote(m, false)
	}
}
