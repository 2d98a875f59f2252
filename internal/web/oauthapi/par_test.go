package oauthapi

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

func basicHeader(id, text string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(text)))
}

func (w *world) push(form url.Values, header ...string) answer {
	b := w.browser()
	for i := 0; i < len(header); i += 2 {
		b = b.with(header[i], header[i+1])
	}
	return b.do(http.MethodPost, "/oauth2/par", form)
}

// TestPAR: pushed by a client that shows who it is, taken up once by a browser that names it.
func TestPAR(t *testing.T) {
	w := onSQLite(t)
	empty := with("client_secret", "x")
	empty["client_secret"], empty["client_assertion"] = []string{""}, []string{""}
	for name, a := range map[string]answer{
		"basic": w.push(with("client_id", ""), "Authorization", basicHeader("app", "s3cret")), "basic beside client_id": w.push(good(), "Authorization", basicHeader("app", "s3cret")),
		"basic beside empty fields": w.push(empty, "Authorization", basicHeader("app", "s3cret")), "post": w.push(with("client_secret", "s3cret")),
		"public": w.push(with("client_id", "third")), "lower case": w.push(good(), "Authorization", strings.Replace(basicHeader("app", "s3cret"), "Basic", "basic", 1)),
	} {
		if a.status != http.StatusCreated || !strings.HasPrefix(a.field("request_uri"), "urn:ietf:params:oauth:request_uri:") || !strings.Contains(a.body, `"expires_in":90`) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	uri := w.push(with("client_secret", "s3cret", "state", "pushed")).field("request_uri")
	b := w.signedOn()
	take := "/oauth2/authorize?" + url.Values{"client_id": {"app"}, "request_uri": {uri}, "state": {"changed"}, "redirect_uri": {"https://attacker.example/"}}.Encode()
	if a := b.get(take); a.query("code") == "" || a.query("state") != "pushed" || !strings.HasPrefix(a.to.String(), callback) {
		t.Fatalf("%d %v", a.status, a.to)
	}
	if a := b.get(take); a.status != http.StatusBadRequest || a.to != nil {
		t.Fatalf("a second time: %d %v", a.status, a.to)
	}
}

// TestPARRefusals: the RFC's codes as JSON, never a redirect, never a cookie, and no word of what was sent.
func TestPARRefusals(t *testing.T) {
	w := onSQLite(t)
	double := with("client_secret", "s3cret")
	double["state"] = []string{"a", "b"}
	long := strings.Repeat("x", 70000)
	for name, c := range map[string]struct {
		a      answer
		status int
		code   string
	}{
		"no client":             {w.push(with("client_id", "")), 401, "invalid_client"},
		"unknown client":        {w.push(with("client_id", "nobody", "client_secret", "zqxjkv")), 401, "invalid_client"},
		"unknown client, basic": {w.push(with("client_id", ""), "Authorization", basicHeader("nobody", "zqxjkv")), 401, "invalid_client"},
		"wrong secret":          {w.push(with("client_secret", "zqxjkv")), 401, "invalid_client"},
		"no secret":             {w.push(good()), 401, "invalid_client"},
		"two ways":              {w.push(with("client_secret", "s3cret"), "Authorization", basicHeader("app", "s3cret")), 401, "invalid_client"},
		"two clients":           {w.push(with("client_id", "third"), "Authorization", basicHeader("app", "s3cret")), 401, "invalid_client"},
		"Basic that is none":    {w.push(good(), "Authorization", "Basic zqxjkv!"), 401, "invalid_client"},
		"Basic without colon":   {w.push(good(), "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("app"))), 401, "invalid_client"},
		"doubled":               {w.push(double), 400, "invalid_request"},
		"too large":             {w.push(with("state", long)), 400, "invalid_request"},
		"NUL":                   {w.push(with("state", "\x00")), 400, "invalid_request"},
		"no PKCE":               {w.push(with("client_secret", "s3cret", "code_challenge", "")), 400, "invalid_request"},
		"foreign address":       {w.push(with("client_secret", "s3cret", "redirect_uri", "https://attacker.example/zqxjkv")), 400, "invalid_request"},
		"implicit":              {w.push(with("client_secret", "s3cret", "response_type", "token")), 400, "unsupported_response_type"},
		"scope":                 {w.push(with("client_secret", "s3cret", "scope", "zqxjkv")), 400, "invalid_scope"},
		"resource":              {w.push(with("client_secret", "s3cret", "resource", "https://zqxjkv.example")), 400, "invalid_target"},
		"request_uri":           {w.push(with("client_secret", "s3cret", "request_uri", "urn:x")), 400, "invalid_request"},
		"request object":        {w.push(with("client_secret", "s3cret", "request", "x.y.z")), 400, "request_not_supported"},
		"another type":          {w.browser().do(http.MethodPost, "/oauth2/par", nil), 400, "invalid_request"},
	} {
		if c.a.status != c.status || c.a.field("error") != c.code || c.a.to != nil || len(c.a.header["Set-Cookie"]) != 0 || strings.Contains(c.a.body, "zqxjkv") {
			t.Errorf("%s: %d %s, want %d %s", name, c.a.status, c.a.body, c.status, c.code)
		}
		if challenge := c.a.header.Get("WWW-Authenticate"); (c.code == "invalid_client") != strings.HasPrefix(challenge, "Basic ") {
			t.Errorf("%s: challenge %q", name, challenge)
		}
		if c.a.field("trace_id") == "" || c.a.field("reason") == "" {
			t.Errorf("%s: no trace or reason", name)
		}
	}
	unknown, wrong := w.push(with("client_id", "nobody", "client_secret", "a")), w.push(with("client_secret", "a"))
	same := func(a answer) string { return strings.ReplaceAll(a.body, a.field("trace_id"), "") }
	if same(unknown) != same(wrong) {
		t.Errorf("unknown and wrong differ: %s %s", unknown.body, wrong.body)
	}
	if a := w.browser().get("/oauth2/par"); a.status != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", a.status)
	}
}

// TestPARFromBrowserApps: pages on the client's listed origins may read the answer, others may not.
func TestPARFromBrowserApps(t *testing.T) {
	w := onSQLite(t)
	form := with("client_id", "third")
	if a := w.push(form, "Origin", "https://spa.example.com"); a.status != http.StatusCreated || a.header.Get("Access-Control-Allow-Origin") != "https://spa.example.com" {
		t.Fatalf("%d %q", a.status, a.header.Get("Access-Control-Allow-Origin"))
	}
	if a := w.push(form, "Origin", "https://attacker.example"); a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Fatal("any page may read it")
	}
}

func FuzzPush(f *testing.F) {
	f.Add(with("client_secret", "s3cret").Encode(), basicHeader("app", "s3cret"))
	f.Add("client_id=third&client_id=app", "Basic ===")
	f.Add("%", "Bearer x")
	w := onSQLite(f)
	f.Fuzz(func(t *testing.T, body, authorization string) {
		w.t = t
		form, err := url.ParseQuery(body)
		if err != nil || strings.ContainsAny(authorization, "\r\n\x00") {
			return
		}
		if a := w.push(form, "Authorization", authorization); a.status >= 500 || a.status != http.StatusCreated && a.field("error") == "" {
			t.Fatalf("%d %s", a.status, a.body)
		}
	})
}

// TestTold: every kind has its words, faults of ours stay ours whatever their reason, and refusals of sessions are invalid_grant.
func TestTold(t *testing.T) {
	for kind := fault.Internal; kind <= fault.Unavailable; kind++ {
		if got := told(fault.New(kind, "something new", "x")); got.code == "" || got.status < 400 || (got.status >= 500) != (kind == fault.Internal || kind == fault.Unavailable) {
			t.Errorf("kind %d: %+v", kind, got)
		}
	}
	for reason, r := range refusals {
		if got := told(fault.New(fault.Invalid, reason, "x")); got != r {
			t.Errorf("%s: %+v", reason, got)
		}
		if got := told(fault.New(fault.Internal, reason, "x")); got.status != http.StatusInternalServerError {
			t.Errorf("%s within a fault of ours: %+v", reason, got)
		}
	}
	if got := told(fault.New(fault.Unauthenticated, fault.ReasonSessionRevoked, "x")); got.code != "invalid_grant" || got.status != 400 {
		t.Errorf("%+v", got)
	}
	if got := describable("a\"b\\c\x01ü"); got != "a'b'c''" {
		t.Errorf("%q", got)
	}
}

// TestLogout: asked by a page unless the ID token settles it; GET never confirms; our own page's post does, and clears the cookie.
func TestLogout(t *testing.T) {
	w := onSQLite(t)
	b := w.signedOn()
	bye := "post_logout_redirect_uri=" + url.QueryEscape("https://app.example.com/bye") + "&client_id=app&state=a+b"
	a := b.get("/oauth2/logout?" + bye + "&confirm=yes")
	if a.status != http.StatusSeeOther || a.to.Path != "/ui/logout" || a.query("client_id") != "app" || a.query("state") != "a b" || a.query("confirm") != "" {
		t.Fatalf("%d %v", a.status, a.to)
	}
	if b.cookies[web.SSOCookie] == "" || b.get(ask(with("prompt", "none"))).query("code") == "" {
		t.Fatal("a link logged the person out")
	}
	cookie := b.cookies[web.SSOCookie]
	form := a.to.Query()
	form.Set("confirm", "yes")
	a = b.with("Origin", issuer).do(http.MethodPost, "/oauth2/logout", form)
	if a.status != http.StatusSeeOther || a.to.String() != "https://app.example.com/bye?state=a+b" || b.cookies[web.SSOCookie] != "" {
		t.Fatalf("%d %v", a.status, a.to)
	}
	b.cookies[web.SSOCookie] = cookie
	if a := b.get(ask(with("prompt", "none"))); a.query("error") != "login_required" {
		t.Fatalf("a copy of the cookie still works: %v", a.to)
	}
	if a := w.browser().get("/oauth2/logout"); a.to == nil || a.to.Path != "/ui/done/logout" {
		t.Fatalf("nobody: %d %v", a.status, a.to)
	}
	for _, query := range []string{"client_id=app&client_id=app", "state=%00", "client_id=nobody", "post_logout_redirect_uri=https://app.example.com/bye", fmt.Sprintf("state=%s", strings.Repeat("x", 5000))} {
		if a := w.signedOn().get("/oauth2/logout?" + query); a.status != http.StatusBadRequest || a.to != nil {
			t.Errorf("%.40s: %d %v", query, a.status, a.to)
		}
	}
}

// TestLimitedRequests: whoever asks too often is told so and when to come back: a browser by a page that leads nowhere, a client in its dialect.
func TestLimitedRequests(t *testing.T) {
	w := newBack(t)
	limited := *w.tenant
	limited.Policy.Limits = tenant.Limits{AuthorizeNetwork: "2/1m", PARNetwork: "2/1m"}
	w.ok(w.store.Tenants().Put(t.Context(), []tenant.Tenant{limited}, nil, audit.Record{}))
	w.ok(w.dir.Refresh(t.Context()))
	b := w.browser()
	var got answer
	for range 3 {
		got = b.get(ask(good()))
	}
	if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" || got.header.Get("Location") != "" ||
		!strings.Contains(got.body, "Too many tries") {
		t.Fatalf("a browser: %d, Retry-After %q, to %q", got.status, got.header.Get("Retry-After"), got.header.Get("Location"))
	}
	form := good()
	form.Del("client_id")
	var pushed heard
	for range 3 {
		pushed = w.post("/oauth2/par", form)
	}
	if pushed.status != http.StatusTooManyRequests || pushed.code() != "temporarily_unavailable" || pushed.header.Get("Retry-After") == "" ||
		pushed.text("reason") != "rate_limited" {
		t.Fatalf("a client: %d %s, Retry-After %q", pushed.status, pushed.raw, pushed.header.Get("Retry-After"))
	}
}
