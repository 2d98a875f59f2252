package oauthapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// TestMetadata derives the document from behaviour: of everything that standards name, what works is listed, and what is listed works.
func TestMetadata(t *testing.T) {
	w := newBack(t)
	got := w.do(http.MethodGet, "/.well-known/openid-configuration", "", nil)
	var doc oauth.Metadata
	w.ok(json.Unmarshal([]byte(got.raw), &doc))
	initial, text := oauth.DrawInitial(w.tenant.ID, "ci", -1, noon, time.Time{})
	w.ok(w.store.OAuthRegistrations().AddInitial(t.Context(), initial, audit.Record{}))

	derived := func(what string, listed, universe []string, works func(value string) bool) {
		t.Helper()
		for _, value := range universe {
			if works(value) != slices.Contains(listed, value) {
				t.Errorf("%s %s: works %v, listed %v", what, value, works(value), listed)
			}
		}
		for _, value := range listed {
			if !slices.Contains(universe, value) {
				t.Errorf("%s %s is listed, and nobody tried it", what, value)
			}
		}
	}
	register := func(body string) bool {
		a := w.do(http.MethodPost, "/oauth2/clients", body, map[string]string{"Authorization": "Bearer " + text.Reveal(), "Content-Type": "application/json"})
		return a.status == http.StatusCreated
	}
	par := func(name, value string) bool {
		form := url.Values{
			"response_type": {"code"}, "redirect_uri": {callback}, "scope": {"openid"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"},
		}
		form.Set(name, value)
		return w.post("/oauth2/par", form).status == http.StatusCreated
	}
	derived("grant", doc.GrantTypes, append(strings.Fields(`implicit urn:ietf:params:oauth:grant-type:jwt-bearer urn:openid:params:grant-type:ciba
		urn:ietf:params:oauth:grant-type:saml2-bearer`), everyGrant...), func(g string) bool {
		return w.post("/oauth2/token", url.Values{"grant_type": {g}}).code() != "unsupported_grant_type"
	})
	derived("id_token_signing_alg", doc.IDTokenAlgs, strings.Fields("RS256 RS384 PS256 ES256 ES384 EdDSA HS256 none"), func(alg string) bool {
		return register(`{"redirect_uris": ["https://n.example.com/cb"], "id_token_signed_response_alg": "` + alg + `"}`)
	})
	derived("auth method", doc.AuthMethods, strings.Fields("client_secret_basic client_secret_post client_secret_jwt private_key_jwt tls_client_auth none"),
		func(m string) bool {
			extra := ""
			if m == oauth.AuthPrivateKey {
				extra = `, "jwks_uri": "https://n.example.com/jwks"`
			}
			return register(`{"redirect_uris": ["https://n.example.com/cb"], "token_endpoint_auth_method": "` + m + `"` + extra + `}`)
		})
	derived("auth alg", doc.AuthAlgs, jose.Algs(), w.asserts)
	derived("response_type", doc.ResponseTypes, []string{"code", "token", "id_token", "code id_token", "none"}, func(v string) bool { return par("response_type", v) })
	derived("response_mode", doc.ResponseModes, strings.Fields("query form_post fragment query.jwt web_message"), func(v string) bool { return par("response_mode", v) })
	derived("prompt", doc.Prompts, strings.Fields("none login consent select_account create"), func(v string) bool { return par("prompt", v) })
	derived("challenge", doc.ChallengeMethods, strings.Fields("S256 plain"), func(v string) bool { return par("code_challenge_method", v) })
	derived("scope", doc.Scopes, strings.Fields("openid profile email offline_access admin"), func(v string) bool { return par("scope", v) })

	for address, method := range map[string]string{
		doc.Authorize: "GET", doc.Token: "POST", doc.UserInfo: "GET", doc.JWKS: "GET", doc.Registration: "POST", doc.Introspection: "POST", doc.Revocation: "POST",
		doc.Device: "POST", doc.PAR: "POST", doc.EndSession: "GET",
	} {
		path, ok := strings.CutPrefix(address, issuer)
		if a := w.do(method, path, "", nil); !ok || a.status == http.StatusNotFound || a.status == http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", address, a.status)
		}
	}
	for _, always := range []bool{doc.ResponseIssuer, !doc.RequestParameter, !doc.RequestURIParameter, !doc.ClaimsParameter} {
		if !always {
			t.Errorf("%+v", doc)
		}
	}
	off := *w.tenant
	off.Policy.OAuth.Registration = false
	if m, _ := w.rooms.Metadata(&off); m.Registration != "" {
		t.Error("registration is listed where it is off")
	}
	unnamed := *w.tenant
	unnamed.Issuer = "acme"
	if _, ok := w.rooms.Metadata(&unnamed); ok {
		t.Error("an issuer that is no address has a document")
	}
	claims := map[string]any{}
	for _, raw := range []string{w.post("/oauth2/token", w.code("all", "openid email profile")).text("id_token")} {
		w.ok(json.Unmarshal(payload(raw), &claims))
	}
	if acr, _ := claims["acr"].(string); !slices.Contains(doc.ACRs, acr) {
		t.Errorf("acr %q is given, and %v are listed", acr, doc.ACRs)
	}
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		if got := fmt.Sprint(w.do(http.MethodGet, path, "", nil).body["acr_values_supported"]); got != fmt.Sprint(login.ACRs()) {
			t.Errorf("%s lists classes %s, a login reaches %v", path, got, login.ACRs())
		}
	}
	for name := range claims {
		if !slices.Contains(doc.Claims, name) {
			t.Errorf("the claim %s is not listed", name)
		}
	}
}

// asserts tries private_key_jwt with a key of the algorithm at the token endpoint.
func (w *backWorld) asserts(alg string) bool {
	w.t.Helper()
	key, err := jose.Generate("k", alg)
	w.ok(err)
	jwk, err := key.Public().JWK()
	w.ok(err)
	c := *w.dir.Client(w.tenant.ID, "all")
	c.ID, c.SecretHash = "keyed", nil
	c.Settings.OAuth.AuthMethod, c.Settings.OAuth.JWKS = oauth.AuthPrivateKey, jose.JWKS(jwk)
	w.ok(w.store.Tenants().Put(w.t.Context(), nil, []tenant.Client{c}, audit.Record{}))
	w.ok(w.dir.Refresh(w.t.Context()))
	text, err := jose.Sign(key, "JWT", map[string]any{
		"iss": "keyed", "sub": "keyed", "aud": issuer, "exp": noon.Add(time.Minute).Unix(), "jti": secret.Random(8),
	})
	w.ok(err)
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_assertion": {text},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}
	return w.do(http.MethodPost, "/oauth2/token", form.Encode(), map[string]string{"Content-Type": formType}).status == http.StatusOK
}
