package oauthapi

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/ephemeral"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
	"github.com/gatehouse-auth/gatehouse/internal/token"
	"github.com/gatehouse-auth/gatehouse/internal/user"
	"github.com/gatehouse-auth/gatehouse/internal/web"
	"github.com/gatehouse-auth/gatehouse/internal/web/view"
)

const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

// backWorld is the whole face, both halves, on real rooms.
type backWorld struct {
	*world
	dir   *tenant.Directory
	rooms *oauth.Service
	now   *time.Time
}

// anyPassword proves ada by the password "right".
type anyPassword struct{ u *user.User }

func (p anyPassword) ProvePassword(_ context.Context, call *audit.Call, _ *tenant.Tenant, _ *tenant.Client, _ string, pw secret.Text) (oauth.Person, error) {
	if pw.Reveal() != "right" {
		return oauth.Person{}, missing()
	}
	return oauth.Person{User: p.u, AuthTime: call.At, AMR: []string{"pwd"}}, nil
}

var everyGrant = []string{
	tenant.GrantCode, tenant.GrantRefresh, tenant.GrantClientCredentials, tenant.GrantDevice, tenant.GrantExchange, tenant.GrantPassword,
}

func newBack(t testing.TB) *backWorld {
	t.Helper()
	store := testbed.OpenSQLite(t).Store
	w := &backWorld{world: newWorld(t, store)}
	ctx := t.Context()
	w.tenant.Policy.OAuth.Registration = true
	settings := tenant.ClientSettings{RedirectURIs: []string{callback}, AllowedOrigins: []string{"https://spa.example.com"}}
	settings.OAuth.GrantTypes, settings.OAuth.Scopes = everyGrant, []string{"orders"}
	public := settings
	public.OAuth.GrantTypes = []string{tenant.GrantCode, tenant.GrantRefresh, tenant.GrantDevice}
	w.ok(store.Tenants().Put(ctx, []tenant.Tenant{
		*w.tenant, {ID: secret.NewID(noon), Slug: "second", Name: "Second", Issuer: issuer + "/t/second", Test: true},
	}, []tenant.Client{
		{TenantID: w.tenant.ID, ID: "all", SecretHash: secret.Hash("s3 cr:t"), Settings: settings},
		{TenantID: w.tenant.ID, ID: "spa", Settings: public},
	}, audit.Record{}))
	now := noon
	w.now = &now
	clock := func() time.Time { return *w.now }
	w.dir = tenant.NewDirectory(store.Tenants(), func() time.Time { return noon })
	w.ok(w.dir.Refresh(ctx))
	w.tenant = w.dir.ByID(w.tenant.ID)
	quiet := slog.New(slog.DiscardHandler)
	var keys []secret.RingKey
	for i, p := range []secret.Purpose{secret.PurposeSeal, secret.PurposeMAC, secret.PurposePepper} {
		keys = append(keys, secret.RingKey{ID: uint32(i + 1), Purpose: p, Key: secret.Bytes(32), Active: true})
	}
	ring := secret.NewRing(keys...)
	tokens := token.New(store.Keys(), ring, w.dir, token.Config{Now: func() time.Time { return noon }, Holder: testbed.SameKeys{}, Log: quiet})
	running, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { tokens.Run(running); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	w.rooms = oauth.New(oauth.Config{
		Requests: store.OAuthRequests(), Codes: store.OAuthCodes(), SignOns: w.sso, Directory: w.dir, Recorder: store.Sessions(), Log: quiet, Tokens: tokens,
		ACRs: login.ACRs(),
		Back: oauth.Back{
			Devices: store.OAuthDevices(), Opaques: store.OAuthOpaques(), Registrations: store.OAuthRegistrations(), Users: store.Users(),
			Sessions: session.New(store.Sessions(), tokens, ring, session.Config{Log: quiet}), Signer: tokens, Values: ephemeral.NewMemory(),
			Limits: ephemeral.NewMemory(), Passwords: anyPassword{&w.ada}, Ring: ring, Changed: w.dir.Refresh,
		},
	})
	api, err := New(Config{
		Front: w.rooms, SignOns: w.sso, Clients: w.rooms, Back: w.rooms, Registrar: w.rooms, Keys: tokens, Tenants: w.dir,
	})
	w.ok(err)
	w.hall, err = web.New(web.Config{Directory: w.dir, Now: clock, Log: quiet, TLS: true, ErrorPage: view.ErrorPage})
	w.ok(err)
	w.ok(w.hall.Mount(api.Routes()))
	return w
}

// heard is what an endpoint said.
type heard struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

func (a heard) code() string { s, _ := a.body["error"].(string); return s }
func (a heard) text(name string) string {
	s, _ := a.body[name].(string)
	return s
}

// do sends a request as it is.
func (w *backWorld) do(method, path, body string, header map[string]string) heard {
	r := httptest.NewRequest(method, issuer+path, strings.NewReader(body))
	for name, value := range header {
		r.Header.Set(name, value)
	}
	rec := httptest.NewRecorder()
	w.hall.ServeHTTP(rec, r)
	raw, _ := io.ReadAll(rec.Result().Body) // from memory
	a := heard{status: rec.Code, header: rec.Result().Header, raw: string(raw)}
	_ = json.Unmarshal(raw, &a.body)
	return a
}

const formType = "application/x-www-form-urlencoded"

func basicOf(id, text string) string {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(text))
	return r.Header.Get("Authorization")
}

