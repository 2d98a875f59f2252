package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/delivery"
	"github.com/gatehouse-auth/gatehouse/internal/dpop"
	"github.com/gatehouse-auth/gatehouse/internal/ephemeral"
	"github.com/gatehouse-auth/gatehouse/internal/fetch"
	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/recipe"
	"github.com/gatehouse-auth/gatehouse/internal/revocation"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/secretref"
	"github.com/gatehouse-auth/gatehouse/internal/servicetoken"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
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

	resolver   *secretref.Resolver // reads references again
	renewEvery time.Duration
}

// building is every room, wired.
type building struct {
	site      site
	now       func() time.Time // the machine's clock
	outcomes  outcomes
	adminKey  atomic.Pointer[[sha256.Size]byte] // hash of the key in use
	store     *sqlstore.Store
	directory *tenant.Directory
	ring      *secret.Ring
	tokens    *token.Service
	sessions  *session.Service
	passwords *credential.Passwords
	logins    *login.Service
	recipe    *recipe.Service
	signOns   *sso.Service
	oauth     *oauth.Service
	proofs    *dpop.Proofs
	services  *servicetoken.Service
	mail      *delivery.Worker
	feed      *revocation.Feed
	values    ephemeral.Values
	limits    ephemeral.Limiter
	kept      ephemeral.Values // what keeps values or limits here or in the store, and wants sweeping
	redis     *ephemeral.Redis // nil unless configured
	fallback  *ephemeral.Fallback
	bus       ephemeral.Bus
	traces    *traces // nil when off
	hall      *web.Hall
	demo      demo // who the ready line names
}

