package oauth_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/race"
	"github.com/gatehouse-auth/gatehouse/internal/token"
	"github.com/gatehouse-auth/gatehouse/internal/token/kind"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

var refusedLogin = fault.New(fault.Unauthenticated, fault.ReasonInvalidCredentials, "wrong")

func claimsIn(t testing.TB, raw secret.Text) map[string]any {
	t.Helper()
	parts := strings.Split(raw.Reveal(), ".")
	if len(parts) != 3 {
		t.Fatalf("no JWT: %d parts", len(parts))
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(body, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func one(form url.Values, name, value string) url.Values {
	out := url.Values{}
	for k, v := range form {
		out[k] = slices.Clone(v)
	}
	if value == "" {
		out.Del(name)
	} else {
		out.Set(name, value)
	}
	return out
}

// TestCodeGrant is the happy path: tokens of RFC 9068, an ID token, a refresh token with offline access, all in the name of one session under
// one sign-on.
func TestCodeGrant(t *testing.T) {
	eachBack(t, func(t *testing.T, b *back) {
		out := b.got("all", b.code("all", "openid", "email", "profile", "offline_access", "orders"))
		if out.TokenType != "Bearer" || out.RefreshToken.IsZero() || out.IDToken.IsZero() || out.ExpiresIn <= 0 || len(out.Scope) != 5 {
			t.Fatalf("%+v", out)
		}
		ac, err := b.tokens.VerifyAccess(b.tenant, out.AccessToken.Reveal(), b.at)
		b.ok(err)
		id := claimsIn(t, out.IDToken)
		for name, want := range map[string]any{
			"iss": issuer, "aud": "all", "sub": b.ada.ID, "nonce": "n", "sid": ac.SessionID, "acr": "1", "auth_time": float64(noon.Unix()),
			"email": "ada@example.com", "email_verified": true,
		} {
			if id[name] != want {
				t.Fatalf("the ID token says %s = %v, want %v", name, id[name], want)
			}
		}
		if id["at_hash"] == "" || id["amr"] == nil || id["ep"] != nil || id["tty"] != nil {
			t.Fatalf("%v", id)
		}
		if ac.Scope != "openid email profile offline_access orders" || !slices.Equal(ac.Audience, []string{"all"}) || ac.ClientID != "all" {
			t.Fatalf("%+v", ac)
		}
		l, err := b.store.Sessions().Load(t.Context(), session.Ref{TenantID: b.tenant.ID, ID: ac.SessionID})
		b.ok(err)
		if f := l.Family; !f.ClientAuth || f.SSOID == "" || f.OpenedBy != "oauth" {
			t.Fatalf("%+v", f)
		}
		_, err = b.tokens.VerifyAccess(b.tenant, out.IDToken.Reveal(), b.at)
		refusedFor(t, err, fault.ReasonInvalidToken)
		_, err = b.tokens.Read(b.tenant, token.Query{Usage: kind.ID, Issuer: issuer}, out.IDToken.Reveal(), b.at)
		b.ok(err)
		_, err = b.s.UserInfo(t.Context(), b.api(), b.tenant, out.IDToken, "")
		refusedFor(t, err, fault.ReasonInvalidToken)
	})
}

// TestCodeWithoutOffline: no refresh token, a session no longer than its access token, and no address for who may not know it.
func TestCodeWithoutOffline(t *testing.T) {
	b := backOnSQLite(t)
	out := b.got("all", b.code("all", "openid"))
	ac, err := b.tokens.VerifyAccess(b.tenant, out.AccessToken.Reveal(), b.at)
	b.ok(err)
	if !out.RefreshToken.IsZero() || ac.Email != "" || ac.PreferredUsername != "" || claimsIn(t, out.IDToken)["email"] != nil {
		t.Fatalf("%+v %+v", out, ac)
	}
	l, err := b.store.Sessions().Load(t.Context(), session.Ref{TenantID: b.tenant.ID, ID: ac.SessionID})
	b.ok(err)
	if !l.Family.AbsoluteExpiry.Equal(b.at.Add(900 * time.Second)) {
		t.Fatal(l.Family.AbsoluteExpiry)
	}
	if out := b.got("all", b.code("all")); !out.IDToken.IsZero() {
		t.Fatal("an ID token nobody asked for")
	}
}

// TestIDTokenAlgorithms: each client's own, with the hash that goes with it.
func TestIDTokenAlgorithms(t *testing.T) {
	b := backOnSQLite(t)
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		b.set("all", func(c *tenant.Client) { c.Settings.OAuth.IDTokenAlg, c.Settings.Alg = alg, alg })
		out := b.got("all", b.code("all", "openid"))
		for _, raw := range []secret.Text{out.IDToken, out.AccessToken} {
			head, err := base64.RawURLEncoding.DecodeString(strings.Split(raw.Reveal(), ".")[0])
			b.ok(err)
			if !strings.Contains(string(head), `"alg":"`+alg+`"`) {
				t.Fatalf("%s signs %s", alg, head)
			}
		}
	}
}

// TestCodeRefusals: what must match, one at a time; afterwards the code still works, so that no stranger can spend it by trying.
func TestCodeRefusals(t *testing.T) {
	b := backOnSQLite(t)
	form := b.code("all", "openid")
	for name, c := range map[string]struct {
		client string
		form   url.Values
		want   fault.Reason
	}{
		"no grant type":      {"all", one(form, "grant_type", ""), fault.ReasonOAuthRequest},
		"another grant type": {"all", one(form, "grant_type", "implicit"), fault.ReasonOAuthGrantType},
		"no code":            {"all", one(form, "code", ""), fault.ReasonOAuthRequest},
		"another code":       {"all", one(form, "code", "x"), fault.ReasonOAuthGrant},
		"another client":     {"stranger", form, fault.ReasonOAuthGrant},
		"no redirect_uri":    {"all", one(form, "redirect_uri", ""), fault.ReasonOAuthGrant},
		"other redirect_uri": {"all", one(form, "redirect_uri", appCallback+"/"), fault.ReasonOAuthGrant},
		"no verifier":        {"all", one(form, "code_verifier", ""), fault.ReasonOAuthGrant},
		"wrong verifier":     {"all", one(form, "code_verifier", strings.Repeat("a", 43)), fault.ReasonOAuthGrant},
		"verifier is challenge": {
			"all", one(form, "code_verifier", challenge), fault.ReasonOAuthGrant,
		},
		"short verifier":    {"all", one(form, "code_verifier", "a"), fault.ReasonOAuthGrant},
		"resource unknown":  {"all", one(form, "resource", "https://evil.example.com"), fault.ReasonOAuthTarget},
		"client without it": {"gateway", form, fault.ReasonOAuthUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.ask(c.client, c.form)
			refusedFor(t, err, c.want)
		})
	}
	b.got("all", form)
}

// TestCodeExpires at its instant.
func TestCodeExpires(t *testing.T) {
	b := backOnSQLite(t)
	form := b.code("all", "openid")
	b.at = b.at.Add(oauth.CodeLife)
	_, err := b.ask("all", form)
	refusedFor(t, err, fault.ReasonOAuthGrant)
}

// TestPKCEDowngrade (RFC 9700 section 4.8.2): a verifier beside a code that was asked for without challenge.
func TestPKCEDowngrade(t *testing.T) {
	b := backOnSQLite(t)
	form := b.codeWith(func(p *oauth.Params) { p.ClientID, p.CodeChallenge, p.CodeChallengeMethod = "lax", "", "" })
	_, err := b.ask("lax", one(form, "code_verifier", verifier))
	refusedFor(t, err, fault.ReasonOAuthGrant)
	b.got("lax", form)
}

// TestCodeReplay: whoever uses a code again ends what it gave (RFC 6749 section 4.1.2).
func TestCodeReplay(t *testing.T) {
	eachBack(t, func(t *testing.T, b *back) {
		form := b.code("all", "openid", "offline_access")
		out := b.got("all", form)
		b.active("all", out.AccessToken, true)
		_, err := b.ask("stranger", form)
		refusedFor(t, err, fault.ReasonOAuthGrant)
		b.active("all", out.AccessToken, false)
		_, err = b.ask("all", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {out.RefreshToken.Reveal()}})
		refusedFor(t, err, fault.ReasonSessionRevoked)
	})
}