// post is a form of the client "all", by Basic.
func (w *backWorld) post(path string, form url.Values) heard {
	w.t.Helper()
	return w.do(http.MethodPost, path, form.Encode(), map[string]string{"Content-Type": formType, "Authorization": basicOf("all", "s3 cr:t")})
}

// code is one for the client.
func (w *backWorld) code(client string, scope string) url.Values {
	w.t.Helper()
	call := &audit.Call{At: *w.now, Wall: *w.now, TenantID: w.tenant.ID, Browser: "b", Face: owner}
	_, s, err := w.sso.Open(w.t.Context(), call, w.tenant, sso.Proof{User: &w.ada, AMR: []string{"pwd"}, ACR: login.ACROneFactor}, secret.Text{})
	w.ok(err)
	live := &sso.Live{Session: s, User: w.ada}
	r, err := w.rooms.Begin(w.t.Context(), call, w.tenant, oauth.Params{
		ClientID: client, RedirectURI: callback, ResponseType: "code", Scope: strings.Fields(scope), CodeChallenge: challenge, CodeChallengeMethod: "S256",
	})
	w.ok(err)
	step, err := w.rooms.Next(w.t.Context(), call, w.tenant, r.ID, live)
	w.ok(err)
	if step.Reply == nil {
		w.t.Fatalf("next is %s", step.Kind)
	}
	return url.Values{
		"grant_type": {"authorization_code"}, "code": {step.Reply.Params.Get("code")}, "redirect_uri": {callback}, "code_verifier": {verifier},
	}
}

