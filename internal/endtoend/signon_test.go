package endtoend

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/browser"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

const twoApplications = `
tenants:
- id: 0198c000-0000-7000-8000-000000000001
  slug: main
  name: Example
  test: true
  default_client: diary
  oauth: {scopes: {plants: water your plants}}
  clients:
  - {id: diary, name: Diary, redirect_uris: ["http://127.0.0.1/callback"]}
  - id: garden
    name: Garden Planner
    redirect_uris: ["http://127.0.0.1/callback"]
    oauth: {consent: once, scopes: [plants], post_logout_redirect_uris: ["http://127.0.0.1/bye"]}
  - {id: tv, name: Living Room TV, oauth: {grant_types: ["urn:ietf:params:oauth:grant-type:device_code"]}}
`

// The pair of RFC 7636 appendix B.
const (
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// applications are two clients of the server on one loopback host, and a person's browser.
type applications struct {
	t   *testing.T
	s   *server.Server
	app *httptest.Server
	tab context.Context

	posted answers
}

// answers are forms that were posted to the applications.
type answers struct {
	mu    sync.Mutex
	forms []url.Values
	still bool // the browser is to stay on the page that posts
}

// take notes a posted form and gives the status to answer with.
func (p *answers) take(r *http.Request) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Method != http.MethodPost || r.ParseForm() != nil {
		return http.StatusOK
	}
	p.forms = append(p.forms, r.PostForm)
	if p.still {
		return http.StatusNoContent
	}
	return http.StatusOK
}

func (p *answers) stay() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.still = true
}

func (p *answers) list() []url.Values {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.forms)
}

func newApplications(t *testing.T, o server.Options, look browser.Look) *applications {
	o.Config = twoApplications
	a := &applications{t: t, s: server.Start(t, o)}
	a.app = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if status := a.posted.take(r); status != http.StatusOK {
			w.WriteHeader(status)
			return
		}
		_, _ = w.Write([]byte("<!doctype html><title>application</title><p id=back>back"))
	}))
	t.Cleanup(a.app.Close)
	a.tab, _ = browser.New(t)
	do(t, browser.Set(a.tab, look))
	return a
}

