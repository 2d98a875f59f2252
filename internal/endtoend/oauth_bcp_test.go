package endtoend

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// The refusals of RFC 9700 that a whole server must show; those of single endpoints stand beside the endpoints.

// TestNoAnswerCanBeFramedOrLeaks (RFC 9700 sections 4.2 and 4.16): every page, redirect and error of every endpoint, signed on or not.
func TestNoAnswerCanBeFramedOrLeaks(t *testing.T) {
	r := newRealm(t, server.Options{})
	browser := r.signedOn()
	seen := map[int]int{}
	look := func(what string, a *drill.Reply, err error) {
		t.Helper()
		do(t, err)
		seen[a.Status]++
		h := a.Header
		if h.Get("X-Frame-Options") != "DENY" || !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%s (%d) can be framed", what, a.Status)
		}
		if h.Get("Referrer-Policy") != "no-referrer" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s (%d) leaks its address", what, a.Status)
		}
		if !strings.Contains(h.Get("Cache-Control"), "no-store") && !strings.HasPrefix(what, "GET /.well-known") && !strings.HasPrefix(what, "GET /oauth2/jwks") {
			t.Errorf("%s (%d) may be kept", what, a.Status)
		}
		if a.Status >= 300 && a.Status < 400 && a.Status != http.StatusSeeOther { // RFC 9700 section 4.12
			t.Errorf("%s redirects by %d", what, a.Status)
		}
		if strings.Contains(string(a.Body), "<meta http-equiv=\"refresh\"") || strings.Contains(string(a.Body), "target=\"_blank\"") {
			t.Errorf("%s leads on by itself, or keeps a window open", what)
		}
	}
	for _, d := range r.entries() {
		for _, form := range []url.Values{d.form, values("i", "x"), nil, values("client_id", "nobody")} {
			look(d.String(), r.knocks(d, browser, form), nil)
			d.signedOn = !d.signedOn && !d.machine()
		}
		a, err := r.s.Visitor().With("Accept", "text/html").Do(t.Context(), "DELETE", d.path, nil)
		look(d.String()+" by another method", a, err)
	}
	for name, form := range map[string]url.Values{
		"a form that posts the code": but(asking("web", "openid"), "response_mode", "form_post"), "an error": but(asking("web", "openid"), "scope", "none"),
		"a code": asking("web", "openid"),
	} {
		a, err := browser.Thief().Get(t.Context(), "/oauth2/authorize?"+form.Encode())
		look(name, a, err)
	}
	for _, path := range []string{"/", "/nowhere", "/ui", "/ui/nowhere", "/oauth2", "/oauth2/nowhere", "/t/nobody/ui/login", "/email/verify/x",
		"/password/reset/x", "/ui/done/logout", "/ui/done/nothing"} {
		a, err := r.s.Visitor().With("Accept", "text/html").Get(t.Context(), path)
		look(path, a, err)
	}
	foreign := r.s.Visitor().With("Accept", "text/html")
	foreign.Host = "attacker.example"
	a, err := foreign.Get(t.Context(), "/ui/login")
	look("another host", a, err)
	for _, status := range []int{200, 303, 400, 401, 404, 405, 410, 421, 422} {
		if seen[status] == 0 {
			t.Errorf("no answer with %d was looked at", status)
		}
	}
}

