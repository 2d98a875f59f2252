package oauth_test

import (
	"encoding/json"
	"net/url"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// forAPI is a person's token for the API, of the client "all".
func (b *back) forAPI() oauth.TokenAnswer {
	b.t.Helper()
	return b.got("all", b.codeWith(func(p *oauth.Params) {
		p.ClientID, p.Scope, p.Resource = "all", []string{"openid", "orders", "offline_access"}, []string{api}
	}))
}

// TestIntrospectionConcern: who may know what about which token. Whoever it does not concern learns what they would of rubbish.
func TestIntrospectionConcern(t *testing.T) {
	b := backOnSQLite(t)
	out := b.forAPI()
	own := b.got("all", url.Values{"grant_type": {"client_credentials"}, "resource": {api}})
	opaque := b.got("opaque", b.code("opaque", "openid"))
	for name, c := range map[string]struct {
		client string
		token  secret.Text
		want   bool
	}{
		"its client":                    {"all", out.AccessToken, true},
		"its API":                       {"gateway", out.AccessToken, true},
		"a stranger":                    {"stranger", out.AccessToken, false},
		"own client's":                  {"all", own.AccessToken, true},
		"client's, by its API":          {"gateway", own.AccessToken, true},
		"client's, by a stranger":       {"stranger", own.AccessToken, false},
		"refresh, its client":           {"all", out.RefreshToken, true},
		"refresh, its API":              {"gateway", out.RefreshToken, false},
		"refresh, a stranger":           {"stranger", out.RefreshToken, false},
		"opaque, its client":            {"opaque", opaque.AccessToken, true},
		"opaque, a stranger":            {"all", opaque.AccessToken, false},
		"ID token":                      {"all", out.IDToken, false},
		"rubbish":                       {"all", secret.NewText("x"), false},
		"rubbish of our form":           {"all", secret.NewText("gat_x"), false},
		"rubbish like a refresh token ": {"all", secret.NewText("gr_x"), false},
	} {
		t.Run(name, func(t *testing.T) {
			got := b.introspect(c.client, c.token)
			if got.Active != c.want {
				t.Fatalf("%+v", got)
			}
			if !c.want && !reflect.DeepEqual(got, oauth.Introspection{}) {
				t.Fatalf("told beside inactive: %+v", got)
			}
		})
	}
	got := b.introspect("gateway", out.AccessToken)
	if got.Subject != b.ada.ID || got.Scope != "openid orders offline_access" || !slices.Equal(got.Audience, []string{api}) || got.ClientID != "all" || got.Issuer != issuer ||
		got.ExpiresAt == 0 || got.SessionID == "" || got.TokenType != "Bearer" {
		t.Fatalf("%+v", got)
	}
	if raw, err := json.Marshal(oauth.Introspection{}); err != nil || string(raw) != `{"active":false}` {
		t.Fatalf("%s", raw)
	}
	_, err := b.s.Introspect(t.Context(), b.api(), b.tenant, b.client("all"), secret.Text{})
	refusedFor(t, err, fault.ReasonOAuthRequest)
	b.at = b.at.Add(16 * time.Minute)
	b.active("all", out.AccessToken, false)
	b.active("all", out.RefreshToken, true)
	b.active("opaque", opaque.AccessToken, false)
}

// TestIntrospectionOfTheDead: a session ended, an account disabled, a client gone.
func TestIntrospectionOfTheDead(t *testing.T) {
	eachBack(t, func(t *testing.T, b *back) {
		for _, client := range []string{"all", "opaque"} {
			out := b.got(client, b.code(client, "openid", "offline_access"))
			sid := b.introspect(client, out.AccessToken).SessionID
			b.active(client, out.AccessToken, true)
			_, err := b.sessions.Revoke(t.Context(), b.api(), session.Match{TenantID: b.tenant.ID, ID: sid}, "x")
			b.ok(err)
			b.active(client, out.AccessToken, false)
			b.active(client, out.RefreshToken, false)
		}
		own := b.got("opaque", url.Values{"grant_type": {"client_credentials"}})
		b.set("gateway", func(c *tenant.Client) { c.Settings.OAuth.Introspects = []string{"opaque"} })
		b.active("gateway", own.AccessToken, true)
		b.ok(b.store.Tenants().RemoveClient(t.Context(), b.tenant.ID, "opaque", b.at, audit.Record{}))
		b.ok(b.dir.Refresh(t.Context()))
		b.active("gateway", own.AccessToken, false)
	})
}

// TestRevocation (RFC 7009): each kind of token, by its client and by another.
func TestRevocation(t *testing.T) {
	eachBack(t, func(t *testing.T, b *back) {
		revoke := func(client string, raw secret.Text) {
			t.Helper()
			c := b.client(client)
			b.ok(b.s.Revoke(t.Context(), b.api(), b.tenant, c, !c.Public(), raw))
		}
		for name, pick := range map[string]func(oauth.TokenAnswer) secret.Text{
			"refresh": func(a oauth.TokenAnswer) secret.Text { return a.RefreshToken },
			"access":  func(a oauth.TokenAnswer) secret.Text { return a.AccessToken },
		} {
			for _, client := range []string{"all", "opaque", "spa"} {
				out := b.got(client, b.code(client, "openid", "offline_access"))
				revoke("stranger", pick(out))
				if client != "spa" {
					b.active(client, out.AccessToken, true)
				}
				revoke(client, pick(out))
				revoke(client, pick(out))
				_, err := b.ask(client, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {out.RefreshToken.Reveal()}})
				if fault.ReasonOf(err) != fault.ReasonSessionRevoked {
					t.Fatalf("%s of %s revoked, and refreshed: %v", name, client, err)
				}
				_, err = b.s.UserInfo(t.Context(), b.api(), b.tenant, out.AccessToken, "")
				if f := fault.From(err); f == nil || f.Kind != fault.Unauthenticated {
					t.Fatalf("%s of %s revoked, and userinfo said %v", name, client, err)
				}
			}
		}
		for _, client := range []string{"all", "opaque"} {
			out := b.got(client, url.Values{"grant_type": {"client_credentials"}})
			other := b.got(client, url.Values{"grant_type": {"client_credentials"}})
			revoke("stranger", out.AccessToken)
			b.active(client, out.AccessToken, true)
			revoke(client, out.AccessToken)
			b.active(client, out.AccessToken, false)
			b.active(client, other.AccessToken, true)
		}
		feed, err := b.store.Events().Revocations(t.Context(), b.tenant.ID, 0, 1000)
		b.ok(err)
		tokens := 0
		for _, r := range feed {
			if r.Kind == "token" && r.Until.After(b.at) {
				tokens++
			}
		}
		if tokens != 1 {
			t.Fatalf("%d single tokens in the feed, want the JWT", tokens)
		}
		revoke("all", secret.NewText("x"))
		refusedFor(t, b.s.Revoke(t.Context(), b.api(), b.tenant, b.client("all"), true, secret.Text{}), fault.ReasonOAuthRequest)
	})
}

