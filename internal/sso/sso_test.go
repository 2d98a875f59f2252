package sso_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/delivery"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

var noon = time.Date(2035, 6, 1, 12, 0, 0, 0, time.UTC)

type world struct {
	*testing.T
	s      *sso.Service
	store  *sqlstore.Store
	tenant *tenant.Tenant
	at     time.Time
	told   [][]session.Ended
	mute   error // of the messages of a logout
}

func each(t *testing.T, test func(w *world)) {
	for name, url := range map[string]func(testing.TB) string{"sqlite": testbed.SQLite, "postgres": testbed.Postgres} {
		t.Run(name, func(t *testing.T) {
			w := &world{T: t, at: noon}
			w.store = testbed.Open(t, url(t), sqlstore.Config{Tell: w.tell})
			w.furnish()
			test(w)
		})
	}
}

// tell notes whom the store tells of an end.
func (w *world) tell(tenantID string, ended []session.Ended) ([]audit.Message, error) {
	w.told = append(w.told, ended)
	return []audit.Message{{ID: secret.NewID(noon), TenantID: tenantID, Kind: delivery.KindMail, Sealed: []byte{1}, NotBefore: noon}}, w.mute
}

func (w *world) furnish() {
	w.Helper()
	w.tenant = &tenant.Tenant{ID: secret.NewID(noon), Slug: "main", Issuer: "https://login.example.com", Policy: tenant.Policy{
		OAuth: tenant.PolicyOAuth{SSOIdleS: 3600, SSOMaxS: 7200},
	}}
	clients := []tenant.Client{{TenantID: w.tenant.ID, ID: "app"}}
	w.ok(w.store.Tenants().Put(w.Context(), []tenant.Tenant{*w.tenant}, clients, audit.Record{}))
	w.s = sso.New(w.store.SignOns(), sso.Config{})
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) person(email string) user.User {
	w.Helper()
	a := login.Attempt{
		TenantID: w.tenant.ID, ID: secret.NewID(noon), ClientID: "app", Email: email, Typed: email, TokenHash: secret.Bytes(32), CreatedAt: noon,
		Password: credential.Password{ID: secret.NewID(noon), PHC: "$x", CreatedAt: noon, UpdatedAt: noon}, ExpiresAt: noon.Add(time.Hour),
	}
	w.ok(w.store.Logins().SaveAttempt(w.Context(), a, audit.Record{}))
	id := secret.NewID(noon)
	w.ok(w.store.Logins().Prove(w.Context(), login.Proof{Attempt: a, UserID: id, Password: a.Password, At: noon}, audit.Record{}))
	return w.get(id)
}

func (w *world) get(id string) user.User {
	w.Helper()
	u, err := w.store.Users().Get(w.Context(), w.tenant.ID, id, "")
	w.ok(err)
	return u
}

func (w *world) call() *audit.Call {
	return &audit.Call{At: w.at, Wall: w.at, TenantID: w.tenant.ID, Trace: "t", Agent: "Firefox", Address: netip.MustParseAddr("192.0.2.7"), Actor: audit.Actor{Kind: "anonymous"}}
}

func (w *world) open(u user.User, old secret.Text) (secret.Text, sso.Session) {
	w.Helper()
	cookie, n, err := w.s.Open(w.Context(), w.call(), w.tenant, sso.Proof{User: &u, AMR: []string{"pwd"}, ACR: "1", Device: "d"}, old)
	w.ok(err)
	return cookie, n
}

func (w *world) find(cookie secret.Text) (sso.Live, error) {
	return w.s.Find(w.Context(), w.call(), w.tenant, cookie)
}

func (w *world) good(cookie secret.Text) sso.Live {
	w.Helper()
	l, err := w.find(cookie)
	w.ok(err)
	return l
}

func (w *world) dead(cookie secret.Text, reason fault.Reason) {
	w.Helper()
	if _, err := w.find(cookie); fault.ReasonOf(err) != reason || fault.From(err).Kind != fault.Unauthenticated {
		w.Fatalf("refused with %v, want %s", err, reason)
	}
}

// family is a session of u opened under n.
func (w *world) family(u user.User, n sso.Session) string {
	w.Helper()
	id := secret.NewID(noon)
	w.ok(w.store.Sessions().Open(w.Context(), session.Family{
		TenantID: w.tenant.ID, ID: id, ClientID: "app", Subject: u.ID, UserID: u.ID, Epoch: u.Epoch, SSOID: n.ID, Head: session.Hash(secret.Bytes(32)),
		CreatedAt: w.at, IdleExpiry: noon.Add(48 * time.Hour), AbsoluteExpiry: noon.Add(48 * time.Hour), Version: 1,
	}, nil, audit.Record{}))
	return id
}

