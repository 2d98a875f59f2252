package endtoend

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

const browserApps = `
tenants:
- id: 0198c000-0000-7000-8000-000000000001
  slug: main
  name: Example
  test: true
  default_client: demo
  cookies: {domain: example.com, same_site: strict, refresh_path: /jwt, access_name: at, refresh_name: rt}
  clients:
  - {id: demo, name: Demo, auto_register: true, allowed_origins: ["https://app.example.com"]}
  - {id: other, name: Other, auto_register: true}
`

// TestCookiesAndOriginsBySetting: the cookies have the attributes the tenant chose, and a page of a listed origin may call with them.
func TestCookiesAndOriginsBySetting(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		ctx := t.Context()
		o.Config = browserApps
		s := server.Start(t, o)
		p := signUp(ctx, t, s, "origins")
		app := s.Visitor().With("Origin", "https://app.example.com").With("Sec-Fetch-Site", "cross-site")
		r, err := p.LogIn(ctx, app)
		must(t, "login from a listed origin", r, err, 200)
		granted(t, r, true)
		at, rt := cookie(r, "at"), cookie(r, "rt")
		if at == nil || rt == nil {
			t.Fatal("the cookies do not have the chosen names")
		}
		for _, c := range []*http.Cookie{at, rt} {
			if c.Domain != "example.com" || c.SameSite != http.SameSiteStrictMode || !c.HttpOnly || !c.Secure {
				t.Errorf("cookie %s: Domain %q, SameSite %v", c.Name, c.Domain, c.SameSite)
			}
		}
		if at.Path != "/" || rt.Path != "/jwt" {
			t.Errorf("paths %q and %q", at.Path, rt.Path)
		}
		r, err = app.Post(ctx, "/jwt/refresh", map[string]string{})
		must(t, "refresh from a listed origin", r, err, 200)
		granted(t, r, true)
		r, err = app.Do(ctx, http.MethodOptions, "/jwt/refresh", nil)
		must(t, "preflight", r, err, 204)
		granted(t, r, true)

		evil := app.With("Origin", "https://evil.example.org")
		for _, path := range []string{"/jwt/refresh", "/logout", "/login/password"} {
			r, err = evil.Post(ctx, path, map[string]string{"email": p.Email, "password": p.Password})
			refusedFor(t, path+" from a foreign origin", r, err, 403, "cross_origin")
			granted(t, r, false)
			if len(r.Cookies) > 0 {
				t.Errorf("%s from a foreign origin touched cookies", path)
			}
		}
		r, err = app.With("X-Client-Id", "other").Post(ctx, "/login/password", map[string]string{"email": p.Email, "password": p.Password})
		refusedFor(t, "an origin listed by another client", r, err, 403, "cross_origin")
		r, err = app.Get(ctx, "/me")
		must(t, "the session after all that", r, err, 200)
	})
}

func granted(t *testing.T, r *drill.Reply, want bool) {
	t.Helper()
	origin, credentials := r.Header.Get("Access-Control-Allow-Origin"), r.Header.Get("Access-Control-Allow-Credentials")
	if got := origin == "https://app.example.com" && credentials == "true"; got != want || !want && origin != "" {
		t.Errorf("CORS: origin %q, credentials %q", origin, credentials)
	}
	if !strings.Contains(strings.Join(r.Header.Values("Vary"), ","), "Origin") {
		t.Error("no Vary: Origin")
	}
}

const twoTenants = `
tenants:
- id: 0198c000-0000-7000-8000-000000000001
  slug: red
  name: Red
  issuer: red
  test: true
  default_client: red-app
  clients: [{id: red-app, name: Red app, auto_register: true}]
- id: 0198c000-0000-7000-8000-000000000002
  slug: blue
  name: Blue
  issuer: blue
  test: true
  default_client: blue-app
  cookies: {prefix: __Host-}
  clients: [{id: blue-app, name: Blue app, auto_register: true}]
`

// enrolAt signs up and logs in below /t/{slug}, with a browser; its mail is the given one for the address there.
func enrolAt(ctx context.Context, t *testing.T, s *server.Server, slug, email, password string, mails int) (*drill.Visitor, string) {
	t.Helper()
	v := s.Visitor()
	r, err := v.Post(ctx, "/t/"+slug+"/register", map[string]string{"email": email, "password": password})
	must(t, "register at "+slug, r, err, 202)
	var link string
	until(t, patience, "the mail of "+slug, func() bool {
		r, err := s.Visitor().Get(ctx, "/t/"+slug+"/dev/mailbox?to="+email)
		must(t, "mailbox of "+slug, r, err, 200)
		var box []drill.Mail
		do(t, json.Unmarshal(r.Body, &box))
		if len(box) >= mails && len(box[0].Links) > 0 {
			link = drill.Path(box[0].Links[0])
		}
		return link != ""
	})
	if !strings.HasPrefix(link, "/t/"+slug+"/") {
		t.Fatalf("the link of %s leads elsewhere", slug)
	}
	r, err = v.Post(ctx, link, map[string]string{})
	if err != nil || r.Status >= 400 {
		t.Fatalf("proof at %s: %v %v", slug, r, err)
	}
	r, err = v.Post(ctx, "/t/"+slug+"/login/password", map[string]string{"email": email, "password": password})
	must(t, "login at "+slug, r, err, 200)
	return v, r.Text("access_token")
}

