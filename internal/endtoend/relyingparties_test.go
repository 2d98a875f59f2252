package endtoend

import (
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/gatehouse-auth/gatehouse/internal/testbed/browser"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// webApplications is a tenant with one client for each way that an application on the web is built; ORIGIN stands for where the one
// without a server is served from.
const webApplications = `
tenants:
- id: 0198c000-0000-7000-8000-000000000001
  slug: main
  name: Example
  test: true
  default_client: web
  clients:
  - id: web
    name: Web
    secret: env:WEB_SECRET
    redirect_uris: ["http://127.0.0.1/callback"]
    oauth: {post_logout_redirect_uris: ["http://127.0.0.1/", "http://127.0.0.1"]}
  - id: spa
    name: Page
    auto_register: true
    allowed_origins: ["ORIGIN"]
    redirect_uris: ["http://127.0.0.1/callback"]
    oauth: {post_logout_redirect_uris: ["http://127.0.0.1/"]}
`

// TestWebApplications: applications written with unmodified libraries log a person in and out, in a browser.
func TestWebApplications(t *testing.T) {
	for _, c := range []struct{ library, script, client, secret, mode string }{
		{"oauth4webapi", "rp-oauth4webapi.mjs", "web", webSecret, ""},
		{"express-openid-connect", "rp-express.mjs", "web", webSecret, "query"},
		{"express-openid-connect by form", "rp-express.mjs", "web", webSecret, "form_post"},
		{"oidc-client-ts", "rp-browser.mjs", "spa", "", ""},
	} {
		each(t, c.library, func(t *testing.T, o server.Options) {
			address := reserve(t).address
			o.Config, o.Env = strings.Replace(webApplications, "ORIGIN", "http://"+address, 1), []string{"WEB_SECRET=" + webSecret}
			s, pair := startAt(t, o)
			p := signUp(t.Context(), t, s, "web")
			_, port, err := net.SplitHostPort(address)
			do(t, err)
			number, err := strconv.Atoi(port)
			do(t, err)
			app := startNode(t, c.script, object{"issuer": s.Issuer, "client": c.client, "secret": c.secret, "port": number, "mode": c.mode})
			a := &applications{t: t, s: s}
			a.tab, _ = browser.New(t)
			a.entersAndLeaves(app.URL, p.Email, p.Password)
			bothServed(t, pair, "/ui/login", "/oauth2/authorize", "/oauth2/continue", "/oauth2/token", "/oauth2/logout")
		})
	}
}

// entersAndLeaves logs in, out, and finds that the next login asks again.
func (a *applications) entersAndLeaves(app, email, password string) {
	a.t.Helper()
	open := func(path string) {
		a.t.Helper()
		until(a.t, 20*time.Second, "the browser opens "+path, func() bool { return chromedp.Do(a.tab, chromedp.Navigate(app+path)) == nil })
	}
	shows := func(condition string) { // a script may lead to yet another page meanwhile, so a question without an answer is asked again
		a.t.Helper()
		seen := ""
		a.t.Cleanup(func() {
			if a.t.Failed() {
				a.t.Logf("%s: the page showed %s", condition, seen)
			}
		})
		until(a.t, 20*time.Second, condition, func() bool {
			ok, err := chromedp.Run(a.tab, chromedp.Evaluate[bool](condition))
			if err == nil && !ok {
				seen, _ = chromedp.Run(a.tab, chromedp.Evaluate[string](`location.pathname + " " + document.body.innerText`))
			}
			return err == nil && ok
		})
	}
	says := func(who string) {
		a.t.Helper()
		shows(`location.origin === "` + app + `" && location.pathname === "/" && document.querySelector("#who")?.textContent === "` + who + `"`)
	}
	asked := func() {
		a.t.Helper()
		shows(`location.pathname === "/ui/login" && document.readyState === "complete" && document.querySelector("#login-submit") !== null`)
	}
	open("/")
	says("nobody")
	open("/login")
	asked()
	a.clicks("login-submit", "email", email, "password", password)
	says(email)
	open("/logout")
	says("nobody")
	open("/login")
	asked()
}

// TestUserInfoFromAPage: a page of any client's listed origin may read userinfo with its token, not only a page of the default client; others may not.
func TestUserInfoFromAPage(t *testing.T) {
	const listed = "https://page.example.com"
	s := server.Start(t, server.Options{Config: strings.Replace(webApplications, "ORIGIN", listed, 1), Env: []string{"WEB_SECRET=" + webSecret}})
	for origin, want := range map[string]string{listed: listed, "https://evil.example.org": ""} {
		r, err := s.Visitor().With("Origin", origin).With("Authorization", "Bearer none").Get(t.Context(), "/oauth2/userinfo")
		must(t, "userinfo with a bad token", r, err, 401)
		if got := r.Header.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("%s: granted to %q, want %q", origin, got, want)
		}
	}
}
