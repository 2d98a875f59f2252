package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/delivery"
	"github.com/gatehouse-auth/gatehouse/internal/ephemeral"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
	"github.com/gatehouse-auth/gatehouse/internal/web"
	"github.com/gatehouse-auth/gatehouse/internal/web/loginapi"
	"github.com/gatehouse-auth/gatehouse/internal/web/view"
)

// site is what the building is put on.
type site struct {
	cfg  *Config
	dev  bool
	data string // directory of files
	url  string // base URL of the public listener
	log  *slog.Logger
}

// building is every room, wired.
type building struct {
	site      site
	store     *sqlstore.Store
	directory *tenant.Directory
	ring      *secret.Ring
	tokens    *token.Service
	sessions  *session.Service
	passwords *credential.Passwords
	logins    *login.Service
	mail      *delivery.Worker
	values    ephemeral.Values
	limits    ephemeral.Limiter
	hall      *web.Hall
	demo      demo // who the ready line names
}

// open brings the store up to date and wires the rooms. On an error nothing stays open.
func open(ctx context.Context, s site) (*building, error) {
	masters, err := s.masters()
	if err != nil {
		return nil, err
	}
	b := &building{site: s, ring: secret.NewRing()}
	if b.store, err = sqlstore.Open(ctx, s.storeURL(), sqlstore.Config{Own: true, Log: s.log}); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := b.furnish(ctx, masters); err != nil {
		return nil, errors.Join(err, b.store.Close())
	}
	return b, nil
}

func (b *building) furnish(ctx context.Context, masters secret.Masters) error {
	if err := b.store.Migrate(ctx); err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	b.directory = tenant.NewDirectory(b.store.Tenants(), time.Now)
	b.directory.Log = b.site.log
	if !b.site.alone() {
		b.directory.Node = secret.NewID(time.Now())
	}
	b.tokens = token.New(b.store.Keys(), b.ring, b.directory, token.Config{Now: time.Now, Log: b.site.log})
	if err := b.tokens.EnsureRing(ctx, masters); err != nil {
		return fmt.Errorf("master_keys: %w", err)
	}
	if err := b.applyTenants(ctx); err != nil {
		return err
	}
	if err := b.directory.Refresh(ctx); err != nil {
		return err
	}
	return b.wire()
}

// wire makes the services and faces. It touches neither disk nor net.
func (b *building) wire() (err error) {
	log := b.site.log
	if b.site.alone() {
		memory := ephemeral.NewMemory()
		b.values, b.limits = memory, memory
	} else {
		b.values, b.limits = b.store.Values(), b.store.Limits()
	}
	smtp := delivery.SMTP{URL: b.site.cfg.SMTP.URL.Value, From: b.site.cfg.SMTP.From}
	b.mail, err = delivery.New(delivery.Config{
		Store: b.store.Outbox(), Ring: b.ring, Directory: b.directory, Now: time.Now, Log: log, SMTP: smtp, Dev: b.site.dev,
		Alone: b.site.alone(),
	})
	if err != nil {
		return fmt.Errorf("smtp: %w", err)
	}
	b.sessions = session.New(b.store.Sessions(), b.tokens, b.ring, session.Config{Log: log})
	b.passwords = credential.NewPasswords(b.ring, credential.Default())
	b.logins = login.New(login.Config{
		Store: waking{b.store.Logins(), b.mail.Wake}, Janitor: b.store.Janitor(), Credentials: b.store.Credentials(), Users: b.store.Users(),
		Sessions: b.sessions, Recorder: b.store.Sessions(), Passwords: b.passwords, Limits: b.limits, Ring: b.ring, Directory: b.directory,
		PublicURL: b.site.linkBase(b.directory), Log: log,
	})
	return b.openFaces()
}

func (b *building) openFaces() (err error) {
	hallCfg := web.Config{
		Directory: b.directory, Now: time.Now, Log: b.site.log, TrustedProxies: b.site.proxies(), TLS: b.site.cfg.Listen.TLSCert.IsSet(),
		Dev: b.site.dev, Ready: b.ready, ErrorPage: view.ErrorPage,
	}
	if u, err := url.Parse(b.site.cfg.Listen.PublicURL); err == nil && u.Host != "" {
		hallCfg.PublicHosts = []string{u.Host}
	}
	if b.hall, err = web.New(hallCfg); err != nil {
		return err
	}
	api, err := loginapi.New(loginapi.Config{
		Logins: b.logins, Profiles: b.logins, Devices: b.logins, Sessions: b.sessions, Keys: b.tokens, Version: versionText(),
	})
	if err != nil {
		return err
	}
	if err := b.hall.Mount(api.Routes()); err != nil {
		return err
	}
	routes, err := b.pageRoutes()
	if err != nil {
		return err
	}
	return b.hall.Mount(routes)
}

// ready asks the store for a sign of life. It does not wait for keys: a new tenant must not take the node out of service.
func (b *building) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return b.store.Ping(ctx)
}

// alone reports whether this process is the only one on its store: a SQLite file has one server.
func (s site) alone() bool { return strings.HasPrefix(s.cfg.Store.URL.Value.Reveal(), "sqlite:") }

// storeURL puts a SQLite file below the data directory.
func (s site) storeURL() string {
	raw := s.cfg.Store.URL.Value.Reveal()
	file, ok := strings.CutPrefix(raw, "sqlite:")
	if !ok || filepath.IsAbs(file) {
		return raw
	}
	return "sqlite:" + filepath.Join(s.data, file)
}

func (s site) proxies() []netip.Prefix {
	var out []netip.Prefix
	for _, text := range s.cfg.Listen.TrustedProxies {
		if p, err := parseProxy(text); err == nil { // checked before
			out = append(out, p)
		}
	}
	return out
}

// linkBase is the base of mailed links for tenants whose issuer is no URL. Where every issuer is one, it is never used.
func (s site) linkBase(d *tenant.Directory) string {
	if s.dev || s.cfg.Listen.PublicURL != "" {
		return s.url
	}
	for _, t := range d.All() {
		if isURL(t.Issuer) {
			return t.Issuer
		}
	}
	return s.url
}