func (w *world) revoked(sid string) string {
	w.Helper()
	l, err := w.store.Sessions().Load(w.Context(), session.Ref{TenantID: w.tenant.ID, ID: sid})
	w.ok(err)
	return l.Family.RevokedReason
}

func TestOpenAndFind(t *testing.T) {
	each(t, func(w *world) {
		u := w.person("ada@example.com")
		cookie, n := w.open(u, secret.Text{})
		l := w.good(cookie)
		if l.User.ID != u.ID || l.Session.ID != n.ID || l.Session.ACR != "1" || l.Session.Device != "d" || l.Session.Agent != "Firefox" || l.Session.Place != "192.0.2.0/24" ||
			!l.Session.AuthTime.Equal(noon) || l.User.PrimaryEmail().Value != "ada@example.com" {
			w.Fatalf("%+v", l)
		}
		w.dead(secret.Text{}, fault.ReasonMissingToken)
		w.dead(secret.NewText("made up"), fault.ReasonSessionRevoked)
		w.dead(secret.NewText(n.ID), fault.ReasonSessionRevoked)
		list, err := w.s.List(w.Context(), w.call(), w.tenant, u.ID)
		if err != nil || len(list) != 1 || list[0].ID != n.ID {
			w.Fatalf("%v %v", list, err)
		}
	})
}

// TestFixation: no cookie that a browser brings along is good after a proof: not a made-up one, not the session's own old one.
func TestFixation(t *testing.T) {
	each(t, func(w *world) {
		u := w.person("ada@example.com")
		planted := secret.NewText("planted by a stranger")
		first, n := w.open(u, planted)
		if first.Equal(planted) {
			w.Fatal("the planted cookie was taken over")
		}
		w.dead(planted, fault.ReasonSessionRevoked)
		sid := w.family(u, n)
		w.at = noon.Add(time.Minute)
		second, again := w.open(u, first)
		if second.Equal(first) || again.ID != n.ID {
			w.Fatalf("the session did not go on under a new secret: %s, %s", again.ID, n.ID)
		}
		w.dead(first, fault.ReasonSessionRevoked)
		l := w.good(second)
		if !l.Session.AuthTime.Equal(w.at) || !l.Session.CreatedAt.Equal(noon) || !l.Session.AbsoluteExpiry.Equal(w.at.Add(2*time.Hour)) {
			w.Fatalf("%+v", l.Session)
		}
		if why := w.revoked(sid); why != "" {
			w.Fatalf("a new proof ended a session: %s", why)
		}
		third, apart := w.open(u, first) // a copy of the old cookie joins nothing
		if apart.ID == n.ID {
			w.Fatal("an old secret led to the session")
		}
		w.good(third)
		w.good(second)
	})
}

// TestSwitch: somebody else signs on in the same browser. What was open there for the first person ends, and their applications are told.
func TestSwitch(t *testing.T) {
	each(t, func(w *world) {
		ada, eve := w.person("ada@example.com"), w.person("eve@example.com")
		first, n := w.open(ada, secret.Text{})
		sid := w.family(ada, n)
		second, other := w.open(eve, first)
		if other.ID == n.ID || w.good(second).User.ID != eve.ID {
			w.Fatal("the session changed its person")
		}
		w.dead(first, fault.ReasonSessionRevoked)
		if why := w.revoked(sid); why != sso.EndedBySwitch || len(w.told) == 0 || w.told[0][0].ID != sid {
			w.Fatalf("ended for %q, told %v", why, w.told)
		}
	})
}

// TestLimits: idle and absolute limits by the tenant's policy; activity moves the first and never the second.
func TestLimits(t *testing.T) {
	each(t, func(w *world) {
		u := w.person("ada@example.com")
		cookie, _ := w.open(u, secret.Text{})
		w.at = noon.Add(59 * time.Second)
		if l := w.good(cookie); !l.Session.LastSeen.Equal(noon) {
			w.Fatal("activity is noted more often than once a minute")
		}
		for at := noon; at.Before(noon.Add(2 * time.Hour)); at = at.Add(50 * time.Minute) {
			w.at = at
			if l := w.good(cookie); at.After(noon) && !l.Session.LastSeen.Equal(at) {
				w.Fatalf("%+v", l.Session)
			}
		}
		w.at = noon.Add(2*time.Hour - time.Microsecond)
		w.good(cookie)
		w.at = noon.Add(2 * time.Hour)
		w.dead(cookie, fault.ReasonSessionExpired)

		w.at = noon
		idle, n := w.open(u, secret.Text{})
		sid := w.family(u, n)
		w.at = noon.Add(time.Hour - time.Microsecond)
		if _, err := w.store.SignOns().ByHash(w.Context(), w.tenant.ID, secret.Hash(idle.Reveal())); err != nil {
			w.Fatal(err)
		}
		w.at = noon.Add(time.Hour)
		w.dead(idle, fault.ReasonSessionExpired)
		if why := w.revoked(sid); why != "" {
			w.Fatalf("a session ended because the sign-on ran out: %s", why)
		}
		fresh, m := w.open(u, idle) // a session that has run out does not come back
		if m.ID == n.ID {
			w.Fatal("it came back")
		}
		w.good(fresh)
	})
}

