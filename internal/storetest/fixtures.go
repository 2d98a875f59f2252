// Package storetest is the suite of the rooms' Store interfaces: what every engine must do, nasty rows included. It owns the meaning of
// the verbs; it holds no engine and knows none. It is imported by tests only.
package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/delivery"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/recipe"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/servicekey"
	"github.com/gatehouse-auth/gatehouse/internal/servicetoken"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/race"
	"github.com/gatehouse-auth/gatehouse/internal/token"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// Rooms is one migrated, empty store, room by room. No suite needs it empty of what another suite left.
type Rooms struct {
	Tenants       tenant.Store
	Users         user.Store
	Keys          token.KeyStore
	Sessions      session.Store
	Logins        login.Store
	Janitor       login.Janitor
	Credentials   credential.Store
	Outbox        delivery.Store
	ServiceKeys   servicekey.Store
	ServiceTokens servicetoken.Store
	Recipe        Recipe
	SignOns       sso.Store
	Requests      oauth.Requests
	Codes         oauth.Codes
	Devices       oauth.Devices
	Opaques       oauth.Opaques
	Registrations oauth.Registrations
	Trail         Trail
}

// Recipe is the stores of the recipe room.
type Recipe struct {
	Accounts      recipe.Accounts
	People        recipe.People
	Tokens        recipe.Tokens
	Roles         recipe.Roles
	Metadatas     recipe.Metadatas
	Externals     recipe.Externals
	Organisations recipe.Organisations
	Apps          recipe.Apps
}

// Trail reads what verbs wrote beside their change, so that a suite sees whether a failed verb left something behind.
type Trail struct {
	Events      func(ctx context.Context, tenantID, trace string) ([]audit.Event, error)
	Revocations func(ctx context.Context, tenantID string) ([]Numbered, error) // by sequence
}

// Numbered is a revocation with its place in the feed.
type Numbered struct {
	Sequence int64
	audit.Revocation
}

// callers is how many race for what only one may have.
const callers = race.Callers

// noon is far from the machine's clock, with microseconds: an engine that asks its own clock or rounds fails.
var noon = time.Date(2035, 6, 1, 12, 0, 0, 123457000, time.UTC)

// scene is one test's own tenant with two clients, "app" and "other".
type scene struct {
	Rooms
	*testing.T
	ctx    context.Context
	tenant tenant.Tenant
}

type step struct {
	name string
	test func(*scene)
}

// play runs every step in a tenant of its own.
func play(t *testing.T, r Rooms, steps []step) {
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) { s.test(newScene(t, r)) })
	}
}

func newScene(t *testing.T, r Rooms) *scene {
	s := &scene{Rooms: r, T: t, ctx: context.Background()}
	s.tenant = s.newTenant()
	return s
}

func (s *scene) newTenant() tenant.Tenant {
	s.Helper()
	id := secret.NewID(noon)
	t := tenant.Tenant{ID: id, Slug: "t" + id, Name: "Tenant", Issuer: "https://" + id + ".example.com", Test: true, ManagedBy: "file"}
	s.ok(s.Tenants.Put(s.ctx, []tenant.Tenant{t}, []tenant.Client{
		{TenantID: id, ID: "app", Name: "App", ManagedBy: "file"}, {TenantID: id, ID: "other", Name: "Other", ManagedBy: "file"},
	}, audit.Record{}))
	return t
}

// elsewhere is the same test in a second tenant of the same store.
func (s *scene) elsewhere() *scene {
	s.Helper()
	return &scene{Rooms: s.Rooms, T: s.T, ctx: s.ctx, tenant: s.newTenant()}
}

func (s *scene) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatalf("refused: %v", err)
	}
}

// refused checks kind and reason; an empty reason accepts any.
func (s *scene) refused(err error, kind fault.Kind, reason fault.Reason) {
	s.Helper()
	var f *fault.Error
	if !errors.As(err, &f) {
		s.Fatalf("got %v, want a fault of kind %d, %s", err, kind, reason)
	}
	if f.Kind != kind || reason != "" && f.Reason != reason {
		s.Fatalf("got kind %d, %v, want kind %d, %s", f.Kind, err, kind, reason)
	}
}