// TestRevocationNeedsTheClient: a confidential client's refresh token is not ended by who only names the client.
func TestRevocationNeedsTheClient(t *testing.T) {
	b := backOnSQLite(t)
	out := b.got("all", b.code("all", "openid", "offline_access"))
	b.ok(b.s.Revoke(t.Context(), b.api(), b.tenant, b.client("all"), false, out.RefreshToken))
	b.active("all", out.RefreshToken, true)
}

// TestUserInfo: claims by scope, and who may not ask.
func TestUserInfo(t *testing.T) {
	b := backOnSQLite(t)
	for _, client := range []string{"all", "opaque"} {
		full, err := b.s.UserInfo(t.Context(), b.api(), b.tenant, b.got(client, b.code(client, "openid", "email", "profile")).AccessToken, "")
		b.ok(err)
		if full.Subject != b.ada.ID || full.Email != "ada@example.com" || full.EmailVerified == nil || !*full.EmailVerified {
			t.Fatalf("%+v", full)
		}
		bare, err := b.s.UserInfo(t.Context(), b.api(), b.tenant, b.got(client, b.code(client, "openid")).AccessToken, "")
		b.ok(err)
		if raw, _ := json.Marshal(bare); string(raw) != `{"sub":"`+b.ada.ID+`"}` {
			t.Fatalf("%s", raw)
		}
		_, err = b.s.UserInfo(t.Context(), b.api(), b.tenant, b.got(client, b.code(client)).AccessToken, "")
		refusedFor(t, err, fault.ReasonScope)
	}
	_, err := b.s.UserInfo(t.Context(), b.api(), b.tenant, secret.Text{}, "")
	refusedFor(t, err, fault.ReasonMissingToken)
}

// TestForeignClients: an application that people were asked about gets no further than its scopes: not to the account itself.
func TestForeignClients(t *testing.T) {
	b := backOnSQLite(t)
	first, third := b.got("all", b.code("all", "openid")), b.got("third", b.code("third", "openid"))
	_, err := b.sessions.Authenticate(t.Context(), b.api(), b.tenant, first.AccessToken)
	b.ok(err)
	_, err = b.sessions.Authenticate(t.Context(), b.api(), b.tenant, third.AccessToken)
	refusedFor(t, err, fault.ReasonScope)
	b.ok(b.sessions.Logout(t.Context(), b.api(), session.LogoutRequest{Tenant: b.tenant, Access: third.AccessToken, Revoke: true, All: true}))
	b.active("third", third.AccessToken, false)
	b.active("all", first.AccessToken, true)
}

func exchange(subject secret.Text) url.Values {
	return url.Values{
		"grant_type": {tenant.GrantExchange}, "subject_token": {subject.Reveal()}, "subject_token_type": {oauth.TypeAccessToken},
	}
}

