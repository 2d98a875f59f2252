package session

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/weak"
)

// Authenticate says who calls: a valid access token whose session is live now, with one store read. Refusals are Unauthenticated, with
// ReasonMissingToken, the verifier's reasons, ReasonSessionRevoked, ReasonSessionExpired, ReasonUserDisabled or ReasonClientGone. It does
// not check possession: for a bound session the face compares Live.Claims.Thumbprint with the proof it saw.
func (s *Service) Authenticate(ctx context.Context, call *audit.Call, t *tenant.Tenant, access secret.Text) (Live, error) {
	if access.IsZero() {
		return Live{}, refused(fault.ReasonMissingToken)
	}
	claims, err := s.tokens.VerifyAccess(t, access.Reveal(), call.At)
	if err != nil {
		return Live{}, err
	}
	l, err := s.store.Load(ctx, Ref{TenantID: t.ID, ID: claims.SessionID})
	if notFound(err) {
		return Live{}, refused(fault.ReasonSessionRevoked)
	}
	if err != nil {
		return Live{}, err
	}
	if reason := deadBecause(&l, false, call.At); reason != "" && !weak.Off("live-check") {
		return Live{}, refused(reason)
	}
	if claims.Epoch != l.Family.Epoch || claims.Subject != l.Family.Subject {
		return Live{}, refused(fault.ReasonSessionRevoked)
	}
	return Live{Claims: claims, Loaded: l}, nil
}
