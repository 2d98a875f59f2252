package servicetoken

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
	"github.com/gatehouse-auth/gatehouse/internal/token/kind"
)

// Pages of lists.
const (
	defaultPage = 50
	maxPage     = 200
)

// List gives a page of a tenant's tokens, newest first, and the id to ask after for the next page, "" at the end.
func (s *Service) List(ctx context.Context, call *audit.Call, q Query) (page []Token, next string, err error) {
	if q.TenantID == "" {
		q.TenantID = call.TenantID
	}
	if q.Limit <= 0 {
		q.Limit = defaultPage
	}
	limit := min(q.Limit, maxPage)
	q.Limit = limit + 1
	page, err = s.store.List(ctx, q)
	if len(page) > limit {
		page = page[:limit]
		next = page[limit-1].ID
	}
	return page, next, err
}

// Revoke ends the tokens whose row id or jti is name, and gives them. The same transaction tells the feed. Tokens that were revoked before
// stay as they are; NotFound when there is none at all.
func (s *Service) Revoke(ctx context.Context, call *audit.Call, t *tenant.Tenant, name string) ([]Token, error) {
	found, err := s.store.Find(ctx, t.ID, name)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fault.New(fault.NotFound, fault.ReasonNotFound, "there is no such service token")
	}
	var ids []string
	var rec audit.Record
	for i := range found {
		f := &found[i]
		if !f.RevokedAt.IsZero() {
			continue
		}
		f.RevokedAt = call.At
		ids = append(ids, f.ID)
		rec.Events = append(rec.Events, record(call, EventRevoked, f.ID).Events...)
		rec.Revocations = append(rec.Revocations, audit.Revocation{
			TenantID: t.ID, Kind: "token", Target: f.JTI, At: call.At, Reason: revokedReason, Until: f.ExpiresAt,
		})
	}
	if len(ids) == 0 {
		return found, nil
	}
	_, err = s.store.Revoke(ctx, t.ID, ids, call.At, rec)
	return found, err
}

// Good is a token that was found good.
type Good struct {
	Token  Token
	Source string // "" for a vended token without one
	Claims *jose.Token
}

// Check says whether a presented token is one of this room's and good at this moment: signed by a key of the tenant, of age, recorded here
// and not revoked. It reads the store each time. Any other token is refused as ReasonInvalidToken, ReasonTokenExpired or ReasonTokenRevoked.
func (s *Service) Check(ctx context.Context, call *audit.Call, t *tenant.Tenant, raw string) (Good, error) {
	tok, err := s.signer.Read(t, token.Query{Usage: usage}, raw, call.At)
	if err != nil {
		return Good{}, err
	}
	found, err := s.store.Find(ctx, t.ID, tok.ID)
	if err != nil {
		return Good{}, err
	}
	// An ID token of the tenant is a JWT too, signed by the same keys; it has no row. Nor has a token made after the backup that was restored.
	i := slices.IndexFunc(found, func(f Token) bool { return f.JTI == tok.ID && f.KID == tok.KID && f.Issuer == tok.Issuer })
	if tok.ID == "" || i < 0 {
		return Good{}, refused(fault.ReasonInvalidToken, "the token is not valid")
	}
	// The feed knows tokens by their jti: where one of several is revoked, all are.
	if slices.ContainsFunc(found, func(f Token) bool { return f.JTI == tok.ID && !f.RevokedAt.IsZero() }) {
		return Good{}, refused(fault.ReasonTokenRevoked, "the token was revoked")
	}
	good := Good{Token: found[i], Claims: tok}
	if kind.Service.Fits(tok) {
		for _, m := range tok.Claims {
			if m.Name == "source" {
				good.Source, _ = m.Text()
			}
		}
	}
	return good, nil
}

func refused(reason fault.Reason, safe string) error {
	return fault.Wrap(fault.Unauthenticated, reason, safe, errors.New("service token"))
}

// Purge forgets a tenant's tokens that expired long ago, up to limit of them; at is the tenant's clock.
func (s *Service) Purge(ctx context.Context, tenantID string, at time.Time, limit int) (int, error) {
	return s.store.Purge(ctx, tenantID, at.Add(-KeptExpired), limit)
}
