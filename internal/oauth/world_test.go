package oauth_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/ephemeral"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
	"github.com/gatehouse-auth/gatehouse/internal/token"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

var noon = time.Date(2035, 6, 1, 12, 0, 0, 0, time.UTC)

const (
	appCallback = "https://app.example.com/callback"
	challenge   = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	issuer      = "https://login.example.com"
)

// world is the room on a real store, with one person and clients of every sort.
type world struct {
	t       testing.TB
	s       *oauth.Service
	sso     *sso.Service
	store   *sqlstore.Store
	tenant  *tenant.Tenant
	clients *directory
	ada     user.User
	at      time.Time
}

type directory struct{ clients sync.Map }

func (d *directory) Client(_, id string) *tenant.Client {
	if c, ok := d.clients.Load(id); ok {
		return c.(*tenant.Client)
	}
	return nil
}

func (d *directory) put(c tenant.Client) { d.clients.Store(c.ID, &c) }

// hints reads ID tokens of the form "subject client".
type hints struct{}

func (hints) Read(_ *tenant.Tenant, q token.Query, raw string, _ time.Time) (*jose.Token, error) {
	sub, aud, ok := strings.Cut(raw, " ")
	if !ok || !q.AnyAge || q.Issuer != issuer || q.Usage.Name != "id" {
		return nil, fault.New(fault.Unauthenticated, fault.ReasonInvalidToken, "no")
	}
	return &jose.Token{Subject: sub, Audience: []string{aud}}, nil
}

func each(t *testing.T, test func(t *testing.T, w *world)) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) { test(t, newWorld(t, s)) })
}

func onSQLite(t testing.TB) *world { return newWorld(t, testbed.OpenSQLite(t).Store) }

// unlimited lets one machine ask as often as a test likes.
var unlimited = tenant.Policy{Limits: tenant.Limits{AuthorizeNetwork: "off", PARNetwork: "off", PARClient: "off"}}

func newWorld(t testing.TB, store *sqlstore.Store) *world {
	t.Helper()
	w := &world{t: t, store: store, clients: &directory{}, at: noon}
	w.tenant = &tenant.Tenant{ID: secret.NewID(noon), Slug: "main", Name: "Main", Issuer: issuer, Test: true, Policy: unlimited}
	confidential := secret.Hash("secret")
	for _, c := range []tenant.Client{
		{ID: "app", SecretHash: confidential},
		{ID: "other", SecretHash: confidential},
		{ID: "public"},
		{ID: "lax", SecretHash: confidential, Settings: tenant.ClientSettings{OAuth: tenant.OAuth{PKCE: "optional"}}},
		{ID: "laxpublic", Settings: tenant.ClientSettings{OAuth: tenant.OAuth{PKCE: "optional"}}},
		{ID: "par", SecretHash: confidential, Settings: tenant.ClientSettings{OAuth: tenant.OAuth{PARRequired: true}}},
		{ID: "machine", SecretHash: confidential, Settings: tenant.ClientSettings{OAuth: tenant.OAuth{GrantTypes: []string{tenant.GrantClientCredentials}}}},
		{ID: "third", SecretHash: confidential, Settings: tenant.ClientSettings{OAuth: tenant.OAuth{
			Consent: "once", Scopes: []string{"orders"}, Resources: []string{"https://api.example.com"},
		}}},
		{ID: "wary", SecretHash: confidential, Settings: tenant.ClientSettings{OAuth: tenant.OAuth{Consent: "always"}}},
		{ID: "fresh", SecretHash: confidential, Settings: tenant.ClientSettings{OAuth: tenant.OAuth{DefaultMaxAgeS: 60}}},
	} {
		c.TenantID = w.tenant.ID
		c.Settings.RedirectURIs = []string{appCallback, "http://127.0.0.1/cb", "http://localhost/cb", "http://[::1]/cb", "http://127.0.0.1:7777/fixed", "com.example.app:/cb"}
		c.Settings.OAuth.PostLogoutRedirectURIs = []string{"https://app.example.com/bye?x=1"}
		w.clients.put(c)
		w.ok(store.Tenants().Put(t.Context(), []tenant.Tenant{*w.tenant}, []tenant.Client{c}, audit.Record{}))
	}
	w.sso = sso.New(store.SignOns(), sso.Config{})
	w.s = oauth.New(oauth.Config{
		Requests: store.OAuthRequests(), Codes: store.OAuthCodes(), SignOns: w.sso, Directory: w.clients, Tokens: hints{}, Recorder: store.Sessions(),
		ACRs: []string{"1", "2"}, Back: oauth.Back{Limits: ephemeral.NewMemory(), Users: store.Users()},
	})
	w.ada = w.person("ada@example.com")
	return w
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) person(email string) user.User {
	w.t.Helper()
	a := login.Attempt{
		TenantID: w.tenant.ID, ID: secret.NewID(noon), ClientID: "app", Email: email, Typed: email, TokenHash: secret.Bytes(32), CreatedAt: noon,
		Password: credential.Password{ID: secret.NewID(noon), PHC: "$x", CreatedAt: noon, UpdatedAt: noon}, ExpiresAt: noon.Add(time.Hour),
	}
	w.ok(w.store.Logins().SaveAttempt(w.t.Context(), a, audit.Record{}))
	id := secret.NewID(noon)
	w.ok(w.store.Logins().Prove(w.t.Context(), login.Proof{Attempt: a, UserID: id, Password: a.Password, At: noon}, audit.Record{}))
	u, err := w.store.Users().Get(w.t.Context(), w.tenant.ID, id, "")
	w.ok(err)
	return u
}