// TestCodeRace: of 64 that bring one code exactly one gets tokens, and these are dead: 63 others had the code too.
func TestCodeRace(t *testing.T) {
	eachBack(t, func(t *testing.T, b *back) {
		form := b.code("all", "openid", "offline_access")
		answers := make([]oauth.TokenAnswer, 64)
		won := race.Winners(t, func(i int) (bool, error) {
			out, err := b.ask("all", form)
			if fault.ReasonOf(err) == fault.ReasonOAuthGrant {
				return false, nil
			}
			answers[i] = out
			return err == nil, err
		})
		if won != 1 {
			t.Fatalf("%d callers got tokens", won)
		}
		for _, a := range answers {
			if !a.AccessToken.IsZero() {
				b.active("all", a.AccessToken, false)
			}
		}
	})
}

// TestCodeAfterwards: an account disabled, an epoch raised, a sign-on ended between code and exchange.
func TestCodeAfterwards(t *testing.T) {
	eachBack(t, func(t *testing.T, b *back) {
		for name, c := range map[string]struct {
			act  func(u *user.User, form url.Values)
			want []fault.Reason
		}{
			"disabled": {func(u *user.User, _ url.Values) {
				b.ok(b.store.Users().SetStatus(t.Context(), b.tenant.ID, u.ID, user.Disabled, b.at, audit.Record{}))
			}, []fault.Reason{fault.ReasonUserDisabled}},
			"epoch": {func(u *user.User, _ url.Values) {
				_, err := b.store.Users().RaiseEpoch(t.Context(), b.tenant.ID, u.ID, "x", b.at, audit.Record{})
				b.ok(err)
			}, []fault.Reason{fault.ReasonUserChanged}},
		} {
			b.ada = b.person(name + "@example.com")
			form := b.code("all", "openid")
			c.act(&b.ada, form)
			_, err := b.ask("all", form)
			if !slices.Contains(c.want, fault.ReasonOf(err)) {
				t.Fatalf("%s: %v", name, err)
			}
		}
	})
}

