package tenant

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// scopeForm is RFC 6749 section 3.3, and short enough to be shown.
var scopeForm = regexp.MustCompile(`^[\x21\x23-\x5b\x5d-\x7e]{1,64}$`)

// builtinScopes need no declaration.
var builtinScopes = []string{"openid", "profile", "email", "offline_access", "address", "phone"}

func validatePolicyOAuth(f *faults, p *PolicyOAuth) {
	for name, text := range p.Scopes {
		switch {
		case !scopeForm.MatchString(name):
			f.add("oauth.scopes."+name, "must be 1 to 64 visible characters without quotes and backslashes")
		case slices.Contains(builtinScopes, name):
			f.add("oauth.scopes."+name, "has a meaning already")
		case len(text) > 255:
			f.add("oauth.scopes."+name, "must be described in at most 255 characters")
		}
	}
	f.between("oauth.sso_idle_s", p.SSOIdleS, 60, maxLifeS)
	f.between("oauth.sso_max_s", p.SSOMaxS, 60, maxLifeS)
	if p.SSOIdleS != 0 && p.SSOMaxS != 0 && p.SSOIdleS > p.SSOMaxS {
		f.add("oauth.sso_idle_s", "must not exceed oauth.sso_max_s")
	}
}

// validateOAuth checks what a client may do at the OAuth face. What contradicts itself is refused here, so that no endpoint has to guess.
func (c *Client) validateOAuth(f *faults) {
	o := &c.Settings.OAuth
	c.validateGrants(f)
	c.validateAuthMethod(f)
	f.oneOf("oauth.pkce", o.PKCE, "required", "optional")
	if o.PKCE == "optional" && c.Public() {
		f.add("oauth.pkce", "must be required for a client without a secret") // RFC 9700 section 2.1.1
	}
	f.oneOf("oauth.consent", o.Consent, "never", "once", "always")
	f.oneOf("oauth.id_token_alg", o.IDTokenAlg, "RS256", "ES256", "EdDSA")
	f.between("oauth.default_max_age_s", o.DefaultMaxAgeS, 1, maxLifeS)
	for i, s := range o.Scopes {
		if !scopeForm.MatchString(s) {
			f.add(fmt.Sprintf("oauth.scopes[%d]", i), "must be 1 to 64 visible characters without quotes and backslashes")
		}
	}
	for i, r := range o.Resources {
		if u, err := url.Parse(r); err != nil || !u.IsAbs() || strings.Contains(r, "#") || len(r) > 255 {
			f.add(fmt.Sprintf("oauth.resources[%d]", i), "must be an absolute URI without fragment") // RFC 8707 section 2
		}
	}
	for i, aud := range o.Introspects {
		if aud == "" || len(aud) > 255 {
			f.add(fmt.Sprintf("oauth.introspects[%d]", i), "must be 1 to 255 characters")
		}
	}
	for i, uri := range o.PostLogoutRedirectURIs {
		if why := redirectFault(uri); why != "" {
			f.add(fmt.Sprintf("oauth.post_logout_redirect_uris[%d]", i), "%s", why)
		}
	}
	validateBackchannel(f, o.BackchannelLogoutURI)
}

var grantTypes = []string{GrantCode, GrantRefresh, GrantClientCredentials, GrantDevice, GrantExchange, GrantPassword}

func (c *Client) validateGrants(f *faults) {
	o := &c.Settings.OAuth
	for i, g := range o.GrantTypes {
		path := fmt.Sprintf("oauth.grant_types[%d]", i)
		switch {
		case !slices.Contains(grantTypes, g):
			f.add(path, "must be one of %s", strings.Join(grantTypes, ", "))
		case g == GrantClientCredentials && c.Public():
			f.add(path, "is for clients that can authenticate") // RFC 6749 section 4.4
		case g == GrantExchange && c.Public():
			f.add(path, "is for clients that can authenticate") // RFC 8693 section 2.1
		}
	}
}

func (c *Client) validateAuthMethod(f *faults) {
	o := &c.Settings.OAuth
	f.oneOf("oauth.token_endpoint_auth_method", o.AuthMethod, "client_secret_basic", "client_secret_post", "private_key_jwt", "none")
	switch o.AuthMethod {
	case "client_secret_basic", "client_secret_post":
		if len(c.SecretHash) == 0 {
			f.add("oauth.token_endpoint_auth_method", "needs a secret")
		}
	case "private_key_jwt":
		if len(o.JWKS) == 0 && o.JWKSURI == "" {
			f.add("oauth.token_endpoint_auth_method", "needs jwks or jwks_uri")
		}
	case "none":
		if len(c.SecretHash) > 0 {
			f.add("oauth.token_endpoint_auth_method", "is none, but the client has a secret")
		}
	}
	if len(o.JWKS) > 0 && o.JWKSURI != "" {
		f.add("oauth.jwks_uri", "must not stand beside jwks") // RFC 7591 section 2
	}
	if why := jwksFault(o.JWKS); why != "" {
		f.add("oauth.jwks", "%s", why)
	}
	if u, err := url.Parse(o.JWKSURI); o.JWKSURI != "" && (err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "") {
		f.add("oauth.jwks_uri", "must be an https URL")
	}
}

// jwksFault looks at the shape only: whether a key is good is for whoever verifies with it. A private key in a configuration is a leak.
func jwksFault(raw json.RawMessage) string {
	if len(raw) == 0 {
		return ""
	}
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	if len(raw) > 64<<10 || json.Unmarshal(raw, &set) != nil || len(set.Keys) == 0 || len(set.Keys) > 20 {
		return `must be a JWK set with 1 to 20 keys: {"keys": […]}`
	}
	for _, k := range set.Keys {
		if kty, _ := k["kty"].(string); !slices.Contains([]string{"RSA", "EC", "OKP"}, kty) {
			return "must hold public RSA, EC or OKP keys"
		}
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
			if _, found := k[private]; found {
				return "must hold public keys only"
			}
		}
	}
	return ""
}

// validateBackchannel keeps logout tokens off the wire in clear (OpenID Connect Back-Channel Logout 1.0 section 2.2).
func validateBackchannel(f *faults, uri string) {
	if uri == "" {
		return
	}
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" || u.User != nil || strings.Contains(uri, "#") || u.Scheme != "https" && !(u.Scheme == "http" && loopbackName(u.Hostname())) {
		f.add("oauth.backchannel_logout_uri", "must be an https URL without fragment (http only on loopback)")
	}
}