// TestNoPageOfOursLeadsAway (RFC 9700 section 4.11.1): whatever a link to one of our pages carries, it leads to ourselves.
func TestNoPageOfOursLeadsAway(t *testing.T) {
	r := newRealm(t, server.Options{})
	browser := r.signedOn()
	const evil = "https://attacker.example/"
	tricks := []string{evil, "//attacker.example/", `/\attacker.example`, `\\attacker.example`, "///attacker.example", "https:attacker.example",
		"javascript:alert(1)", "/%2f/attacker.example"}
	names := strings.Fields(`next return returnTo return_to return_url redirect redirect_to redirect_uri redirect_url url uri target dest destination continue
		goto go back to i done other RelayState client_id post_logout_redirect_uri request_uri user_code forward path callback service state`)
	for _, d := range r.entries() {
		if d.machine() || d.path == "/oauth2/authorize" {
			continue
		}
		for _, trick := range tricks {
			form := url.Values{}
			for _, name := range names {
				form.Set(name, trick)
			}
			all := r.knocks(d, browser, form)
			leadsHome(t, d.String()+" with everything", all)
			for _, name := range []string{"to", "next", "return_to", "user_code", "done"} {
				leadsHome(t, d.String()+" with "+name, r.knocks(d, browser, but(d.form, name, trick)))
			}
		}
	}
	for _, trick := range tricks {
		q := url.Values{}
		for _, name := range names {
			if name != "i" && name != "request_uri" { // these begin nothing but an error
				q.Set(name, trick)
			}
		}
		for _, q := range []url.Values{q, values("to", trick), values("to", trick, "user_code", trick)} {
			a, err := r.s.Visitor().Post(t.Context(), "/ui/login?"+q.Encode(), values("email", r.p.Email, "password", r.p.Password))
			leadsHome(t, "a login", must(t, "login with "+trick, a, err, 303))
			a, err = browser.Thief().Post(t.Context(), "/ui/account?"+q.Encode(), values("name", "Ada"))
			leadsHome(t, "a saved profile", must(t, "profile with "+trick, a, err, 303))
		}
	}
	for _, path := range []string{"//attacker.example", "//attacker.example/..", "/t//attacker.example/", "/t/main//attacker.example", `/\attacker.example`,
		"/.//attacker.example/",
		"/ui/..//attacker.example/", "/%2f%2fattacker.example", "/ui//attacker.example", "http://attacker.example/ui/login", "/oauth2/authorize/..//attacker.example"} {
		rawPath(t, r.s, path)
	}
}

func leadsHome(t *testing.T, what string, a *drill.Reply) {
	t.Helper()
	to := a.Header.Get("Location")
	if to != "" && !strings.HasPrefix(to, "/ui/") && !strings.HasPrefix(to, "/oauth2/") && to != "http://127.0.0.1/bye" {
		t.Errorf("%s leads to %q", what, to)
	}
	for _, attribute := range []string{`href="`, `action="`, `src="`} {
		for _, part := range strings.Split(string(a.Body), attribute)[1:] {
			if link, _, _ := strings.Cut(part, `"`); !local(link) && link != "data:," { // the empty icon
				t.Errorf("%s shows a link to %q", what, link)
			}
		}
	}
	if policy := a.Header.Get("Content-Security-Policy"); strings.Contains(policy, "attacker") {
		t.Errorf("%s: the policy is %s", what, policy)
	}
}

