package hosted

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// answer is what came back, of which every page must hold some things.
type answer struct {
	status int
	to     string // path and query of Location
	header http.Header
	body   string
	set    map[string]string // cookies
}

// ask makes one request in this process. cookie is the sign-on session's; form nil is a GET.
func (s *site) ask(t testing.TB, path, cookie string, form url.Values, headers ...string) answer {
	t.Helper()
	method, body := http.MethodGet, io.Reader(nil)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	r := httptest.NewRequest(method, "http://localhost"+path, body)
	r.RemoteAddr = "127.0.0.1:9999"
	r.Header.Set("Accept", "text/html")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	r.AddCookie(&http.Cookie{Name: web.BrowserCookie, Value: "this browser"})
	if cookie != "" {
		r.AddCookie(&http.Cookie{Name: web.SSOCookie, Value: cookie})
	}
	w := httptest.NewRecorder()
	s.hall.ServeHTTP(w, r)
	out := answer{status: w.Code, to: w.Header().Get("Location"), header: w.Header(), body: w.Body.String(), set: map[string]string{}}
	for _, c := range w.Result().Cookies() {
		out.set[c.Name] = c.Value
	}
	return out
}

func values(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v
}

// TestSteps: each page does its own step and sends the browser back to the dispatcher.
func TestSteps(t *testing.T) {
	s := newSite(t)
	for name, c := range map[string]struct {
		path, cookie string
		form         url.Values
		status       int
		to           string
		did          []string
	}{
		"login": {"/ui/login?i=login", "", values("email", "ada@example.com", "password", rightPassword), 303, "/oauth2/continue?i=login",
			[]string{"prove ada@example.com for garden", "signed on user-ada over ", "proved login sso-new"}},
		"login with a planted cookie": {"/ui/login?i=login", "planted", values("email", "ada@example.com", "password", rightPassword), 303, "/oauth2/continue?i=login",
			[]string{"prove ada@example.com for garden", "signed on user-ada over planted", "proved login sso-new"}},
		"login for nothing": {"/ui/login", "", values("email", "ada@example.com", "password", rightPassword), 303, "/ui/account",
			[]string{"prove ada@example.com for no client", "signed on user-ada over "}},
		"login for a device": {"/ui/login?to=device&user_code=WDJB-MJHT", "", values("email", "a@example.com", "password", rightPassword), 303, "/ui/device?user_code=WDJB-MJHT",
			[]string{"prove a@example.com for no client", "signed on user-ada over "}},
		"login to elsewhere": {"/ui/login?to=https://evil.example.org", "", values("email", "a@example.com", "password", rightPassword), 303, "/ui/account",
			[]string{"prove a@example.com for no client", "signed on user-ada over "}},
		"login, wrong":              {"/ui/login?i=login", "", values("email", "a@example.com", "password", "wrong"), 401, "", []string{"prove a@example.com for garden"}},
		"login, another's request":  {"/ui/login?i=another", "", values("email", "a@example.com", "password", rightPassword), 410, "", nil},
		"login page when signed on": {"/ui/login?i=ready", "good", nil, 303, "/oauth2/continue?i=ready", nil},
		"login page, asked for":     {"/ui/login?i=choose&other=1", "good", nil, 200, "", nil},
		"register": {"/ui/register?i=login", "", values("email", "ada@example.com", "new_password", rightPassword), 200, "",
			[]string{"register ada@example.com for garden to login"}},
		"register, weak":                       {"/ui/register?i=login", "", values("email", "ada@example.com", "new_password", "weak"), 422, "", nil},
		"resend":                               {"/ui/resend?i=login", "", values("email", "ada@example.com"), 200, "", []string{"resend ada@example.com to login"}},
		"forgot":                               {"/ui/forgot?i=login", "", values("email", "ada@example.com"), 200, "", []string{"forgot ada@example.com to login"}},
		"choose":                               {"/ui/choose?i=choose", "good", values("user", "user-ada"), 303, "/oauth2/continue?i=choose", []string{"chosen choose user-ada"}},
		"choose for somebody who was switched": {"/ui/choose?i=choose", "good", values("user", "user-eve"), 303, "/oauth2/continue?i=choose", nil},
		"choose, signed off":                   {"/ui/choose?i=choose", "", values("user", "user-ada"), 303, "/oauth2/continue?i=choose", nil},
		"allow": {"/ui/consent?i=consent", "good", values("user", "user-ada", "answer", "allow", "scope", "email", "scope", "plants"), 303, "/oauth2/continue?i=consent",
			[]string{"allowed consent user-ada email plants"}},
		"allow for somebody who was switched": {"/ui/consent?i=consent", "good", values("user", "user-eve", "answer", "allow"), 303, "/oauth2/continue?i=consent", nil},
		"refuse":                              {"/ui/consent?i=consent", "good", values("user", "user-ada", "answer", "refuse"), 303, "/oauth2/continue?i=consent", []string{"refused consent"}},
		"consent, no answer":                  {"/ui/consent?i=consent", "good", values("user", "user-ada"), 303, "/oauth2/continue?i=consent", []string{"refused consent"}},
		"consent when it is not asked":        {"/ui/consent?i=ready", "good", values("user", "user-ada", "answer", "allow"), 303, "/oauth2/continue?i=ready", nil},
		"device, signed off":                  {"/ui/device?user_code=WDJB-MJHT", "", nil, 303, "/ui/login?to=device&user_code=WDJB-MJHT", nil},
		"the short address":                   {"/oauth2/device?user_code=WDJB-MJHT", "good", nil, 303, "/ui/device?user_code=WDJB-MJHT", nil},
		"device":                              {"/ui/device/answer", "good", values("user", "user-ada", "user_code", "WDJB-MJHT", "answer", "allow"), 303, "/ui/done/device", []string{"device tv allowed by user-ada"}},
		"device, refused":                     {"/ui/device/answer", "good", values("user", "user-ada", "user_code", "WDJB-MJHT", "answer", "no"), 303, "/ui/done/device-refused", []string{"device tv refused"}},
		"device, unknown":                     {"/ui/device/answer", "good", values("user", "user-ada", "user_code", "X", "answer", "allow"), 422, "", nil},
		"device, too often":                   {"/ui/device", "good", values("user_code", "OFTEN"), 429, "", nil},
		"device for somebody switched":        {"/ui/device/answer", "good", values("user", "user-eve", "user_code", "WDJB-MJHT", "answer", "allow"), 303, "/ui/device?user_code=WDJB-MJHT", nil},
		"logout, signed off":                  {"/ui/logout", "", nil, 303, "/ui/done/logout", nil},
	} {
		got := s.ask(t, c.path, c.cookie, c.form)
		if got.status != c.status || got.to != c.to {
			t.Errorf("%s: %d to %q, want %d to %q", name, got.status, got.to, c.status, c.to)
		}
		if diff := cmp.Diff(c.did, s.done()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAccountPages(t *testing.T) {
	s := newSite(t)
	for name, c := range map[string]struct {
		path, cookie string
		form         url.Values
		status       int
		to           string
		did          []string
	}{
		"signed off":                           {"/ui/account", "", nil, 303, "/ui/login", nil},
		"a dead session":                       {"/ui/account/password", "ended", nil, 303, "/ui/login", nil},
		"profile":                              {"/ui/account", "good", values("name", " Ada ", "locale", "de"), 303, "/ui/account?done=saved", []string{"profile of user-ada: Ada de"}},
		"email, wrong password":                {"/ui/account/email", "stale", values("email", "new@example.com", "password", "wrong"), 401, "", []string{"prove ada@example.com for no client"}},
		"email, without":                       {"/ui/account/email", "good", values("email", "new@example.com"), 422, "", nil},
		"email, no address":                    {"/ui/account/email", "good", values("email", "no address", "password", rightPassword), 400, "", nil},
		"password, wrong":                      {"/ui/account/password", "good", values("password", "wrong", "new_password", newPassword), 401, "", nil},
		"end a stranger's":                     {"/ui/account/sessions", "good", values("session", "s-99"), 303, "/ui/account/sessions?done=ended", nil},
		"end a stranger's login":               {"/ui/account/sessions", "good", values("browser", "sso-99"), 303, "/ui/account/sessions?done=ended", nil},
		"end one":                              {"/ui/account/sessions", "good", values("session", "s-2"), 303, "/ui/account/sessions?done=ended", []string{"session s-2 ended: ended_by_owner"}},
		"end a browser":                        {"/ui/account/sessions", "good", values("browser", "sso-2"), 303, "/ui/account/sessions?done=ended", []string{"sign-on sso-2 but  ended: ended_by_owner"}},
		"end all others, long after the login": {"/ui/account/sessions", "stale", values("all", "others"), 303, "/ui/login?to=others", nil},
		"end all others": {"/ui/account/sessions", "good", values("all", "others"), 303, "/ui/account/sessions?done=others",
			[]string{"sign-on user-ada but sso-1 ended: ended_by_owner", "session s-2 ended: ended_by_owner"}},
		"withdraw": {"/ui/account/applications", "good", values("client_id", "garden"), 303, "/ui/account/applications?done=withdrawn", []string{"withdrawn user-ada garden"}},
		"email": {"/ui/account/email", "stale", values("email", "new@example.com", "password", rightPassword), 303, "/ui/account?done=mailed",
			[]string{"prove ada@example.com for no client", "signed on user-ada over stale", "email of user-ada to new@example.com"}},
		"password": {"/ui/account/password", "stale", values("password", rightPassword, "new_password", newPassword), 303, "/ui/account/password?done=password",
			[]string{"password of user-ada", "signed on user-ada over stale"}},
	} {
		got := s.ask(t, c.path, c.cookie, c.form)
		if got.status != c.status || got.to != c.to {
			t.Errorf("%s: %d to %q, want %d to %q", name, got.status, got.to, c.status, c.to)
		}
		if diff := cmp.Diff(c.did, s.done()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestForeignPostsDoNothing: a page of somebody else's can neither log its visitor in, nor answer for them, nor change their account.
func TestForeignPostsDoNothing(t *testing.T) {
	s := newSite(t)
	posts := 0
	for _, r := range s.pages.Routes() {
		if r.Method != http.MethodPost {
			continue
		}
		posts++
		for _, headers := range [][]string{{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example.org"}, {"Origin", "https://evil.example.org"},
			{"Sec-Fetch-Site", "same-site"}, {"Sec-Fetch-Site", "cross-site", "Origin", "null"}} {
			got := s.ask(t, r.Pattern+"?i=consent", "good", values("email", "eve@example.com", "password", rightPassword, "new_password", rightPassword,
				"answer", "allow", "user", "user-ada", "user_code", "WDJB-MJHT", "client_id", "garden", "all", "others", "name", "Eve"), headers...)
			if got.status != http.StatusForbidden || len(got.set) > 0 {
				t.Errorf("%s with %v: %d, cookies %v", r.Pattern, headers, got.status, got.set)
			}
		}
	}
	if did := s.done(); did != nil || posts < 12 {
		t.Errorf("%d forms; foreign posts did %v", posts, did)
	}
}

// TestEveryPageIsGuarded: no page may be framed, kept, or leak its address; scripts run by nonce only; what a stranger put into the address
// is text.
func TestEveryPageIsGuarded(t *testing.T) {
	s := newSite(t)
	evil := `"><script>alert(1)</script>`
	for _, r := range s.pages.Routes() {
		if r.Method != http.MethodGet {
			continue
		}
		for _, cookie := range []string{"", "good"} {
			q := values("user_code", evil, "to", evil, "done", evil, "client_id", evil, "state", evil, "post_logout_redirect_uri", evil)
			got := s.ask(t, r.Pattern+"?"+q.Encode(), cookie, nil)
			if strings.Contains(got.body, "<script>alert") {
				t.Errorf("%s lets a stranger's script in", r.Pattern)
			}
			h := got.header
			if h.Get("Cache-Control") != "no-store" || h.Get("Referrer-Policy") != "no-referrer" || h.Get("X-Frame-Options") != "DENY" {
				t.Errorf("%s: %v", r.Pattern, h)
			}
			if got.status == 200 {
				policy := h.Get("Content-Security-Policy")
				for _, want := range []string{"frame-ancestors 'none'", "default-src 'none'", "script-src 'nonce-", "base-uri 'none'"} {
					if !strings.Contains(policy, want) {
						t.Errorf("%s: the policy %q lacks %s", r.Pattern, policy, want)
					}
				}
				if len(got.body) > 20<<10 || strings.Contains(got.body, "style=") {
					t.Errorf("%s: %d bytes", r.Pattern, len(got.body))
				}
			}
			if i := strings.Index(got.to, "evil"); i >= 0 || strings.Contains(got.to, "<") || strings.HasPrefix(got.to, "http") {
				t.Errorf("%s leads to %s", r.Pattern, got.to)
			}
		}
	}
	if did := s.done(); did != nil {
		t.Errorf("looking did %v", did)
	}
}

// TestFormsLeadWhereTheyMay: the content policy lets the form of a request lead to its registered page, and a logout only to the client's.
func TestFormsLeadWhereTheyMay(t *testing.T) {
	s := newSite(t)
	for path, want := range map[string]string{
		"/ui/login?i=login":     "form-action 'self' https://garden.example.com;",
		"/ui/consent?i=consent": "form-action 'self' https://garden.example.com;",
		"/ui/login":             "form-action 'self';",
		"/ui/logout?client_id=garden&post_logout_redirect_uri=https://garden.example.com/bye":   "form-action 'self' https://garden.example.com;",
		"/ui/logout?client_id=garden&post_logout_redirect_uri=http://127.0.0.1:4711/bye":        "form-action 'self' http://127.0.0.1:4711;",
		"/ui/logout?client_id=garden&post_logout_redirect_uri=https://evil.example.org/":        "form-action 'self';",
		"/ui/logout?client_id=tv&post_logout_redirect_uri=https://garden.example.com/bye":       "form-action 'self';",
		"/ui/logout?post_logout_redirect_uri=https://garden.example.com/bye":                    "form-action 'self';",
		"/ui/logout?client_id=garden&post_logout_redirect_uri=https://garden.example.com:8/bye": "form-action 'self';",
	} {
		got := s.ask(t, path+"", map[bool]string{true: "", false: "good"}[strings.HasPrefix(path, "/ui/login")], nil)
		if got.status != 200 || !strings.Contains(got.header.Get("Content-Security-Policy"), want) {
			t.Errorf("%s: %d %s", path, got.status, got.header.Get("Content-Security-Policy"))
		}
	}
}

// TestFormsAreKind: the address survives an error and the password does not; password managers are told what is what; a refusal does not
// tell whether there is an account.
func TestFormsAreKind(t *testing.T) {
	s := newSite(t)
	got := s.ask(t, "/ui/login?i=login", "", values("email", "Typed@Example.com", "password", "wrong"))
	for _, want := range []string{`value="Typed@Example.com"`, `autocomplete="username"`, `autocomplete="current-password"`, `inputmode="email"`, `role="alert"`,
		"Email address or password is not right", "That did not work", "Garden Planner"} {
		if !strings.Contains(got.body, want) {
			t.Errorf("the login page lacks %s", want)
		}
	}
	if strings.Contains(got.body, `value="wrong"`) {
		t.Error("the password came back")
	}
	got = s.ask(t, "/ui/login", "", values("email", "", "password", ""))
	if !strings.Contains(got.body, "Please check this first") || !strings.Contains(got.body, `href="#password"`) {
		t.Error("the summary does not lead to what is missing")
	}
	got = s.ask(t, "/ui/login?i=login", "", nil)
	if !strings.Contains(got.body, `value="hint@example.com"`) {
		t.Error("login_hint is not filled in")
	}
	got = s.ask(t, "/ui/login?i=login", "", nil, "Accept-Language", "de")
	if !strings.Contains(got.body, `lang="de"`) || !strings.Contains(got.body, "Anmelden") {
		t.Error("the page does not speak German")
	}
	got = s.ask(t, "/ui/login", "", values("email", "a@example.com", "password", "too often"))
	if got.status != 429 || got.header.Get("Retry-After") != "90" {
		t.Errorf("too often: %d, Retry-After %q", got.status, got.header.Get("Retry-After"))
	}
	got = s.ask(t, "/ui/register", "", nil)
	if !strings.Contains(got.body, `autocomplete="new-password"`) {
		t.Error("the register page does not say that a new password is wanted")
	}
	got = s.ask(t, "/ui/login?i=login", "", values("email", "a@example.com", "password", rightPassword))
	if got.set[web.SSOCookie] != "good" || got.set[web.DeviceCookie] != "device" || got.set[web.BrowserCookie] != "" {
		t.Errorf("a login on the way to an application sets %v", slices.Sorted(mapKeys(got.set)))
	}
	got = s.ask(t, "/ui/login", "", values("email", "a@example.com", "password", rightPassword))
	if got.set[web.BrowserCookie] == "" {
		t.Error("a login at the issuer keeps the cookie the browser came with")
	}
}

func mapKeys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// TestBadInput: no input makes a page fail.
func TestBadInput(t *testing.T) {
	s := newSite(t)
	huge := strings.Repeat("x", 70<<10)
	for _, r := range s.pages.Routes() {
		for _, query := range []string{"i=a&i=b", "i=%00", "i=%ff", "user_code=%zz", "i=" + huge[:9000], strings.Repeat("a=1&", 200)} {
			form := values("a", "b")
			if r.Method == http.MethodGet {
				form = nil
			}
			if got := s.ask(t, r.Pattern+"?"+query, "good", form); got.status >= 500 || got.status == 200 && strings.HasPrefix(query, "i=a&i=b") {
				t.Errorf("%s %s?%.20s: %d", r.Method, r.Pattern, query, got.status)
			}
		}
		if r.Method != http.MethodPost {
			continue
		}
		for name, form := range map[string]url.Values{
			"twice": values("email", "a", "email", "b", "user_code", "a", "user_code", "b", "name", "a", "name", "b", "client_id", "a", "client_id", "b",
				"session", "a", "session", "b", "password", "a", "password", "b", "user", "a", "user", "b"),
			"NUL": values("email", "a\x00"), "not text": values("password", "\xff"), "huge": values("email", huge),
		} {
			if got := s.ask(t, r.Pattern, "good", form); got.status < 400 || got.status >= 500 {
				t.Errorf("%s %s: %d", r.Pattern, name, got.status)
			}
		}
		if got := s.ask(t, r.Pattern, "good", values(), "Content-Type", "text/plain"); got.status != http.StatusUnsupportedMediaType {
			t.Errorf("%s as text: %d", r.Pattern, got.status)
		}
	}
	s.done()
}

// TestBack: who proved a mailbox on the way to an application is signed on and led back; a request that is over leads nowhere.
func TestBack(t *testing.T) {
	s := newSite(t)
	var to string
	var failed error
	back := func(p login.Proved, signOn bool) {
		route := page(http.MethodGet, "/test/back/"+p.ReturnTo+map[bool]string{true: "/on"}[signOn], func(x *web.Exchange) error {
			s.pages.Leads(x, p.ReturnTo)
			to, failed = s.pages.Back(x, p, signOn)
			return landed(x)
		})
		if err := s.hall.Mount([]web.Route{route}); err != nil {
			t.Fatal(err)
		}
		s.ask(t, route.Pattern, "", nil)
	}
	for _, c := range []struct {
		p      login.Proved
		signOn bool
		to     string
		did    []string
	}{
		{login.Proved{UserID: "user-ada", ReturnTo: "login"}, true, "/oauth2/continue?i=login", []string{"signed on user-ada over ", "proved login sso-new"}},
		{login.Proved{UserID: "user-ada", ReturnTo: "login"}, false, "/oauth2/continue?i=login", nil},
		{login.Proved{UserID: "user-ada", ReturnTo: "over"}, true, "", nil},
	} {
		if back(c.p, c.signOn); to != c.to || failed != nil {
			t.Errorf("%+v: leads to %q (%v)", c.p, to, failed)
		}
		if diff := cmp.Diff(c.did, s.done()); diff != "" {
			t.Error(diff)
		}
	}
}