// TestRefreshGrant: narrowing, and what stops it.
func TestRefreshGrant(t *testing.T) {
	eachBack(t, func(t *testing.T, b *back) {
		open := func() url.Values {
			out := b.got("all", b.codeWith(func(p *oauth.Params) {
				p.ClientID, p.Scope, p.Resource = "all", []string{"openid", "orders", "stock", "offline_access"}, []string{api, "https://b.example.com"}
			}))
			return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {out.RefreshToken.Reveal()}}
		}
		form := open()
		full := b.got("all", form)
		if len(full.Scope) != 4 || full.RefreshToken.IsZero() || claimsIn(t, full.IDToken)["auth_time"] != float64(noon.Unix()) {
			t.Fatalf("%+v", full)
		}
		narrow := b.got("all", one(one(form, "scope", "orders"), "resource", api))
		if ac := claimsIn(t, narrow.AccessToken); ac["scope"] != "orders" || ac["aud"] != api || !narrow.IDToken.IsZero() {
			t.Fatalf("%v", ac)
		}
		if again := b.got("all", form); len(again.Scope) != 4 {
			t.Fatal("a narrowed access token narrowed the refresh token")
		}
		_, err := b.ask("all", one(form, "scope", "orders other"))
		refusedFor(t, err, fault.ReasonOAuthScope)
		_, err = b.ask("all", one(form, "resource", "https://c.example.com"))
		refusedFor(t, err, fault.ReasonOAuthTarget)
		_, err = b.ask("all", one(form, "refresh_token", ""))
		refusedFor(t, err, fault.ReasonOAuthRequest)
		_, err = b.ask("all", one(form, "refresh_token", "gr_x"))
		refusedFor(t, err, fault.ReasonRefreshUnknown)
		_, err = b.ask("app", form)
		refusedFor(t, err, fault.ReasonWrongClient)
		b.got("all", form)

		// At an anonymous endpoint nobody authenticated the client.
		_, err = b.sessions.Refresh(t.Context(), b.api(), session.RefreshRequest{
			Tenant: b.tenant, Client: b.client("all"), Refresh: secret.NewText(form.Get("refresh_token")),
		})
		refusedFor(t, err, fault.ReasonWrongClient)
	})
}

// TestRefreshStops: account disabled, session ended, epoch raised.
func TestRefreshStops(t *testing.T) {
	b := backOnSQLite(t)
	for name, c := range map[string]struct {
		act  func(sid string)
		want fault.Reason
	}{
		"disabled": {func(string) {
			b.ok(b.store.Users().SetStatus(t.Context(), b.tenant.ID, b.ada.ID, user.Disabled, b.at, audit.Record{}))
		}, fault.ReasonUserDisabled},
		"ended": {func(sid string) {
			_, err := b.sessions.Revoke(t.Context(), b.api(), session.Match{TenantID: b.tenant.ID, ID: sid}, "x")
			b.ok(err)
		}, fault.ReasonSessionRevoked},
		"epoch": {func(string) {
			_, err := b.store.Users().RaiseEpoch(t.Context(), b.tenant.ID, b.ada.ID, "x", b.at, audit.Record{})
			b.ok(err)
		}, fault.ReasonSessionRevoked},
	} {
		b.ada = b.person(name + "@example.com")
		out := b.got("all", b.code("all", "openid", "offline_access"))
		c.act(claimsIn(t, out.AccessToken)["sid"].(string))
		_, err := b.ask("all", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {out.RefreshToken.Reveal()}})
		refusedFor(t, err, c.want)
		if f := fault.From(err); f.Kind != fault.Unauthenticated {
			t.Fatalf("%s: kind %d would not be told as invalid_grant", name, f.Kind)
		}
		b.active("all", out.AccessToken, false)
		b.active("all", out.RefreshToken, false)
	}
}

