package web

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"
	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

func TestTenantAndClient(t *testing.T) {
	var got string
	h := newHall(t, nil, route("POST", "/x", func(x *Exchange) error {
		if err := x.Resolve(x.R.URL.Query().Get("body")); err != nil {
			return err
		}
		got = x.Tenant.Slug + "/" + x.Client.ID
		if x.Call.TenantID != x.Tenant.ID || x.Call.ClientID != x.Client.ID {
			t.Errorf("call: %+v", x.Call)
		}
		return nil
	}))
	const elsewhere = "auth.example.net"
	for _, c := range []struct{ path, host, header, body, want string }{
		{"/x", "", "", "", "main/web"},
		{"/x", "", "other", "", "main/other"},
		{"/x", "", "", "other", "main/other"},
		{"/x", "", "other", "other", "main/other"},
		{"/x", "", "web", "other", "400 unknown_client"},
		{"/x", "", "", "shop", "400 unknown_client"},
		{"/t/blue/x", "", "", "", "blue/shop"},
		{"/t/red/x", "", "", "", "400 unknown_client"},
		{"/t/red/x", "", "", "only-red", "red/only-red"},
		{"/t/none/x", "", "", "", "404 unknown_tenant"},
		{"/x", elsewhere, "", "only-red", "red/only-red"},
		{"/x", elsewhere, "only-red", "", "red/only-red"},
		{"/x", elsewhere, "", "shop", "404 unknown_tenant"}, // two tenants have it
		{"/x", elsewhere, "", "", "404 unknown_tenant"},
		{"/x", elsewhere, "", "nobody", "404 unknown_tenant"},
	} {
		got = ""
		hs := header{}
		if c.host != "" {
			hs["Host"] = c.host
		}
		if c.header != "" {
			hs["X-Client-Id"] = c.header
		}
		r := serve(h, request("POST", c.path+"?body="+c.body, "", hs))
		if r.StatusCode != 200 {
			var p Problem
			_ = json.Unmarshal([]byte(text(t, r)), &p)
			got = r.Status[:3] + " " + p.Reason
		}
		if got != c.want {
			t.Errorf("%+v: got %s", c, got)
		}
	}
}

func TestOnlyTenantNeedsNoName(t *testing.T) {
	h := newHall(t, func(s *setup) {
		s.snap.Tenants = s.snap.Tenants[1:2]
		s.snap.Clients = s.snap.Clients[2:3]
	}, route("GET", "/x", func(x *Exchange) error {
		if err := x.Resolve(""); err != nil {
			return err
		}
		if x.cookieName(AccessCookie) != "access_token" {
			t.Error("the only tenant's cookies have a suffix")
		}
		return x.NoContent()
	}))
	for _, path := range []string{"/x", "/t/blue/x"} {
		if r := serve(h, request("GET", path, "", header{"Host": "auth.example.net"})); r.StatusCode != 204 {
			t.Errorf("%s: %s", path, text(t, r))
		}
	}
}

type sample struct {
	Password string         `json:"password"`
	Count    int            `json:"count"`
	Deep     map[string]any `json:"deep"`
	List     []string       `json:"list"`
}

func decoding(t testing.TB) *Hall {
	return newHall(t, nil, route("POST", "/x", func(x *Exchange) error {
		var in sample
		if err := Decode(x, &in); err != nil {
			return err
		}
		return x.JSON(200, in.Password)
	}))
}

