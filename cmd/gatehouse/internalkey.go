package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/servicekey"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// internalKeyCmd manages the keys of a company's own services. A running server asks the store for a key each time it is used, so what is
// done here holds at once.
type internalKeyCmd struct {
	Create internalKeyCreateCmd `cmd:"" help:"Make a key and show it, this once."`
	List   internalKeyListCmd   `cmd:"" help:"List keys, their scopes and when they were last used."`
	Revoke internalKeyRevokeCmd `cmd:"" help:"Revoke a key by its id. To replace one, make the next first: both work meanwhile."`
}

type internalKeyCreateCmd struct {
	opsFlags
	Tenant string   `help:"Tenant (slug or id); needed when there are several."`
	Name   string   `required:"" help:"Name of the service, for people."`
	Scope  []string `required:"" help:"What the key may do: tokens:verify, users:read, sessions:revoke, service-tokens:write, service-tokens:read, revocations:read, supertokens, supertokens:apps. Several with commas."`
}

// internalKeyLine is one key of the list.
type internalKeyLine struct {
	Tenant   string   `json:"tenant"`
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Scopes   []string `json:"scopes"`
	State    string   `json:"state"` // "in use" or "revoked"
	Made     string   `json:"made"`
	LastUsed string   `json:"last_used,omitempty"`
	Key      string   `json:"key,omitempty"` // when it is made, and never again
}

func keyLineOf(slug string, k *servicekey.Key) internalKeyLine {
	l := internalKeyLine{
		Tenant: slug, ID: k.ID, Name: k.Name, Scopes: k.Scopes, State: "in use", Made: instantText(k.CreatedAt), LastUsed: instantText(k.LastUsed),
	}
	if !k.Live() {
		l.State = "revoked"
	}
	return l
}

// Run makes a key. Standard output gets the key alone, so that it can be piped into where secrets are kept.
func (c *internalKeyCreateCmd) Run(ctx context.Context, w world) error {
	return c.work(ctx, w, func(d *desk) error {
		t, err := d.tenant(c.Tenant)
		if err != nil {
			return err
		}
		call := d.call(t)
		k, text, err := servicekey.New(t.ID, c.Name, c.Scope, call.At)
		if err != nil {
			return err
		}
		if err := d.store.ServiceKeys().Add(ctx, k, servicekey.Trail(call, servicekey.EventCreated, k.ID)); err != nil {
			return err
		}
		line := keyLineOf(t.Slug, &k)
		line.Key = text.Reveal()
		return d.out.value(line, func(w io.Writer) error {
			_, _ = fmt.Fprintf(d.stderr, "key %s of %s for %s; it is shown this once:\n", k.ID, printable(k.Name), t.Slug)
			_, err := fmt.Fprintln(w, line.Key)
			return err
		})
	})
}

type internalKeyListCmd struct {
	opsFlags
	Tenant string `help:"Only this tenant (slug or id)."`
}

// Run lists keys; nothing of a key itself is kept that could be shown.
func (c *internalKeyListCmd) Run(ctx context.Context, w world) error {
	return c.work(ctx, w, func(d *desk) error {
		items, rows := []internalKeyLine{}, [][]string{}
		for i := range d.have.Tenants {
			t := &d.have.Tenants[i]
			if c.Tenant != "" && c.Tenant != t.Slug && c.Tenant != t.ID {
				continue
			}
			keys, err := d.store.ServiceKeys().List(ctx, t.ID)
			if err != nil {
				return err
			}
			for j := range keys {
				l := keyLineOf(t.Slug, &keys[j])
				items = append(items, l)
				rows = append(rows, []string{l.Tenant, l.ID, l.Name, strings.Join(l.Scopes, ","), l.State, l.Made, l.LastUsed})
			}
		}
		return d.out.table(items, []string{"TENANT", "ID", "NAME", "SCOPES", "STATE", "MADE", "LAST USED"}, rows)
	})
}

type internalKeyRevokeCmd struct {
	opsFlags
	Tenant string `help:"Tenant (slug or id); needed when there are several."`
	ID     string `arg:"" help:"Id of the key, as list shows it."`
}

// Run revokes a key.
func (c *internalKeyRevokeCmd) Run(ctx context.Context, w world) error {
	return c.work(ctx, w, func(d *desk) error {
		t, err := d.tenant(c.Tenant)
		if err != nil {
			return err
		}
		call := d.call(t)
		if err := d.store.ServiceKeys().Revoke(ctx, t.ID, c.ID, call.At, servicekey.Trail(call, servicekey.EventRevoked, c.ID)); err != nil {
			return err
		}
		return d.out.value(map[string]string{"revoked": c.ID}, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "revoked %s\n", c.ID)
			return err
		})
	})
}

// devKey is a key of the development server's own, for tests and first tries. Its text is kept from start to start.
type devKey struct {
	name, file string
	scopes     []string
	draw       func() string
	into       *secret.Text
}

// ensureDevServiceKeys gives the ready line its keys: one that may do everything on the internal endpoints of its tenant, and one for
// SuperTokens' libraries; with dev only.
func (b *building) ensureDevServiceKeys(ctx context.Context) error {
	t := b.directory.ByID(b.demo.tenantID)
	if !b.site.dev || t == nil {
		return nil
	}
	for _, k := range []devKey{
		{"development", "internal-api.key", servicekey.InternalScopes(), servicekey.Draw, &b.demo.internalKey},
		{"development (SuperTokens)", "supertokens-api.key", servicekey.SuperScopes(), servicekey.DrawSuper, &b.demo.superKey},
	} {
		if err := b.ensureDevServiceKey(ctx, t, k); err != nil {
			return err
		}
	}
	return nil
}

// ensureDevServiceKey makes one of them. One that somebody revoked is replaced, and one of an older version that lacks a scope.
func (b *building) ensureDevServiceKey(ctx context.Context, t *tenant.Tenant, dev devKey) error {
	path := filepath.Join(b.site.data, dev.file)
	wall := time.Now()
	call := &audit.Call{At: t.At(wall), Wall: wall, TenantID: t.ID, Actor: audit.Actor{Kind: "system", ID: "serve"}, Trace: secret.NewID(wall)}
	for {
		text, err := keptSecret(path, dev.draw)
		if err != nil {
			return err
		}
		*dev.into = secret.NewText(text)
		k, err := servicekey.Of(t.ID, dev.name, dev.scopes, call.At, *dev.into)
		if err != nil {
			return err
		}
		known, err := b.store.ServiceKeys().ByHash(ctx, t.ID, k.Hash)
		switch {
		case err == nil && known.Live() && len(known.Scopes) == len(k.Scopes):
			return nil
		case err == nil:
			rec := servicekey.Trail(call, servicekey.EventRevoked, known.ID)
			if err := b.store.ServiceKeys().Revoke(ctx, t.ID, known.ID, call.At, rec); err != nil {
				return err
			}
			if err := os.Remove(path); err != nil {
				return err
			}
			continue
		}
		err = b.store.ServiceKeys().Add(ctx, k, servicekey.Trail(call, servicekey.EventCreated, k.ID))
		if err == nil || fault.From(err).Kind == fault.Conflict { // another node was first
			return nil
		}
		return err
	}
}
