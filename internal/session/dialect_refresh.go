package session

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// DialectRefresh is what a dialect adds to a refresh. The rule, the order of work and the guards are the engine's.
type DialectRefresh struct {
	*Dialect
	StaticKey     bool
	WantsAntiCSRF bool
	AntiCSRF      string // presented
}

// enter takes the family's own client and its policy into use, and what the caller wants of the family.
func (r *refreshing) enter(l *Loaded) {
	d := r.req.Dialect
	if d == nil || dialectOf(&l.Family) != d.Name {
		return // rule 0 refuses what is another dialect's
	}
	r.req.Client = d.Client(l.Family.ClientID)
	r.eff = r.req.Tenant.For(r.req.Client)
	r.policy = r.s.policyFor(&r.eff, r.req.Client)
	r.policy.Grace, r.policy.MinRotation = 0, 0
}

// refusesCSRF reports a request that a foreign page may have caused. It changes nothing: that page must not be able to end the session.
func (r *refreshing) refusesCSRF(fam *Family) bool {
	d := r.req.Dialect
	return d != nil && d.WantsAntiCSRF && !checkAntiCSRF(fam, d.AntiCSRF)
}

// adjusted is the family as the caller wants it: signing key and anti-CSRF token. changed says that it differs from what is stored.
func (r *refreshing) adjusted(fam Family) (next Family, changed bool) {
	d := r.req.Dialect
	if d == nil {
		return fam, false
	}
	next = fam
	next.StaticKey = d.StaticKey
	if d.WantsAntiCSRF {
		r.s.withAntiCSRF(&next)
	}
	return next, next.StaticKey != fam.StaticKey || next.AntiCSRF != fam.AntiCSRF
}

// signDialect makes the dialect's access token for the refresh token that goes with it.
func (r *refreshing) signDialect(ctx context.Context, fam *Family, refresh string) error {
	m := r.s.making(fam, r.eff.AccessLife, r.call.At)
	m.H1 = secret.H1(refresh)
	if refresh != r.text {
		m.ParentH1 = secret.H1(r.text)
	}
	access, err := r.req.Dialect.Sign(ctx, m)
	if err != nil {
		return err
	}
	r.access, r.antiCSRF = access.Token.Reveal(), m.AntiCSRF
	r.claims = token.AccessClaims{IssuedAt: access.IssuedAt, ExpiresAt: access.Expires}
	return nil
}

// keep is the guard of a repeated hand-out; when the caller wants the family changed it is a swap.
func (r *refreshing) keep(ctx context.Context, l *Loaded, next *Family, changed bool) (bool, error) {
	if !changed {
		return r.stillGuarded(ctx, &l.Family)
	}
	won, err := r.s.store.Swap(ctx, l.Family, *next, one(familyEvent(r.call, EventChanged, &l.Family)))
	if won {
		next.Version = l.Family.Version + 1
	}
	return won, err
}
