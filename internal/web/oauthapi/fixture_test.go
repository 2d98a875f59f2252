package oauthapi

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/ephemeral"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
	"github.com/gatehouse-auth/gatehouse/internal/user"
	"github.com/gatehouse-auth/gatehouse/internal/web"
	"github.com/gatehouse-auth/gatehouse/internal/web/view"
)

var noon = time.Date(2035, 6, 1, 12, 0, 0, 0, time.UTC)

const (
	issuer    = "https://login.example.com"
	callback  = "https://app.example.com/callback"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// world is the face on real rooms and a real store.
type world struct {
	t      testing.TB
	hall   *web.Hall
	store  *sqlstore.Store
	sso    *sso.Service
	tenant *tenant.Tenant
	ada    user.User
}

// byName takes a client at its word when it shows the right secret; authentication proper is another half's.
type byName struct{ d *tenant.Directory }

func (b byName) Authenticate(_ context.Context, _ *audit.Call, t *tenant.Tenant, cred oauth.Credentials) (*tenant.Client, bool, error) {
	c := b.d.Client(t.ID, cred.ClientID)
	proved := c != nil && len(c.SecretHash) > 0 && string(secret.Hash(cred.Secret.Reveal())) == string(c.SecretHash)
	if c == nil || cred.Several || !proved && (!c.Public() || !cred.Secret.IsZero()) {
		return nil, false, fault.New(fault.Unauthenticated, fault.ReasonOAuthClient, "the client is not authenticated")
	}
	return c, proved, nil
}

// unlimited lets one machine ask as often as a test likes.
var unlimited = tenant.Policy{Limits: tenant.Limits{AuthorizeNetwork: "off", PARNetwork: "off", PARClient: "off"}}

func onSQLite(t testing.TB) *world { return newWorld(t, testbed.OpenSQLite(t).Store) }

func newWorld(t testing.TB, store *sqlstore.Store) *world {
	t.Helper()
	w := &world{t: t, store: store, tenant: &tenant.Tenant{ID: secret.NewID(noon), Slug: "main", Name: "Main", Issuer: issuer, Test: true, Policy: unlimited}}
	settings := tenant.ClientSettings{RedirectURIs: []string{callback, "https://app.example.com/with?a=1", "http://127.0.0.1/cb", "com.example.app:/cb"}}
	settings.OAuth.PostLogoutRedirectURIs = []string{"https://app.example.com/bye"}
	third := settings
	third.OAuth.Consent, third.OAuth.Resources = "once", []string{"https://a.example.com", "https://b.example.com"}
	third.AllowedOrigins = []string{"https://spa.example.com"}
	w.ok(store.Tenants().Put(t.Context(), []tenant.Tenant{*w.tenant}, []tenant.Client{
		{TenantID: w.tenant.ID, ID: "app", SecretHash: secret.Hash("s3cret"), Settings: settings},
		{TenantID: w.tenant.ID, ID: "third", Settings: third},
	}, audit.Record{}))
	dir := tenant.NewDirectory(store.Tenants(), func() time.Time { return noon })
	w.ok(dir.Refresh(t.Context()))
	w.sso = sso.New(store.SignOns(), sso.Config{})
	rooms := oauth.New(oauth.Config{
		Requests: store.OAuthRequests(), Codes: store.OAuthCodes(), SignOns: w.sso, Directory: dir, Recorder: store.Sessions(), Log: slog.New(slog.DiscardHandler),
		Back: oauth.Back{Limits: ephemeral.NewMemory(), Users: store.Users()},
	})
	api, err := New(Config{Front: rooms, SignOns: w.sso, Clients: byName{dir}})
	w.ok(err)
	w.hall, err = web.New(web.Config{
		Directory: dir, Now: func() time.Time { return noon }, Log: slog.New(slog.DiscardHandler), TLS: true, ErrorPage: view.ErrorPage,
	})
	w.ok(err)
	w.ok(w.hall.Mount(api.Routes()))
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

// browser keeps cookies, asks for pages, and follows nothing by itself.
type browser struct {
	w       *world
	cookies map[string]string
	header  map[string]string
}

func (w *world) browser() *browser {
	return &browser{w: w, cookies: map[string]string{}, header: map[string]string{"Accept": "text/html"}}
}

// signedOn is a browser with a live sign-on session.
func (w *world) signedOn() *browser {
	w.t.Helper()
	call := &audit.Call{At: noon, TenantID: w.tenant.ID}
	cookie, _, err := w.sso.Open(w.t.Context(), call, w.tenant, sso.Proof{User: &w.ada, AMR: []string{"pwd"}}, secret.Text{})
	w.ok(err)
	b := w.browser()
	b.cookies[web.SSOCookie] = cookie.Reveal()
	return b
}

func (b *browser) with(name, value string) *browser {
	c := &browser{w: b.w, cookies: b.cookies, header: map[string]string{}}
	for k, v := range b.header {
		c.header[k] = v
	}
	c.header[name] = value
	return c
}

type answer struct {
	status int
	to     *url.URL // Location
	header http.Header
	body   string
}

func (a answer) query(name string) string {
	if a.to == nil {
		return ""
	}
	return a.to.Query().Get(name)
}

// field is a text of a JSON answer.
func (a answer) field(name string) string {
	var m map[string]any
	_ = json.Unmarshal([]byte(a.body), &m)
	s, _ := m[name].(string)
	return s
}

func (b *browser) do(method, target string, form url.Values) answer {
	b.w.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequest(method, "https://login.example.com/", body)
	r.URL.Path, r.URL.RawQuery, _ = strings.Cut(target, "?")
	r.Host = "login.example.com"
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range b.header {
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Set(name, value)
	}
	r.URL.RawQuery = strings.TrimPrefix(r.URL.RawQuery, "?")
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	rec := httptest.NewRecorder()
	b.w.hall.ServeHTTP(rec, r)
	res := rec.Result()
	for _, c := range res.Cookies() {
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	a := answer{status: res.StatusCode, header: res.Header, body: rec.Body.String()}
	if l := res.Header.Get("Location"); l != "" {
		to, err := url.Parse(l)
		b.w.ok(err)
		a.to = to
	}
	return a
}

func (b *browser) get(target string) answer {
	b.w.t.Helper()
	return b.do(http.MethodGet, target, nil)
}

// good is an authorization request as it should be.
func good() url.Values {
	return url.Values{
		"client_id": {"app"}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid email"}, "state": {"x y&z"}, "nonce": {"n"},
		"code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}
}

func with(pairs ...string) url.Values {
	v := good()
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			v.Del(pairs[i])
		}
	}
	return v
}

func ask(v url.Values) string { return "/oauth2/authorize?" + v.Encode() }