// TestOneCredential: Basic beside empty form fields is one credential, and form-decoded; two methods are a malformed request.
func TestOneCredential(t *testing.T) {
	w := newBack(t)
	good := basicOf("all", "s3 cr:t")
	for name, c := range map[string]struct {
		auth, body, code string
		status           int
	}{
		"basic":                    {good, "", "", 200},
		"basic beside empty":       {good, "&client_id=&client_secret=", "", 200},
		"basic beside its name":    {good, "&client_id=all&client_secret=", "", 200},
		"basic beside another":     {good, "&client_id=spa", "invalid_request", 400},
		"basic beside secret":      {good, "&client_secret=s3+cr%3At", "invalid_request", 400},
		"basic beside assertion":   {good, "&client_assertion=x&client_assertion_type=y", "invalid_request", 400},
		"post":                     {"", "&client_id=all&client_secret=s3+cr%3At", "", 200},
		"post wrong":               {"", "&client_id=all&client_secret=x", "invalid_client", 401},
		"unknown":                  {"", "&client_id=nobody&client_secret=x", "invalid_client", 401},
		"none":                     {"", "", "invalid_client", 401},
		"confidential, named only": {"", "&client_id=all", "invalid_client", 401},
		"basic wrong":              {basicOf("all", "x"), "", "invalid_client", 401},
		"basic rubbish":            {"Basic !", "", "invalid_client", 401},
		"basic without colon":      {"Basic YWxs", "", "invalid_client", 401},
		"assertion rubbish":        {"", "&client_assertion=a.b.c&client_assertion_type=x", "invalid_client", 401},
		"secret twice":             {"", "&client_id=all&client_secret=a&client_secret=b", "invalid_request", 400},
	} {
		t.Run(name, func(t *testing.T) {
			h := map[string]string{"Content-Type": formType}
			if c.auth != "" {
				h["Authorization"] = c.auth
			}
			got := w.do(http.MethodPost, "/oauth2/token", "grant_type=client_credentials"+c.body, h)
			if got.status != c.status || got.code() != c.code {
				t.Fatalf("%d %s", got.status, got.raw)
			}
			if challenge := got.header.Get("Www-Authenticate"); (c.status == 401) != strings.HasPrefix(challenge, "Basic ") {
				t.Fatalf("challenge %q", challenge)
			}
			if got.header.Get("Cache-Control") != "no-store" || got.header.Get("Pragma") != "no-cache" {
				t.Fatalf("%v", got.header)
			}
		})
	}
}

// endpoints are every form endpoint with a request that it would take.
func (w *backWorld) endpoints() map[string]url.Values {
	return map[string]url.Values{
		"/oauth2/token":            {"grant_type": {"client_credentials"}, "scope": {"orders"}},
		"/oauth2/introspect":       {"token": {"x"}, "token_type_hint": {"access_token"}},
		"/oauth2/revoke":           {"token": {"x"}, "token_type_hint": {"access_token"}},
		"/oauth2/device_authorize": {"scope": {"openid"}},
	}
}

// parameters are all that mean something anywhere.
var parameters = strings.Fields(`grant_type code redirect_uri code_verifier refresh_token device_code scope resource audience subject_token
	subject_token_type actor_token actor_token_type requested_token_type username password client_id client_secret client_assertion
	client_assertion_type token token_type_hint access_token`)

var codes = strings.Fields(`invalid_request invalid_client invalid_grant unauthorized_client unsupported_grant_type invalid_scope invalid_target
	access_denied temporarily_unavailable authorization_pending slow_down expired_token invalid_token insufficient_scope invalid_redirect_uri
	invalid_client_metadata`)

// checkRefusal is what every refusal looks like: a code of the RFCs, never ours to blame, nothing of the request in it.
func checkRefusal(t *testing.T, got heard, planted string) {
	t.Helper()
	if got.status >= 500 {
		t.Fatalf("%d %s", got.status, got.raw)
	}
	if got.status >= 400 && !slices.Contains(codes, got.code()) {
		t.Fatalf("%d %s", got.status, got.raw)
	}
	if planted != "" && strings.Contains(got.raw, planted) {
		t.Fatalf("what was sent comes back: %s", got.raw)
	}
}