// call is one of the browser of that name.
func (w *world) call(browser string) *audit.Call {
	return &audit.Call{
		At: w.at, Wall: w.at, TenantID: w.tenant.ID, Browser: browser, Trace: secret.Random(8), Face: "oauth", Address: netip.MustParseAddr("192.0.2.7"),
		Actor: audit.Actor{Kind: "anonymous"},
	}
}

func good() oauth.Params {
	return oauth.Params{
		ClientID: "app", RedirectURI: appCallback, ResponseType: "code", Scope: []string{"openid", "email"}, State: "xyz", Nonce: "n",
		CodeChallenge: challenge, CodeChallengeMethod: "S256",
	}
}

func with(change func(*oauth.Params)) oauth.Params {
	p := good()
	change(&p)
	return p
}

func (w *world) begin(browser string, p oauth.Params) oauth.Request {
	w.t.Helper()
	r, err := w.s.Begin(w.t.Context(), w.call(browser), w.tenant, p)
	w.ok(err)
	return r
}

// signOn proves a person in a browser that may carry a cookie already.
func (w *world) signOn(browser string, u user.User, old secret.Text) (secret.Text, *sso.Live) {
	w.t.Helper()
	cookie, _, err := w.sso.Open(w.t.Context(), w.call(browser), w.tenant, sso.Proof{User: &u, AMR: []string{"pwd"}, ACR: "1"}, old)
	w.ok(err)
	return cookie, w.live(browser, cookie)
}

func (w *world) live(browser string, cookie secret.Text) *sso.Live {
	w.t.Helper()
	l, err := w.sso.Find(w.t.Context(), w.call(browser), w.tenant, cookie)
	w.ok(err)
	return &l
}

func (w *world) next(browser, id string, live *sso.Live) oauth.Step {
	w.t.Helper()
	step, err := w.s.Next(w.t.Context(), w.call(browser), w.tenant, id, live)
	w.ok(err)
	return step
}

// answered wants a reply and gives its parameters as "name=value".
func (w *world) replied(step oauth.Step, param string) string {
	w.t.Helper()
	if step.Kind != oauth.StepReply || step.Reply == nil {
		w.t.Fatalf("next is %s, want a reply", step.Kind)
	}
	if step.Reply.Params.Get("iss") != issuer || step.Reply.Params.Get("state") != step.Request.Params.State {
		w.t.Fatalf("a reply without iss or state: %v", step.Reply.Params)
	}
	return step.Reply.Params.Get(param)
}

func (w *world) wants(step oauth.Step, kind oauth.StepKind) {
	w.t.Helper()
	if step.Kind != kind {
		w.t.Fatalf("next is %s, want %s (reply %v)", step.Kind, kind, step.Reply)
	}
}

func refusedFor(t testing.TB, err error, reason fault.Reason) {
	t.Helper()
	if fault.ReasonOf(err) != reason {
		t.Fatalf("refused with %v, want %s", err, reason)
	}
}

func isRedirect(err error) (*oauth.RedirectError, bool) {
	var back *oauth.RedirectError
	return back, errors.As(err, &back)
}

func browserOf(i int) string { return fmt.Sprintf("browser %d", i) }
