package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
	changes := drift(have, want)
	switch {
	case len(changes) == 0:
		return nil
	case len(have.Tenants) > 0 && !b.site.dev:
		b.site.log.Warn("the configured tenants differ from the stored ones; nothing was changed", "differences", changes)
		return nil
	}
	return b.store.Tenants().Put(ctx, want.Tenants, want.Clients, applied(want.Tenants, time.Now()))
}

func applied(tenants []tenant.Tenant, wall time.Time) audit.Record {
	var rec audit.Record
	for i := range tenants {
		t := &tenants[i]
		rec.Events = append(rec.Events, audit.Event{
			ID: secret.NewID(wall), TenantID: t.ID, At: t.At(wall), Type: "tenant.applied", Actor: audit.Actor{Kind: "system", ID: "serve"},
		})
	}
	return rec
}

// wanted is what the store should hold.
func (b *building) wanted(have tenant.Snapshot) (tenant.Snapshot, error) {
	if len(b.site.cfg.Tenants) == 0 && b.site.dev {
		return b.demoTenant(have)
	}
	var out tenant.Snapshot
	for i := range b.site.cfg.Tenants {
		t := &b.site.cfg.Tenants[i]
		issuer := t.Issuer
		if issuer == "" { // only with dev
			issuer = b.site.url
		}
		out.Tenants = append(out.Tenants, t.tenant(issuer))
		for j := range t.Clients {
			out.Clients = append(out.Clients, t.Clients[j].client(t.ID))
		}
		if i == 0 {
			b.demo = firstOf(t)
		}
	}
	return out, nil
}

// drift names every tenant and client that is absent from the store or differs there. What the store has beyond that is an API's.
func drift(have, want tenant.Snapshot) []string {
	var out []string
	for _, w := range want.Tenants {
		i := slices.IndexFunc(have.Tenants, func(t tenant.Tenant) bool { return t.ID == w.ID })
		if i < 0 {
			out = append(out, "tenant "+w.Slug+" is absent")
		} else if h := have.Tenants[i]; h.Slug != w.Slug || h.Name != w.Name || h.Issuer != w.Issuer || h.Test != w.Test || !same(h.Policy, w.Policy) {
			out = append(out, "tenant "+w.Slug+" differs")
		}
	}
	for _, w := range want.Clients {
		i := slices.IndexFunc(have.Clients, func(c tenant.Client) bool { return c.TenantID == w.TenantID && c.ID == w.ID })
		if i < 0 {
			out = append(out, fmt.Sprintf("client %s of tenant %s is absent", w.ID, w.TenantID))
		} else if h := have.Clients[i]; h.Name != w.Name || !bytes.Equal(h.SecretHash, w.SecretHash) || !same(h.Settings, w.Settings) {
			out = append(out, fmt.Sprintf("client %s of tenant %s differs", w.ID, w.TenantID))
		}
	}
	return out
}

// same compares values as they are stored.
func same(a, b any) bool {
	x, errA := json.Marshal(a)
	y, errB := json.Marshal(b)
	return errA == nil && errB == nil && bytes.Equal(x, y)
}
