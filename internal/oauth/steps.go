package oauth

import (
	"context"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// Steps only write down what the person did. None knows what comes after it: Next does.

// maxTries bounds load-change-swap: two tabs of one person, not a crowd.
const maxTries = 8

// step changes a request of this browser.
func (s *Service) step(ctx context.Context, call *audit.Call, t *tenant.Tenant, id string, live *sso.Live, change func(*Request) error) error {
	for range maxTries {
		from, err := s.mine(ctx, call, t, id, live)
		if err != nil {
			return err
		}
		to := from
		if err := change(&to); err != nil {
			return err
		}
		won, err := s.cfg.Requests.Step(ctx, from, to, audit.Record{})
		if err != nil || won {
			return err
		}
	}
	return fault.New(fault.Conflict, fault.ReasonConflict, "please try again")
}

// tie binds what steps find out to a sign-on session. What another one had found out is forgotten.
func tie(r *Request, ssoID string) {
	if r.SSOID == ssoID {
		return
	}
	r.SSOID, r.ProvedAt, r.Chosen, r.Consent = ssoID, time.Time{}, false, nil
}

// Proved notes that a step of this request proved the person whose sign-on session ssoID now is: after a login or a sign-up. Call it
// before the browser's cookie is renewed, if it is at all: the request is known by it until then, and by the session from then on.
func (s *Service) Proved(ctx context.Context, call *audit.Call, t *tenant.Tenant, id, ssoID string) error {
	if ssoID == "" {
		return over()
	}
	return s.step(ctx, call, t, id, nil, func(r *Request) error {
		tie(r, ssoID)
		r.ProvedAt, r.Chosen = call.At, true
		return nil
	})
}

// Choose notes that the person goes on with the account that is signed on.
func (s *Service) Choose(ctx context.Context, call *audit.Call, t *tenant.Tenant, id string, live *sso.Live) error {
	if live == nil {
		return over()
	}
	return s.step(ctx, call, t, id, live, func(r *Request) error {
		tie(r, live.Session.ID)
		r.Chosen = true
		return nil
	})
}

// Allow notes the scopes that the person allows, of those asked for. openid is not to be had apart: without it the client would get another
// answer than it understands.
func (s *Service) Allow(ctx context.Context, call *audit.Call, t *tenant.Tenant, id string, live *sso.Live, scopes []string) error {
	if live == nil {
		return over()
	}
	return s.step(ctx, call, t, id, live, func(r *Request) error {
		if !within(scopes, r.Params.Scope) {
			return invalid(fault.ReasonOAuthScope, "that was not asked for")
		}
		tie(r, live.Session.ID)
		r.Consent = append([]string{}, scopes...)
		if slices.Contains(r.Params.Scope, ScopeOpenID) {
			r.Consent = union([]string{ScopeOpenID}, scopes)
		}
		return nil
	})
}

// Refuse notes that the person said no.
func (s *Service) Refuse(ctx context.Context, call *audit.Call, t *tenant.Tenant, id string) error {
	return s.step(ctx, call, t, id, nil, func(r *Request) error {
		r.Refused = true
		return nil
	})
}

// Consents gives what a person has allowed applications.
func (s *Service) Consents(ctx context.Context, _ *audit.Call, t *tenant.Tenant, userID string) ([]Consent, error) {
	return s.cfg.Requests.Consents(ctx, t.ID, userID, "")
}

// WithdrawConsent takes back what a person allowed an application, and ends their sessions there.
func (s *Service) WithdrawConsent(ctx context.Context, call *audit.Call, t *tenant.Tenant, userID, clientID string) error {
	e := event(call, EventWithdrawn, clientID)
	e.Subject, e.Person = userID, call.Personal("")
	_, err := s.cfg.Requests.Withdraw(ctx, t.ID, userID, clientID, call.At, one(e))
	return err
}
