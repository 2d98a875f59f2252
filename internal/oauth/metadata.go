package oauth

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// The paths of the face, below a tenant's issuer.
const (
	pathAuthorize  = "/oauth2/authorize"
	pathPAR        = "/oauth2/par"
	pathToken      = "/oauth2/token"
	pathIntrospect = "/oauth2/introspect"
	pathRevoke     = "/oauth2/revoke"
	pathUserInfo   = "/oauth2/userinfo"
	pathLogout     = "/oauth2/logout"
	pathDevice     = "/oauth2/device_authorize"
	pathDevicePage = "/oauth2/device"
	pathClients    = "/oauth2/clients"
	pathJWKS       = "/oauth2/jwks"
)

// base is the tenant's issuer as the beginning of addresses, "" when it is no URL. Addresses come from the configuration only, never from the
// Host that somebody asked for (row 20 of the threat table).
func base(t *tenant.Tenant) string {
	u, err := url.Parse(t.Issuer)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	return strings.TrimRight(t.Issuer, "/")
}

func endpoint(t *tenant.Tenant, path string) string { return base(t) + path }

// reached is an address of ours as it is handed out one by one: below the issuer, or below the server's own URL for a tenant whose issuer is no
// URL and that has no document. Never below a Host that somebody asked for.
func (s *Service) reached(t *tenant.Tenant, path string) string {
	if base(t) == "" {
		return s.cfg.PublicURL + "/t/" + t.Slug + path
	}
	return endpoint(t, path)
}

// devicePage is where people type the code of their device, and the same with the code in it (RFC 8628 section 3.2).
func (s *Service) devicePage(t *tenant.Tenant, userCode string) (page, complete string) {
	page = s.reached(t, pathDevicePage)
	return page, page + "?" + url.Values{"user_code": {userCode}}.Encode()
}

// Metadata is the document of OpenID Connect Discovery 1.0 section 3 and RFC 8414 section 2: what this tenant's issuer does, and nothing else. A
// test derives it from what the endpoints answer.
type Metadata struct {
	Issuer        string `json:"issuer"`
	Authorize     string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	UserInfo      string `json:"userinfo_endpoint"`
	JWKS          string `json:"jwks_uri"`
	Registration  string `json:"registration_endpoint,omitempty"`
	Introspection string `json:"introspection_endpoint"`
	Revocation    string `json:"revocation_endpoint"`
	Device        string `json:"device_authorization_endpoint"`
	PAR           string `json:"pushed_authorization_request_endpoint"`
	EndSession    string `json:"end_session_endpoint"`

	Scopes            []string `json:"scopes_supported"`
	ResponseTypes     []string `json:"response_types_supported"`
	ResponseModes     []string `json:"response_modes_supported"`
	GrantTypes        []string `json:"grant_types_supported"`
	SubjectTypes      []string `json:"subject_types_supported"`
	IDTokenAlgs       []string `json:"id_token_signing_alg_values_supported"`
	AuthMethods       []string `json:"token_endpoint_auth_methods_supported"`
	AuthAlgs          []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	IntrospectMethods []string `json:"introspection_endpoint_auth_methods_supported"`
	IntrospectAlgs    []string `json:"introspection_endpoint_auth_signing_alg_values_supported"`
	RevokeMethods     []string `json:"revocation_endpoint_auth_methods_supported"`
	RevokeAlgs        []string `json:"revocation_endpoint_auth_signing_alg_values_supported"`
	ChallengeMethods  []string `json:"code_challenge_methods_supported"`
	Prompts           []string `json:"prompt_values_supported"`
	ACRs              []string `json:"acr_values_supported,omitempty"`
	Claims            []string `json:"claims_supported"`
	DPoPAlgs          []string `json:"dpop_signing_alg_values_supported,omitempty"`

	ClaimsParameter     bool `json:"claims_parameter_supported"`
	RequestParameter    bool `json:"request_parameter_supported"`
	RequestURIParameter bool `json:"request_uri_parameter_supported"` // by value of a stranger's address: never; pushed ones are RFC 9126's
	ResponseIssuer      bool `json:"authorization_response_iss_parameter_supported"`
	Backchannel         bool `json:"backchannel_logout_supported"`
	BackchannelSession  bool `json:"backchannel_logout_session_supported"`
}

// Metadata gives the tenant's document; false when its issuer is no URL, so that nobody could discover it.
func (s *Service) Metadata(t *tenant.Tenant) (Metadata, bool) {
	if base(t) == "" {
		return Metadata{}, false
	}
	algs, confidential := jose.Algs(), []string{AuthBasic, AuthPost, AuthPrivateKey}
	m := Metadata{
		Issuer: t.Issuer, Authorize: endpoint(t, pathAuthorize), Token: endpoint(t, pathToken), UserInfo: endpoint(t, pathUserInfo),
		JWKS: endpoint(t, pathJWKS), Introspection: endpoint(t, pathIntrospect), Revocation: endpoint(t, pathRevoke), Device: endpoint(t, pathDevice),
		PAR: endpoint(t, pathPAR), EndSession: endpoint(t, pathLogout),
		Scopes:        append([]string{ScopeOpenID, ScopeProfile, ScopeEmail, ScopeOffline}, slices.Sorted(maps.Keys(t.Policy.OAuth.Scopes))...),
		ResponseTypes: []string{"code"}, ResponseModes: []string{ModeQuery, ModeFormPost}, GrantTypes: s.Grants(), SubjectTypes: []string{"public"},
		IDTokenAlgs: algs, AuthMethods: AuthMethods(), AuthAlgs: algs, IntrospectMethods: confidential, IntrospectAlgs: algs,
		RevokeMethods: AuthMethods(), RevokeAlgs: algs, ChallengeMethods: []string{"S256"},
		Prompts: []string{PromptNone, PromptLogin, PromptConsent, PromptSelect}, ACRs: s.cfg.ACRs, DPoPAlgs: s.cfg.Back.ProofAlgs,
		Claims: []string{
			"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "amr", "acr", "sid", "name", "locale", "preferred_username", "email", "email_verified",
		},
		ResponseIssuer: true, Backchannel: true, BackchannelSession: true,
	}
	if t.Policy.OAuth.Registration {
		m.Registration = endpoint(t, pathClients)
	}
	return m, true
}

// secondsUntil is the life left of something that ends at a second.
func secondsUntil(end int64, at time.Time) time.Duration {
	return max(0, time.Unix(end, 0).Sub(at))
}
