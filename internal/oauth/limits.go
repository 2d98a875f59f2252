package oauth

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/ephemeral"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// Every authorization request is a row that lives for an hour, and anybody may make one: without a bound, one machine fills the store.

// bound is one limit that a request counts against, by its configuration name.
type bound struct{ name, limit, key string }

// limitBegin bounds the requests that browsers of one network begin. Calls from loopback in development have no network limits.
func (s *Service) limitBegin(ctx context.Context, call *audit.Call, t *tenant.Tenant) error {
	if call.Loopback {
		return nil
	}
	return s.spend(ctx, call, t, bound{"authorize_network", t.Policy.Limits.Filled().AuthorizeNetwork, call.Network()})
}

// limitPush bounds pushed requests per network, and per client that proved itself. A public client has only been named: counted per client,
// any stranger could use its requests up.
func (s *Service) limitPush(ctx context.Context, call *audit.Call, t *tenant.Tenant, c *tenant.Client) error {
	l := t.Policy.Limits.Filled()
	var list []bound
	if !call.Loopback {
		list = append(list, bound{"par_network", l.PARNetwork, call.Network()})
	}
	if !c.Public() {
		list = append(list, bound{"par_client", l.PARClient, c.ID})
	}
	return s.spend(ctx, call, t, list...)
}

func (s *Service) spend(ctx context.Context, call *audit.Call, t *tenant.Tenant, bounds ...bound) error {
	var list []ephemeral.Charge
	for _, b := range bounds {
		limit, err := ephemeral.ParseLimit(b.limit)
		if err != nil {
			return fault.From(err) // a typing error never means "no limit"
		}
		if limit.N > 0 {
			list = append(list, ephemeral.Charge{Name: b.name, Key: "oauth:" + t.ID + ":" + b.name + ":" + secret.H1(b.key), Limit: limit})
		}
	}
	if len(list) == 0 {
		return nil
	}
	v, err := s.cfg.Back.Limits.Take(ctx, list, call.At)
	if err == nil && v.Refused != "" {
		err = fault.New(fault.Limited, fault.ReasonLimited, "too many requests; please wait").After(v.RetryAfter)
	}
	return err
}
