package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// The demo tenant and client of --dev.
const (
	demoSlug   = "main"
	demoClient = "demo"
)

// demo is who the ready line names.
type demo struct {
	tenantID, clientID string
	secret             secret.Text
	internalKey        secret.Text // with dev only
	superKey           secret.Text // likewise
}

// firstOf is the ready line's tenant and client for a configured tenant.
func firstOf(t *TenantConfig) demo {
	d := demo{tenantID: t.ID, clientID: t.DefaultClient}
	if d.clientID == "" && len(t.Clients) > 0 {
		d.clientID = t.Clients[0].ID
	}
	for _, c := range t.Clients {
		if c.ID == d.clientID {
			d.secret = c.Secret.Value
		}
	}
	return d
}

// demoTenant is the tenant of a first try: its clock may be moved, its mail goes to the mailbox, its issuer is wherever this server
// listens now, and strangers sign up by logging in. Its id and the client's secret are kept from start to start.
func (b *building) demoTenant(have tenant.Snapshot) (tenant.Snapshot, error) {
	id := secret.NewID(time.Now())
	if i := slices.IndexFunc(have.Tenants, func(t tenant.Tenant) bool { return t.Slug == demoSlug }); i >= 0 {
		id = have.Tenants[i].ID
	}
	text, err := keptSecret(filepath.Join(b.site.data, "demo-client.secret"), func() string { return secret.Random(32) })
	if err != nil {
		return tenant.Snapshot{}, err
	}
	b.demo = demo{tenantID: id, clientID: demoClient, secret: secret.NewText(text)}
	return tenant.Snapshot{
		Tenants: []tenant.Tenant{{
			ID: id, Slug: demoSlug, Name: "Gatehouse demo", Issuer: b.site.url, Test: true, ManagedBy: "file",
			Policy: tenant.Policy{DefaultClient: demoClient, Locale: "en"},
		}},
		Clients: []tenant.Client{{
			TenantID: id, ID: demoClient, Name: "Demo app", SecretHash: secret.Hash(text), ManagedBy: "file",
			Settings: tenant.ClientSettings{
				RedirectURIs: []string{"http://localhost/callback", "http://127.0.0.1/callback", "http://localhost/cb"},
				AutoRegister: true,
				OAuth: tenant.OAuth{
					GrantTypes: []string{
						tenant.GrantCode, tenant.GrantRefresh, tenant.GrantClientCredentials, tenant.GrantDevice, tenant.GrantExchange, tenant.GrantPassword,
					},
					PostLogoutRedirectURIs: []string{"http://localhost/", "http://127.0.0.1/", "http://localhost/callback", "http://127.0.0.1/callback"},
				},
			},
		}},
	}, nil
}

// readyLine is the one line on standard output, so that scripts need no scraping. Secrets stand in it with dev only.
type readyLine struct {
	Ready        bool   `json:"ready"`
	URL          string `json:"url"`
	AdminURL     string `json:"admin_url"`
	Issuer       string `json:"issuer,omitempty"`
	TenantID     string `json:"tenant_id,omitempty"`
	ClientID     string `json:"client_id,omitempty"`
	ClientSecret string `json:"client_secret,omitempty"`
	InternalKey  string `json:"internal_api_key,omitempty"`
	SuperKey     string `json:"supertokens_api_key,omitempty"`
}

// announce prints the ready line, and with dev what to try.
func (b *building) announce(w world, doors *doors) error {
	line := readyLine{Ready: true, URL: b.site.url, AdminURL: doors.adminURL(), TenantID: b.demo.tenantID, ClientID: b.demo.clientID}
	if t := b.directory.ByID(b.demo.tenantID); t != nil {
		line.Issuer = t.Issuer
	}
	if b.site.dev {
		line.ClientSecret, line.InternalKey = b.demo.secret.Reveal(), b.demo.internalKey.Reveal()
		line.SuperKey = b.demo.superKey.Reveal()
	}
	raw, err := json.Marshal(line)
	if err != nil {
		return err
	}
	if _, err := w.Stdout.Write(append(raw, '\n')); err != nil {
		return err
	}
	if b.site.dev {
		_, _ = fmt.Fprintf(w.Stderr, "\n  DEVELOPMENT SERVER: what keeps strangers out is relaxed; it listens on loopback only.\n\n"+
			"  Try it:   %s/ui/try\n  Mailbox:  %s/dev/mailbox/view\n  API:      %s/openapi.json\n\n", b.site.url, b.site.url, b.site.url)
	}
	return nil
}
