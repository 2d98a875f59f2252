package token

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// RSA is the tenant's published RSA keys as a ready JWKS, rotating ones newest first, then static ones: for dialects whose verifiers stumble
// over any other kind. next is when the next one will be made, which is when the announced one begins to sign; zero when none is announced.
// It is nil before the first key exists, and like JWKS it reads the keys when the worker has not yet.
func (s *Service) RSA(t *tenant.Tenant) (jwks []byte, next time.Time) {
	v := s.peek(t.ID)
	if v == nil {
		v = s.firstLook(t.ID)
	}
	if v == nil {
		return nil, time.Time{}
	}
	now := t.At(s.cfg.Now())
	for _, k := range v.lanes[jose.RS256] {
		if k.row.SignsFrom.After(now) {
			return v.rsa, k.row.SignsFrom
		}
	}
	return v.rsa, time.Time{}
}
