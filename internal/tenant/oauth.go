package tenant

import (
	"encoding/json"
	"slices"
)

// OAuth is what a client may do at the OAuth face. Every empty field has a safe meaning.
type OAuth struct {
	GrantTypes             []string        `json:"grant_types,omitempty" doc:"authorization_code, refresh_token, client_credentials, urn:ietf:params:oauth:grant-type:device_code, urn:ietf:params:oauth:grant-type:token-exchange, password; default authorization_code and refresh_token"`
	AuthMethod             string          `json:"token_endpoint_auth_method,omitempty" doc:"client_secret_basic, client_secret_post, private_key_jwt or none; default client_secret_basic (post is taken too) with a secret, none without"`
	JWKS                   json.RawMessage `json:"jwks,omitempty" doc:"public keys of private_key_jwt"`
	JWKSURI                string          `json:"jwks_uri,omitempty" doc:"https URL of the public keys of private_key_jwt"`
	PKCE                   string          `json:"pkce,omitempty" doc:"required (default) or optional; optional is for confidential clients and needs a nonce with openid"`
	Scopes                 []string        `json:"scopes,omitempty" doc:"scopes it may ask for beside openid, profile, email and offline_access"`
	Resources              []string        `json:"resources,omitempty" doc:"audiences it may name by the resource parameter or at client credentials"`
	Consent                string          `json:"consent,omitempty" doc:"never (default, a first-party client), once or always"`
	PostLogoutRedirectURIs []string        `json:"post_logout_redirect_uris,omitempty" doc:"exact pages that may receive people after logout"`
	BackchannelLogoutURI   string          `json:"backchannel_logout_uri,omitempty" doc:"https URL that is told of logouts"`
	BackchannelInternal    bool            `json:"backchannel_logout_internal,omitempty" doc:"that URL may have a private address; for the operator to say, never for a client that registers itself"`
	IDTokenAlg             string          `json:"id_token_alg,omitempty" doc:"RS256 (default), ES256 or EdDSA"`
	OpaqueTokens           bool            `json:"opaque_tokens,omitempty" doc:"access tokens are opaque and must be introspected"`
	DPoPRequired           bool            `json:"dpop_required,omitempty" doc:"tokens are always bound to a key"`
	PARRequired            bool            `json:"par_required,omitempty" doc:"authorization requests must be pushed"`
	Introspects            []string        `json:"introspects,omitempty" doc:"audiences whose tokens it may introspect beside its own id"`
	DefaultMaxAgeS         int64           `json:"default_max_age_s,omitempty" doc:"a sign-on older than this is asked for again"`
}

// The grant types (RFC 6749, RFC 8628, RFC 8693).
const (
	GrantCode              = "authorization_code"
	GrantRefresh           = "refresh_token"
	GrantClientCredentials = "client_credentials"
	GrantDevice            = "urn:ietf:params:oauth:grant-type:device_code"
	GrantExchange          = "urn:ietf:params:oauth:grant-type:token-exchange"
	GrantPassword          = "password"
)

// MayGrant reports whether the client may use a grant type.
func (c *Client) MayGrant(grant string) bool {
	if len(c.Settings.OAuth.GrantTypes) == 0 {
		return grant == GrantCode || grant == GrantRefresh
	}
	return slices.Contains(c.Settings.OAuth.GrantTypes, grant)
}

// Public reports whether the client cannot keep a secret: it has none, and no keys.
func (c *Client) Public() bool {
	o := &c.Settings.OAuth
	return o.AuthMethod == "none" || o.AuthMethod == "" && len(c.SecretHash) == 0
}

// PolicyOAuth is a tenant's settings of the OAuth face.
type PolicyOAuth struct {
	Scopes       map[string]string `json:"scopes,omitempty" doc:"custom scopes: name → what a person reads at consent"`
	Registration bool              `json:"registration,omitempty" doc:"dynamic client registration with initial access tokens; off by default"`
	SSOIdleS     int64             `json:"sso_idle_s,omitempty" doc:"a sign-on session unused this long ends; default 86400"`
	SSOMaxS      int64             `json:"sso_max_s,omitempty" doc:"a sign-on session this old ends; default 2592000"`
}