// TestExchange (RFC 8693): delegation to the service behind an API, with act, tied to the person's session.
func TestExchange(t *testing.T) {
	eachBack(t, func(t *testing.T, b *back) {
		out := b.forAPI()
		form := one(exchange(out.AccessToken), "audience", "https://b.example.com")
		got := b.got("gateway", form)
		cl := claimsIn(t, got.AccessToken)
		act, _ := cl["act"].(map[string]any)
		if cl["sub"] != b.ada.ID || cl["client_id"] != "gateway" || cl["aud"] != "https://b.example.com" || cl["scope"] != "openid orders" ||
			act["sub"] != "gateway" || cl["sid"] == nil || got.IssuedTokenType != oauth.TypeAccessToken || !got.RefreshToken.IsZero() {
			t.Fatalf("%v", cl)
		}
		_, err := b.sessions.Authenticate(t.Context(), b.api(), b.tenant, got.AccessToken)
		refusedFor(t, err, fault.ReasonInvalidToken) // not the person's account
		twice := claimsIn(t, b.got("gateway", exchange(got.AccessToken)).AccessToken)
		if outer, _ := twice["act"].(map[string]any); outer["sub"] != "gateway" || outer["act"] == nil || twice["exp"].(float64) > cl["exp"].(float64) {
			t.Fatalf("%v", twice)
		}
		for name, c := range map[string]struct {
			client string
			form   url.Values
			want   fault.Reason
		}{
			"a stranger":           {"stranger", form, fault.ReasonOAuthRequest},
			"wider scope":          {"gateway", one(form, "scope", "stock"), fault.ReasonOAuthScope},
			"another audience":     {"gateway", one(form, "audience", "https://c.example.com"), fault.ReasonOAuthTarget},
			"no subject":           {"gateway", one(form, "subject_token", ""), fault.ReasonOAuthRequest},
			"no type":              {"gateway", one(form, "subject_token_type", ""), fault.ReasonOAuthRequest},
			"an ID token's type":   {"gateway", one(form, "subject_token_type", "urn:ietf:params:oauth:token-type:id_token"), fault.ReasonOAuthRequest},
			"an ID token":          {"gateway", one(form, "subject_token", out.IDToken.Reveal()), fault.ReasonOAuthRequest},
			"a refresh token":      {"gateway", one(form, "subject_token", out.RefreshToken.Reveal()), fault.ReasonOAuthRequest},
			"rubbish":              {"gateway", one(form, "subject_token", "x"), fault.ReasonOAuthRequest},
			"actor without type":   {"gateway", one(form, "actor_token", "x"), fault.ReasonOAuthRequest},
			"type without actor":   {"gateway", one(form, "actor_token_type", oauth.TypeAccessToken), fault.ReasonOAuthRequest},
			"another's actor":      {"gateway", one(one(form, "actor_token", out.AccessToken.Reveal()), "actor_token_type", oauth.TypeAccessToken), fault.ReasonOAuthRequest},
			"another type of gain": {"gateway", one(form, "requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"), fault.ReasonOAuthRequest},
			"not allowed":          {"app", form, fault.ReasonOAuthUnauthorized},
		} {
			if _, err := b.ask(c.client, c.form); fault.ReasonOf(err) != c.want {
				t.Fatalf("%s: %v, want %s", name, err, c.want)
			}
		}
		// Revoked alone: the person's session goes on.
		b.ok(b.s.Revoke(t.Context(), b.api(), b.tenant, b.client("gateway"), true, got.AccessToken))
		b.active("gateway", got.AccessToken, false)
		b.active("all", out.AccessToken, true)
		// Ended with the session.
		again := b.got("gateway", form)
		b.active("gateway", again.AccessToken, true)
		b.ok(b.s.Revoke(t.Context(), b.api(), b.tenant, b.client("all"), true, out.AccessToken))
		b.active("gateway", again.AccessToken, false)
		_, err = b.ask("gateway", form)
		refusedFor(t, err, fault.ReasonOAuthRequest)
	})
}

// TestResources (RFC 8707): the code's resources bound the first access token, and the refresh token keeps them all.
func TestResources(t *testing.T) {
	b := backOnSQLite(t)
	form := b.codeWith(func(p *oauth.Params) {
		p.ClientID, p.Scope, p.Resource = "all", []string{"openid", "offline_access"}, []string{api, "https://b.example.com"}
	})
	out := b.got("all", one(form, "resource", api))
	if cl := claimsIn(t, out.AccessToken); cl["aud"] != api {
		t.Fatalf("%v", cl["aud"])
	}
	next := b.got("all", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {out.RefreshToken.Reveal()}})
	if aud, _ := claimsIn(t, next.AccessToken)["aud"].([]any); len(aud) != 2 {
		t.Fatalf("%v", aud)
	}
	only := b.codeWith(func(p *oauth.Params) { p.ClientID, p.Scope, p.Resource = "all", []string{"openid"}, []string{api} })
	_, err := b.ask("all", one(only, "resource", "https://b.example.com"))
	refusedFor(t, err, fault.ReasonOAuthTarget)
}