// TestEveryFormParameter: missing, doubled, oversized, of the wrong type, for every grant at every endpoint: an RFC's code, never 500.
func TestEveryFormParameter(t *testing.T) {
	w := newBack(t)
	const planted = "pl4nted-s3cret"
	wrong := map[string]string{
		"control": planted + "\x01\n", "nul": "a\x00b", "bytes": "\xff\xfe", "long": strings.Repeat("a", 60_000), "json": `{"a":["` + planted + `"]}`, "planted": planted,
	}
	for path, base := range w.endpoints() {
		grants := []string{""}
		if path == "/oauth2/token" {
			grants = append(everyGrant, "implicit")
		}
		for _, grant := range grants {
			for _, name := range parameters {
				form := url.Values{}
				for k, v := range base {
					form[k] = slices.Clone(v)
				}
				if grant != "" {
					form.Set("grant_type", grant)
				}
				for kind, value := range wrong {
					form[name] = []string{value}
					checkRefusal(t, w.post(path, form), planted)
					if kind == "long" {
						continue
					}
					form[name] = []string{value, value}
					got := w.post(path, form)
					checkRefusal(t, got, planted)
					if got.status == 200 && name != "audience" && name != "resource" {
						t.Fatalf("%s took %s twice", path, name)
					}
				}
				form.Del(name)
				checkRefusal(t, w.post(path, form), "")
			}
		}
		for _, kind := range []string{"", "application/json", "multipart/form-data", formType + "; charset=utf-16"} {
			got := w.do(http.MethodPost, path, base.Encode(), map[string]string{"Content-Type": kind, "Authorization": basicOf("all", "s3 cr:t")})
			checkRefusal(t, got, "")
			if got.status < 400 {
				t.Fatalf("%s took %q", path, kind)
			}
		}
		if got := w.do(http.MethodGet, path, "", nil); got.status != 405 {
			t.Fatalf("%s by GET: %d", path, got.status)
		}
	}
}

// FuzzToken: whatever strangers send to the token endpoint, it is refused in its dialect.
func FuzzToken(f *testing.F) {
	w := newBack(f)
	for _, g := range everyGrant {
		f.Add("grant_type="+url.QueryEscape(g)+"&code=x&refresh_token=gr_x&device_code=y&subject_token=z&username=a&password=b&scope=openid", "Basic YWxsOng=")
	}
	f.Add("client_assertion=e30.eyJzdWIiOiJhbGwifQ.x&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer&grant_type=client_credentials", "")
	f.Add("grant_type=%zz", basicOf("all", "s3 cr:t"))
	f.Fuzz(func(t *testing.T, body, auth string) {
		for _, path := range []string{"/oauth2/token", "/oauth2/introspect", "/oauth2/revoke", "/oauth2/device_authorize", "/oauth2/userinfo"} {
			checkRefusal(t, w.do(http.MethodPost, path, body, map[string]string{"Content-Type": formType, "Authorization": auth}), "")
		}
	})
}

// TestUserInfoFace: both methods, both places for the token, and the challenges of RFC 6750 section 3.
func TestUserInfoFace(t *testing.T) {
	w := newBack(t)
	got := w.post("/oauth2/token", w.code("all", "openid email"))
	access, id := got.text("access_token"), got.text("id_token")
	if got.status != 200 || id == "" || got.body["expires_in"] != 900.0 || got.text("token_type") != "Bearer" || got.text("scope") != "openid email" {
		t.Fatalf("%d %s", got.status, got.raw)
	}
	bearer := map[string]string{"Authorization": "Bearer " + access}
	form := map[string]string{"Content-Type": formType}
	for name, c := range map[string]struct {
		got       heard
		status    int
		challenge string
	}{
		"get":        {w.do(http.MethodGet, "/oauth2/userinfo", "", bearer), 200, ""},
		"post":       {w.do(http.MethodPost, "/oauth2/userinfo", "", bearer), 200, ""},
		"form":       {w.do(http.MethodPost, "/oauth2/userinfo", "access_token="+access, form), 200, ""},
		"query":      {w.do(http.MethodGet, "/oauth2/userinfo?access_token="+access, "", nil), 401, "Bearer"},
		"none":       {w.do(http.MethodGet, "/oauth2/userinfo", "", nil), 401, "Bearer"},
		"ID token":   {w.do(http.MethodGet, "/oauth2/userinfo", "", map[string]string{"Authorization": "Bearer " + id}), 401, `Bearer error="invalid_token"`},
		"rubbish":    {w.do(http.MethodGet, "/oauth2/userinfo", "", map[string]string{"Authorization": "Bearer x"}), 401, `Bearer error="invalid_token"`},
		"both ways":  {w.do(http.MethodPost, "/oauth2/userinfo", "access_token="+access, map[string]string{"Content-Type": formType, "Authorization": "Bearer " + access}), 400, ""},
		"by cookie":  {w.do(http.MethodGet, "/oauth2/userinfo", "", map[string]string{"Cookie": "access_token=" + access}), 401, "Bearer"},
		"by machine": {w.do(http.MethodGet, "/oauth2/userinfo", "", map[string]string{"Authorization": "Bearer " + w.post("/oauth2/token", url.Values{"grant_type": {"client_credentials"}}).text("access_token")}), 403, `Bearer error="insufficient_scope", scope="openid"`},
	} {
		if c.got.status != c.status || c.got.header.Get("Www-Authenticate") != c.challenge {
			t.Errorf("%s: %d %q %s", name, c.got.status, c.got.header.Get("Www-Authenticate"), c.got.raw)
		}
		if c.status == 200 && (c.got.text("sub") != w.ada.ID || c.got.text("email") != "ada@example.com") {
			t.Errorf("%s: %s", name, c.got.raw)
		}
	}
}