func (s *scene) same(what string, got, want any, opts ...cmp.Option) {
	s.Helper()
	if diff := cmp.Diff(want, got, append(opts, cmpopts.EquateEmpty())...); diff != "" {
		s.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// together counts how many of many at once said yes. Errors fail the test.
func (s *scene) together(f func(i int) (bool, error)) int {
	s.Helper()
	return race.Winners(s, f)
}

// onlyOne runs f in 64 goroutines: exactly one may succeed, all others must be refused with the given kind.
func (s *scene) onlyOne(kind fault.Kind, f func(i int) error) {
	s.Helper()
	won := s.together(func(i int) (bool, error) {
		err := f(i)
		if err != nil && fault.From(err).Kind == kind {
			return false, nil
		}
		return err == nil, err
	})
	if won != 1 {
		s.Fatalf("%d of %d callers succeeded", won, callers)
	}
}

// mark is a record that can be looked for afterwards.
type mark struct {
	audit.Record
	backlog int
}

func (s *scene) mark() mark {
	s.Helper()
	backlog, err := s.Outbox.Backlog(s.ctx)
	s.ok(err)
	return mark{backlog: backlog, Record: s.record()}
}

// record has one event and one message.
func (s *scene) record() audit.Record {
	id := secret.NewID(noon)
	return audit.Record{
		Events: []audit.Event{{ID: id, TenantID: s.tenant.ID, At: noon, Type: "suite.marked", Trace: id, Actor: audit.Actor{Kind: "system"}}},
		Messages: []audit.Message{{
			ID: secret.NewID(noon), TenantID: s.tenant.ID, Kind: delivery.KindMail, Sealed: []byte{0, 1, 0xff}, NotBefore: noon.Add(-time.Hour),
		}},
	}
}

// wrote checks that event and message of m were written once, or not at all.
func (s *scene) wrote(m mark, want bool) {
	s.Helper()
	n := 0
	if want {
		n = 1
	}
	if got := s.traced(m.Events[0].Trace); len(got) != n {
		s.Fatalf("the event of the record stands %d times, want %d", len(got), n)
	}
	backlog, err := s.Outbox.Backlog(s.ctx)
	s.ok(err)
	if backlog-m.backlog != n {
		s.Fatalf("%d messages were written, want %d", backlog-m.backlog, n)
	}
}

func (s *scene) traced(trace string) []audit.Event {
	s.Helper()
	found, err := s.Trail.Events(s.ctx, s.tenant.ID, trace)
	s.ok(err)
	return found
}

// revoked gives the tenant's revocations of sessions: target → reason.
func (s *scene) revoked() map[string]string {
	s.Helper()
	all, err := s.Trail.Revocations(s.ctx, s.tenant.ID)
	s.ok(err)
	out := map[string]string{}
	for _, r := range all {
		if r.Kind != "session" {
			continue
		}
		if _, twice := out[r.Target]; twice {
			s.Fatalf("session %s is in the feed twice", r.Target)
		}
		out[r.Target] = r.Reason
	}
	return out
}

func (s *scene) address() string { return "u" + secret.NewID(noon) + "@example.com" }

func password(phc string) credential.Password {
	return credential.Password{ID: secret.NewID(noon), PHC: phc, PepperID: 7, CreatedAt: noon, UpdatedAt: noon}
}

// attempt is a live sign-up that nobody saved yet; its mailed token is secret.Hash(id).
func (s *scene) attempt(email string) login.Attempt {
	id := secret.NewID(noon)
	return login.Attempt{
		TenantID: s.tenant.ID, ID: id, ClientID: "app", Email: email, Typed: email, Name: "Ann", Locale: "en", Password: password("$attempt$" + id),
		Browser: "browser " + id, TokenHash: secret.Hash(id), CreatedAt: noon, ExpiresAt: noon.Add(24 * time.Hour),
	}
}

func (s *scene) saved(a login.Attempt) login.Attempt {
	s.Helper()
	s.ok(s.Logins.SaveAttempt(s.ctx, a, audit.Record{}))
	return a
}

func proof(a login.Attempt) login.Proof {
	return login.Proof{Attempt: a, UserID: secret.NewID(noon), Name: a.Name, Password: a.Password, Roles: []string{"member"}, At: noon.Add(time.Minute)}
}

// person is an active, proved user of client "app".
func (s *scene) person(email string) user.User {
	s.Helper()
	p := proof(s.saved(s.attempt(email)))
	s.ok(s.Logins.Prove(s.ctx, p, audit.Record{}))
	return s.get(p.UserID)
}

func (s *scene) get(userID string) user.User {
	s.Helper()
	u, err := s.Users.Get(s.ctx, s.tenant.ID, userID, "app")
	s.ok(err)
	return u
}

func (s *scene) known(email string) login.Known {
	s.Helper()
	k, err := s.Logins.Known(s.ctx, login.KnownQuery{TenantID: s.tenant.ID, ClientID: "app", Email: email, At: noon.Add(2 * time.Minute)})
	s.ok(err)
	return k
}

func hash(text string) session.Hash { return session.Hash(secret.Hash(text)) }

// family is a fresh session of u, not stored yet.
func (s *scene) family(u user.User) session.Family {
	id := secret.NewID(noon)
	return session.Family{
		TenantID: s.tenant.ID, ID: id, ClientID: "app", OpenedBy: "login-api", Subject: u.ID, UserID: u.ID, Epoch: u.Epoch,
		Generation: 1, Head: hash(id + " 1"), HeadMinted: noon, CreatedAt: noon, LastSeen: noon, IdleExpiry: noon.Add(30 * 24 * time.Hour),
		AbsoluteExpiry: noon.Add(180 * 24 * time.Hour), AuthTime: noon, Version: 1,
	}
}

// opened stores a fresh session of u, changed by with where given.
func (s *scene) opened(u user.User, with ...func(*session.Family)) session.Family {
	s.Helper()
	f := s.family(u)
	for _, w := range with {
		w(&f)
	}
	s.ok(s.Sessions.Open(s.ctx, f, nil, audit.Record{}))
	return s.load(f.ID).Family
}

func (s *scene) load(id string) session.Loaded {
	s.Helper()
	l, err := s.Sessions.Load(s.ctx, session.Ref{TenantID: s.tenant.ID, ID: id})
	s.ok(err)
	return l
}

// ended checks that each family is revoked for this reason, that the feed says so, and that it can no longer be swapped.
func (s *scene) ended(reason string, families ...session.Family) {
	s.Helper()
	feed := s.revoked()
	for _, f := range families {
		now := s.load(f.ID).Family
		if !now.Revoked() || now.RevokedReason != reason {
			s.Fatalf("session %s: revoked at %v for %q, want %q", f.ID, now.RevokedAt, now.RevokedReason, reason)
		}
		if feed[f.ID] != reason {
			s.Fatalf("the feed has %q for session %s, want %q", feed[f.ID], f.ID, reason)
		}
		for _, from := range []session.Family{f, now} {
			if won, err := s.Sessions.Swap(s.ctx, from, rotated(from), audit.Record{}); err != nil || won {
				s.Fatalf("an ended session was swapped: %v, %v", won, err)
			}
		}
	}
}

// live checks that each family is neither revoked nor in the feed.
func (s *scene) live(families ...session.Family) {
	s.Helper()
	feed := s.revoked()
	for _, f := range families {
		if now := s.load(f.ID).Family; now.Revoked() || now.Version != f.Version {
			s.Fatalf("session %s was touched: version %d, revoked for %q", f.ID, now.Version, now.RevokedReason)
		}
		if reason, found := feed[f.ID]; found {
			s.Fatalf("the feed has live session %s with %q", f.ID, reason)
		}
	}
}

// rotated is f with a newly minted pending token.
func rotated(f session.Family) session.Family {
	pending := hash(f.ID + " pending " + secret.Random(8))
	f.Pending, f.SealedPending, f.PendingMinted = &pending, []byte{0, 0xff, 1}, f.HeadMinted.Add(time.Minute)
	return f
}
