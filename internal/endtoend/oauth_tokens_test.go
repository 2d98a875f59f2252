package endtoend

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
	"github.com/gatehouse-auth/gatehouse/resource"
)

// everyToken is a realm and one live token of each kind, by name; beside them things that are none.
func everyToken(t *testing.T) (*realm, map[string]string) {
	t.Helper()
	app := reserve(t)
	app.up(t)
	told := strings.Replace(realmConfig, `["http://127.0.0.1/bye"]`, `["http://127.0.0.1/bye"]
      backchannel_logout_uri: "http://`+app.address+`/logout"`, 1)
	r := newRealm(t, server.Options{Config: told})
	user := r.tokens("web", "openid email offline_access plants")
	service, err := r.s.Visitor().With("api-key", r.s.SuperKey).Post(t.Context(), "/supertokens/recipe/jwt", map[string]any{
		"payload": map[string]any{"source": "microservice"}, "algorithm": "RS256", "jwksDomain": "https://api.example.com", "validity": 3600,
	})
	must(t, "a service's token", service, err, 200)
	access := user.Text("access_token")
	tokens := map[string]string{
		"access": access, "ID": user.Text("id_token"), "refresh": user.Text("refresh_token"), "service": service.Text("jwt"), "logout": r.logoutToken(app),
		"opaque":         r.tokens("opaque", "openid email").Text("access_token"),
		"client's own":   must(t, "client credentials", r.token("web", values("grant_type", "client_credentials")), nil, 200).Text("access_token"),
		"code":           r.code("web", "openid").Get("code"),
		"another's JWT":  r.tokens("spa", "openid email").Text("access_token"),
		"tampered":       access[:len(access)-8] + strings.Map(func(c rune) rune { return c ^ 1 }, access[len(access)-8:len(access)-4]) + access[len(access)-4:],
		"unsigned":       strings.Join(strings.Split(access, ".")[:2], ".") + ".",
		"rubbish":        "x",
		"like a JWT":     "a.b.c",
		"like a refresh": "gr_" + strings.Repeat("A", 120),
		"like an opaque": "gat_" + strings.Repeat("A", 43),
	}
	for name, token := range tokens {
		if token == "" {
			t.Fatalf("no token: %s", name)
		}
	}
	return r, tokens
}

// logoutToken ends a session of the web client and gives what its back channel was told.
func (r *realm) logoutToken(app *receiver) string {
	r.t.Helper()
	must(r.t, "revocation", r.posts("web", "/oauth2/revoke", values("token", r.tokens("web", "openid").Text("access_token"))), nil, 200)
	var token string
	until(r.t, 30*time.Second, "the application hears of the logout", func() bool {
		app.mu.Lock()
		defer app.mu.Unlock()
		if len(app.tokens) > 0 {
			token = app.tokens[0]
		}
		return token != ""
	})
	return token
}

// TestTokensPassOnlyForWhatTheyAre: each kind of token at each place that takes one. An ID token is no access token, an access token no hint of
// who is signed on, a logout token nothing at all.
func TestTokensPassOnlyForWhatTheyAre(t *testing.T) {
	r, tokens := everyToken(t)
	api := r.verifier()
	if !r.follows(r.s.APIKey) {
		t.Fatal("the revocation feed opens for nobody")
	}
	for place, c := range map[string]struct {
		takes func(r *realm, token string) bool
		want  []string
	}{
		"/me": {func(r *realm, token string) bool { return r.bearing(token, "/me").Status == 200 }, []string{"access", "another's JWT"}},
		"userinfo": {func(r *realm, token string) bool { return r.bearing(token, "/oauth2/userinfo").Status == 200 },
			[]string{"access", "another's JWT", "opaque"}},
		"a resource server, for users": {func(_ *realm, token string) bool { return served(api.RequireUser(), token) == 200 }, []string{"access"}},
		"introspection by its client":  {func(r *realm, token string) bool { return r.introspected("web", token) != inactive }, []string{"access", "refresh", "client's own"}},
		"token exchange":               {(*realm).exchangesSubject, []string{"access", "client's own"}},
		"actor of a token exchange":    {func(r *realm, token string) bool { return r.exchangesActor(tokens["access"], token) }, []string{"access", "client's own"}},
		"the refresh grant":            {func(r *realm, token string) bool { return r.token("web", refreshing(token)).Status == 200 }, []string{"refresh"}},
		"id_token_hint":                {(*realm).hints, []string{"ID"}},
		"id_token_hint at logout":      {(*realm).leavesBy, []string{"ID"}},
		"refresh at the login API":     {(*realm).refreshesAnonymously, nil},
		"registering a client":         {(*realm).registersBy, nil},
		"the revocation feed":          {(*realm).follows, nil},
	} {
		t.Run(strings.Trim(strings.ReplaceAll(place, "/", ""), " "), func(t *testing.T) {
			r := r.in(t)
			for name, token := range tokens {
				if got := c.takes(r, token); got != slices.Contains(c.want, name) {
					t.Errorf("the %s token passes: %v", name, got)
				}
			}
		})
	}
	for name, token := range tokens {
		if len(token) > 20 && strings.Contains(r.s.Logs(), token) {
			t.Errorf("the %s token stands in the log", name)
		}
	}
}

