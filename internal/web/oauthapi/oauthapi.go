// Package oauthapi owns the face of OAuth 2 and OpenID Connect: what these endpoints take and answer on the wire, and the one table from
// our reasons to the RFCs' error codes. It decides nothing: oauth does. Pages for people are another face's; this one sends browsers there.
package oauthapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/revocation"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/servicekey"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// Feed gives followers their place (revocation.Feed).
type Feed interface {
	Follow(ctx context.Context, t *tenant.Tenant, from revocation.Head) (*revocation.Follower, error)
}

// ServiceKeys checks internal keys (servicekey.Service).
type ServiceKeys interface {
	Check(ctx context.Context, call *audit.Call, tenantID string, presented secret.Text, scope string) (servicekey.Key, error)
}

// Front is the authorization endpoint's half of the rules. *oauth.Service is one.
type Front interface {
	Push(ctx context.Context, call *audit.Call, t *tenant.Tenant, c *tenant.Client, p oauth.Params) (string, time.Duration, error)
	Begin(ctx context.Context, call *audit.Call, t *tenant.Tenant, p oauth.Params) (oauth.Request, error)
	Next(ctx context.Context, call *audit.Call, t *tenant.Tenant, id string, live *sso.Live) (oauth.Step, error)
	Logout(ctx context.Context, call *audit.Call, t *tenant.Tenant, req oauth.LogoutRequest) (oauth.LogoutStep, error)
}

// SignOns finds the sign-on session of a browser. *sso.Service is one.
type SignOns interface {
	Find(ctx context.Context, call *audit.Call, t *tenant.Tenant, cookie secret.Text) (sso.Live, error)
}

// Clients authenticates clients. *oauth.Service is one.
type Clients interface {
	Authenticate(ctx context.Context, call *audit.Call, t *tenant.Tenant, cred oauth.Credentials) (*tenant.Client, bool, error)
}

// Config is what the face is built from.
type Config struct {
	Front   Front // nil leaves out what browsers are sent to
	SignOns SignOns
	Clients Clients // nil leaves out what authenticates clients

	Back      Back      // nil leaves out the endpoints for clients and resource servers
	Registrar Registrar // nil leaves out dynamic registration
	Keys      Keys
	Tenants   Tenants
	Proofs    Proofs // nil: nobody can prove possession of a key

	Feed        Feed // nil leaves out the revocation feed
	ServiceKeys ServiceKeys
	Now         func() time.Time // the machine's clock; with Feed
}

// API is the face.
type API struct{ cfg Config }

// New makes the face.
func New(cfg Config) (*API, error) {
	if (cfg.Front == nil) != (cfg.SignOns == nil) {
		return nil, errors.New("oauthapi: Front and SignOns belong together")
	}
	if cfg.Feed != nil && (cfg.ServiceKeys == nil || cfg.Now == nil) {
		return nil, errors.New("oauthapi: the feed needs keys and a clock")
	}
	return &API{cfg: cfg}, nil
}

const owner = "oauth"

// Routes is everything to be mounted.
func (a *API) Routes() []web.Route {
	var routes []web.Route
	if a.cfg.Front != nil {
		routes = append(routes,
			page(http.MethodGet, "/oauth2/authorize", a.authorize),
			page(http.MethodPost, "/oauth2/authorize", a.postAuthorize),
			page(http.MethodGet, "/oauth2/continue", a.proceed),
			page(http.MethodGet, "/oauth2/logout", a.logout),
			page(http.MethodPost, "/oauth2/logout", a.postLogout),
		)
	}
	if a.cfg.Front != nil && a.cfg.Clients != nil {
		routes = append(routes, call("/oauth2/par", a.push))
	}
	if a.cfg.Feed != nil {
		routes = append(routes, web.Route{Owner: owner, Method: http.MethodGet, Pattern: "/oauth2/revocations", SelfGuard: true, Handle: a.revocations})
	}
	return append(routes, a.routesBack()...)
}

// page is for browsers that an application sends here. Applications may post from their own origin, so the handlers guard themselves: no
// cookie is read or set in a post of a foreign page.
func page(method, pattern string, handle func(*web.Exchange) error) web.Route {
	return web.Route{Owner: owner, Method: method, Pattern: pattern, Browser: true, SelfGuard: true, Handle: handle}
}

// call is a form of a client: no cookie is read or set, and refusals speak the dialect.
func call(pattern string, handle func(*web.Exchange) error) web.Route {
	return web.Route{Owner: owner, Method: http.MethodPost, Pattern: pattern, SelfGuard: true, Handle: func(x *web.Exchange) error {
		if err := handle(x); err != nil {
			return refuse(x, err)
		}
		return nil
	}}
}
