package oauthapi

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// The refusals of RFC 9700, each a test of its own.

// TestMixUp (section 4.4): every answer names its issuer, which is the configured one.
func TestMixUp(t *testing.T) {
	w := onSQLite(t)
	b := w.signedOn()
	for name, v := range map[string]url.Values{
		"a code": good(), "nobody": with("prompt", "none"), "a bad scope": with("scope", "nonsense"), "an implicit": with("response_type", "token"), "no PKCE": with("code_challenge", ""),
	} {
		from := b
		if name == "nobody" {
			from = w.browser()
		}
		if a := from.get(ask(v)); a.query("iss") != issuer || a.query("code")+a.query("error") == "" {
			t.Errorf("%s: %v", name, a.to)
		}
	}
}

// TestPKCEDowngrade (section 4.8): without a challenge, or with plain, there is no code, whatever the client is.
func TestPKCEDowngrade(t *testing.T) {
	w := onSQLite(t)
	b := w.signedOn()
	for _, client := range []string{"app", "third"} {
		for _, v := range []url.Values{
			with("client_id", client, "code_challenge", "", "code_challenge_method", ""), with("client_id", client, "code_challenge", ""),
			with("client_id", client, "code_challenge_method", ""), with("client_id", client, "code_challenge_method", "plain"), with("client_id", client, "code_challenge_method", "s256"),
		} {
			if a := b.get(ask(v)); a.query("error") != "invalid_request" || a.query("code") != "" {
				t.Errorf("%v: %v", v, a.to)
			}
		}
	}
}

// TestCodeInjection (section 4.5): a code is tied to the challenge, the nonce, the address and the client of the request that it answers, so it
// is worth nothing in another one.
func TestCodeInjection(t *testing.T) {
	w := onSQLite(t)
	b := w.signedOn()
	other := strings.Repeat("A", 43)
	for _, v := range []url.Values{good(), with("code_challenge", other, "nonce", "m", "redirect_uri", "https://app.example.com/with?a=1")} {
		c, err := w.store.OAuthCodes().Code(t.Context(), w.tenant.ID, secret.Hash(b.get(ask(v)).query("code")))
		if err != nil || c.Challenge != v.Get("code_challenge") || c.Nonce != v.Get("nonce") || c.RedirectURI != v.Get("redirect_uri") || c.ClientID != "app" {
			t.Errorf("%+v %v", c, err)
		}
	}
}

// TestOpenRedirect (sections 2.1, 4.1, 4.11): none of the corpus is redirected to, by answer, refusal, form or logout.
func TestOpenRedirect(t *testing.T) {
	w := onSQLite(t)
	b := w.signedOn()
	n := 0
	for _, registered := range []string{callback, "http://127.0.0.1/cb"} {
		for _, trick := range drill.RedirectTricks(registered) {
			for _, target := range []string{
				ask(with("redirect_uri", trick)), ask(with("redirect_uri", trick, "response_mode", "form_post", "prompt", "none")),
				"/oauth2/logout?client_id=app&post_logout_redirect_uri=" + url.QueryEscape(trick),
			} {
				if trick == "" && strings.HasPrefix(target, "/oauth2/logout") {
					continue // no address at all
				}
				if a := b.get(target); a.status != http.StatusBadRequest || a.to != nil || strings.Contains(a.body, "<form") {
					t.Errorf("%s: %d %v", target, a.status, a.to)
				}
			}
			n++
		}
	}
	if n < 400 {
		t.Fatalf("a corpus of %d", n)
	}
}

// TestLoginCSRF (section 4.7): a request begun in one browser goes on in no other, signed on or not.
func TestLoginCSRF(t *testing.T) {
	w := onSQLite(t)
	id := leadsTo(t, w.browser().get(ask(good())), "/ui/login")
	began := w.signedOn()
	began.get(ask(with("prompt", "login"))) // has a cookie of its own
	for name, b := range map[string]*browser{"signed on": w.signedOn(), "nobody": w.browser(), "has begun another": began} {
		if a := b.get("/oauth2/continue?i=" + id); a.status != http.StatusGone || a.to != nil {
			t.Errorf("%s: %d %v", name, a.status, a.to)
		}
	}
}

// TestEveryAnswerIsGuarded (sections 4.2, 4.12, 4.16): no frame, no referrer, no cache, and 303 so that no form is posted on.
func TestEveryAnswerIsGuarded(t *testing.T) {
	w := onSQLite(t)
	b := w.signedOn()
	for name, a := range map[string]answer{
		"a code": b.get(ask(good())), "a refusal": b.get(ask(with("scope", "nonsense"))), "a step": w.browser().get(ask(good())), "a form": b.get(ask(with("response_mode", "form_post"))),
		"a page": b.get(ask(with("client_id", "nobody"))), "over": b.get("/oauth2/continue?i=x"), "a logout": b.get("/oauth2/logout"),
		"a posted request": b.do(http.MethodPost, "/oauth2/authorize", good()), "PAR": w.browser().do(http.MethodPost, "/oauth2/par", good()),
	} {
		h := a.header
		if h.Get("X-Frame-Options") != "DENY" || !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%s can be framed", name)
		}
		if h.Get("Referrer-Policy") != "no-referrer" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s leaks by referrer or cache", name)
		}
		if a.status >= 300 && a.status < 400 && a.status != http.StatusSeeOther {
			t.Errorf("%s redirects by %d", name, a.status)
		}
	}
}

// TestHostPoisoning: the issuer and every place that is redirected to come from the configuration, whatever host the browser names.
func TestHostPoisoning(t *testing.T) {
	w := onSQLite(t)
	if a := w.signedOn().with("Host", "attacker.example").get(ask(good())); a.status != http.StatusMisdirectedRequest || a.to != nil {
		t.Fatalf("%d %v", a.status, a.to)
	}
	for _, header := range []string{"X-Forwarded-Host", "Forwarded", "X-Original-Host", "X-Host"} {
		value := "attacker.example"
		if header == "Forwarded" {
			value = "host=attacker.example;proto=http"
		}
		b := w.signedOn().with(header, value)
		for _, v := range []url.Values{good(), with("scope", "nonsense"), with("prompt", "login"), with("client_id", "nobody")} {
			a := b.get(ask(v))
			if a.to != nil && (strings.Contains(a.to.String(), "attacker") || a.to.Host != "" && a.query("iss") != issuer) || strings.Contains(a.body, "attacker") {
				t.Errorf("%s: %v", header, a.to)
			}
		}
	}
}

// TestForeignPostsReadNoCookie: a page elsewhere that posts here finds nobody signed on and sets nothing.
func TestForeignPostsReadNoCookie(t *testing.T) {
	w := onSQLite(t)
	for _, path := range []string{"/oauth2/authorize", "/oauth2/logout"} {
		b := w.signedOn()
		cookie := b.cookies[web.SSOCookie]
		a := b.with("Origin", "https://attacker.example").do(http.MethodPost, path, with("confirm", "yes"))
		if a.status != http.StatusSeeOther || a.to.Path != path || len(a.header["Set-Cookie"]) != 0 || a.query("confirm") == "yes" && path == "/oauth2/logout" {
			t.Errorf("%s: %d %v", path, a.status, a.to)
		}
		if b.cookies[web.SSOCookie] != cookie {
			t.Error("the cookie changed")
		}
	}
}
