package oauth

import (
	"context"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// UserInfo is the answer of OpenID Connect Core section 5.3.2.
type UserInfo struct {
	Subject string `json:"sub"`
	person
}

// UserInfo tells about the person of an access token what its scopes allow. proof is the thumbprint of the key that the token came as bound to, ""
// for a bearer token: it must be the token's own. Refusals are Unauthenticated with the reason of what is wrong with the token, or Forbidden
// (insufficient_scope).
func (s *Service) UserInfo(ctx context.Context, call *audit.Call, t *tenant.Tenant, access secret.Text, proof string) (UserInfo, error) {
	if access.IsZero() {
		return UserInfo{}, fault.New(fault.Unauthenticated, fault.ReasonMissingToken, "an access token is required")
	}
	p, err := s.access(ctx, call, t, access)
	if err != nil {
		return UserInfo{}, err
	}
	if p.claims.thumbprint() != proof { // RFC 9449 section 7.1
		return UserInfo{}, fault.New(fault.Unauthenticated, fault.ReasonBindingMismatch, "the token is bound to another key than the call proves, or to none")
	}
	scope := p.claims.scopes()
	if p.claims.SessionID == "" || !slices.Contains(scope, ScopeOpenID) {
		return UserInfo{}, fault.New(fault.Forbidden, fault.ReasonScope, "the scope openid is needed")
	}
	return UserInfo{Subject: p.claims.Subject, person: personOf(&p.loaded.Holder, scope)}, nil
}
