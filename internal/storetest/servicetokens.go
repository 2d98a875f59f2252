package storetest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/servicetoken"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// ServiceTokens runs the suite of servicetoken.Store.
func ServiceTokens(t *testing.T, r Rooms) {
	play(t, r, []step{
		{"service tokens", serviceTokens}, {"service token pages", serviceTokenPages}, {"service token revoked", serviceTokenRevoked},
		{"service token revoked by many", serviceTokenRevokedByMany}, {"service token keeps its key", serviceTokenKeeps},
		{"service tokens purged", serviceTokensPurged}, {"service token texts", serviceTokenTexts},
	})
}

// signer puts a key in the store, for tokens to name.
func (s *scene) signer(kid string, kind token.Kind) {
	s.Helper()
	k := token.SigningKey{TenantID: s.tenant.ID, KID: kid, Kind: kind, Alg: "RS256", CreatedAt: noon, SignsFrom: noon}
	added, err := s.Keys.AddSigningKey(s.ctx, k, audit.Record{})
	if s.ok(err); !added {
		s.Fatal("the key was not added")
	}
}

func (s *scene) serviceToken(kid string, kind token.Kind) servicetoken.Token {
	id := secret.NewID(noon)
	return servicetoken.Token{
		TenantID: s.tenant.ID, ID: id, JTI: id, Name: "m1", Issuer: s.tenant.Issuer, Claims: json.RawMessage(`{"source":"microservice","n":1e3}`),
		Audience: []string{"https://api.example.com"}, Key: kind, KID: kid, CreatedAt: noon, ExpiresAt: noon.Add(100 * 365 * 24 * time.Hour),
		Face: "operator", Maker: audit.Actor{Kind: "operator", ID: "ann"},
	}
}

func serviceTokens(s *scene) {
	s.signer("s-1", token.Static)
	a := s.serviceToken("s-1", token.Static)
	m := s.mark()
	s.ok(s.ServiceTokens.Add(s.ctx, a, m.Record))
	s.wrote(m, true)
	m = s.mark()
	s.refused(s.ServiceTokens.Add(s.ctx, a, m.Record), fault.Conflict, "")
	s.wrote(m, false)
	got, err := s.ServiceTokens.Find(s.ctx, s.tenant.ID, a.ID)
	s.ok(err)
	s.same("token", got, []servicetoken.Token{a})
	twin := s.serviceToken("s-1", token.Static) // chosen to hide a's row
	twin.JTI = a.ID
	s.ok(s.ServiceTokens.Add(s.ctx, twin, audit.Record{}))
	b := s.serviceToken("s-1", token.Static)
	b.JTI = "chosen by a caller"
	s.ok(s.ServiceTokens.Add(s.ctx, b, audit.Record{}))
	hider := s.serviceToken("s-1", token.Static)
	hider.JTI = b.ID
	s.ok(s.ServiceTokens.Add(s.ctx, hider, audit.Record{}))
	for name, want := range map[string]int{a.ID: 2, "chosen by a caller": 1, b.ID: 2, "absent": 0, "": 0} {
		found, err := s.ServiceTokens.Find(s.ctx, s.tenant.ID, name)
		if s.ok(err); len(found) != want {
			s.Errorf("%q finds %d tokens, want %d", name, len(found), want)
		}
	}
	far := s.elsewhere()
	if found, err := s.ServiceTokens.Find(s.ctx, far.tenant.ID, a.ID); err != nil || len(found) != 0 {
		s.Fatalf("another tenant finds %d, %v", len(found), err)
	}
}

func serviceTokenPages(s *scene) {
	s.signer("s-1", token.Static)
	var want []string
	for i := range 7 {
		t := s.serviceToken("s-1", token.Static)
		t.ID = secret.NewID(noon.Add(time.Duration(i) * time.Second))
		s.ok(s.ServiceTokens.Add(s.ctx, t, audit.Record{}))
		want = append([]string{t.ID}, want...)
	}
	var got []string
	q := servicetoken.Query{TenantID: s.tenant.ID, Limit: 3}
	for range 4 {
		page, err := s.ServiceTokens.List(s.ctx, q)
		s.ok(err)
		for _, t := range page {
			got = append(got, t.ID)
			q.After = t.ID
		}
	}
	s.same("pages, newest first", got, want)
	if none, err := s.ServiceTokens.List(s.ctx, servicetoken.Query{TenantID: s.elsewhere().tenant.ID, Limit: 9}); err != nil || len(none) != 0 {
		s.Fatalf("another tenant lists %d, %v", len(none), err)
	}
}

func serviceTokenRevoked(s *scene) {
	s.signer("s-1", token.Static)
	a := s.serviceToken("s-1", token.Static)
	s.ok(s.ServiceTokens.Add(s.ctx, a, audit.Record{}))
	revoke := func(tenantID, id string, at time.Time, want int) {
		s.Helper()
		m := s.mark()
		m.Revocations = []audit.Revocation{{TenantID: s.tenant.ID, Kind: "token", Target: a.JTI, At: at, Until: a.ExpiresAt}}
		n, err := s.ServiceTokens.Revoke(s.ctx, tenantID, []string{id}, at, m.Record)
		if s.ok(err); n != want {
			s.Fatalf("%d revoked, want %d", n, want)
		}
		s.wrote(m, want > 0)
	}
	revoke(s.elsewhere().tenant.ID, a.ID, noon, 0)
	revoke(s.tenant.ID, "absent", noon, 0)
	revoke(s.tenant.ID, a.ID, noon, 1)
	revoke(s.tenant.ID, a.ID, noon.Add(time.Hour), 0)
	got, err := s.ServiceTokens.Find(s.ctx, s.tenant.ID, a.ID)
	if s.ok(err); !got[0].RevokedAt.Equal(noon) {
		s.Fatalf("revoked at %v", got[0].RevokedAt)
	}
	feed, err := s.Trail.Revocations(s.ctx, s.tenant.ID)
	if s.ok(err); len(feed) != 1 || feed[0].Kind != "token" || feed[0].Target != a.JTI || !feed[0].Until.Equal(a.ExpiresAt) {
		s.Fatalf("the feed has %+v", feed)
	}
}