// TestBrowsers: an application on a listed origin may call the token endpoint, others may not read what it says.
func TestBrowsers(t *testing.T) {
	w := newBack(t)
	for origin, want := range map[string]string{"https://spa.example.com": "https://spa.example.com", "https://evil.example.com": ""} {
		form := w.code("spa", "openid")
		form.Set("client_id", "spa")
		got := w.do(http.MethodPost, "/oauth2/token", form.Encode(), map[string]string{"Content-Type": formType, "Origin": origin, "Sec-Fetch-Site": "cross-site"})
		if got.header.Get("Access-Control-Allow-Origin") != want {
			t.Fatalf("%s: %v", origin, got.header)
		}
	}
}

// TestIssuerByPath: a tenant below a path has its own document, in all three places, with its own addresses; a Host header changes nothing.
func TestIssuerByPath(t *testing.T) {
	w := newBack(t)
	for path, want := range map[string]string{
		"/.well-known/openid-configuration":                       issuer,
		"/.well-known/oauth-authorization-server":                 issuer,
		"/t/second/.well-known/openid-configuration":              issuer + "/t/second",
		"/t/second/.well-known/oauth-authorization-server":        issuer + "/t/second",
		"/.well-known/oauth-authorization-server/t/second":        issuer + "/t/second",
		"/.well-known/openid-configuration/t/second":              issuer + "/t/second",
		"/.well-known/oauth-authorization-server/t/third-unknown": "",
	} {
		got := w.do(http.MethodGet, path, "", map[string]string{"X-Forwarded-Host": "evil.example.com"})
		if got.text("issuer") != want || want != "" && got.text("token_endpoint") != want+"/oauth2/token" || strings.Contains(got.raw, "evil") {
			t.Errorf("%s: %d %s", path, got.status, got.raw)
		}
		if want != "" && got.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %v", path, got.header)
		}
	}
	if first, second := w.published("/oauth2/jwks"), w.published("/t/second/oauth2/jwks"); first.raw == second.raw {
		t.Fatal("two issuers, one key set")
	}
}

// published waits for the first key.
func (w *backWorld) published(path string) heard {
	w.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; {
		got := w.do(http.MethodGet, path, "", nil)
		if got.status == http.StatusOK {
			return got
		}
		if time.Now().After(end) {
			w.t.Fatalf("%s: %d %s", path, got.status, got.raw)
		}
		runtime.Gosched()
	}
}