// verifier is a resource server's; the audience is the web client's.
func (r *realm) verifier() *resource.Verifier {
	r.t.Helper()
	v, err := resource.New(resource.Config{
		Issuer: r.s.Issuer, Audience: "web", JWKSURL: strings.Replace(r.s.URL, "localhost", "127.0.0.1", 1) + "/oauth2/jwks", HTTP: r.s.HTTP,
	})
	do(r.t, err)
	do(r.t, v.Warm(r.t.Context()))
	return v
}

func (r *realm) exchangesSubject(token string) bool {
	r.t.Helper()
	return r.token("web", values("grant_type", exchangeGrant, "subject_token", token, "subject_token_type", accessType)).Status == 200
}

func (r *realm) exchangesActor(subject, token string) bool {
	r.t.Helper()
	return r.token("web", values("grant_type", exchangeGrant, "subject_token", subject, "subject_token_type", accessType,
		"actor_token", token, "actor_token_type", accessType)).Status == 200
}

// hints asks in silence who is signed on.
func (r *realm) hints(token string) bool {
	r.t.Helper()
	a, err := r.s.Visitor().Get(r.t.Context(), r.at+"/oauth2/authorize?"+but(asking("web", "openid"), "prompt", "none", "id_token_hint", token).Encode())
	to, failed := url.Parse(must(r.t, "authorize with a hint", a, err, 303).Header.Get("Location"))
	do(r.t, failed)
	if code := to.Query().Get("error"); code != "invalid_request" && code != "login_required" {
		r.t.Fatalf("a hint gave error %q", code)
	}
	return to.Query().Get("error") == "login_required"
}

// leavesBy tells whether the token logs the person out without a question.
func (r *realm) leavesBy(token string) bool {
	r.t.Helper()
	v := r.signedOn()
	a, err := v.Get(r.t.Context(), r.at+"/oauth2/logout?"+values("id_token_hint", token).Encode())
	do(r.t, err)
	out := v.Cookies[ssoCookie(v)] == ""
	if asked := a.Status == 303 && strings.Contains(a.Header.Get("Location"), "/ui/logout"); asked == out {
		r.t.Fatalf("logout answered %s", a)
	}
	return out
}

// refreshesAnonymously: nobody authenticates the client there, so a confidential client's token is refused too.
func (r *realm) refreshesAnonymously(token string) bool {
	r.t.Helper()
	a, err := r.s.Visitor().Post(r.t.Context(), "/jwt/refresh", map[string]string{"refresh_token": token, "client_id": "web"})
	do(r.t, err)
	return a.Status == 200
}

func (r *realm) registersBy(token string) bool {
	r.t.Helper()
	a, err := r.s.Visitor().With("Authorization", "Bearer "+token).Post(r.t.Context(), "/oauth2/clients", map[string]any{"redirect_uris": []string{"https://a.example.com/cb"}})
	do(r.t, err)
	return a.Status == 201
}

// follows tells whether the revocation feed, which never ends by itself, opens for the token.
func (r *realm) follows(token string) bool {
	r.t.Helper()
	for name, value := range map[string]string{"Authorization": "Bearer " + token, "X-Internal-Api-Key": token} {
		ctx, leave := context.WithCancel(r.t.Context())
		q, err := http.NewRequestWithContext(ctx, http.MethodGet, r.s.URL+"/oauth2/revocations", nil)
		do(r.t, err)
		q.Header.Set(name, value)
		a, err := r.s.HTTP.Do(q)
		do(r.t, err)
		leave()
		_ = a.Body.Close()
		if a.StatusCode == 200 {
			return true
		}
	}
	return false
}

// TestIntrospectionRevealsNothing: to a client that a token does not concern, whatever its shape and whether it is alive or was ever one, the
// answer is the same to the byte.
func TestIntrospectionRevealsNothing(t *testing.T) {
	r, tokens := everyToken(t)
	var first *drill.Reply
	for name, token := range tokens {
		a := must(t, name, r.posts("stranger", "/oauth2/introspect", values("token", token)), nil, 200)
		if string(a.Body) != inactive && string(a.Body) != inactive+"\n" {
			t.Errorf("a stranger hears about the %s token: %s", name, a.Body)
		}
		for _, h := range []*drill.Reply{a, first} {
			if h != nil {
				h.Header.Del("Date")
				h.Header.Del("Trace-Id")
			}
		}
		if first == nil {
			first = a
		}
		for header := range a.Header {
			if a.Header.Get(header) != first.Header.Get(header) {
				t.Errorf("the %s token shows in the header %s", name, header)
			}
		}
		for _, who := range []string{"spa", "tv"} { // public clients: nobody could be told apart
			r.refused("introspection by a public client", r.posts(who, "/oauth2/introspect", values("token", token)), 401, "invalid_client")
		}
	}
	if r.introspected("web", tokens["access"]) == inactive {
		t.Fatal("the tokens are dead anyway")
	}
}
