package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// Tenants runs the suite of tenant.Store.
func Tenants(t *testing.T, r Rooms) {
	play(t, r, []step{
		{"round trip", tenantRoundTrip}, {"replaced whole", tenantReplaced}, {"the version moves", tenantVersion},
		{"conflicts write nothing", tenantConflicts}, {"case of client ids", clientCase}, {"bad text", tenantBadText},
		{"removed client", removedClient}, {"clock", tenantClock}, {"clock advanced by many", clockByMany},
		{"clock survives a put", clockSurvivesPut}, {"lagging nodes", laggingNodes},
	})
}

var ignoreVersions = cmpopts.IgnoreFields(tenant.Tenant{}, "Version")

// find gives a tenant of the snapshot with its clients by id.
func (s *scene) find(id string) (tenant.Tenant, map[string]tenant.Client) {
	s.Helper()
	snap, err := s.Tenants.Snapshot(s.ctx)
	s.ok(err)
	var found tenant.Tenant
	for _, t := range snap.Tenants {
		if t.ID == id {
			found = t
		}
	}
	clients := map[string]tenant.Client{}
	for _, c := range snap.Clients {
		if c.TenantID == id {
			clients[c.ID] = c
		}
	}
	return found, clients
}

func (s *scene) version() int64 {
	s.Helper()
	v, err := s.Tenants.Version(s.ctx)
	s.ok(err)
	return v
}

func fullTenant() (tenant.Tenant, tenant.Client) {
	id, zero, on := secret.NewID(noon), int64(0), true
	t := tenant.Tenant{
		ID: id, Slug: "t" + id, Name: "Åsa’s Straße \U0001F3E0", Issuer: "https://" + id + ".example.com/login", Test: true, ManagedBy: "api",
		Policy: tenant.Policy{
			DefaultClient: "web", Locale: "de", Lives: tenant.Lives{AccessS: 60, RefreshGraceS: &zero}, Limits: tenant.Limits{PasswordNetwork: "off"},
			Cookies: tenant.Cookies{Prefix: "__Host-", SameSite: "strict"}, Theme: tenant.Theme{Accent: "#336699"},
		},
	}
	c := tenant.Client{
		TenantID: id, ID: "web", Name: "Веб", SecretHash: []byte{0, 1, 0xff}, ManagedBy: "file",
		Settings: tenant.ClientSettings{Alg: "ES256", RedirectURIs: []string{"https://example.com/cb?a=b&c=<d>"}, Roles: []string{"a", "b"}, ClientAuth: on},
	}
	return t, c
}

func tenantRoundTrip(s *scene) {
	t, c := fullTenant()
	m := s.mark()
	m.Events[0].TenantID, m.Messages[0].TenantID = t.ID, t.ID
	s.ok(s.Tenants.Put(s.ctx, []tenant.Tenant{t}, []tenant.Client{c}, m.Record))
	got, clients := s.find(t.ID)
	s.same("tenant", got, t, ignoreVersions)
	s.same("client", clients["web"], c, cmpopts.IgnoreFields(tenant.Client{}, "Version"))
	if got.Policy.Lives.RefreshGraceS == nil || got.Policy.Lives.RefreshMinRotationS != nil {
		s.Fatalf("zero and absent are mixed up: %+v", got.Policy.Lives)
	}
	here := *s
	here.tenant = t
	here.wrote(m, true)
}

func tenantReplaced(s *scene) {
	t, c := fullTenant()
	s.ok(s.Tenants.Put(s.ctx, []tenant.Tenant{t}, []tenant.Client{c, {TenantID: t.ID, ID: "second"}}, audit.Record{}))
	t.Name, t.Policy, c.SecretHash = "", tenant.Policy{}, nil
	s.ok(s.Tenants.Put(s.ctx, []tenant.Tenant{t}, []tenant.Client{c}, audit.Record{}))
	got, clients := s.find(t.ID)
	s.same("tenant", got, t, ignoreVersions)
	if len(clients) != 2 || len(clients["web"].SecretHash) != 0 {
		s.Fatalf("clients after replacing one: %+v", clients)
	}
	s.ok(s.Tenants.Put(s.ctx, nil, []tenant.Client{{TenantID: t.ID, ID: "third"}}, audit.Record{}))
	if _, clients = s.find(t.ID); len(clients) != 3 {
		s.Fatalf("clients after adding one: %+v", clients)
	}
}