// open brings the store up to date and wires the rooms. On an error nothing stays open.
func open(ctx context.Context, s site) (*building, error) {
	masters, err := s.masters()
	if err != nil {
		return nil, err
	}
	b := &building{site: s, now: time.Now, ring: secret.NewRing(), outcomes: newOutcomes()}
	if b.traces, err = newTraces(ctx, s.cfg.Traces, s.log); err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	storeCfg := sqlstore.Config{Own: true, Log: s.log, Revoked: b.revoked, Tell: b.tell}
	if b.traces != nil {
		storeCfg.Span = b.traces.storeSpan
	}
	if b.store, err = sqlstore.Open(ctx, s.storeURL(), storeCfg); err != nil {
		b.traces.stop(ctx)
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := b.furnish(ctx, masters); err != nil {
		return nil, errors.Join(err, b.close(ctx))
	}
	return b, nil
}

// close ends what works when everybody has left: Redis first, the store last.
func (b *building) close(ctx context.Context) error {
	b.traces.stop(ctx)
	if b.redis != nil {
		b.redis.Close()
	}
	return b.store.Close()
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
	if err := b.ensureDevServiceKeys(ctx); err != nil {
		return err
	}
	if err := b.openEphemeral(ctx); err != nil {
		return fmt.Errorf("ephemeral.url: %w", err)
	}
	return b.wire()
}

// openEphemeral chooses where one-time values and limits are kept, and what wakes other nodes. Limits are counted beside a Redis that is down;
// one-time values are not: one that lived in two places could be spent in both.
func (b *building) openEphemeral(ctx context.Context) (err error) {
	if b.site.alone() {
		memory := ephemeral.NewMemory()
		b.values, b.limits, b.kept = memory, memory, memory
	} else {
		b.values, b.limits, b.kept = b.store.Values(), b.store.Limits(), b.store.Values()
	}
	b.bus = b.store.Bus(b.site.log)
	url := b.site.cfg.Ephemeral.URL.Value.Reveal()
	if url == "store" {
		return nil
	}
	if b.redis, err = ephemeral.OpenRedis(ctx, ephemeral.RedisConfig{URL: url, Log: b.site.log}); err != nil {
		return err
	}
	b.fallback = &ephemeral.Fallback{First: b.redis, Second: b.limits}
	b.values, b.limits = b.redis, b.fallback
	if !b.site.alone() {
		b.bus = b.redis.Bus() // spares the database its NOTIFY, one at a time
	}
	return nil
}

// wrote tells every node's mail worker that a message was committed, this one's at once.
func (b *building) wrote() {
	b.mail.Wake()
	b.bus.Publish(ephemeral.TopicOutbox)
}

// revoked tells every node's followers that something was revoked, this one's at once.
func (b *building) revoked() {
	if b.feed == nil { // still starting
		return
	}
	b.feed.Wake()
	b.bus.Publish(ephemeral.TopicRevocations)
}

// woken is what the bus calls.
func (b *building) woken(topic string) {
	switch topic {
	case ephemeral.TopicOutbox:
		b.mail.Wake()
	case ephemeral.TopicTenants:
		b.directory.Wake()
	case ephemeral.TopicRevocations:
		b.feed.Wake()
	}
}

// wire makes the services and faces. It touches neither disk nor net.
func (b *building) wire() (err error) {
	log := b.site.log
	smtp := delivery.SMTP{URL: b.site.cfg.SMTP.URL.Value, From: b.site.cfg.SMTP.From}
	b.mail, err = delivery.New(delivery.Config{
		Store: b.store.Outbox(), Ring: b.ring, Directory: b.directory, Now: time.Now, Log: log, SMTP: smtp, Dev: b.site.dev,
		Alone: b.site.alone(), Logouts: logoutSigner{b.tokens},
	})
	if err != nil {
		return fmt.Errorf("smtp: %w", err)
	}
	b.feed = revocation.New(revocation.Config{
		Store: b.store.Revocations(), Signer: b.tokens, Directory: b.directory, Now: time.Now, Log: log,
	})
	b.sessions = session.New(b.store.Sessions(), b.tokens, b.ring, session.Config{Log: log, Foreign: b.foreign})
	b.services = servicetoken.New(b.store.ServiceTokens(), b.tokens, b.directory)
	b.passwords = credential.NewPasswords(b.ring, credential.Default())
	b.logins = login.New(login.Config{
		Store: waking{b.store.Logins(), b.wrote}, Janitor: b.store.Janitor(), Credentials: wakingCredentials{b.store.Credentials(), waking{wake: b.wrote}}, Users: b.store.Users(),
		Sessions: b.sessions, Recorder: b.store.Sessions(), Passwords: b.passwords, Limits: b.limits, Values: b.values,
		Ring: b.ring, Directory: b.directory,
		PublicURL: b.site.linkBase(b.directory), Log: log,
	})
	if err := b.openRecipe(); err != nil {
		return err
	}
	b.signOns = sso.New(b.store.SignOns(), sso.Config{Log: log})
	b.proofs = dpop.New(b.values, b.ring)
	b.oauth = oauth.New(oauth.Config{
		Requests: b.store.OAuthRequests(), Codes: b.store.OAuthCodes(), SignOns: b.signOns, Directory: b.directory, Tokens: b.tokens,
		Recorder: b.store.Sessions(), ACRs: login.ACRs(), Log: log, PublicURL: b.site.linkBase(b.directory),
		Back: oauth.Back{
			Devices: b.store.OAuthDevices(), Opaques: b.store.OAuthOpaques(), Registrations: b.store.OAuthRegistrations(), Users: b.store.Users(),
			Sessions: b.sessions, Signer: b.tokens, Values: b.values, Limits: b.limits, Keys: fetch.New(fetch.Options{MaxBytes: 256 << 10}),
			Ring: b.ring, Changed: b.directoryChanged, Passwords: passwordGrant{countedLogins{b.logins, b.outcomes}}, ProofAlgs: jose.Algs(),
		},
	})
	return b.openFaces()
}

// foreign reports whether a client is somebody else's application: one that people are asked about.
func (b *building) foreign(tenantID, clientID string) bool {
	c := b.directory.Client(tenantID, clientID)
	return c == nil || c.Settings.OAuth.Consent == "once" || c.Settings.OAuth.Consent == "always"
}

// directoryChanged reads the directory anew after this node changed it, wakes the others and waits for them: whoever was told that a client is
// there, or gone, may ask any node next. A node that is slow does not undo the change; it learns of it later.
func (b *building) directoryChanged(ctx context.Context) error {
	b.bus.Publish(ephemeral.TopicTenants)
	if err := b.directory.Refresh(ctx); err != nil || b.directory.Node == "" {
		return err
	}
	if err := b.everywhere(ctx, b.directory.Version()); err != nil {
		b.site.log.WarnContext(ctx, "some node does not know of a changed client yet", "error", err.Error())
	}
	return nil
}

func (b *building) openFaces() (err error) {
	hallCfg := web.Config{
		Directory: b.directory, Now: time.Now, Log: b.site.log, TrustedProxies: b.site.proxies(), TLS: b.site.cfg.Listen.TLSCert.IsSet(),
		Dev: b.site.dev, Ready: b.ready, ErrorPage: view.ErrorPage,
	}
	if u, err := url.Parse(b.site.cfg.Listen.PublicURL); err == nil && u.Host != "" {
		hallCfg.PublicHosts = []string{u.Host}
	}
	if b.traces != nil {
		hallCfg.Tracer = b.traces
	}
	if b.hall, err = web.New(hallCfg); err != nil {
		return err
	}
	api, err := loginapi.New(loginapi.Config{
		Logins: countedLogins{b.logins, b.outcomes}, Profiles: b.logins, Handoffs: b.logins, Devices: b.logins, Sessions: countedSessions{b.sessions, b.outcomes},
		Users: b.store.Users(), Keys: b.tokens, ServiceKeys: b.serviceKeys(), ServiceTokens: b.services,
		Proofs: b.proved, Version: versionText(),
	})
	if err != nil {
		return err
	}
	if err := b.hall.Mount(api.Routes()); err != nil {
		return err
	}
	for _, face := range []func() ([]web.Route, error){b.oauthRoutes, b.pageRoutes, b.superRoutes} {
		routes, err := face()
		if err != nil {
			return err
		}
		if err := b.hall.Mount(routes); err != nil {
			return err
		}
	}
	return nil
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
