package oauthapi

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// leadsTo is the path that a step redirects to, with its request.
func leadsTo(t *testing.T, a answer, path string) (id string) {
	t.Helper()
	if a.status != http.StatusSeeOther || a.to.Path != path || a.to.Host != "" || a.query("i") == "" {
		t.Fatalf("%d to %v, want %s", a.status, a.to, path)
	}
	return a.query("i")
}

// TestWalk: begin, be sent to the login page, come back signed on, get a code; the second time no page is seen.
func TestWalk(t *testing.T) {
	w := onSQLite(t)
	b := w.browser()
	id := leadsTo(t, b.get(ask(good())), "/ui/login")
	if b.cookies[web.BrowserCookie] == "" {
		t.Fatal("the request is bound to no browser")
	}
	leadsTo(t, b.get("/oauth2/continue?i="+id), "/ui/login")
	b.cookies[web.SSOCookie] = w.signedOn().cookies[web.SSOCookie]
	a := b.get("/oauth2/continue?i=" + id)
	if a.status != http.StatusSeeOther || !strings.HasPrefix(a.to.String(), callback+"?") || a.query("code") == "" || a.query("state") != "x y&z" || a.query("iss") != issuer {
		t.Fatalf("%d %v", a.status, a.to)
	}
	if a := b.get("/oauth2/continue?i=" + id); a.status != http.StatusGone || a.to != nil {
		t.Fatalf("a second answer: %d", a.status)
	}
	a = b.get(ask(with("redirect_uri", "https://app.example.com/with?a=1")))
	if !strings.HasPrefix(a.to.String(), "https://app.example.com/with?a=1&code=") {
		t.Fatalf("%v", a.to)
	}
	a = b.get(ask(with("redirect_uri", "http://127.0.0.1:5123/cb")))
	if !strings.HasPrefix(a.to.String(), "http://127.0.0.1:5123/cb?code=") {
		t.Fatalf("%v", a.to)
	}
	leadsTo(t, b.get(ask(with("client_id", "third"))), "/ui/consent")
	leadsTo(t, b.get(ask(with("prompt", "select_account"))), "/ui/choose")
	leadsTo(t, b.get(ask(with("prompt", "login"))), "/ui/login")
	if a := b.get("/t/main" + ask(with("prompt", "login"))); a.to.Path != "/t/main/ui/login" {
		t.Fatalf("%v", a.to)
	}
	if a := w.browser().do(http.MethodHead, ask(good()), nil); a.status != http.StatusNoContent || len(a.header["Set-Cookie"]) > 0 {
		t.Fatalf("a look began a request: %d", a.status)
	}
}

// TestFormPost: the answer as a form, posted by script or by its button, under a policy that lets it go to that application only.
func TestFormPost(t *testing.T) {
	w := onSQLite(t)
	a := w.signedOn().get(ask(with("response_mode", "form_post", "state", `"><script>`)))
	if a.status != http.StatusOK || a.to != nil || !strings.Contains(a.body, `action="`+callback+`"`) || !strings.Contains(a.body, `name="code"`) ||
		!strings.Contains(a.body, `name="iss" value="`+issuer+`"`) || strings.Contains(a.body, `"><script>`) || !strings.Contains(a.body, `type="submit"`) {
		t.Fatalf("%d %s", a.status, a.body)
	}
	csp := a.header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "form-action 'self' https://app.example.com;") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe-inline") {
		t.Fatalf("%s", csp)
	}
	if a := w.browser().get(ask(with("response_mode", "form_post", "prompt", "none"))); !strings.Contains(a.body, `name="error" value="login_required"`) {
		t.Fatalf("%s", a.body)
	}
	if a := w.signedOn().get(ask(with("response_mode", "form_post", "redirect_uri", "com.example.app:/cb"))); !strings.Contains(a.header.Get("Content-Security-Policy"), "com.example.app:;") ||
		!strings.Contains(a.body, `action="com.example.app:/cb"`) {
		t.Fatalf("%s %s", a.header.Get("Content-Security-Policy"), a.body)
	}
}

// TestPostedRequests: an application's page posts the request from its own origin. No cookie is read or set then: the browser asks again.
func TestPostedRequests(t *testing.T) {
	w := onSQLite(t)
	b := w.signedOn().with("Origin", "https://app.example.com")
	v := with("client_id", "third", "redirect_uri", callback)
	v["resource"] = []string{"https://a.example.com", "https://b.example.com"}
	a := b.do(http.MethodPost, "/oauth2/authorize", v)
	if a.status != http.StatusSeeOther || a.to.Path != "/oauth2/authorize" || a.to.Host != "" || len(a.header["Set-Cookie"]) != 0 || a.to.Query().Encode() != v.Encode() {
		t.Fatalf("%d %v", a.status, a.to)
	}
	id := leadsTo(t, w.signedOn().get(a.to.String()), "/ui/consent")
	r, err := w.store.OAuthRequests().Request(t.Context(), w.tenant.ID, id, noon)
	if err != nil || len(r.Params.Resource) != 2 {
		t.Fatalf("%+v %v", r, err)
	}
	if a := b.do(http.MethodPost, "/oauth2/authorize", with("state", strings.Repeat("x", 20000))); a.status != http.StatusBadRequest {
		t.Fatalf("a query of 20 kB: %d", a.status)
	}
}