// TestClientCredentials: the client's own token, and that it passes for no person anywhere.
func TestClientCredentials(t *testing.T) {
	b := backOnSQLite(t)
	form := url.Values{"grant_type": {"client_credentials"}}
	out := b.got("all", form)
	cl := claimsIn(t, out.AccessToken)
	if cl["sub"] != "all" || cl["client_id"] != "all" || cl["aud"] != "all" || cl["scope"] != "orders stock" || cl["sid"] != nil || cl["ep"] != nil ||
		!out.RefreshToken.IsZero() || !out.IDToken.IsZero() {
		t.Fatalf("%v", cl)
	}
	_, err := b.sessions.Authenticate(t.Context(), b.api(), b.tenant, out.AccessToken)
	refusedFor(t, err, fault.ReasonInvalidToken)
	_, err = b.s.UserInfo(t.Context(), b.api(), b.tenant, out.AccessToken, "")
	refusedFor(t, err, fault.ReasonScope)
	b.ok(b.sessions.Logout(t.Context(), b.api(), session.LogoutRequest{Tenant: b.tenant, Access: out.AccessToken, Revoke: true, All: true}))
	if cl := claimsIn(t, b.got("all", one(one(form, "scope", "stock"), "resource", api)).AccessToken); cl["aud"] != api || cl["scope"] != "stock" {
		t.Fatalf("%v", cl)
	}
	if cl := claimsIn(t, b.got("all", one(form, "audience", api)).AccessToken); cl["aud"] != api {
		t.Fatalf("%v", cl)
	}
	for name, c := range map[string]struct {
		client string
		form   url.Values
		want   fault.Reason
	}{
		"scope of persons": {"all", one(form, "scope", "openid"), fault.ReasonOAuthScope},
		"other scope":      {"all", one(form, "scope", "admin"), fault.ReasonOAuthScope},
		"other audience":   {"all", one(form, "audience", "x"), fault.ReasonOAuthTarget},
		"other resource":   {"all", one(form, "resource", "https://c.example.com"), fault.ReasonOAuthTarget},
		"no URI":           {"all", one(form, "resource", "api"), fault.ReasonOAuthTarget},
		"public client":    {"spa", form, fault.ReasonOAuthUnauthorized},
		"not allowed":      {"app", form, fault.ReasonOAuthUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.ask(c.client, c.form)
			refusedFor(t, err, c.want)
		})
	}
}

// TestPasswordGrant is for clients whose grant_types name it.
func TestPasswordGrant(t *testing.T) {
	b := backOnSQLite(t)
	form := url.Values{"grant_type": {"password"}, "username": {"ada@example.com"}, "password": {"right"}, "scope": {"openid offline_access"}}
	if out := b.got("all", form); out.RefreshToken.IsZero() || out.IDToken.IsZero() {
		t.Fatalf("%+v", out)
	}
	_, err := b.ask("app", form)
	refusedFor(t, err, fault.ReasonOAuthUnauthorized)
	_, err = b.ask("all", one(form, "password", "wrong"))
	refusedFor(t, err, fault.ReasonInvalidCredentials)
	_, err = b.ask("all", one(form, "username", ""))
	refusedFor(t, err, fault.ReasonOAuthRequest)
}

