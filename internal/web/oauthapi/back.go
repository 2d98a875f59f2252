package oauthapi

import (
	"context"
	"net/http"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// Back is the token endpoint's half of the rules. *oauth.Service is one.
type Back interface {
	Token(ctx context.Context, call *audit.Call, t *tenant.Tenant, q oauth.TokenRequest) (oauth.TokenAnswer, error)
	Introspect(ctx context.Context, call *audit.Call, t *tenant.Tenant, c *tenant.Client, raw secret.Text) (oauth.Introspection, error)
	Revoke(ctx context.Context, call *audit.Call, t *tenant.Tenant, c *tenant.Client, authenticated bool, raw secret.Text) error
	UserInfo(ctx context.Context, call *audit.Call, t *tenant.Tenant, access secret.Text, proof string) (oauth.UserInfo, error)
	DeviceAuthorize(ctx context.Context, call *audit.Call, t *tenant.Tenant, q oauth.TokenRequest) (oauth.DeviceAnswer, error)
	Metadata(t *tenant.Tenant) (oauth.Metadata, bool)
}

// Registrar registers clients. *oauth.Service is one.
type Registrar interface {
	Register(ctx context.Context, call *audit.Call, t *tenant.Tenant, initial secret.Text, m oauth.ClientMetadata) (oauth.ClientInformation, error)
	Registration(ctx context.Context, call *audit.Call, t *tenant.Tenant, clientID string, access secret.Text) (oauth.ClientInformation, error)
	ChangeRegistration(ctx context.Context, call *audit.Call, t *tenant.Tenant, clientID string, access secret.Text, m oauth.ClientMetadata) (oauth.ClientInformation, error)
	Unregister(ctx context.Context, call *audit.Call, t *tenant.Tenant, clientID string, access secret.Text) error
}

// Keys publishes a tenant's signing keys. *token.Service is one.
type Keys interface{ JWKS(tenantID string) []byte }

// Tenants finds a tenant by the name in its issuer's path. *tenant.Directory is one.
type Tenants interface {
	BySlug(slug string) *tenant.Tenant
}

// Proofs checks the DPoP proof of a call; access is the token that it must speak of, empty at the token endpoint. "" for a call without one.
type Proofs func(x *web.Exchange, access secret.Text) (thumbprint string, err error)

// routesBack are the endpoints for clients and resource servers.
func (a *API) routesBack() []web.Route {
	if a.cfg.Back == nil {
		return nil
	}
	routes := []web.Route{
		call("/oauth2/token", a.token),
		call("/oauth2/introspect", a.introspect),
		call("/oauth2/revoke", a.revoke),
		call("/oauth2/device_authorize", a.device),
		bearer(http.MethodGet, "/oauth2/userinfo", a.userInfo),
		bearer(http.MethodPost, "/oauth2/userinfo", a.userInfo),
		public("/oauth2/jwks", a.jwks),
		public("/.well-known/openid-configuration", a.metadata),
		public("/.well-known/oauth-authorization-server", a.metadata),
		// An issuer with a path has its document here, says RFC 8414 section 3.1; OpenID Connect Discovery puts it below the issuer, and
		// there the hallway serves every route anyway.
		public("/.well-known/openid-configuration/t/{of}", a.metadataOf),
		public("/.well-known/oauth-authorization-server/t/{of}", a.metadataOf),
	}
	if a.cfg.Registrar != nil {
		routes = append(routes,
			bearer(http.MethodPost, "/oauth2/clients", a.register),
			bearer(http.MethodGet, "/oauth2/clients/{id}", a.registration),
			bearer(http.MethodPut, "/oauth2/clients/{id}", a.changeRegistration),
			bearer(http.MethodDelete, "/oauth2/clients/{id}", a.unregister))
	}
	return routes
}

// public is the same for everybody.
func public(pattern string, handle func(*web.Exchange) error) web.Route {
	return web.Route{Owner: owner, Method: http.MethodGet, Pattern: pattern, Public: true, Handle: handle}
}

// bearer is for holders of a token, which only a header or a form brings: never a cookie.
func bearer(method, pattern string, handle func(*web.Exchange) error) web.Route {
	return web.Route{Owner: owner, Method: method, Pattern: pattern, SelfGuard: true, Handle: func(x *web.Exchange) error {
		if err := handle(x); err != nil {
			return refuseBearer(x, err)
		}
		return nil
	}}
}

// refuseBearer is RFC 6750 section 3: whatever is wrong with the token is invalid_token, and who brought none is told no code.
func refuseBearer(x *web.Exchange, err error) error {
	e := fault.From(err)
	r := told(e)
	if e.Kind == fault.Unauthenticated && r.code == "invalid_grant" {
		r = refusal{"invalid_token", http.StatusUnauthorized}
	}
	challenge := "Bearer"
	switch e.Reason {
	case fault.ReasonOAuthProof, fault.ReasonOAuthNonce, fault.ReasonBindingMismatch: // RFC 9449 sections 7.1 and 9: as any protected resource
		return refuseAs(x, e, refusal{r.code, http.StatusUnauthorized}, `DPoP error="`+r.code+`", algs="EdDSA ES256 RS256"`)
	}
	if e.Reason != fault.ReasonMissingToken {
		challenge += ` error="` + r.code + `"`
	}
	if r.code == "insufficient_scope" {
		challenge += `, scope="openid"`
	}
	if r.status != http.StatusUnauthorized && r.status != http.StatusForbidden {
		challenge = ""
	}
	return refuseAs(x, e, r, challenge)
}

// caller authenticates the client of a form endpoint; proved is false for a public one, which is only named.
func (a *API) caller(x *web.Exchange, form url.Values) (c *tenant.Client, proved bool, err error) {
	cred, err := credentials(x, form)
	if err != nil {
		return nil, false, err
	}
	if err := enter(x, cred.ClientID); err != nil {
		return nil, false, err
	}
	if c, proved, err = a.cfg.Clients.Authenticate(x.R.Context(), x.Call, x.Tenant, cred); err != nil {
		return nil, false, err
	}
	x.Call.ClientID = c.ID
	return c, proved, nil
}

// possession is the key that a call with the scheme DPoP proves, "" for a bearer token: a bound token that comes as one is refused even beside
// a proof (RFC 9449 section 7.2), for whoever forgets the scheme forgets the proof.
func (a *API) possession(x *web.Exchange, access secret.Text) (string, error) {
	key, err := a.proof(x, access)
	switch {
	case err != nil || !x.Bound():
		return "", err
	case key == "":
		return "", fault.New(fault.Unauthenticated, fault.ReasonBindingMismatch, "the token came without a proof of its key")
	}
	return key, nil
}

func (a *API) proof(x *web.Exchange, access secret.Text) (string, error) {
	if a.cfg.Proofs == nil {
		return "", nil
	}
	return a.cfg.Proofs(x, access)
}
