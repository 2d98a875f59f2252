package token

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token/kind"
)

// Limits of verification.
const (
	nodeSkew    = 2 * time.Second // how far another node's clock may be ahead; more fails readiness
	askAgain    = time.Second     // unknown kids, which strangers may invent, cause at most one read of the store in this time
	askDeadline = 2 * time.Second
)

// VerifyAccess checks a user's access token of this tenant at the instant at (the tenant's clock): key and its algorithm, type, issuer,
// tenant, age, and that it is no other kind of token. Audience, session and epoch are the caller's to judge. Errors:
// ReasonInvalidToken, ReasonTokenExpired.
func (s *Service) VerifyAccess(t *tenant.Tenant, raw string, at time.Time) (AccessClaims, error) {
	return s.verify(t, raw, at, false)
}

// VerifyAccessAnyAge is VerifyAccess for a token that may have expired: logout works with it as long as its key is known.
func (s *Service) VerifyAccessAnyAge(t *tenant.Tenant, raw string) (AccessClaims, error) {
	return s.verify(t, raw, t.At(s.cfg.Now()), true)
}

func (s *Service) verify(t *tenant.Tenant, raw string, at time.Time, anyAge bool) (AccessClaims, error) {
	rules := jose.Rules{Types: accepted, Issuer: t.Issuer, EarlyBy: nodeSkew, AnyAge: anyAge}
	tok, err := s.check(t, rules, raw, at, (*view).userKeys)
	if err != nil {
		return AccessClaims{}, err
	}
	c, ok := readClaims(tok)
	if !ok || c.TenantID != t.ID || !kind.User.Fits(tok) && !kind.UserJWT.Fits(tok) {
		return AccessClaims{}, fault.Wrap(fault.Unauthenticated, fault.ReasonInvalidToken, "the token is not valid", jose.ErrType)
	}
	return c, nil
}

var accepted = []string{kind.User.Types[0], kind.UserJWT.Types[0]}

// check verifies with the keys of the newest view, reading them again when the token names one that is not there.
func (s *Service) check(t *tenant.Tenant, rules jose.Rules, raw string, at time.Time, keys func(*view) jose.Keys) (*jose.Token, error) {
	v := s.peek(t.ID)
	tok, err := jose.Verify(rules, keys(v), raw, at)
	if errors.Is(err, jose.ErrUnknownKey) && s.askStore(t, v) {
		tok, err = jose.Verify(rules, keys(s.peek(t.ID)), raw, at)
	}
	return tok, err
}

func (v *view) userKeys() jose.Keys {
	if v == nil {
		return nil
	}
	return v.user
}

func (v *view) everyKey() jose.Keys {
	if v == nil {
		return nil
	}
	return v.every
}

// askStore reads the tenant's keys again because a token names one that is not in seen: another node may just have made it. It reports
// whether there is a newer view now. A reading that is under way is waited for.
func (s *Service) askStore(t *tenant.Tenant, seen *view) bool {
	k := s.keys(t.ID)
	now := s.cfg.Now()
	k.mu.Lock()
	again := !k.asked.IsZero() && now.Sub(k.asked) < askAgain
	if !again {
		k.asked = now
	}
	k.mu.Unlock()
	if again {
		k.load.Lock()
		defer k.load.Unlock()
		return k.view.Load() != seen
	}
	ctx, cancel := context.WithTimeout(context.Background(), askDeadline)
	defer cancel()
	return s.reload(ctx, t, k) == nil
}
