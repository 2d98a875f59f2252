package oauth_test

import (
	"context"
	"log/slog"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/ephemeral"
	"github.com/gatehouse-auth/gatehouse/internal/fetch"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
	"github.com/gatehouse-auth/gatehouse/internal/token"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // of challenge (RFC 7636 appendix B)

const api = "https://api.example.com"

// back is the world with a whole token endpoint: real signing keys, sessions and stores.
type back struct {
	*world
	dir      *tenant.Directory
	tokens   *token.Service
	sessions *session.Service
	fetched  *fetched
	login    *logins
	cfg      oauth.Config
}

// fetched answers for addresses that clients publish keys at.
type fetched struct {
	mu    sync.Mutex
	body  []byte
	fail  bool
	asked int
}

func (f *fetched) Do(context.Context, fetch.Request) (fetch.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	if f.fail {
		return fetch.Response{Status: 503}, nil
	}
	return fetch.Response{Status: 200, Body: f.body}, nil
}

// logins proves whoever knows the password "right".
type logins struct{ person user.User }

func (l *logins) ProvePassword(_ context.Context, call *audit.Call, _ *tenant.Tenant, _ *tenant.Client, _ string, pw secret.Text) (oauth.Person, error) {
	if pw.Reveal() != "right" {
		return oauth.Person{}, refusedLogin
	}
	return oauth.Person{User: &l.person, AuthTime: call.At, AMR: []string{"pwd"}}, nil
}

func eachBack(t *testing.T, test func(t *testing.T, b *back)) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) { test(t, newBack(t, s)) })
}

func backOnSQLite(t testing.TB) *back { return newBack(t, testbed.OpenSQLite(t).Store) }

func settings(change func(*tenant.ClientSettings)) tenant.ClientSettings {
	s := tenant.ClientSettings{RedirectURIs: []string{appCallback}}
	change(&s)
	return s
}

var everyGrant = []string{
	tenant.GrantCode, tenant.GrantRefresh, tenant.GrantClientCredentials, tenant.GrantDevice, tenant.GrantExchange, tenant.GrantPassword,
}

