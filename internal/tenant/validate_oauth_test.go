package tenant_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

func TestClientOAuthValidate(t *testing.T) {
	const rsa = `{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`
	for _, c := range []struct {
		name   string
		public bool
		change func(*tenant.OAuth)
		want   string
	}{
		{"as it is", false, func(*tenant.OAuth) {}, ""},
		{"public as it is", true, func(*tenant.OAuth) {}, ""},
		{"every grant", false, func(o *tenant.OAuth) {
			o.GrantTypes = []string{tenant.GrantCode, tenant.GrantRefresh, tenant.GrantClientCredentials, tenant.GrantDevice, tenant.GrantExchange, tenant.GrantPassword}
		}, ""},
		{"implicit", false, func(o *tenant.OAuth) { o.GrantTypes = []string{"implicit"} }, "oauth.grant_types[0]"},
		{"a public machine", true, func(o *tenant.OAuth) { o.GrantTypes = []string{tenant.GrantCode, tenant.GrantClientCredentials} }, "oauth.grant_types[1]"},
		{"a public delegate", true, func(o *tenant.OAuth) { o.GrantTypes = []string{tenant.GrantExchange} }, "oauth.grant_types[0]"},
		{"method unknown", false, func(o *tenant.OAuth) { o.AuthMethod = "tls_client_auth" }, "oauth.token_endpoint_auth_method"},
		{"basic without secret", true, func(o *tenant.OAuth) { o.AuthMethod = "client_secret_basic" }, "oauth.token_endpoint_auth_method"},
		{"none with a secret", false, func(o *tenant.OAuth) { o.AuthMethod = "none" }, "oauth.token_endpoint_auth_method"},
		{"keys", true, func(o *tenant.OAuth) { o.AuthMethod, o.JWKS = "private_key_jwt", json.RawMessage(rsa) }, ""},
		{"keys by URL", true, func(o *tenant.OAuth) { o.AuthMethod, o.JWKSURI = "private_key_jwt", "https://app.example.com/jwks" }, ""},
		{"keys missing", true, func(o *tenant.OAuth) { o.AuthMethod = "private_key_jwt" }, "oauth.token_endpoint_auth_method"},
		{"keys twice", true, func(o *tenant.OAuth) {
			o.AuthMethod, o.JWKS, o.JWKSURI = "private_key_jwt", json.RawMessage(rsa), "https://app.example.com/jwks"
		}, "oauth.jwks_uri"},
		{"keys in clear", false, func(o *tenant.OAuth) { o.JWKSURI = "http://app.example.com/jwks" }, "oauth.jwks_uri"},
		{"keys with a user", false, func(o *tenant.OAuth) { o.JWKSURI = "https://u:p@app.example.com/jwks" }, "oauth.jwks_uri"},
		{"a private key", false, func(o *tenant.OAuth) { o.JWKS = json.RawMessage(`{"keys":[{"kty":"EC","x":"a","y":"b","d":"c"}]}`) }, "oauth.jwks"},
		{"a symmetric key", false, func(o *tenant.OAuth) { o.JWKS = json.RawMessage(`{"keys":[{"kty":"oct","k":"a"}]}`) }, "oauth.jwks"},
		{"a bare key", false, func(o *tenant.OAuth) { o.JWKS = json.RawMessage(`{"kty":"RSA"}`) }, "oauth.jwks"},
		{"no keys", false, func(o *tenant.OAuth) { o.JWKS = json.RawMessage(`{"keys":[]}`) }, "oauth.jwks"},
		{"PKCE optional", false, func(o *tenant.OAuth) { o.PKCE = "optional" }, ""},
		{"PKCE optional for a public one", true, func(o *tenant.OAuth) { o.PKCE = "optional" }, "oauth.pkce"},
		{"PKCE plain", false, func(o *tenant.OAuth) { o.PKCE = "plain" }, "oauth.pkce"},
		{"consent", false, func(o *tenant.OAuth) { o.Consent = "sometimes" }, "oauth.consent"},
		{"ID token", false, func(o *tenant.OAuth) { o.IDTokenAlg = "HS256" }, "oauth.id_token_alg"},
		{"scopes", false, func(o *tenant.OAuth) { o.Scopes = []string{"orders:read", "a b", `a"b`, ""} }, "oauth.scopes[1] oauth.scopes[2] oauth.scopes[3]"},
		{"resources", false, func(o *tenant.OAuth) {
			o.Resources = []string{"https://api.example.com", "api", "https://x#y", "urn:x:y"}
		}, "oauth.resources[1] oauth.resources[2]"},
		{"introspects", false, func(o *tenant.OAuth) { o.Introspects = []string{"x", ""} }, "oauth.introspects[1]"},
		{"after logout", false, func(o *tenant.OAuth) {
			o.PostLogoutRedirectURIs = []string{"https://app.example.com/", "http://app.example.com/", "https://*.example.com/", "http://localhost/x", "javascript:x"}
		}, "oauth.post_logout_redirect_uris[1] oauth.post_logout_redirect_uris[2] oauth.post_logout_redirect_uris[4]"},
		{"back channel", false, func(o *tenant.OAuth) { o.BackchannelLogoutURI = "https://app.example.com/logout" }, ""},
		{"back channel on loopback", false, func(o *tenant.OAuth) { o.BackchannelLogoutURI = "http://127.0.0.1:9/logout" }, ""},
		{"back channel in clear", false, func(o *tenant.OAuth) { o.BackchannelLogoutURI = "http://app.example.com/logout" }, "oauth.backchannel_logout_uri"},
		{"back channel with a fragment", false, func(o *tenant.OAuth) { o.BackchannelLogoutURI = "https://app.example.com/#x" }, "oauth.backchannel_logout_uri"},
		{"max age", false, func(o *tenant.OAuth) { o.DefaultMaxAgeS = -1 }, "oauth.default_max_age_s"},
	} {
		client := tenant.Client{ID: "app"}
		if !c.public {
			client.SecretHash = []byte("hash")
		}
		c.change(&client.Settings.OAuth)
		if got := paths(client.Validate()); got != c.want {
			t.Errorf("%s: faults at %q, want %q", c.name, got, c.want)
		}
	}
}

func TestTenantOAuthValidate(t *testing.T) {
	for name, c := range map[string]struct {
		p    tenant.PolicyOAuth
		want string
	}{
		"good":      {tenant.PolicyOAuth{Scopes: map[string]string{"orders": "See your orders"}, SSOIdleS: 60, SSOMaxS: 60}, ""},
		"builtin":   {tenant.PolicyOAuth{Scopes: map[string]string{"openid": "x"}}, "oauth.scopes.openid"},
		"form":      {tenant.PolicyOAuth{Scopes: map[string]string{"a b": "x"}}, "oauth.scopes.a b"},
		"long":      {tenant.PolicyOAuth{Scopes: map[string]string{"a": strings.Repeat("x", 256)}}, "oauth.scopes.a"},
		"short":     {tenant.PolicyOAuth{SSOIdleS: 59, SSOMaxS: 1}, "oauth.sso_idle_s oauth.sso_idle_s oauth.sso_max_s"},
		"idle long": {tenant.PolicyOAuth{SSOIdleS: 120, SSOMaxS: 60}, "oauth.sso_idle_s"},
	} {
		row := goodTenant()
		row.Policy.OAuth = c.p
		if got := paths(row.Validate()); got != c.want {
			t.Errorf("%s: faults at %q, want %q", name, got, c.want)
		}
	}
}
