package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

var errNoTenant = errors.New("the store is empty and the configuration lists no tenants: there is nobody to serve")

// applyTenants puts the configured tenants into an empty store, or always with dev; otherwise a difference is logged and nothing changes,
// because a restart must not undo what an operator did since. With dev and no tenants configured there is the demo tenant.
func (b *building) applyTenants(ctx context.Context) error {
	have, err := b.store.Tenants().Snapshot(ctx)
	if err != nil {
		return err
	}
	want, err := b.wanted(have)
	if err != nil {
		return err
	}
	if len(have.Tenants) == 0 && len(want.Tenants) == 0 {
		return errNoTenant
	}
	plan := tenant.NewPlan(have, want, false)
	switch {
	case plan.Empty() && len(plan.Notes) == 0:
		return nil
	case len(have.Tenants) > 0 && !b.site.dev:
		b.site.log.Warn("the configured tenants differ from the stored ones; nothing was changed, see gatehouse apply --plan", "differences", drift(&plan))
		return nil
	case plan.Empty():
		return nil
	}
	return b.store.Tenants().Put(ctx, plan.Tenants, plan.Clients, appliedRecord(&plan, have, audit.Actor{Kind: "system", ID: "serve"}, time.Now()))
}

// drift is a plan as lines for the log.
func drift(plan *tenant.Plan) []string {
	var out []string
	for _, c := range append(slices.Clone(plan.Changes), plan.Notes...) {
		out = append(out, strings.TrimLeft(c.String(), "+~-! "))
	}
	return out
}

// appliedRecord is what putting a plan's tenants and clients leaves behind.
func appliedRecord(plan *tenant.Plan, have tenant.Snapshot, actor audit.Actor, wall time.Time) audit.Record {
	var rec audit.Record
	for _, c := range plan.Changes {
		e := audit.Event{ID: secret.NewID(wall), TenantID: c.TenantID, At: clockOf(have, c.TenantID, wall), Type: "tenant.applied", Client: c.Client, Actor: actor}
		switch {
		case c.Act == tenant.Remove:
			continue
		case c.Client != "":
			e.Type = "client.applied"
		}
		e.Detail = map[string]string{"act": string(c.Act)}
		rec.Events = append(rec.Events, e)
	}
	return rec
}

// clockOf is a tenant's clock; a tenant that is not there yet has the machine's.
func clockOf(have tenant.Snapshot, tenantID string, wall time.Time) time.Time {
	for i := range have.Tenants {
		if have.Tenants[i].ID == tenantID {
			return have.Tenants[i].At(wall)
		}
	}
	return (&tenant.Tenant{}).At(wall)
}

// wanted is what the store should hold.
func (b *building) wanted(have tenant.Snapshot) (tenant.Snapshot, error) {
	if len(b.site.cfg.Tenants) == 0 && b.site.dev {
		return b.demoTenant(have)
	}
	if len(b.site.cfg.Tenants) > 0 {
		b.demo = firstOf(&b.site.cfg.Tenants[0])
	}
	return fromFile(b.site.cfg, func(string) string { return b.site.url }), nil
}

// fromFile is what the configuration lists. issuer gives the issuer of a tenant that names none, which only dev allows.
func fromFile(cfg *Config, issuer func(tenantID string) string) tenant.Snapshot {
	var out tenant.Snapshot
	for i := range cfg.Tenants {
		t := &cfg.Tenants[i]
		iss := t.Issuer
		if iss == "" {
			iss = issuer(t.ID)
		}
		out.Tenants = append(out.Tenants, t.tenant(iss))
		for j := range t.Clients {
			out.Clients = append(out.Clients, t.Clients[j].client(t.ID))
		}
	}
	return out
}
