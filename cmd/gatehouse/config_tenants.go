package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token/kind"
)

// devIssuer stands in for an issuer that the file leaves out with --dev: the URL is only known once the port is.
const devIssuer = "http://localhost"

func checkTenants(cfg *Config, dev bool, faults *faultList) {
	seen := map[string]string{}
	once := func(kind, value, path string) {
		key := kind + " " + strings.ToLower(value)
		if first := seen[key]; first != "" && value != "" {
			faults.add(path, "is the same as %s", first)
			return
		}
		seen[key] = path
	}
	for i := range cfg.Tenants {
		t := &cfg.Tenants[i]
		at := fmt.Sprintf("tenants[%d]", i)
		once("id", t.ID, at+".id")
		once("slug", t.Slug, at+".slug")
		once("issuer", t.Issuer, at+".issuer")
		checkTenant(t, at, cfg.Listen.PublicURL != "" || dev, dev, faults)
	}
}

func checkTenant(t *TenantConfig, at string, hasBase, dev bool, faults *faultList) {
	row := t.tenant(devIssuerIf(dev, t.Issuer))
	for _, f := range row.Validate() {
		faults.add(join(at, f.Path), "%s", f.Message)
	}
	if row.Issuer != "" && !isURL(row.Issuer) && !hasBase {
		faults.add(at+".issuer", "is no URL, so mailed links need listen.public_url")
	}
	ids := map[string]bool{}
	for j := range t.Clients {
		c := &t.Clients[j]
		where := fmt.Sprintf("%s.clients[%d]", at, j)
		if ids[c.ID] {
			faults.add(where+".id", "is used twice in this tenant")
		}
		ids[c.ID] = true
		client := c.client(t.ID)
		for _, f := range client.Validate() {
			faults.add(join(where, f.Path), "%s", f.Message)
		}
		for _, name := range slices.Sorted(maps.Keys(c.Claims)) {
			if kind.Reserved(name) {
				faults.add(join(where, "claims."+name), "is a reserved claim")
			}
		}
	}
	if d := t.DefaultClient; d != "" && !ids[d] {
		faults.add(at+".default_client", "is none of the tenant's clients")
	}
}

func devIssuerIf(dev bool, issuer string) string {
	if issuer == "" && dev {
		return devIssuer
	}
	return issuer
}

// tenant is the row that the file asks for.
func (t *TenantConfig) tenant(issuer string) tenant.Tenant {
	name := t.Name
	if name == "" {
		name = t.Slug
	}
	return tenant.Tenant{ID: t.ID, Slug: t.Slug, Name: name, Issuer: issuer, Test: t.Test, Policy: t.Policy, ManagedBy: "file"}
}

// client is the row that the file asks for. Only a hash of its secret is kept.
func (c *ClientConfig) client(tenantID string) tenant.Client {
	row := tenant.Client{TenantID: tenantID, ID: c.ID, Name: c.Name, Settings: c.ClientSettings, ManagedBy: "file"}
	if row.Name == "" {
		row.Name = c.ID
	}
	if c.Handoff.Confirm != nil {
		row.Settings.HandoffNoConfirm = !*c.Handoff.Confirm
	}
	if c.Secret.IsSet() {
		row.SecretHash = secret.Hash(c.Secret.Value.Reveal())
	}
	return row
}