// TestUserActs: a raised epoch, a disabled and a deleted user; and being enabled again brings nothing back.
func TestUserActs(t *testing.T) {
	each(t, func(w *world) {
		users := w.store.Users()
		u := w.person("ada@example.com")
		cookie, n := w.open(u, secret.Text{})
		sid := w.family(u, n)
		_, err := users.RaiseEpoch(w.Context(), w.tenant.ID, u.ID, "test", w.at, audit.Record{})
		w.ok(err)
		w.dead(cookie, fault.ReasonSessionRevoked)
		if w.revoked(sid) != "test" {
			w.Fatal("the session lives")
		}
		if _, _, err := w.s.Open(w.Context(), w.call(), w.tenant, sso.Proof{User: &u}, cookie); fault.ReasonOf(err) != fault.ReasonUserChanged {
			w.Fatalf("a proof from before the epoch was raised: %v", err)
		}
		u = w.get(u.ID)
		cookie, _ = w.open(u, cookie)
		w.ok(users.SetStatus(w.Context(), w.tenant.ID, u.ID, user.Disabled, w.at, audit.Record{}))
		w.dead(cookie, fault.ReasonSessionRevoked)
		w.ok(users.SetStatus(w.Context(), w.tenant.ID, u.ID, user.Active, w.at, audit.Record{}))
		w.dead(cookie, fault.ReasonSessionRevoked)
		u = w.get(u.ID) // a disable raises the epoch
		cookie, _ = w.open(u, secret.Text{})
		w.ok(users.Delete(w.Context(), w.tenant.ID, u.ID, w.at, w.at.Add(time.Hour), audit.Record{}))
		w.dead(cookie, fault.ReasonSessionRevoked)
	})
}

// TestEnd: every session opened under a sign-on ends with it and its application is told, in the transaction that ends it.
func TestEnd(t *testing.T) {
	each(t, func(w *world) {
		u := w.person("ada@example.com")
		cookie, n := w.open(u, secret.Text{})
		apart, other := w.open(u, secret.Text{})
		a, b, kept := w.family(u, n), w.family(u, n), w.family(u, other)
		w.mute = errors.New("cannot be sealed")
		if _, err := w.s.End(w.Context(), w.call(), w.tenant, sso.Match{ID: n.ID}, sso.EndedByLogout); err == nil {
			w.Fatal("an end whose messages cannot be written must not happen")
		}
		w.good(cookie)
		if w.revoked(a) != "" {
			w.Fatal("a failed end left a trace")
		}
		w.mute, w.told = nil, nil
		ended, err := w.s.End(w.Context(), w.call(), w.tenant, sso.Match{ID: n.ID}, sso.EndedByLogout)
		if err != nil || len(ended) != 2 || len(w.told) == 0 || len(w.told[len(w.told)-1]) != 2 {
			w.Fatalf("%v %v told %v", ended, err, w.told)
		}
		w.dead(cookie, fault.ReasonSessionRevoked)
		if w.revoked(a) != sso.EndedByLogout || w.revoked(b) != sso.EndedByLogout || w.revoked(kept) != "" {
			w.Fatal("not exactly the sessions under it have ended")
		}
		w.good(apart)
		w.told = nil
		if ended, err := w.s.End(w.Context(), w.call(), w.tenant, sso.Match{ID: n.ID}, sso.EndedByLogout); err != nil || len(ended) != 0 || len(w.told) != 0 {
			w.Fatalf("a second end: %v %v %v", ended, err, w.told)
		}
		if _, err := w.s.End(w.Context(), w.call(), w.tenant, sso.Match{UserID: u.ID}, sso.EndedByLogout); err != nil {
			w.Fatal(err)
		}
		w.dead(apart, fault.ReasonSessionRevoked)
	})
}