// TestBadRequestsShowAPage: without a client and an address of its own nothing is redirected, and the page is a page.
func TestBadRequestsShowAPage(t *testing.T) {
	w := onSQLite(t)
	for name, v := range map[string]url.Values{
		"no client": with("client_id", ""), "unknown client": with("client_id", "nobody"), "no address": with("redirect_uri", ""),
		"foreign address": with("redirect_uri", "https://attacker.example/"), "request_uri elsewhere": with("request_uri", "https://attacker.example/r"),
		"two clients": {"client_id": {"app", "third"}, "redirect_uri": {callback}}, "two addresses": {"client_id": {"app"}, "redirect_uri": {callback, callback}},
		"client with a NUL": with("client_id", "app\x00"), "state that is no text": with("state", "\xff"),
	} {
		a := w.signedOn().get(ask(v))
		if a.status != http.StatusBadRequest || a.to != nil || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") || strings.Contains(a.body, "attacker") {
			t.Errorf("%s: %d %v %s", name, a.status, a.to, a.header.Get("Content-Type"))
		}
	}
}

// TestEveryParameter: each parameter missing, doubled, oversized or of the wrong type gives the RFC's error by redirect when the address is
// good, a page when it is not, and never a fault of ours.
func TestEveryParameter(t *testing.T) {
	w := onSQLite(t)
	long := strings.Repeat("x", 9000)
	wrong := map[string]string{
		"response_type": "unsupported_response_type", "scope": "invalid_scope", "code_challenge": "invalid_request", "code_challenge_method": "invalid_request", "prompt": "invalid_request",
		"max_age": "invalid_request", "resource": "invalid_target", "id_token_hint": "invalid_request", "dpop_jkt": "invalid_request", "response_mode": "invalid_request",
		"request": "request_not_supported", "registration": "registration_not_supported", "state": "", "nonce": "", "acr_values": "", "login_hint": "", "ui_locales": "", "claims": "", "display": "",
	}
	missing := map[string]string{"response_type": "invalid_request", "code_challenge": "invalid_request", "code_challenge_method": "invalid_request"}
	pages := []string{"client_id", "redirect_uri", "request_uri"}
	told := func(name string, v url.Values, want string) {
		t.Helper()
		a := w.browser().get(ask(v))
		if want == "" {
			leadsTo(t, a, "/ui/login")
			return
		}
		if a.status != http.StatusSeeOther || !strings.HasPrefix(a.to.String(), callback+"?") || a.query("error") != want || a.query("iss") != issuer || a.query("error_description") == "" ||
			a.query("code") != "" {
			t.Errorf("%s: %d %v, want %s", name, a.status, a.to, want)
		}
	}
	for name, want := range wrong {
		told(name+" wrong", with(name, "(wrong)"), want)
		told(name+" missing", with(name, ""), missing[name])
		if name == "resource" || name == "claims" || name == "display" || name == "request" || name == "registration" {
			continue
		}
		double := good()
		double[name] = []string{"a", "a"}
		told(name+" doubled", double, "invalid_request")
		told(name+" oversized", with(name, long), "invalid_request")
	}
	for _, name := range pages {
		for kind, v := range map[string]url.Values{"wrong": with(name, "(wrong)"), "oversized": with(name, long)} {
			if a := w.browser().get(ask(v)); a.status != http.StatusBadRequest || a.to != nil {
				t.Errorf("%s %s: %d %v", name, kind, a.status, a.to)
			}
		}
	}
	if a := w.browser().get("/oauth2/authorize?" + strings.Repeat("a&", 200)); a.status != http.StatusBadRequest {
		t.Errorf("too many parameters: %d", a.status)
	}
}

// FuzzAuthorize: any query is answered below 500, and a redirect leads to ourselves or to what is registered.
func FuzzAuthorize(f *testing.F) {
	f.Add(good().Encode())
	f.Add(with("prompt", "none", "response_mode", "form_post").Encode())
	f.Add("client_id=app&redirect_uri=http://127.0.0.1:80/cb&%00=%ff")
	w := onSQLite(f)
	f.Fuzz(func(t *testing.T, query string) {
		w.t = t
		a := w.browser().get("/oauth2/authorize?" + strings.NewReplacer("\n", "", "\r", "").Replace(query))
		if a.status >= 500 {
			t.Fatalf("%q: %d", query, a.status)
		}
		if a.to == nil {
			return
		}
		to := a.to.String()
		if !strings.HasPrefix(to, "/ui/") && !strings.HasPrefix(to, callback+"?") && !strings.HasPrefix(to, "https://app.example.com/with?a=1&") &&
			!strings.HasPrefix(to, "http://127.0.0.1/cb?") && !strings.HasPrefix(to, "http://127.0.0.1:") && !strings.HasPrefix(to, "com.example.app:/cb?") {
			t.Fatalf("%q leads to %s", query, to)
		}
	})
}
