package endtoend

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

const day = 24 * time.Hour

func TestStoryWithBearerTokens(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		ctx := t.Context()
		s := server.Start(t, o)
		p := firstLogin(ctx, t, s)
		access, refresh := bearer(ctx, t, p)
		stockLibraryAccepts(ctx, t, s, access)

		same, err := s.Refresh(ctx, access, refresh)
		must(t, "refresh with a valid access token", same, err, 200)
		if same.Text("access_token") != access || same.Text("refresh_token") != refresh {
			t.Fatal("a refresh with a still valid access token must give the same pair")
		}
		strangersTokens(ctx, t, s, access)

		s.MustAdvance(ctx, 16*time.Minute)
		r, err := s.Me(ctx, access)
		refusedFor(t, "an expired access token", r, err, 401, "token_expired")
		next, err := s.Refresh(ctx, access, refresh)
		must(t, "refresh after 16 minutes", next, err, 200)
		if next.Text("access_token") == access || next.Text("refresh_token") == refresh {
			t.Fatal("16 minutes later there must be a new pair")
		}
		loggedOut(ctx, t, s, next.Text("access_token"), next.Text("refresh_token"), refresh)

		_, refresh = bearer(ctx, t, p)
		s.MustAdvance(ctx, 31*day)
		r, err = s.Refresh(ctx, "", refresh)
		refusedFor(t, "refresh after 31 idle days", r, err, 401, "session_expired")
	})
}

// firstLogin is the seed's story: an unknown user logs in, an attempt is stored, a mail is sent, the page proves the mailbox.
func firstLogin(ctx context.Context, t *testing.T, s *server.Server) *drill.Person {
	t.Helper()
	p := &drill.Person{Email: drill.Fresh("story"), Password: drill.Password, Visitor: s.Visitor()}
	r, err := p.LogIn(ctx, p.Visitor)
	refusedFor(t, "login of an unknown user", r, err, 401, "email_unverified")
	if r.Text("message") != "user has not verified their primary email" {
		t.Fatalf("message %q", r.Text("message"))
	}
	link, err := s.Link(ctx, p.Email, 1)
	if err != nil {
		t.Fatal(err)
	}
	page, err := p.Get(ctx, link)
	must(t, "the inert page", page, err, 200)
	if got := page.Header.Get("Referrer-Policy"); got != "no-referrer" {
		t.Fatalf("the page of a one-time link sends Referrer-Policy %q", got)
	}
	r, err = p.LogIn(ctx, p.Visitor)
	refusedFor(t, "login after a mere look at the link", r, err, 401, "email_unverified")
	r, err = p.Post(ctx, link, map[string]string{})
	if err != nil || r.Status >= 400 {
		t.Fatalf("proof in the same browser: %v %v", r, err)
	}
	r, err = p.Post(ctx, link, map[string]string{})
	must(t, "the link again", r, err, 410)
	return p
}

func stockLibraryAccepts(ctx context.Context, t *testing.T, s *server.Server, access string) {
	t.Helper()
	r, err := s.Visitor().Get(ctx, "/.well-known/jwks.json")
	must(t, "jwks", r, err, 200)
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(r.Body, &set); err != nil {
		t.Fatal(err)
	}
	claims := jwt.MapClaims{}
	key := func(tok *jwt.Token) (any, error) {
		kid, _ := tok.Header["kid"].(string)
		if keys := set.Key(kid); len(keys) == 1 && strings.HasPrefix(kid, "d-") && tok.Header["typ"] == "at+jwt" {
			return keys[0].Key, nil
		}
		return nil, fmt.Errorf("no rotating key %q in the JWKS", kid)
	}
	_, err = jwt.ParseWithClaims(access, claims, key, jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(s.URL),
		jwt.WithAudience(s.ClientID), jwt.WithExpirationRequired(), jwt.WithIssuedAt())
	if err != nil {
		t.Fatalf("a stock library refuses the token: %v", err)
	}
	for _, name := range []string{"tid", "sub", "client_id", "exp", "iat", "nbf", "jti", "sid", "ep", "roles", "email", "email_verified",
		"preferred_username", "applicationId", "auth_time", "amr"} {
		if claims[name] == nil {
			t.Errorf("the access token lacks %s", name)
		}
	}
	for _, name := range []string{"source", "act", "cnf"} {
		if claims[name] != nil {
			t.Errorf("the access token carries %s", name)
		}
	}
}