// TestTenantsByPath: two tenants on one host share nothing: users, cookies, keys, tokens, links.
func TestTenantsByPath(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		ctx := t.Context()
		o.Config = twoTenants
		s := server.Start(t, o)
		email := drill.Fresh("both")
		red, redToken := enrolAt(ctx, t, s, "red", email, "the password at red", 1)
		r, err := s.Visitor().Post(ctx, "/t/blue/login/password", map[string]string{"email": email, "password": "the password at red"})
		refusedFor(t, "red's user at blue", r, err, 401, "email_unverified") // a stranger there, so a sign-up
		blue, blueToken := enrolAt(ctx, t, s, "blue", email, "the password at blue", 2)
		if red.Cookies["access_token_red"] == "" || blue.Cookies["__Host-access_token_blue"] == "" || blue.Cookies["__Host-refresh_token_blue"] == "" {
			t.Errorf("cookies: red %d, blue %d", len(red.Cookies), len(blue.Cookies))
		}
		both := s.Visitor()
		for _, v := range []*drill.Visitor{red, blue} {
			for name, value := range v.Cookies {
				both.Cookies[name] = value
			}
		}
		ids := map[string]bool{}
		for _, slug := range []string{"red", "blue"} {
			r, err = both.Get(ctx, "/t/"+slug+"/me")
			must(t, "me at "+slug, r, err, 200)
			ids[r.Text("id")] = true
		}
		if len(ids) != 2 {
			t.Error("one browser with both cookies is the same person at both tenants")
		}
		for slug, token := range map[string]string{"red": blueToken, "blue": redToken} {
			r, err = s.Visitor().With("Authorization", "Bearer "+token).Get(ctx, "/t/"+slug+"/me")
			refusedFor(t, "the other tenant's token at "+slug, r, err, 401, "invalid_token")
			r, err = s.Visitor().Get(ctx, "/t/"+slug+"/.well-known/jwks.json")
			if must(t, "jwks of "+slug, r, err, 200); strings.Contains(string(r.Body), kidOf(t, token)) {
				t.Errorf("the JWKS of %s has a key of the other tenant", slug)
			}
		}
		r, err = both.Post(ctx, "/t/red/logout", map[string]any{})
		must(t, "logout at red", r, err, 200)
		r, err = both.Get(ctx, "/t/blue/me")
		must(t, "blue after a logout at red", r, err, 200)
		r, err = s.Visitor().Get(ctx, "/t/green/me")
		if err != nil || r.Status < 400 || r.Status > 499 {
			t.Errorf("a tenant that is none: %v %v", r, err)
		}
		foreign := s.Visitor()
		foreign.Host = "evil.example.org"
		r, err = foreign.Get(ctx, "/t/red/.well-known/jwks.json")
		refusedFor(t, "a foreign Host", r, err, 421, "misdirected_host")
	})
}

// TestLogoutForms: revoke false keeps the session; all ends every session of the user and nobody else's.
func TestLogoutForms(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		ctx := t.Context()
		s := server.Start(t, o)
		p, friend := signUp(ctx, t, s, "logout"), signUp(ctx, t, s, "friend")
		a, ra := bearer(ctx, t, p)
		b, _ := bearer(ctx, t, p)
		theirs, _ := bearer(ctx, t, friend)
		r, err := as(s, a).Post(ctx, "/logout", map[string]bool{"revoke": false})
		must(t, "logout that keeps the session", r, err, 200)
		r, err = s.Me(ctx, a)
		must(t, "the kept session", r, err, 200)
		r, err = s.Visitor().Post(ctx, "/logout", map[string]any{"all": true, "refresh_token": "gr_AAAA"})
		must(t, "logout of all with a made-up token", r, err, 200)
		r, err = s.Me(ctx, b)
		must(t, "nobody was logged out by it", r, err, 200)
		r, err = s.Visitor().Post(ctx, "/logout", map[string]any{"all": true, "refresh_token": ra})
		must(t, "logout of all by refresh token", r, err, 200)
		for _, token := range []string{a, b} {
			r, err = s.Me(ctx, token)
			refusedFor(t, "a session after logout of all", r, err, 401, "session_revoked")
		}
		r, err = s.Me(ctx, theirs)
		must(t, "somebody else's session", r, err, 200)
	})
}