// TestBadBodies sends every kind of rubbish with a secret in it; no answer repeats the secret.
func TestBadBodies(t *testing.T) {
	h := decoding(t)
	const pw = "hunter2-hunter2"
	quoted := `"` + pw + `"`
	const js = "application/json"
	for _, c := range []struct {
		name, kind, body string
		status           int
		reason, field    string
	}{
		{"good", js, `{"password":` + quoted + `,"other":[1]}`, 200, "", ""},
		{"charset", "application/json; charset=UTF-8", `{}`, 200, "", ""},
		{"latin", "application/json; charset=latin1", `{"password":` + quoted + `}`, 415, "unsupported_media_type", ""},
		{"form", "application/x-www-form-urlencoded", "password=" + pw, 415, "unsupported_media_type", ""},
		{"text", "text/plain", `{"password":` + quoted + `}`, 415, "unsupported_media_type", ""},
		{"none", "", `{"password":` + quoted + `}`, 415, "unsupported_media_type", ""},
		{"odd", "application/json;;", `{"password":` + quoted + `}`, 415, "unsupported_media_type", ""},
		{"empty", js, "", 400, "malformed_request", ""},
		{"large", js, `{"password":"` + strings.Repeat(pw, 5000) + `"}`, 413, "request_too_large", ""},
		{"number", js, `{"password":17}`, 400, "invalid_field", "password"},
		{"text for number", js, `{"count":` + quoted + `}`, 400, "invalid_field", "count"},
		{"too big", js, `{"count":1e99,"password":` + quoted + `}`, 400, "invalid_field", "count"},
		{"object", js, `{"password":{"x":` + quoted + `}}`, 400, "invalid_field", "password"},
		{"NUL", js, `{"password":"` + pw + `\u0000"}`, 400, "malformed_request", "password"},
		{"raw NUL", js, `{"password":"` + pw + "\x00\"}", 400, "malformed_request", "password"},
		{"UTF-8", js, `{"password":"` + pw + "\xff\"}", 400, "malformed_request", "password"},
		{"twice", js, `{"password":"a","password":` + quoted + `}`, 400, "malformed_request", "password"},
		{"twice unknown", js, `{"` + pw + `":1,"` + pw + `":2}`, 400, "malformed_request", "*"},
		{"trailing", js, `{"password":"a"}{"password":` + quoted + `}`, 400, "malformed_request", ""},
		{"deep", js, `{"deep":` + strings.Repeat(`{"a":`, 200) + quoted + strings.Repeat("}", 201), 400, "malformed_request", "-"},
		{"array", js, `[` + quoted + `]`, 400, "malformed_request", ""},
		{"null", js, `null`, 400, "malformed_request", ""},
		{"string", js, quoted, 400, "malformed_request", ""},
		{"cut", js, `{"password":"` + pw, 400, "malformed_request", "password"},
	} {
		hs := header{}
		if c.kind != "" {
			hs["Content-Type"] = c.kind
		}
		r := serve(h, request("POST", "/x", c.body, hs))
		if c.status == 200 {
			if r.StatusCode != 200 {
				t.Errorf("%s: %s", c.name, text(t, r))
			}
			continue
		}
		body := refused(t, r, c.status, c.reason)
		if strings.Contains(body, "hunter2") {
			t.Errorf("%s: the secret came back: %s", c.name, body)
		}
		var p Problem
		_ = json.Unmarshal([]byte(body), &p)
		field := ""
		if len(p.Errors) > 0 {
			field = p.Errors[0].Name
		}
		if c.field != "-" && field != c.field {
			t.Errorf("%s: field %q: %s", c.name, field, body)
		}
	}
}

func TestStatuses(t *testing.T) {
	var give error
	h := newHall(t, nil,
		Route{Owner: "test", Method: "GET", Pattern: "/x", Bearer: true, Handle: func(*Exchange) error { return give }},
		Route{Owner: "test", Method: "GET", Pattern: "/y", Handle: func(*Exchange) error { return give }})
	const safe = "a safe sentence"
	for kind, status := range statuses {
		give = fault.Wrap(kind, "some_reason", safe, errors.New("the inner cause")).
			WithFields(fault.Field{Name: "f", Message: "m"}).After(1500 * time.Millisecond)
		r := serve(h, request("GET", "/x", "", nil))
		body := refused(t, r, status, "some_reason")
		if strings.Contains(body, "inner") || strings.Contains(body, safe) != (status < 500) || strings.Contains(body, "detail") != (status < 500) {
			t.Errorf("%d: %s", status, body)
		}
		want := ""
		if status == 429 || status == 503 {
			want = "2"
		}
		if got := r.Header.Get("Retry-After"); got != want {
			t.Errorf("%d: Retry-After %q", status, got)
		}
		want = ""
		if status == 401 {
			want = `Bearer error="invalid_token", error_description="some_reason"`
		}
		if got := r.Header.Get("WWW-Authenticate"); got != want {
			t.Errorf("%d: WWW-Authenticate %q", status, got)
		}
		if got := serve(h, request("GET", "/y", "", nil)).Header.Get("WWW-Authenticate"); got != "" {
			t.Errorf("%d: WWW-Authenticate %q on a call without bearer", status, got)
		}
	}
	give = errors.New("a foreign error")
	if body := refused(t, serve(h, request("GET", "/x", "", nil)), 500, "internal_error"); strings.Contains(body, "foreign") {
		t.Error(body)
	}
	give = fault.New(fault.Unauthenticated, fault.ReasonMissingToken, "m")
	if got := serve(h, request("GET", "/x", "", nil)).Header.Get("WWW-Authenticate"); got != "Bearer" {
		t.Error(got)
	}
	give = fault.New(fault.Limited, fault.ReasonLimited, "m")
	if got := serve(h, request("GET", "/x", "", nil)).Header.Get("Retry-After"); got != "1" {
		t.Error(got)
	}
}

