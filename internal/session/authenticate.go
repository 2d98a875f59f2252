package session

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
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
	if claims.Delegated {
		// A token that was exchanged is for a service behind the application, which must not become the person's account by it.
		return Live{}, refused(fault.ReasonInvalidToken)
	}
	l, err := s.Check(ctx, call, t, &claims)
	if err != nil {
		return Live{}, err
	}
	if s.foreign(&l.Family) {
		return Live{}, fault.New(fault.Forbidden, fault.ReasonScope, "this application may not act on the account itself")
	}
	return Live{Claims: claims, Loaded: l}, nil
}

// Check reads the session that the claims of a verified access token name and says whether it is live now and still theirs, with one store
// read. Refusals are those of Authenticate.
func (s *Service) Check(ctx context.Context, call *audit.Call, t *tenant.Tenant, claims *token.AccessClaims) (Loaded, error) {
	if claims.SessionID == "" {
		return Loaded{}, refused(fault.ReasonInvalidToken)
	}
	l, err := s.store.Load(ctx, Ref{TenantID: t.ID, ID: claims.SessionID})
	if notFound(err) {
		return Loaded{}, refused(fault.ReasonSessionRevoked)
	}
	if err != nil {
		return Loaded{}, err
	}
	if reason := deadBecause(&l, false, call.At); reason != "" && !weak.Off("live-check") {
		return Loaded{}, refused(reason)
	}
	if claims.Epoch != l.Family.Epoch || claims.Subject != l.Family.Subject {
		return Loaded{}, refused(fault.ReasonSessionRevoked)
	}
	return l, nil
}

// Known reads the family that a refresh token of it names: head, pending, or an older one that we minted. live says that the token could be
// used now; nothing is rotated, confirmed or ended by asking. NotFound when the token names none.
func (s *Service) Known(ctx context.Context, call *audit.Call, t *tenant.Tenant, refresh secret.Text) (l Loaded, live bool, err error) {
	none := fault.New(fault.NotFound, fault.ReasonRefreshUnknown, "no such refresh token")
	text := refresh.Reveal()
	if text == "" || len(text) > maxPresented {
		return Loaded{}, false, none
	}
	parsed, ours := parseToken(text)
	hash := secret.RefreshHash(text)
	ref := Ref{TenantID: t.ID, Hash: hash}
	if ours {
		ref = Ref{TenantID: t.ID, ID: parsed.familyID()}
	}
	if l, err = s.store.Load(ctx, ref); err != nil {
		if notFound(err) {
			err = none
		}
		return Loaded{}, false, err
	}
	switch {
	case matchOf(&l.Family, hash) != matchNone:
		return l, deadBecause(&l, false, call.At) == "", nil
	case ours && parsed.genuine(s.ring, t.ID):
		return l, false, nil
	}
	return Loaded{}, false, none
}