// opens sends the browser to sign on for a client.
func (a *applications) opens(client string, more ...string) {
	a.t.Helper()
	q := url.Values{
		"client_id": {client}, "redirect_uri": {a.app.URL + "/callback"}, "response_type": {"code"}, "scope": {"openid email"},
		"state": {"the state"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	a.goes("/oauth2/authorize?" + q.Encode())
}

func (a *applications) goes(path string) {
	a.t.Helper()
	do(a.t, chromedp.Do(a.tab, chromedp.Navigate(a.s.URL+path)))
}

// at fails unless the browser stands at a path, of the server or of the application.
func (a *applications) at(path string) *url.URL {
	a.t.Helper()
	here, err := chromedp.Run(a.tab, chromedp.Location())
	do(a.t, err)
	u, err := url.Parse(here)
	if err != nil || u.Path != path {
		a.t.Fatalf("the browser stands at %s, want %s", u.Path, path)
	}
	return u
}

// until waits for a path where a script leads on.
func (a *applications) until(path string) {
	a.t.Helper()
	waitFor(a.t, a.tab, `location.pathname === "`+path+`"`)
}

// back gives what came back to the application.
func (a *applications) back(name string) string {
	a.t.Helper()
	q := a.at("/callback").Query()
	if q.Get("state") != "the state" || q.Get("iss") != a.s.URL {
		a.t.Fatalf("state %q and iss %q came back", q.Get("state"), q.Get("iss"))
	}
	if q.Get(name) == "" {
		a.t.Fatalf("no %s came back, but error %q", name, q.Get("error"))
	}
	return q.Get(name)
}

// clicks fills fields and leaves the page by a click on something with a stable id.
func (a *applications) clicks(id string, pairs ...string) {
	a.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		field := chromedp.CSS("input#" + pairs[i])
		until(a.t, 20*time.Second, "there is a field "+pairs[i], func() bool { // a page that a script leads to takes over under a first try
			return chromedp.Do(a.tab, chromedp.Clear(field), chromedp.SendKeys(field, pairs[i+1])) == nil
		})
	}
	if _, err := chromedp.RunResponse(a.tab, chromedp.Click(chromedp.CSS("#"+id))); err != nil {
		a.t.Fatalf("a click on %s: %v", id, err)
	}
}

// mailed follows the link of the n-th mail and presses the button there.
func (a *applications) mailed(email string, n int, pairs ...string) {
	a.t.Helper()
	link, err := a.s.Link(a.t.Context(), email, n)
	do(a.t, err)
	a.goes(link)
	for i := 0; i < len(pairs); i += 2 {
		do(a.t, chromedp.Do(a.tab, chromedp.SendKeys(chromedp.CSS("input#"+pairs[i]), pairs[i+1])))
	}
	submit(a.t, a.tab)
}

// exchanged spends a code as the client would.
func (a *applications) exchanged(client, code string) {
	a.t.Helper()
	r, err := http.PostForm(a.s.URL+"/oauth2/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {a.app.URL + "/callback"}, "client_id": {client}, "code_verifier": {verifier},
	})
	do(a.t, err)
	defer func() { _ = r.Body.Close() }()
	var body struct {
		AccessToken string `json:"access_token"`
		IDToken     string `json:"id_token"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.StatusCode != 200 || body.AccessToken == "" || body.IDToken == "" {
		a.t.Fatalf("the code was exchanged with %d (%v)", r.StatusCode, err)
	}
}

// TestSingleSignOnInABrowser is the whole story of the hosted pages: register on the way to an application, prove the mailbox, land in the
// application; open another without a second prompt; every prompt; the account pages; logout.
func TestSingleSignOnInABrowser(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		a := newApplications(t, o, browser.Look{Width: 1280, Height: 800})
		email := drill.Fresh("signon")
		a.registers(email)
		a.opensAnother()
		a.prompts(email)
		a.ownAccount(email)
		a.logsOut()
	})
}

// TestSingleSignOnWithoutScript is the same with scripts off, on a small screen.
func TestSingleSignOnWithoutScript(t *testing.T) {
	a := newApplications(t, server.Options{}, browser.Look{Width: 360, Height: 800, NoScript: true})
	email := drill.Fresh("noscript")
	a.registers(email)
	a.opensAnother()
	a.prompts(email)
	email = a.changesAddress()
	a.ownAccount(email)
	a.logsOut()
}

func (a *applications) registers(email string) {
	a.t.Helper()
	a.opens("diary", "login_hint", email)
	a.at("/ui/login")
	picture(a.t, a.tab, "signon-login")
	a.clicks("login-submit", "email", email, "password", drill.Password)
	a.at("/ui/login") // nobody has that account yet, and the page does not say so
	a.clicks("to-register")
	a.clicks("register-submit", "email", email, "new_password", drill.Password)
	a.mailed(email, 1)
	a.exchanged("diary", a.back("code"))
}

func (a *applications) opensAnother() {
	a.t.Helper()
	a.opens("garden", "scope", "openid email plants")
	a.at("/ui/consent")
	picture(a.t, a.tab, "signon-consent")
	a.clicks("refuse")
	if got := a.back("error"); got != "access_denied" {
		a.t.Fatalf("refused, the application hears %q", got)
	}
	a.opens("garden", "scope", "openid email plants")
	a.clicks("allow")
	a.exchanged("garden", a.back("code"))
	for _, client := range []string{"garden", "diary"} {
		a.opens(client)
		a.exchanged(client, a.back("code"))
	}
}

func (a *applications) prompts(email string) {
	a.t.Helper()
	a.opens("diary", "prompt", "none")
	a.back("code")
	a.opens("diary", "prompt", "login")
	a.at("/ui/login")
	a.clicks("login-submit", "password", "not the password")
	a.at("/ui/login")
	a.clicks("login-submit", "password", drill.Password)
	a.back("code")
	a.opens("diary", "prompt", "select_account")
	a.at("/ui/choose")
	a.clicks("choose-submit")
	a.back("code")
	a.opens("diary", "prompt", "select_account")
	a.clicks("to-other")
	a.at("/ui/login")
	a.clicks("login-submit", "email", email, "password", drill.Password)
	a.back("code")
}

func (a *applications) ownAccount(email string) {
	a.t.Helper()
	a.goes("/ui/account")
	a.clicks("profile-submit", "name", "Ada Lovelace")
	a.at("/ui/account")
	if shown := a.reads(`document.querySelector("#name").value`); shown != "Ada Lovelace" {
		a.t.Fatalf("the name is %q", shown)
	}
	a.goes("/ui/account/sessions")
	if apps := a.reads(`document.body.innerText`); !strings.Contains(apps, "Garden Planner") || !strings.Contains(apps, "Diary") {
		a.t.Fatalf("the sessions are not listed: %s", apps)
	}
	a.endsSessions(email)
	a.goes("/ui/account/applications")
	do(a.t, chromedp.Do(a.tab, chromedp.WaitVisible(chromedp.CSS("#app-garden"))))
	if _, err := chromedp.RunResponse(a.tab, chromedp.Click(chromedp.CSS("[aria-describedby=app-garden]"))); err != nil {
		a.t.Fatal(err)
	}
	a.opens("garden", "prompt", "none")
	if got := a.back("error"); got != "consent_required" {
		a.t.Fatalf("after access was taken back the application hears %q", got)
	}
	a.goes("/ui/account/password")
	a.clicks("password-submit", "password", drill.Password, "new_password", "a second password of the owner")
	a.at("/ui/account/password")
	a.opens("diary", "prompt", "none")
	a.back("code")
	r, err := a.s.Visitor().Post(a.t.Context(), "/login/password", map[string]string{"email": email, "password": drill.Password})
	refusedFor(a.t, "the old password", r, err, 401, "invalid_credentials")
}

// endsSessions logs in twice elsewhere, ends the one by its button, and then all others.
func (a *applications) endsSessions(email string) {
	a.t.Helper()
	var devices [2]string // access tokens
	for i := range devices {
		access, _, err := (&drill.Person{Email: email, Password: drill.Password, Visitor: a.s.Visitor()}).Bearer(a.t.Context())
		do(a.t, err)
		r, err := a.s.Me(a.t.Context(), access)
		must(a.t, "the session elsewhere", r, err, 200)
		devices[i] = access
	}
	a.goes("/ui/account/sessions")
	left := `[...document.querySelectorAll("#apps button")].length`
	before, err := chromedp.Run(a.tab, chromedp.Evaluate[int64](left))
	do(a.t, err)
	a.clicks("apps .item:last-of-type button")
	after, err := chromedp.Run(a.tab, chromedp.Evaluate[int64](left))
	do(a.t, err)
	if after != before-1 {
		a.t.Fatalf("one was ended, and of %d sessions %d are left", before, after)
	}
	a.clicks("others")
	a.at("/ui/account/sessions")
	if text := a.reads(`document.body.innerText`); !strings.Contains(text, "You are logged in nowhere else") {
		a.t.Fatalf("after all others were ended: %s", text)
	}
	for _, access := range devices {
		r, err := a.s.Me(a.t.Context(), access)
		must(a.t, "an ended session", r, err, 401)
	}
}

// changesAddress moves the account to a new address by the link in its mail.
func (a *applications) changesAddress() (email string) {
	a.t.Helper()
	email = drill.Fresh("moved")
	a.goes("/ui/account")
	a.clicks("to-email")
	a.clicks("email-submit", "email", email, "password", "not the password")
	a.at("/ui/account/email")
	a.clicks("email-submit", "email", email, "password", drill.Password)
	a.at("/ui/account")
	a.mailed(email, 1)
	a.at("/ui/done/changed")
	a.goes("/ui/account")
	if shown := a.reads(`document.querySelector("#email-now").textContent.trim()`); shown != email {
		a.t.Fatalf("the address is %q", shown)
	}
	return email
}

func (a *applications) reads(script string) string {
	a.t.Helper()
	text, err := chromedp.Run(a.tab, chromedp.Evaluate[string](script))
	do(a.t, err)
	return text
}

// logsOut leaves at an application's wish, forgets the password on the way back in, and lands where it was going.
func (a *applications) logsOut() {
	a.t.Helper()
	a.goes("/oauth2/logout?" + url.Values{"client_id": {"garden"}, "post_logout_redirect_uri": {a.app.URL + "/bye"}}.Encode())
	a.at("/ui/logout")
	a.clicks("logout-submit")
	a.at("/bye")
	a.opens("diary", "prompt", "none")
	if got := a.back("error"); got != "login_required" {
		a.t.Fatalf("after logout the application hears %q", got)
	}
	a.goes("/ui/account")
	a.at("/ui/login")
}

// TestFormPostWithoutScript: the answer is posted to the application by a button, and by script where there is one.
func TestFormPostWithoutScript(t *testing.T) {
	a := newApplications(t, server.Options{}, browser.Look{Width: 360, Height: 800, NoScript: true})
	p := signUp(t.Context(), t, a.s, "formpost")
	a.opens("diary", "response_mode", "form_post")
	a.clicks("login-submit", "email", p.Email, "password", p.Password)
	picture(t, a.tab, "formpost")
	root := filepath.Join("..", "..")
	if lacks := browser.Lacks(a.reads(`document.documentElement.outerHTML`), browser.Promised(t, root)["response_mode=form_post"]); len(lacks) > 0 {
		t.Fatalf("the page lacks %v", lacks)
	}
	a.clicks("formpost-submit")
	a.at("/callback")
	do(t, browser.Set(a.tab, browser.Look{Width: 360, Height: 800}))
	a.opens("diary", "response_mode", "form_post")
	a.until("/callback")
	a.posted.stay()
	a.opens("diary", "response_mode", "form_post")
	browser.NewEye(t, root).Axe(t, a.tab, "formpost")
	until(t, 30*time.Second, "three posted answers", func() bool { return len(a.posted.list()) == 3 })
	for _, form := range a.posted.list() {
		if form.Get("code") == "" || form.Get("state") != "the state" || form.Get("iss") != a.s.URL {
			t.Fatalf("posted were %v", form)
		}
		a.exchanged("diary", form.Get("code"))
	}
}

// TestForgottenPasswordOnTheWay: who forgot their password on the way to an application still gets there, without script.
func TestForgottenPasswordOnTheWay(t *testing.T) {
	a := newApplications(t, server.Options{}, browser.Look{Width: 360, Height: 800, NoScript: true})
	p := signUp(t.Context(), t, a.s, "forgot")
	a.opens("diary")
	a.clicks("to-forgot")
	a.clicks("forgot-submit", "email", p.Email)
	a.mailed(p.Email, 2, "new_password", "a second password of the owner")
	a.at("/ui/login")
	a.clicks("login-submit", "email", p.Email, "password", "a second password of the owner")
	a.back("code")
}

// TestDevicePagesInABrowser: the code of a device is typed, who asks is shown, and only then the device gets its tokens.
func TestDevicePagesInABrowser(t *testing.T) {
	a := newApplications(t, server.Options{}, browser.Look{Width: 360, Height: 800, NoScript: true})
	p := signUp(t.Context(), t, a.s, "device")
	var d struct {
		DeviceCode string `json:"device_code"`
		UserCode   string `json:"user_code"`
		URI        string `json:"verification_uri"`
	}
	a.posts("/oauth2/device_authorize", url.Values{"client_id": {"tv"}, "scope": {"openid"}}, 200, &d)
	do(t, chromedp.Do(a.tab, chromedp.Navigate(d.URI)))
	a.at("/ui/login")
	a.clicks("login-submit", "email", p.Email, "password", p.Password)
	a.at("/ui/device")
	a.clicks("device-submit", "user_code", "AAAA-AAAA")
	a.at("/ui/device")
	a.clicks("device-submit", "user_code", strings.ToLower(d.UserCode))
	if text := a.reads(`document.body.innerText`); !strings.Contains(text, "Living Room TV") || !strings.Contains(text, p.Email) {
		t.Fatalf("who asks is not shown: %s", text)
	}
	picture(t, a.tab, "signon-device")
	poll := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {d.DeviceCode}, "client_id": {"tv"}}
	a.posts("/oauth2/token", poll, 400, nil)
	a.clicks("allow")
	a.at("/ui/done/device")
	a.s.MustAdvance(t.Context(), 10e9)
	a.posts("/oauth2/token", poll, 200, nil)
}

func (a *applications) posts(path string, form url.Values, status int, into any) {
	a.t.Helper()
	r, err := http.PostForm(a.s.URL+path, form)
	do(a.t, err)
	defer func() { _ = r.Body.Close() }()
	var body map[string]any
	if into == nil {
		into = &body
	}
	if err := json.NewDecoder(r.Body).Decode(into); err != nil || r.StatusCode != status {
		a.t.Fatalf("%s: %d, want %d (%v, %v)", path, r.StatusCode, status, body["error"], err)
	}
}
