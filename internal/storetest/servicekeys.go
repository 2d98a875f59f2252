package storetest

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/servicekey"
)

// ServiceKeys runs the suite of servicekey.Store.
func ServiceKeys(t *testing.T, r Rooms) {
	play(t, r, []step{{"service keys", serviceKeys}, {"service key revoked", serviceKeyRevoked}, {"service key used", serviceKeyUsed}})
}

func (s *scene) serviceKey(name string) (servicekey.Key, secret.Text) {
	s.Helper()
	k, text, err := servicekey.New(s.tenant.ID, name, servicekey.Scopes(), noon)
	s.ok(err)
	return k, text
}

func serviceKeys(s *scene) {
	a, text := s.serviceKey("billing")
	b, _ := s.serviceKey("billing") // several at once, so that they can take turns
	m := s.mark()
	s.ok(s.ServiceKeys.Add(s.ctx, a, m.Record))
	s.wrote(m, true)
	s.ok(s.ServiceKeys.Add(s.ctx, b, audit.Record{}))
	m = s.mark()
	s.refused(s.ServiceKeys.Add(s.ctx, a, m.Record), fault.Conflict, "")
	s.wrote(m, false)
	got, err := s.ServiceKeys.ByHash(s.ctx, s.tenant.ID, secret.Hash(text.Reveal()))
	s.ok(err)
	s.same("key", got, a)
	all, err := s.ServiceKeys.List(s.ctx, s.tenant.ID)
	if s.ok(err); len(all) != 2 {
		s.Fatalf("%d keys", len(all))
	}
	far := s.elsewhere()
	_, err = s.ServiceKeys.ByHash(s.ctx, far.tenant.ID, a.Hash)
	s.refused(err, fault.NotFound, "")
	_, err = s.ServiceKeys.ByHash(s.ctx, s.tenant.ID, nil)
	s.refused(err, fault.NotFound, "")
	none, err := s.ServiceKeys.List(s.ctx, far.tenant.ID)
	if s.ok(err); len(none) != 0 {
		s.Fatal("keys of another tenant are listed")
	}
}

func serviceKeyRevoked(s *scene) {
	a, _ := s.serviceKey("a")
	s.ok(s.ServiceKeys.Add(s.ctx, a, audit.Record{}))
	s.refused(s.ServiceKeys.Revoke(s.ctx, s.elsewhere().tenant.ID, a.ID, noon, audit.Record{}), fault.NotFound, "")
	m := s.mark()
	s.refused(s.ServiceKeys.Revoke(s.ctx, s.tenant.ID, "absent", noon, m.Record), fault.NotFound, "")
	s.wrote(m, false)
	s.ok(s.ServiceKeys.Revoke(s.ctx, s.tenant.ID, a.ID, noon, audit.Record{}))
	s.ok(s.ServiceKeys.Revoke(s.ctx, s.tenant.ID, a.ID, noon.Add(time.Hour), audit.Record{}))
	got, err := s.ServiceKeys.ByHash(s.ctx, s.tenant.ID, a.Hash)
	if s.ok(err); got.Live() || !got.RevokedAt.Equal(noon) {
		s.Fatalf("revoked at %v", got.RevokedAt)
	}
}

func serviceKeyUsed(s *scene) {
	a, _ := s.serviceKey("a")
	s.ok(s.ServiceKeys.Add(s.ctx, a, audit.Record{}))
	use := func(at, want time.Time) {
		s.Helper()
		s.ok(s.ServiceKeys.Used(s.ctx, s.tenant.ID, a.ID, at, at.Add(-time.Minute)))
		got, err := s.ServiceKeys.ByHash(s.ctx, s.tenant.ID, a.Hash)
		s.ok(err)
		s.same("last use", got.LastUsed, want)
	}
	use(noon, noon)
	use(noon.Add(59*time.Second), noon)
	use(noon.Add(time.Minute), noon.Add(time.Minute))
}