// TestDeviceGrant walks RFC 8628: pending, slow down, allowed, spent once.
func TestDeviceGrant(t *testing.T) {
	eachBack(t, func(t *testing.T, b *back) {
		dev := b.device("spa", "openid", "offline_access")
		form := url.Values{"grant_type": {tenant.GrantDevice}, "device_code": {dev.DeviceCode.Reveal()}}
		_, err := b.ask("spa", form)
		refusedFor(t, err, fault.ReasonOAuthPending)
		_, err = b.ask("spa", form)
		refusedFor(t, err, fault.ReasonOAuthSlowDown)
		b.at = b.at.Add(9 * time.Second) // told to wait ten
		_, err = b.ask("spa", form)
		refusedFor(t, err, fault.ReasonOAuthSlowDown)
		_, err = b.ask("all", form)
		refusedFor(t, err, fault.ReasonOAuthGrant)

		live := b.liveOf(b.ada)
		d, c, err := b.s.DeviceByCode(t.Context(), b.api(), b.tenant, strings.ToLower(dev.UserCode), b.ada.ID)
		b.ok(err)
		if c.ID != "spa" || d.Stage != oauth.DevicePending {
			t.Fatalf("%+v", d)
		}
		_, err = b.ask("spa", form) // the device goes on asking while the person reads
		refusedFor(t, err, fault.ReasonOAuthSlowDown)
		refusedFor(t, b.s.AllowDevice(t.Context(), b.api(), b.tenant, d, live, []string{"orders"}), fault.ReasonOAuthScope)
		b.ok(b.s.AllowDevice(t.Context(), b.api(), b.tenant, d, live, d.Scope))
		refusedFor(t, b.s.RefuseDevice(t.Context(), b.api(), b.tenant, d, live), fault.ReasonGone)
		won := race.Winners(t, func(int) (bool, error) {
			out, err := b.ask("spa", form)
			if fault.ReasonOf(err) == fault.ReasonOAuthGrant {
				return false, nil
			}
			return err == nil && !out.RefreshToken.IsZero(), err
		})
		if won != 1 {
			t.Fatalf("%d devices were let in", won)
		}
		_, _, err = b.s.DeviceByCode(t.Context(), b.api(), b.tenant, dev.UserCode, b.ada.ID)
		refusedFor(t, err, fault.ReasonGone)
	})
}

func (b *back) device(client string, scope ...string) oauth.DeviceAnswer {
	b.t.Helper()
	c := b.client(client)
	out, err := b.s.DeviceAuthorize(context.Background(), b.api(), b.tenant, oauth.TokenRequest{Client: c, Authenticated: !c.Public(), Scope: scope})
	b.ok(err)
	return out
}

// TestDeviceEnds: refused, expired, a sign-on that ended before the device asked again, guesses.
func TestDeviceEnds(t *testing.T) {
	b := backOnSQLite(t)
	form := func(dev oauth.DeviceAnswer) url.Values {
		return url.Values{"grant_type": {tenant.GrantDevice}, "device_code": {dev.DeviceCode.Reveal()}}
	}
	find := func(dev oauth.DeviceAnswer) oauth.Device {
		d, _, err := b.s.DeviceByCode(t.Context(), b.api(), b.tenant, dev.UserCode, b.ada.ID)
		b.ok(err)
		return d
	}
	refused := b.device("spa", "openid")
	b.ok(b.s.RefuseDevice(t.Context(), b.api(), b.tenant, find(refused), nil))
	_, err := b.ask("spa", form(refused))
	refusedFor(t, err, fault.ReasonOAuthDenied)

	live := b.liveOf(b.ada)
	ended := b.device("spa", "openid")
	b.ok(b.s.AllowDevice(t.Context(), b.api(), b.tenant, find(ended), live, []string{"openid"}))
	_, err = b.sso.End(t.Context(), b.api(), b.tenant, ssoMatch(b, live.Session.ID), "logout")
	b.ok(err)
	_, err = b.ask("spa", form(ended))
	if f := fault.From(err); f == nil || f.Kind != fault.Unauthenticated {
		t.Fatalf("a device let in under an ended sign-on: %v", err)
	}

	late := b.device("spa", "openid")
	d := find(late)
	b.at = b.at.Add(oauth.DeviceLife)
	_, err = b.ask("spa", form(late))
	refusedFor(t, err, fault.ReasonOAuthExpired)
	refusedFor(t, b.s.AllowDevice(t.Context(), b.api(), b.tenant, d, live, d.Scope), fault.ReasonGone)
	_, err = b.s.DeviceAuthorize(t.Context(), b.api(), b.tenant, oauth.TokenRequest{Client: b.client("app"), Authenticated: true})
	refusedFor(t, err, fault.ReasonOAuthUnauthorized)

	for range 10 {
		_, _, err = b.s.DeviceByCode(t.Context(), b.api(), b.tenant, "BBBB-BBBB", b.ada.ID)
		refusedFor(t, err, fault.ReasonGone)
	}
	_, _, err = b.s.DeviceByCode(t.Context(), b.api(), b.tenant, "BBBB-BBBB", b.ada.ID)
	refusedFor(t, err, fault.ReasonLimited)
}

// TestDevicesAreLimited: whoever knows a public client cannot fill the store from one network.
func TestDevicesAreLimited(t *testing.T) {
	b := backOnSQLite(t)
	for range 30 {
		b.device("spa", "openid")
	}
	_, err := b.s.DeviceAuthorize(t.Context(), b.api(), b.tenant, oauth.TokenRequest{Client: b.client("spa")})
	refusedFor(t, err, fault.ReasonLimited)
}