// strangersTokens: a valid access token beside somebody else's or a made-up refresh token is worth nothing.
func strangersTokens(ctx context.Context, t *testing.T, s *server.Server, access string) {
	t.Helper()
	_, foreign := bearer(ctx, t, signUp(ctx, t, s, "other"))
	flipped := foreign[:len(foreign)-8] + "AAAAAAAA"
	for what, refresh := range map[string]string{"made up": "gr_AAAA", "tampered": flipped} {
		r, err := s.Refresh(ctx, access, refresh)
		refusedFor(t, what, r, err, 401, "refresh_unknown")
	}
	r, err := s.Refresh(ctx, access, foreign)
	if must(t, "somebody else's refresh token", r, err, r.Status); r.Status == 200 && r.Text("access_token") == access {
		t.Fatal("somebody else's refresh token gave this session's pair back")
	}
	r, err = s.Refresh(ctx, "", foreign)
	must(t, "the other's own refresh afterwards", r, err, 200)
}

func loggedOut(ctx context.Context, t *testing.T, s *server.Server, access, refresh, old string) {
	t.Helper()
	r, err := s.Logout(ctx, access)
	must(t, "logout", r, err, 200)
	r, err = s.Refresh(ctx, "", refresh)
	refusedFor(t, "the newest refresh token after logout", r, err, 401, "session_revoked")
	r, err = s.Refresh(ctx, "", old)
	must(t, "an old refresh token after logout", r, err, 401)
	r, err = s.Refresh(ctx, access, refresh)
	refusedFor(t, "a refresh with the still valid access token", r, err, 401, "session_revoked")
	r, err = s.Me(ctx, access)
	refusedFor(t, "the access token itself", r, err, 401, "session_revoked")
	r, err = s.Logout(ctx, access)
	must(t, "logout again", r, err, 200)
}

func TestStoryWithCookies(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		ctx := t.Context()
		s := server.Start(t, o)
		p := firstLogin(ctx, t, s)
		login, err := p.LogIn(ctx, p.Visitor)
		must(t, "login", login, err, 200)
		tokenCookies(t, login, 900, 30*86400)

		r, err := p.Get(ctx, "/me")
		must(t, "me by cookie", r, err, 200)
		if r.Text("email") != p.Email {
			t.Fatalf("me is %q", r.Text("email"))
		}
		tokenless := func(what string, r *drill.Reply) {
			t.Helper()
			for _, c := range p.Cookies {
				if len(c) > 20 && strings.Contains(string(r.Body), c) {
					t.Fatalf("%s: a call authenticated by cookie got a token in its body", what)
				}
			}
			if r.Text("access_token") != "" || r.Text("refresh_token") != "" {
				t.Fatalf("%s: token fields in the body", what)
			}
		}
		before := p.Cookies["access_token"]
		r, err = p.Post(ctx, "/jwt/refresh", map[string]string{})
		tokenless("refresh while valid", must(t, "refresh by cookie", r, err, 200))
		if p.Cookies["access_token"] != before {
			t.Fatal("a refresh with a valid access cookie must keep it")
		}
		s.MustAdvance(ctx, 16*time.Minute)
		old := p.Cookies["refresh_token"]
		r, err = p.Post(ctx, "/jwt/refresh", map[string]string{})
		tokenless("refresh after 16 minutes", must(t, "refresh by cookie", r, err, 200))
		tokenCookies(t, r, 900, 30*86400)
		if p.Cookies["access_token"] == before || p.Cookies["refresh_token"] == old {
			t.Fatal("16 minutes later both cookies must be new")
		}
		thief := p.Thief()
		r, err = p.Post(ctx, "/logout", map[string]any{})
		must(t, "logout", r, err, 200)
		for _, name := range []string{"access_token", "refresh_token"} {
			if c := cookie(r, name); c == nil || c.MaxAge >= 0 {
				t.Fatalf("logout leaves cookie %s", name)
			}
		}
		r, err = thief.Get(ctx, "/me")
		refusedFor(t, "a copied jar after logout", r, err, 401, "session_revoked")
		r, err = thief.Post(ctx, "/jwt/refresh", map[string]string{})
		refusedFor(t, "refresh with a copied jar", r, err, 401, "session_revoked")
		if len(r.Cookies) != 0 {
			t.Fatal("a late refusal must not touch cookies: it could delete a newer login")
		}
		_, err = p.LogIn(ctx, p.Visitor)
		if err != nil {
			t.Fatal(err)
		}
		s.MustAdvance(ctx, 31*day)
		r, err = p.Post(ctx, "/jwt/refresh", map[string]string{})
		refusedFor(t, "31 idle days later", r, err, 401, "session_expired")
	})
}

func tokenCookies(t *testing.T, r *drill.Reply, accessAge, refreshAge int) {
	t.Helper()
	for name, age := range map[string]int{"access_token": accessAge, "refresh_token": refreshAge} {
		c := cookie(r, name)
		if c == nil {
			t.Fatalf("no cookie %s", name)
		}
		if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge != age {
			t.Errorf("cookie %s: HttpOnly=%v Secure=%v SameSite=%v Path=%q Domain=%q Max-Age=%d, want true true lax / none %d",
				name, c.HttpOnly, c.Secure, c.SameSite, c.Path, c.Domain, c.MaxAge, age)
		}
	}
}