func tenantVersion(s *scene) {
	last := s.version()
	for i, change := range []func() error{
		func() error { return s.Tenants.Put(s.ctx, []tenant.Tenant{s.tenant}, nil, audit.Record{}) },
		func() error {
			return s.Tenants.Put(s.ctx, nil, []tenant.Client{{TenantID: s.tenant.ID, ID: "new"}}, audit.Record{})
		},
		func() error { return s.Tenants.RemoveClient(s.ctx, s.tenant.ID, "new", noon, audit.Record{}) },
		func() error {
			_, err := s.Tenants.AdvanceClock(s.ctx, s.tenant.ID, time.Second, audit.Record{})
			return err
		},
	} {
		s.ok(change())
		now := s.version()
		snap, err := s.Tenants.Snapshot(s.ctx)
		s.ok(err)
		if now <= last || snap.Version != now {
			s.Fatalf("change %d: version %d after %d, snapshot at %d", i, now, last, snap.Version)
		}
		last = now
	}
}

// tenantConflicts: a batch with one bad member leaves nothing of the others.
func tenantConflicts(s *scene) {
	other := s.newTenant()
	before := s.version()
	for name, bad := range map[string]func(*tenant.Tenant){
		"slug": func(t *tenant.Tenant) { t.Slug = other.Slug }, "issuer": func(t *tenant.Tenant) { t.Issuer = other.Issuer },
	} {
		good, client := fullTenant()
		clash, _ := fullTenant()
		bad(&clash)
		m := s.mark()
		err := s.Tenants.Put(s.ctx, []tenant.Tenant{good, clash}, []tenant.Client{client}, m.Record)
		s.refused(err, fault.Conflict, fault.ReasonConflict)
		s.wrote(m, false)
		if got, _ := s.find(good.ID); got.ID != "" {
			s.Fatalf("%s: a refused batch left a tenant", name)
		}
	}
	if now := s.version(); now != before {
		s.Fatalf("a refused put moved the version from %d to %d", before, now)
	}
}

func clientCase(s *scene) {
	s.ok(s.Tenants.Put(s.ctx, nil, []tenant.Client{{TenantID: s.tenant.ID, ID: "APP", Name: "shouting"}}, audit.Record{}))
	if _, clients := s.find(s.tenant.ID); clients["APP"].Name != "shouting" || clients["app"].Name != "App" {
		s.Fatalf("clients: %+v", clients)
	}
}

func tenantBadText(s *scene) {
	for _, bad := range badTexts {
		t, _ := fullTenant()
		t.Name = bad
		m := s.mark()
		s.refused(s.Tenants.Put(s.ctx, []tenant.Tenant{t}, nil, m.Record), fault.Invalid, "")
		s.refused(s.Tenants.Put(s.ctx, nil, []tenant.Client{{TenantID: s.tenant.ID, ID: "x" + bad}}, m.Record), fault.Invalid, "")
		s.wrote(m, false)
	}
}

// removedClient: its sessions end in the same transaction, nobody else's.
func removedClient(s *scene) {
	u := s.person(s.address())
	far := s.elsewhere()
	stranger := far.opened(far.person(s.address()))
	gone := s.opened(u)
	stays := s.opened(u, inOther)
	child := s.opened(u, inOther, func(f *session.Family) { f.ParentID = gone.ID })
	m := s.mark()
	s.refused(s.Tenants.RemoveClient(s.ctx, s.tenant.ID, "nothing", noon, m.Record), fault.NotFound, "")
	s.wrote(m, false)
	s.ok(s.Tenants.RemoveClient(s.ctx, s.tenant.ID, "app", noon.Add(time.Minute), m.Record))
	s.wrote(m, true)
	now := s.load(gone.ID).Family
	s.ended(now.RevokedReason, gone, child)
	if now.RevokedReason == "" || !now.RevokedAt.Equal(noon.Add(time.Minute)) {
		s.Fatalf("revoked at %v for %q", now.RevokedAt, now.RevokedReason)
	}
	s.live(stays)
	far.live(stranger)
	if _, clients := s.find(s.tenant.ID); len(clients) != 1 || clients["other"].ID == "" {
		s.Fatalf("clients left: %+v", clients)
	}
}