// local is a path of this very host, in the eyes of every browser.
func local(link string) bool {
	return strings.HasPrefix(link, "/") && !strings.HasPrefix(link, "//") && !strings.HasPrefix(link, `/\`) || strings.HasPrefix(link, "#")
}

// rawPath asks for a path as no client library would send it.
func rawPath(t *testing.T, s *server.Server, path string) {
	t.Helper()
	u, err := url.Parse(s.URL)
	do(t, err)
	c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", u.Port()))
	do(t, err)
	defer func() { _ = c.Close() }()
	_, err = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, u.Host)
	do(t, err)
	a, err := http.ReadResponse(bufio.NewReader(c), nil)
	do(t, err)
	_ = a.Body.Close()
	to := a.Header.Get("Location")
	if at, err := url.Parse(to); err != nil || at.Host != "" || strings.HasPrefix(to, "//") || strings.HasPrefix(to, `/\`) || a.StatusCode >= 500 {
		t.Errorf("%s: %d to %q", path, a.StatusCode, to)
	}
}

// TestNoHostIsBelieved (host header poisoning): whatever host a caller names, nothing that is told or redirected to has it.
func TestNoHostIsBelieved(t *testing.T) {
	r := newRealm(t, server.Options{})
	access := r.tokens("web", "openid").Text("access_token")
	paths := []string{
		"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/oauth2/jwks", "/oauth2/device", "/ui/login", "/ui/account", "/oauth2/logout",
		"/oauth2/authorize?" + asking("web", "openid").Encode(), "/oauth2/authorize?" + but(asking("web", "openid"), "prompt", "none").Encode(), "/oauth2/userinfo",
	}
	headers := map[string]string{
		"X-Forwarded-Host": "attacker.example", "Forwarded": "host=attacker.example;proto=http", "X-Original-Host": "attacker.example", "X-Host": "attacker.example",
		"X-Forwarded-Server": "attacker.example", "X-HTTP-Host-Override": "attacker.example", "X-Original-URL": "https://attacker.example/", "X-Rewrite-URL": "//attacker.example/",
		"X-Forwarded-Prefix": "//attacker.example",
	}
	for _, path := range paths {
		for name, value := range headers {
			a, err := r.s.Visitor().With(name, value).Get(t.Context(), path)
			do(t, err)
			if strings.Contains(fmt.Sprint(a.Header)+string(a.Body), "attacker") {
				t.Errorf("%s with %s: the attacker's host comes back", path, name)
			}
		}
		for _, host := range []string{"attacker.example", "localhost.attacker.example", "attacker.example:80", "localhost@attacker.example", "localhost,attacker.example"} {
			v := r.s.Visitor()
			v.Host = host
			a, err := v.Get(t.Context(), path)
			do(t, err)
			if a.Status != http.StatusMisdirectedRequest && a.Status != 400 || a.Header.Get("Location") != "" || strings.Contains(string(a.Body), "attacker") {
				t.Errorf("%s at %s: answered %s", path, host, a)
			}
		}
	}
	v, form := r.as("tv", values("scope", "openid"))
	a, err := v.With("X-Forwarded-Host", "attacker.example").Post(t.Context(), "/oauth2/device_authorize", form)
	if got := must(t, "device_authorize", a, err, 200).Text("verification_uri"); !strings.HasPrefix(got, r.s.Issuer+"/") {
		t.Errorf("a device is told to go to %s", got)
	}
	must(t, "userinfo", r.bearing(access, "/oauth2/userinfo"), nil, 200)
}

// TestNobodyIsSignedOnByAForeignPage (login CSRF): posts of other pages to the hosted forms and the logout neither read nor set a cookie.
func TestNobodyIsSignedOnByAForeignPage(t *testing.T) {
	r := newRealm(t, server.Options{})
	browser := r.signedOn()
	for _, d := range r.entries() {
		if d.machine() || d.method != "POST" {
			continue
		}
		for name, value := range map[string]string{"Origin": "https://attacker.example", "Sec-Fetch-Site": "cross-site"} {
			v := browser.Thief().With(name, value)
			form := but(d.form, "email", r.p.Email, "password", r.p.Password)
			a, err := v.Post(t.Context(), d.path, form)
			do(t, err)
			again := a.Status == 303 && strings.HasPrefix(a.Header.Get("Location"), d.path+"?") && d.fields == nil // the OAuth endpoints ask again by GET
			if len(a.Header["Set-Cookie"]) > 0 || a.Status != http.StatusForbidden && !again {
				t.Errorf("%s with a foreign %s: answered %s, %d cookies", d, name, a, len(a.Header["Set-Cookie"]))
			}
		}
	}
}

// TestABadAddressShowsAPage (RFC 9700 section 4.11.2): at every endpoint that takes one, a redirect URI of the corpus is told to the person or
// the client, and never redirected to.
func TestABadAddressShowsAPage(t *testing.T) {
	r := newRealm(t, server.Options{})
	browser := r.signedOn()
	id := r.tokens("web", "openid").Text("id_token")
	callbacks, byes := drill.RedirectTricks(realmCallback), drill.RedirectTricks("http://127.0.0.1/bye")
	if len(callbacks) < 200 || len(byes) < 200 {
		t.Fatalf("a corpus of %d and %d", len(callbacks), len(byes))
	}
	shown := func(what, trick string, a *drill.Reply, err error) {
		t.Helper()
		do(t, err)
		if a.Status != 400 || a.Header.Get("Location") != "" || strings.Contains(string(a.Body), "<form") {
			t.Errorf("%s: %q was answered %s to %q", what, trick, a, a.Header.Get("Location"))
		}
	}
	for i, trick := range callbacks {
		q := asking("web", "openid")
		q.Set("redirect_uri", trick)
		a, err := browser.Get(t.Context(), "/oauth2/authorize?"+q.Encode())
		shown("authorize", trick, a, err)
		q.Set("response_mode", "form_post")
		q.Set("prompt", "none")
		a, err = browser.Get(t.Context(), "/oauth2/authorize?"+q.Encode())
		shown("authorize by form_post", trick, a, err)
		a, err = r.tries("web", "/oauth2/par", q)
		shown("PAR", trick, a, err)
		if i%16 == 0 { // posted, the browser asks again by GET; then it is the first case
			a, err = browser.Post(t.Context(), "/oauth2/authorize", q)
			do(t, err)
			a, err = browser.Get(t.Context(), a.Header.Get("Location"))
			shown("authorize by POST", trick, a, err)
		}
	}
	for _, trick := range byes {
		if trick == "" {
			continue // no address at all
		}
		q := url.Values{"client_id": {"web"}, "post_logout_redirect_uri": {trick}}
		a, err := r.s.Visitor().Get(t.Context(), "/oauth2/logout?"+q.Encode())
		shown("logout, nobody signed on", trick, a, err)
		a, err = browser.Get(t.Context(), "/oauth2/logout?"+q.Encode())
		shown("logout", trick, a, err)
		q.Set("id_token_hint", id)
		a, err = browser.Get(t.Context(), "/oauth2/logout?"+q.Encode())
		shown("logout with an ID token", trick, a, err)
		q.Del("id_token_hint")
		q.Set("confirm", "yes")
		a, err = browser.Post(t.Context(), "/oauth2/logout", q)
		shown("logout, confirmed", trick, a, err)
	}
	if got := r.silently(browser, "web", "openid"); got != "" {
		t.Errorf("afterwards nobody is signed on: %s", got)
	}
}

// TestNoTrickIsRegistered: what a client may register as its address is an absolute one, of its own scheme or https, that every parser reads alike.
func TestNoTrickIsRegistered(t *testing.T) {
	r := newRealm(t, server.Options{})
	v := r.s.Visitor().With("Authorization", "Bearer "+r.initialToken(-1))
	taken, tricks := 0, append(drill.RedirectTricks("https://app.example.com/callback"), drill.RedirectTricks("http://127.0.0.1/callback")...)
	for _, trick := range tricks {
		for _, field := range []string{"redirect_uris", "post_logout_redirect_uris"} {
			about := map[string]any{"redirect_uris": []string{"https://app.example.com/callback"}}
			about[field] = []string{trick}
			a, err := v.Post(t.Context(), "/oauth2/clients", about)
			do(t, err)
			if a.Status == 201 {
				taken++
				if why := unfit(trick); why != "" {
					t.Errorf("%s took %q, which %s", field, trick, why)
				}
				continue
			}
			want := map[string]string{"redirect_uris": "invalid_redirect_uri", "post_logout_redirect_uris": "invalid_client_metadata"}[field]
			if a.Status != 400 || a.Text("error") != want {
				t.Errorf("%s %q: answered %s with error %q", field, trick, a, a.Text("error"))
			}
		}
	}
	if len(tricks) < 400 || taken == 0 {
		t.Errorf("%d tricks, %d taken", len(tricks), taken)
	}
}

// unfit says why an address must not be anybody's, judged by its letters alone.
func unfit(address string) string {
	scheme, rest, _ := strings.Cut(address, ":")
	scheme = strings.ToLower(scheme)
	authority, _, _ := strings.Cut(strings.NewReplacer("?", "/").Replace(strings.TrimPrefix(rest, "//")), "/")
	host, _, _ := strings.Cut(strings.ToLower(authority), ":")
	switch {
	case strings.ContainsAny(address, "#\\* \t\r\n\x00"):
		return "has a letter that parsers quarrel about"
	case strings.Contains(scheme, "."):
		return "" // private use
	case scheme != "https" && scheme != "http":
		return "runs script, or leads nowhere"
	case !strings.HasPrefix(rest, "//") || authority == "":
		return "has no host"
	case strings.Trim(strings.ToLower(authority), "abcdefghijklmnopqrstuvwxyz0123456789._-:[]") != "":
		return "has a host that is none"
	case scheme == "http" && host != "127.0.0.1" && host != "localhost" && !strings.HasSuffix(host, ".localhost") && !strings.HasPrefix(authority, "[::1]"):
		return "goes over the wire in the clear"
	}
	return ""
}