func TestCookieAttributes(t *testing.T) {
	var policy tenant.Cookies
	set := func(x *Exchange) error {
		x.Tenant = &tenant.Tenant{ID: x.Tenant.ID, Slug: x.Tenant.Slug, Issuer: x.Tenant.Issuer, Policy: tenant.Policy{Cookies: policy}}
		if err := x.SetTokens(secret.NewText("aaa"), secret.NewText("rrr"), 900*time.Second+time.Millisecond, time.Hour); err != nil {
			return err
		}
		return x.ClearTokens()
	}
	h := newHall(t, func(s *setup) { s.snap.Tenants = s.snap.Tenants[:1] }, route("POST", "/x", set))
	many := newHall(t, nil, route("POST", "/x", func(x *Exchange) error {
		return errors.Join(x.EnsureBrowser(), x.SetDevice(secret.NewText("ddd")),
			x.SetTokens(secret.NewText("aaa"), secret.NewText("rrr"), time.Minute, time.Hour))
	}))
	for _, c := range []struct {
		policy tenant.Cookies
		want   []string
	}{
		{tenant.Cookies{}, []string{
			"access_token=aaa; Path=/; Max-Age=900; HttpOnly; Secure; SameSite=Lax",
			"refresh_token=rrr; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax",
			"access_token=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
			"refresh_token=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		}},
		{tenant.Cookies{AccessName: "at", RefreshName: "rt", Prefix: "__Secure-", Domain: "example.com", SameSite: "Strict", RefreshPath: "/jwt"}, []string{
			"__Secure-at=aaa; Path=/; Domain=example.com; Max-Age=900; HttpOnly; Secure; SameSite=Strict",
			"__Secure-rt=rrr; Path=/jwt; Domain=example.com; Max-Age=3600; HttpOnly; Secure; SameSite=Strict",
			"__Secure-at=; Path=/; Domain=example.com; Max-Age=0; HttpOnly; Secure; SameSite=Strict",
			"__Secure-rt=; Path=/jwt; Domain=example.com; Max-Age=0; HttpOnly; Secure; SameSite=Strict",
		}},
		{tenant.Cookies{Prefix: "__Host-", Domain: "example.com", SameSite: "none", RefreshPath: "/jwt"}, []string{
			"__Host-access_token=aaa; Path=/; Max-Age=900; HttpOnly; Secure; SameSite=None",
			"__Host-refresh_token=rrr; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=None",
			"__Host-access_token=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=None",
			"__Host-refresh_token=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=None",
		}},
	} {
		policy = c.policy
		r := serve(h, request("POST", "/x", "", nil))
		if d := cmp.Diff(c.want, r.Header["Set-Cookie"]); d != "" {
			t.Error(d)
		}
	}
	for path, suffix := range map[string]string{"/x": "", "/t/main/x": "", "/t/blue/x": "_blue"} {
		r := serve(many, request("POST", path, "", nil))
		var names []string
		for _, c := range r.Cookies() {
			names = append(names, c.Name)
			if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.MaxAge <= 0 {
				t.Errorf("%s: %s", path, c.Raw)
			}
		}
		want := []string{"__Host-gh_browser" + suffix, "__Host-gh_device" + suffix, "access_token" + suffix, "refresh_token" + suffix}
		if d := cmp.Diff(want, names); d != "" {
			t.Errorf("%s: %s", path, d)
		}
	}
}

// TestCookieNamesWhileTheDirectoryMoves: a tenant is changed, or another one added, between the moment a call's cookies are read and the
// moment new ones are set. Both go by the same names; a browser would else keep the spent refresh token and never see its successor.
func TestCookieNamesWhileTheDirectoryMoves(t *testing.T) {
	all := snapshot().Tenants
	for name, c := range map[string]struct {
		before, after []tenant.Tenant
		path, want    string
	}{
		"own host":            {all, all, "/x", "access_token refresh_token"},
		"own host, alone":     {all[:1], all[:1], "/x", "access_token refresh_token"},
		"alone":               {all[1:2], all[1:2], "/x", "access_token refresh_token"},
		"alone, by path":      {all[1:2], all[1:2], "/t/blue/x", "access_token refresh_token"},
		"alone no longer":     {all[1:2], all[1:], "/x", "access_token refresh_token"},
		"beside others":       {all, all, "/t/blue/x", "access_token_blue refresh_token_blue"},
		"the others are gone": {all, all[1:2], "/t/blue/x", "access_token_blue refresh_token_blue"},
	} {
		store := &fixed{s: tenant.Snapshot{Version: 1, Tenants: c.before}}
		d := tenant.NewDirectory(store, func() time.Time { return noon })
		if err := d.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		h, err := New(Config{Directory: d, Now: d.Now, TLS: true, Log: slog.New(slog.DiscardHandler), PublicHosts: []string{"auth.example.net"}})
		if err != nil {
			t.Fatal(err)
		}
		err = h.Mount([]Route{route("POST", "/x", func(x *Exchange) error {
			store.s = tenant.Snapshot{Version: 2, Tenants: slices.Clone(c.after)}
			if err := d.Refresh(t.Context()); err != nil || d.Version() != 2 {
				t.Error(err)
			}
			return x.SetTokens(secret.NewText("aaa"), secret.NewText("rrr"), time.Minute, time.Hour)
		})})
		if err != nil {
			t.Fatal(err)
		}
		host := "login.example.com"
		if c.before[0].ID != "t-main" {
			host = "auth.example.net"
		}
		var names []string
		for _, k := range serve(h, request("POST", c.path, "", header{"Host": host})).Cookies() {
			names = append(names, k.Name)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%s: cookies %q, want %q", name, got, c.want)
		}
	}
}

func TestTokensOfACall(t *testing.T) {
	var got string
	h := newHall(t, nil, Route{Owner: "test", Method: "POST", Pattern: "/x", SelfGuard: true, Handle: func(x *Exchange) error {
		a, ac := x.Token()
		r, rc := x.Refresh(x.R.URL.Query().Get("body"))
		got = a.Reveal() + mark(ac) + " " + r.Reveal() + mark(rc)
		return nil
	}})
	const cookies = "access_token=ca; refresh_token=cr"
	for _, c := range []struct {
		hs         header
		body, want string
	}{
		{header{}, "", " "},
		{header{"Cookie": cookies}, "", "ca+ cr+"},
		{header{"Cookie": cookies, "Authorization": "Bearer ha", "X-Refresh-Token": "hr"}, "br", "ha hr"},
		{header{"Cookie": cookies, "Authorization": "bearer ha"}, "br", "ha br"},
		{header{"Cookie": cookies, "Authorization": "DPoP  ha "}, "", "ha cr+"},
		{header{"Cookie": cookies, "Authorization": "Bearer"}, "", " cr+"}, // explicit and empty is still explicit
		{header{"Cookie": cookies, "Authorization": "Basic dTpw"}, "", "ca+ cr+"},
		{header{"Cookie": "access_token=" + strings.Repeat("a", maxCookie+1)}, "", " "},
		{header{"Cookie": cookies, "Origin": "https://evil.example.org"}, "", " "}, // a foreign page's cookies are not read
		{header{"Cookie": cookies, "Origin": listed}, "", "ca+ cr+"},
	} {
		got = "?"
		if r := serve(h, request("POST", "/x?body="+c.body, "", c.hs)); r.StatusCode != 200 || got != c.want {
			t.Errorf("%+v: %d %q, want %q", c.hs, r.StatusCode, got, c.want)
		}
	}
	r := request("POST", "/x", "", header{"Authorization": "Bearer a"})
	r.Header.Add("Authorization", "Bearer b")
	refused(t, serve(h, r), 400, "malformed_request")
}

func mark(b bool) string {
	if b {
		return "+"
	}
	return ""
}

func TestCrossOrigin(t *testing.T) {
	resolve := func(x *Exchange) error {
		if err := x.Resolve(x.R.URL.Query().Get("client")); err != nil {
			return err
		}
		return x.EnsureBrowser()
	}
	h := newHall(t, nil, route("POST", "/x", resolve), route("PATCH", "/x", resolve), route("DELETE", "/x", resolve), route("GET", "/x", resolve))
	for _, c := range []struct {
		name string
		hs   header
		q    string
		ok   bool
	}{
		{"no browser", header{}, "", true},
		{"same origin", header{"Sec-Fetch-Site": "same-origin", "Origin": "https://login.example.com"}, "", true},
		{"same origin, hidden referrer", header{"Sec-Fetch-Site": "same-origin", "Origin": "null"}, "", true},
		{"old browser, same origin", header{"Origin": "https://login.example.com"}, "", true},
		{"listed", header{"Sec-Fetch-Site": "cross-site", "Origin": listed}, "", true},
		{"listed, other client", header{"Sec-Fetch-Site": "cross-site", "Origin": listed}, "other", false},
		{"not quite listed", header{"Sec-Fetch-Site": "cross-site", "Origin": listed + ":443"}, "", false},
		{"plain form of listed", header{"Origin": "http://app.example.com"}, "", false},
		{"sibling", header{"Sec-Fetch-Site": "same-site", "Origin": "https://blog.example.com"}, "", false},
		{"foreign", header{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example.org"}, "", false},
		{"old browser, foreign", header{"Origin": "https://evil.example.org"}, "", false},
		{"sandboxed", header{"Origin": "null"}, "", false},
		{"sandboxed, listed by mistake", header{"Origin": "null"}, "other", false},
		{"no origin but cross-site", header{"Sec-Fetch-Site": "cross-site"}, "", false},
	} {
		for _, method := range []string{"POST", "PATCH", "DELETE", "GET"} {
			r := serve(h, request(method, "/x?client="+c.q, "", c.hs))
			if want := c.ok || method == "GET"; (r.StatusCode == 200) != want {
				t.Errorf("%s %s: %d", method, c.name, r.StatusCode)
			} else if !want {
				refused(t, r, 403, "cross_origin")
				if len(r.Cookies()) != 0 {
					t.Errorf("%s %s: a cookie was set", method, c.name)
				}
			}
		}
	}
}

func TestCORS(t *testing.T) {
	h := newHall(t, nil, route("POST", "/x", func(x *Exchange) error {
		if err := x.Resolve(x.R.URL.Query().Get("client")); err != nil {
			return err
		}
		return x.NoContent()
	}), Route{Owner: "test", Method: "GET", Pattern: "/public", Public: true, Handle: nothing})
	pre := func(origin string) *http.Response {
		return serve(h, request("OPTIONS", "/x", "", header{"Origin": origin, "Access-Control-Request-Method": "POST"}))
	}
	r := pre(listed)
	for k, want := range map[string]string{
		"Access-Control-Allow-Origin": listed, "Access-Control-Allow-Credentials": "true", "Access-Control-Allow-Methods": "OPTIONS, POST",
		"Access-Control-Allow-Headers": corsHeaders, "Access-Control-Max-Age": "600", "Vary": "Origin",
	} {
		if got := r.Header.Get(k); got != want {
			t.Errorf("%s: %q", k, got)
		}
	}
	for _, origin := range []string{"https://evil.example.org", "null", "", listed + "/", "HTTPS://APP.EXAMPLE.COM"} {
		r := pre(origin)
		if r.StatusCode != 204 || r.Header.Get("Access-Control-Allow-Origin") != "" || r.Header.Get("Access-Control-Allow-Methods") != "" {
			t.Errorf("%q: %d %v", origin, r.StatusCode, r.Header)
		}
	}
	r = serve(h, request("POST", "/x", "", header{"Origin": listed}))
	if r.StatusCode != 204 || r.Header.Get("Access-Control-Allow-Origin") != listed || r.Header.Get("Vary") != "Origin" {
		t.Errorf("%d %v", r.StatusCode, r.Header)
	}
	r = serve(h, request("POST", "/x?client=other", "", header{"Origin": listed}))
	if r.StatusCode != 403 || r.Header.Get("Access-Control-Allow-Origin") != "" || r.Header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("another client's list was used: %d %v", r.StatusCode, r.Header)
	}
	r = serve(h, request("GET", "/public", "", header{"Origin": "https://evil.example.org"}))
	if r.Header.Get("Access-Control-Allow-Origin") != "*" || r.Header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("%v", r.Header)
	}
}

func TestPages(t *testing.T) {
	page := func(x *Exchange) error {
		x.FormTo("https://app.example.com")
		return x.HTML(200, templ.Raw("<p>"+x.Nonce()+"</p>"))
	}
	h := newHall(t, func(s *setup) {
		s.cfg.ErrorPage = func(x *Exchange, status int, e *fault.Error) templ.Component {
			return templ.Raw("<p>" + string(e.Reason) + "</p>")
		}
	}, Route{Owner: "test", Method: "GET", Pattern: "/p", Browser: true, Handle: page},
		Route{Owner: "test", Method: "GET", Pattern: "/bad", Browser: true, Handle: func(*Exchange) error {
			return fault.New(fault.Gone, fault.ReasonGone, "gone")
		}})
	r := serve(h, request("GET", "/p", "", nil))
	content := func(r *http.Response) string {
		return strings.TrimSuffix(strings.TrimPrefix(text(t, r), "<p>"), "</p>")
	}
	nonce := content(r)
	want := map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'nonce-" + nonce + "'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
			"connect-src 'self'; form-action 'self' https://app.example.com; base-uri 'none'; frame-ancestors 'none'",
		"Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
		"Cross-Origin-Opener-Policy": "same-origin", "Strict-Transport-Security": "max-age=31536000", "Content-Type": "text/html; charset=utf-8",
	}
	for k, v := range want {
		if got := r.Header.Get(k); got != v {
			t.Errorf("%s: %s, want %s", k, got, v)
		}
	}
	if len(nonce) < 20 || nonce == content(serve(h, request("GET", "/p", "", nil))) {
		t.Errorf("nonce %q", nonce)
	}
	r = serve(h, request("GET", "/bad", "", header{"Accept": "text/html,*/*"}))
	if got := text(t, r); r.StatusCode != 410 || got != "<p>gone</p>" {
		t.Errorf("%d %s", r.StatusCode, got)
	}
	refused(t, serve(h, request("GET", "/bad", "", nil)), 410, "gone")
}

func TestHealth(t *testing.T) {
	var broken error
	h := newHall(t, func(s *setup) {
		s.cfg.TLS = false
		s.cfg.Ready = func(context.Context) error { return broken }
	})
	for _, path := range []string{"/health/live", "/health/ready"} {
		if r := serve(h, request("GET", path, "", header{"Host": "192.0.2.1"})); r.StatusCode != 200 || text(t, r) != `{"status":"ok"}` {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
	broken = errors.New("the database at db.example.com is gone")
	r := serve(h, request("GET", "/health/ready", "", nil))
	if body := refused(t, r, 503, "unavailable"); strings.Contains(body, "database") || r.Header.Get("Retry-After") != "1" {
		t.Error(body)
	}
	if r := serve(h, request("GET", "/health/live", "", nil)); r.StatusCode != 200 {
		t.Error("a broken store must not look like a dead process")
	}
}

func TestLanguage(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "de": "de", "de-DE,de;q=0.9": "de-DE", "*": "", "x": "", "en;q=0.1": "en", "zh-Hant-TW": "zh-Hant-TW", "en\"><": "", "german": "",
		strings.Repeat("ab-", 20) + "ab": "",
	} {
		x := &Exchange{R: request("GET", "/", "", header{"Accept-Language": in})}
		if got := x.Language(); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

// TestGuardsStandAlone: each wall holds without the others, for the handler that forgets one.
func TestGuardsStandAlone(t *testing.T) {
	reached := false
	self := func(h func(*Exchange) error) Route {
		return Route{Owner: "test", Method: "POST", Pattern: "/" + secret.Digits(9), SelfGuard: true, Handle: h}
	}
	routes := []Route{
		route("POST", "/entry", func(x *Exchange) error { reached = true; return x.NoContent() }),
		self(func(x *Exchange) error {
			return x.SetTokens(secret.NewText("a"), secret.NewText("r"), time.Hour, time.Hour)
		}),
		self(func(x *Exchange) error { return x.ClearTokens() }),
		self(func(x *Exchange) error { return x.SetDevice(secret.NewText("d")) }),
		self(func(x *Exchange) error { return x.EnsureBrowser() }),
		self(func(x *Exchange) error {
			if err := x.Resolve(""); err != nil {
				return err
			}
			return x.EnsureBrowser()
		}),
	}
	h := newHall(t, nil, routes...)
	for i, r := range routes {
		hs := header{"Origin": "https://evil.example.org"}
		if i == 5 {
			hs["Cookie"] = "__Host-gh_browser=known"
		}
		out := serve(h, request("POST", r.Pattern, "", hs))
		refused(t, out, 403, "cross_origin")
		if len(out.Header["Set-Cookie"]) != 0 {
			t.Errorf("route %d set a cookie", i)
		}
	}
	if reached {
		t.Error("a handler without a guard of its own was reached")
	}
}
