package tenant

import (
	"context"
	"log/slog"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// PollEvery is how often a node looks for a newer version: what an operator's command or another node changed is seen within it.
const PollEvery = 250 * time.Millisecond

// Directory is the cached copy of every tenant and client. Reads never touch the store; values are never changed in place.
type Directory struct {
	Now  func() time.Time // the machine's clock
	Node string           // this node's id, reported beside the applied version; "" reports nothing
	Log  *slog.Logger

	store Store
	view  atomic.Pointer[view]
	fail  atomic.Int64 // polls failed in a row
	wake  chan struct{}
}

type view struct {
	version int64
	all     []*Tenant
	byID    map[string]*Tenant
	bySlug  map[string]*Tenant
	byHost  map[string]*Tenant
	clients map[[2]string]*Client
	origins map[string]map[string]bool // tenant id → allowed origins of any of its clients
}

// NewDirectory makes an empty directory; Refresh fills it.
func NewDirectory(store Store, now func() time.Time) *Directory {
	d := &Directory{Now: now, Log: slog.Default(), store: store, wake: make(chan struct{}, 1)}
	d.view.Store(build(Snapshot{}))
	return d
}

func build(s Snapshot) *view {
	v := &view{
		version: s.Version, byID: map[string]*Tenant{}, bySlug: map[string]*Tenant{}, byHost: map[string]*Tenant{},
		clients: map[[2]string]*Client{}, origins: map[string]map[string]bool{},
	}
	for i := range s.Tenants {
		t := &s.Tenants[i]
		v.all = append(v.all, t)
		v.byID[t.ID], v.bySlug[t.Slug] = t, t
		if u, err := url.Parse(t.Issuer); err == nil && u.Host != "" && strings.Trim(u.Path, "/") == "" {
			v.byHost[strings.ToLower(u.Host)] = t
		}
	}
	for i := range s.Clients {
		c := &s.Clients[i]
		v.clients[[2]string{c.TenantID, c.ID}] = c
		for _, o := range c.Settings.AllowedOrigins {
			if v.origins[c.TenantID] == nil {
				v.origins[c.TenantID] = map[string]bool{}
			}
			v.origins[c.TenantID][o] = true
		}
	}
	return v
}

// Refresh reads the store when its version moved.
func (d *Directory) Refresh(ctx context.Context) error {
	version, err := d.store.Version(ctx)
	if err != nil {
		return err
	}
	if version != d.view.Load().version || version == 0 {
		s, err := d.store.Snapshot(ctx)
		if err != nil {
			return err
		}
		d.adopt(s)
	}
	if d.Node == "" {
		return nil
	}
	return d.store.ReportNode(ctx, d.Node, d.Version(), d.Now())
}

// adopt takes a snapshot in unless a newer one is there already: a slow reader must not bring back what another reader has replaced, or a
// moved clock would stand still for a moment after everybody was told that it moved.
func (d *Directory) adopt(s Snapshot) {
	next := build(s)
	for {
		old := d.view.Load()
		if old.version > s.Version || d.view.CompareAndSwap(old, next) {
			return
		}
	}
}

// Wake makes Run look now. It never blocks.
func (d *Directory) Wake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Run polls until ctx ends. A failing store is logged once a minute; the old view stays in use.
func (d *Directory) Run(ctx context.Context) {
	tick := time.NewTicker(PollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-d.wake:
		}
		if err := d.Refresh(ctx); err == nil {
			d.fail.Store(0)
		} else if n := d.fail.Add(1); ctx.Err() == nil && n%240 == 1 {
			d.Log.ErrorContext(ctx, "tenants cannot be read; serving the last known", "error", err.Error())
		}
	}
}

// Version is the version of the view in use.
func (d *Directory) Version() int64 { return d.view.Load().version }

// All gives every tenant; the slice and its values must not be changed.
func (d *Directory) All() []*Tenant { return d.view.Load().all }

// ByID gives a tenant or nil.
func (d *Directory) ByID(id string) *Tenant { return d.view.Load().byID[id] }

// BySlug gives a tenant or nil.
func (d *Directory) BySlug(slug string) *Tenant { return d.view.Load().bySlug[slug] }

// ByHost gives the tenant whose issuer is exactly this host (with port as in the URL), or nil.
func (d *Directory) ByHost(host string) *Tenant { return d.view.Load().byHost[strings.ToLower(host)] }

// Only gives the tenant when there is exactly one, else nil. Tenants that a SuperTokens key made as apps do not count: they are reached by
// their name alone, and making one must not take away what callers without a name reached before.
func (d *Directory) Only() *Tenant {
	var only *Tenant
	for _, t := range d.All() {
		if t.Policy.AppOf != "" {
			continue
		}
		if only != nil {
			return nil
		}
		only = t
	}
	return only
}

// ByClient gives the one tenant that has a client of this id; nil when none or several do.
func (d *Directory) ByClient(clientID string) *Tenant {
	v := d.view.Load()
	var found *Tenant
	for _, t := range v.all {
		if v.clients[[2]string{t.ID, clientID}] != nil {
			if found != nil {
				return nil
			}
			found = t
		}
	}
	return found
}

// Client gives a client of a tenant or nil.
func (d *Directory) Client(tenantID, clientID string) *Client {
	return d.view.Load().clients[[2]string{tenantID, clientID}]
}

// OriginAllowed reports whether any client of the tenant allows this origin; for preflights, which name no client.
func (d *Directory) OriginAllowed(tenantID, origin string) bool {
	return d.view.Load().origins[tenantID][origin]
}