func newBack(t testing.TB, store *sqlstore.Store) *back {
	t.Helper()
	b := &back{world: newWorld(t, store), fetched: &fetched{}}
	b.tenant.Policy.OAuth = tenant.PolicyOAuth{Registration: true, Scopes: map[string]string{"orders": "your orders"}}
	public := []string{tenant.GrantCode, tenant.GrantRefresh, tenant.GrantDevice}
	hash := secret.Hash("secret")
	b.ok(store.Tenants().Put(t.Context(), []tenant.Tenant{*b.tenant}, []tenant.Client{
		{ID: "all", TenantID: b.tenant.ID, SecretHash: hash, Settings: settings(func(s *tenant.ClientSettings) {
			s.OAuth = tenant.OAuth{GrantTypes: everyGrant, Scopes: []string{"orders", "stock"}, Resources: []string{api, "https://b.example.com"}}
		})},
		{ID: "spa", TenantID: b.tenant.ID, Settings: settings(func(s *tenant.ClientSettings) { s.OAuth.GrantTypes = public })},
		{ID: "opaque", TenantID: b.tenant.ID, SecretHash: hash, Settings: settings(func(s *tenant.ClientSettings) {
			s.OAuth = tenant.OAuth{GrantTypes: everyGrant, OpaqueTokens: true, Scopes: []string{"orders"}}
		})},
		{ID: "gateway", TenantID: b.tenant.ID, SecretHash: hash, Settings: settings(func(s *tenant.ClientSettings) {
			s.OAuth = tenant.OAuth{GrantTypes: []string{tenant.GrantExchange}, Introspects: []string{api}, Resources: []string{"https://b.example.com"}}
		})},
		{ID: "stranger", TenantID: b.tenant.ID, SecretHash: hash, Settings: settings(func(s *tenant.ClientSettings) { s.OAuth.GrantTypes = everyGrant })},
	}, audit.Record{}))
	b.dir = tenant.NewDirectory(store.Tenants(), func() time.Time { return noon })
	b.ok(b.dir.Refresh(t.Context()))
	b.tenant = b.dir.ByID(b.tenant.ID)
	ring := secret.NewRing(
		secret.RingKey{ID: 1, Purpose: secret.PurposeSeal, Key: secret.Bytes(32), Active: true},
		secret.RingKey{ID: 2, Purpose: secret.PurposeMAC, Key: secret.Bytes(32), Active: true},
		secret.RingKey{ID: 3, Purpose: secret.PurposePepper, Key: secret.Bytes(32), Active: true})
	quiet := slog.New(slog.DiscardHandler)
	b.tokens = token.New(store.Keys(), ring, b.dir, token.Config{Now: func() time.Time { return noon }, Holder: testbed.SameKeys{}, Log: quiet})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { b.tokens.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	b.sessions = session.New(store.Sessions(), b.tokens, ring, session.Config{Log: quiet, Foreign: func(_, id string) bool { return id == "third" }})
	b.login = &logins{person: b.ada}
	b.cfg = oauth.Config{
		Requests: store.OAuthRequests(), Codes: store.OAuthCodes(), SignOns: b.sso, Directory: b.dir, Tokens: b.tokens, Recorder: store.Sessions(), Log: quiet,
		ACRs: []string{"1", "2"},
		Back: oauth.Back{
			Devices: store.OAuthDevices(), Opaques: store.OAuthOpaques(), Registrations: store.OAuthRegistrations(), Users: store.Users(), Sessions: b.sessions,
			Signer: b.tokens, Values: ephemeral.NewMemory(), Limits: ephemeral.NewMemory(), Keys: b.fetched, Passwords: b.login, Ring: ring,
			Changed: b.dir.Refresh,
		},
	}
	b.s = oauth.New(b.cfg)
	return b
}

// remake is the service with something else behind it.
func (b *back) remake(change func(*oauth.Config)) {
	change(&b.cfg)
	b.s = oauth.New(b.cfg)
}

var noRecord audit.Record

func (b *back) client(id string) *tenant.Client {
	b.t.Helper()
	c := b.dir.Client(b.tenant.ID, id)
	if c == nil {
		b.t.Fatalf("no client %s", id)
	}
	return c
}

// set changes a client for good.
func (b *back) set(id string, change func(*tenant.Client)) {
	b.t.Helper()
	c := *b.client(id)
	change(&c)
	b.ok(b.store.Tenants().Put(b.t.Context(), nil, []tenant.Client{c}, audit.Record{}))
	b.ok(b.dir.Refresh(b.t.Context()))
}

// call of the OAuth face.
func (b *back) api() *audit.Call { return b.call("") }

// ask is a request to the token endpoint by a client as it authenticates itself.
func (b *back) ask(client string, form url.Values) (oauth.TokenAnswer, error) {
	q, err := oauth.ParseTokenRequest(form)
	if err != nil {
		return oauth.TokenAnswer{}, err
	}
	q.Client = b.dir.Client(b.tenant.ID, client)
	q.Authenticated = q.Client != nil && !q.Client.Public()
	return b.s.Token(context.Background(), b.api(), b.tenant, q)
}

func (b *back) got(client string, form url.Values) oauth.TokenAnswer {
	b.t.Helper()
	out, err := b.ask(client, form)
	b.ok(err)
	return out
}

// code is one that ada allowed a client, with its form.
func (b *back) code(client string, scope ...string) url.Values {
	b.t.Helper()
	return b.codeWith(func(p *oauth.Params) { p.ClientID, p.Scope = client, scope })
}

func (b *back) codeWith(change func(*oauth.Params)) url.Values {
	b.t.Helper()
	browser := secret.Random(8)
	r := b.begin(browser, with(change))
	_, live := b.signIn(browser, r.ID, b.ada, secret.Text{})
	step := b.next(browser, r.ID, live)
	if step.Kind == oauth.StepConsent {
		b.ok(b.s.Allow(b.t.Context(), b.call(browser), b.tenant, r.ID, live, r.Params.Scope))
		step = b.next(browser, r.ID, live)
	}
	form := url.Values{"grant_type": {tenant.GrantCode}, "code": {b.replied(step, "code")}, "redirect_uri": {appCallback}}
	if r.Params.CodeChallenge != "" {
		form.Set("code_verifier", verifier)
	}
	return form
}

func (b *back) introspect(client string, raw secret.Text) oauth.Introspection {
	b.t.Helper()
	out, err := b.s.Introspect(b.t.Context(), b.api(), b.tenant, b.client(client), raw)
	b.ok(err)
	return out
}

// active wants a token to be worth something, or nothing, to a client.
func (b *back) active(client string, raw secret.Text, want bool) {
	b.t.Helper()
	if got := b.introspect(client, raw); got.Active != want {
		b.t.Fatalf("introspected by %s: %+v, want active %v", client, got, want)
	}
}

func (b *back) liveOf(u user.User) *sso.Live {
	b.t.Helper()
	_, live := b.signOn(secret.Random(8), u, secret.Text{})
	return live
}

func ssoMatch(b *back, id string) sso.Match { return sso.Match{TenantID: b.tenant.ID, ID: id} }