func tenantClock(s *scene) {
	for i := range 3 {
		v, err := s.Tenants.AdvanceClock(s.ctx, s.tenant.ID, 90*time.Minute+time.Microsecond, audit.Record{})
		s.ok(err)
		got, _ := s.find(s.tenant.ID)
		if want := time.Duration(i+1) * (90*time.Minute + time.Microsecond); got.ClockOffset != want || v != s.version() {
			s.Fatalf("offset %v at version %d, want %v at %d", got.ClockOffset, v, want, s.version())
		}
	}
	serious, _ := fullTenant()
	serious.Test = false
	s.ok(s.Tenants.Put(s.ctx, []tenant.Tenant{serious}, nil, audit.Record{}))
	before := s.version()
	for _, id := range []string{serious.ID, secret.NewID(noon), "", "nonsense"} {
		m := s.mark()
		_, err := s.Tenants.AdvanceClock(s.ctx, id, time.Hour, m.Record)
		s.refused(err, fault.NotFound, fault.ReasonNotTest)
		s.wrote(m, false)
	}
	if got, _ := s.find(serious.ID); got.ClockOffset != 0 || s.version() != before {
		s.Fatalf("the clock of a tenant in earnest moved by %v", got.ClockOffset)
	}
}

func clockByMany(s *scene) {
	s.together(func(int) (bool, error) {
		_, err := s.Tenants.AdvanceClock(s.ctx, s.tenant.ID, time.Second, audit.Record{})
		return true, err
	})
	if got, _ := s.find(s.tenant.ID); got.ClockOffset != callers*time.Second {
		s.Fatalf("%d seconds added up to %v", callers, got.ClockOffset)
	}
}

// clockSurvivesPut: an offset only ever grows, so a file applied again must not turn a tenant's clock back.
func clockSurvivesPut(s *scene) {
	_, err := s.Tenants.AdvanceClock(s.ctx, s.tenant.ID, time.Hour, audit.Record{})
	s.ok(err)
	s.ok(s.Tenants.Put(s.ctx, []tenant.Tenant{s.tenant}, nil, audit.Record{}))
	if got, _ := s.find(s.tenant.ID); got.ClockOffset != time.Hour {
		s.Fatalf("the clock went back: offset %v", got.ClockOffset)
	}
}

func laggingNodes(s *scene) {
	v, id := s.version(), secret.NewID(noon)
	wantLagging := func(version int64, since time.Time, want int) {
		s.Helper()
		if got, err := s.Tenants.Lagging(s.ctx, version, since); err != nil || got != want {
			s.Fatalf("lagging behind %d since noon+%v: %d, %v, want %d", version, since.Sub(noon), got, err, want)
		}
	}
	report := func(node string, version int64, wall time.Time) {
		s.Helper()
		s.ok(s.Tenants.ReportNode(s.ctx, node, version, wall))
	}
	report(id+" a", v, noon)
	report(id+" b", v-1, noon)
	report(id+" c", v, noon.Add(-10*time.Minute))
	wantLagging(v, noon, 1)
	wantLagging(v+1, noon, 2)
	wantLagging(v+1, noon.Add(-time.Hour), 3)
	wantLagging(v+1, noon.Add(time.Microsecond), 0)
	report(id+" b", v, noon.Add(time.Second))
	wantLagging(v, noon.Add(-time.Hour), 0)
	report(id+" a", v, noon.Add(2*time.Hour)) // the others have been silent for more than an hour
	wantLagging(v+1, noon.Add(-time.Hour), 1)
}