// TestRegistrationFace: the wire of RFC 7591 and RFC 7592.
func TestRegistrationFace(t *testing.T) {
	w := newBack(t)
	initial, text := oauth.DrawInitial(w.tenant.ID, "ci", -1, noon, time.Time{})
	w.ok(w.store.OAuthRegistrations().AddInitial(w.t.Context(), initial, audit.Record{}))
	h := map[string]string{"Authorization": "Bearer " + text.Reveal(), "Content-Type": "application/json"}
	got := w.do(http.MethodPost, "/oauth2/clients", `{"redirect_uris": ["https://new.example.com/cb"], "client_name": "New", "software_id": "ignored"}`, h)
	if got.status != 201 || got.text("client_id") == "" || got.text("client_secret") == "" || got.body["client_secret_expires_at"] != 0.0 ||
		got.text("token_endpoint_auth_method") != "client_secret_basic" || !strings.HasPrefix(got.text("registration_client_uri"), issuer+"/oauth2/clients/") {
		t.Fatalf("%d %s", got.status, got.raw)
	}
	path := "/oauth2/clients/" + got.text("client_id")
	own := map[string]string{"Authorization": "Bearer " + got.text("registration_access_token"), "Content-Type": "application/json"}
	for _, c := range []struct {
		method, path, body string
		header             map[string]string
		status             int
		code               string
	}{
		{http.MethodPost, "/oauth2/clients", `{}`, nil, 401, "invalid_token"},
		{http.MethodPost, "/oauth2/clients", `{}`, h, 400, "invalid_redirect_uri"},
		{http.MethodPost, "/oauth2/clients", `{"redirect_uris": "x"}`, h, 400, "invalid_request"},
		{http.MethodPost, "/oauth2/clients", `{"redirect_uris": ["https://a.example.com"], "redirect_uris": []}`, h, 400, "invalid_request"},
		{http.MethodPost, "/oauth2/clients", `{"redirect_uris": ["https://a.example.com/"], "grant_types": ["password"]}`, h, 400, "invalid_client_metadata"},
		{http.MethodPost, "/oauth2/clients", `{`, h, 400, "invalid_request"},
		{http.MethodGet, path, "", h, 401, "invalid_token"},
		{http.MethodGet, path, "", own, 200, ""},
		{http.MethodPut, path, `{"client_id": "other", "redirect_uris": ["https://new.example.com/cb"]}`, own, 400, "invalid_request"},
		{http.MethodPut, path, `{"client_id": "` + got.text("client_id") + `", "redirect_uris": ["https://new.example.com/cb2"]}`, own, 200, ""},
		{http.MethodDelete, path, "", own, 204, ""},
		{http.MethodGet, path, "", own, 401, "invalid_token"},
	} {
		a := w.do(c.method, c.path, c.body, c.header)
		if a.status != c.status || a.code() != c.code {
			t.Fatalf("%s %s %s: %d %s", c.method, c.path, c.body, a.status, a.raw)
		}
	}
}

// FuzzRegister: whatever somebody says of their application, it is a client that may stand or it is refused in the dialect.
func FuzzRegister(f *testing.F) {
	w := newBack(f)
	initial, text := oauth.DrawInitial(w.tenant.ID, "fuzz", -1, noon, time.Time{})
	w.ok(w.store.OAuthRegistrations().AddInitial(f.Context(), initial, audit.Record{}))
	h := map[string]string{"Authorization": "Bearer " + text.Reveal(), "Content-Type": "application/json"}
	f.Add(`{"redirect_uris": ["https://new.example.com/cb"], "client_name": "New", "scope": "openid", "grant_types": ["refresh_token"]}`)
	f.Add(`{"redirect_uris": ["com.example.app:/cb"], "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [{"kty": "EC"}]}}`)
	f.Add(`{"redirect_uris": ["http://127.0.0.1"], "token_endpoint_auth_method": "none", "default_max_age": 1e9, "jwks_uri": "https://@/"}`)
	f.Fuzz(func(t *testing.T, body string) {
		w.t = t
		got := w.do(http.MethodPost, "/oauth2/clients", body, h)
		if got.status != http.StatusCreated {
			checkRefusal(t, got, "")
			return
		}
		c := w.dir.Client(w.tenant.ID, got.text("client_id"))
		if c == nil || len(c.Validate()) > 0 || c.Settings.OAuth.Consent != "once" || c.MayGrant(tenant.GrantClientCredentials) || c.MayGrant(tenant.GrantPassword) {
			t.Fatalf("%s made %+v", body, c)
		}
	})
}

// payload is the middle of a JWT.
func payload(raw string) []byte {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return nil
	}
	body, _ := base64.RawURLEncoding.DecodeString(parts[1])
	return body
}