// serviceTokenRevokedByMany: of 64 at once one tells the feed.
func serviceTokenRevokedByMany(s *scene) {
	s.signer("s-1", token.Static)
	a := s.serviceToken("s-1", token.Static)
	s.ok(s.ServiceTokens.Add(s.ctx, a, audit.Record{}))
	rec := audit.Record{Revocations: []audit.Revocation{{TenantID: s.tenant.ID, Kind: "token", Target: a.JTI, At: noon, Until: a.ExpiresAt}}}
	won := s.together(func(int) (bool, error) {
		n, err := s.ServiceTokens.Revoke(s.ctx, s.tenant.ID, []string{a.ID}, noon, rec)
		return n == 1, err
	})
	feed, err := s.Trail.Revocations(s.ctx, s.tenant.ID)
	if s.ok(err); won != 1 || len(feed) != 1 {
		s.Fatalf("%d of 64 revoked the token, %d entries in the feed", won, len(feed))
	}
}

// serviceTokenKeeps: the key of a long token stays, however many tokens raise its end at once; a withdrawn key signs for nobody.
func serviceTokenKeeps(s *scene) {
	s.signer("d-1", token.Rotating)
	s.signer("s-1", token.Static)
	kept := func(kid string) time.Time {
		s.Helper()
		rows, err := s.Keys.SigningKeys(s.ctx, s.tenant.ID, noon)
		s.ok(err)
		for _, k := range rows {
			if k.KID == kid {
				return k.KeepUntil
			}
		}
		s.Fatalf("no key %s", kid)
		return time.Time{}
	}
	s.together(func(i int) (bool, error) {
		t := s.serviceToken("d-1", token.Rotating)
		t.ExpiresAt = noon.Add(time.Duration(i) * time.Hour)
		return true, s.ServiceTokens.Add(s.ctx, t, audit.Record{})
	})
	if until := kept("d-1"); !until.Equal(noon.Add((callers - 1) * time.Hour)) {
		s.Errorf("the key is kept until %v", until)
	}
	s.ok(s.ServiceTokens.Add(s.ctx, s.serviceToken("s-1", token.Static), audit.Record{}))
	if until := kept("s-1"); !until.IsZero() {
		s.Errorf("a static key is kept until %v", until)
	}
	for kid, kind := range map[string]token.Kind{"d-1": token.Rotating, "s-1": token.Static, "absent": token.Static} {
		if kid != "absent" {
			s.ok(s.Keys.Withdraw(s.ctx, s.tenant.ID, kid, noon, audit.Record{}))
		}
		m := s.mark()
		s.refused(s.ServiceTokens.Add(s.ctx, s.serviceToken(kid, kind), m.Record), fault.Conflict, "")
		s.wrote(m, false)
	}
}

func serviceTokensPurged(s *scene) {
	s.signer("s-1", token.Static)
	for i := range 5 {
		t := s.serviceToken("s-1", token.Static)
		t.ExpiresAt = noon.Add(time.Duration(i) * time.Hour)
		s.ok(s.ServiceTokens.Add(s.ctx, t, audit.Record{}))
	}
	far := s.elsewhere()
	for _, c := range []struct {
		tenant string
		limit  int
		want   int
	}{{far.tenant.ID, 9, 0}, {s.tenant.ID, 2, 2}, {s.tenant.ID, 9, 1}, {s.tenant.ID, 9, 0}} {
		n, err := s.ServiceTokens.Purge(s.ctx, c.tenant, noon.Add(3*time.Hour), c.limit)
		if s.ok(err); n != c.want {
			s.Fatalf("%d purged, want %d", n, c.want)
		}
	}
	left, err := s.ServiceTokens.List(s.ctx, servicetoken.Query{TenantID: s.tenant.ID, Limit: 9})
	if s.ok(err); len(left) != 2 {
		s.Fatalf("%d left", len(left))
	}
}

func serviceTokenTexts(s *scene) {
	s.signer("s-1", token.Static)
	for _, bad := range badTexts {
		t := s.serviceToken("s-1", token.Static)
		t.JTI = bad
		s.refused(s.ServiceTokens.Add(s.ctx, t, audit.Record{}), fault.Invalid, "")
	}
	for _, pair := range twins {
		t := s.serviceToken("s-1", token.Static)
		t.JTI = pair[0]
		s.ok(s.ServiceTokens.Add(s.ctx, t, audit.Record{}))
		found, err := s.ServiceTokens.Find(s.ctx, s.tenant.ID, pair[1])
		s.ok(err)
		for _, f := range found {
			if f.JTI != pair[1] {
				s.Errorf("%q finds %q", pair[1], f.JTI)
			}
		}
	}
}
