// Package oauthapi is the wing of the OAuth 2 face, under /oauth2/. So far it owns one route: the revocation feed, for resource servers. It
// does not own what stands in the feed or how it is signed.
package oauthapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/revocation"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/servicekey"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// owner of the routes, and Call.Face.
const owner = "oauth"

// Feed gives followers their place (revocation.Feed).
type Feed interface {
	Follow(ctx context.Context, t *tenant.Tenant, from revocation.Head) (*revocation.Follower, error)
}

// ServiceKeys checks internal keys (servicekey.Service).
type ServiceKeys interface {
	Check(ctx context.Context, call *audit.Call, tenantID string, presented secret.Text, scope string) (servicekey.Key, error)
}

// Config is what the face is built from; all of it is needed.
type Config struct {
	Feed        Feed
	ServiceKeys ServiceKeys
	Now         func() time.Time // the machine's clock
}

// API is the face.
type API struct{ cfg Config }

// New makes the face.
func New(cfg Config) (*API, error) {
	if cfg.Feed == nil || cfg.ServiceKeys == nil || cfg.Now == nil {
		return nil, errors.New("oauthapi: feed, keys and clock are needed")
	}
	return &API{cfg: cfg}, nil
}

// Routes is the route table of the face.
func (a *API) Routes() []web.Route {
	return []web.Route{
		{Owner: owner, Method: http.MethodGet, Pattern: "/oauth2/revocations", SelfGuard: true, Handle: a.revocations},
	}
}
