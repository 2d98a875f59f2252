// Package supertokens owns the face that SuperTokens' own libraries take for their core: its path grammar, versions, key check, field
// names, status words and plain-text refusals. It does not own any rule about sessions, users or keys: those are the rooms' below, the
// same that every other face stands on.
package supertokens

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/recipe"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/servicekey"
	"github.com/gatehouse-auth/gatehouse/internal/servicetoken"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
	"github.com/gatehouse-auth/gatehouse/internal/user"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// Owner is this face's name in the route table and in audit.Call.Face. Sessions opened here carry it.
const Owner = session.DialectSuperTokens

// Directory finds the tenant of an app; tenant.Directory is one.
type Directory interface {
	BySlug(slug string) *tenant.Tenant
	Only() *tenant.Tenant
	Client(tenantID, clientID string) *tenant.Client
}

// ServiceKeys lets backends in; servicekey.Service is one.
type ServiceKeys interface {
	Check(ctx context.Context, call *audit.Call, tenantID string, presented secret.Text, scope string) (servicekey.Key, error)
}

// Organisations are what SuperTokens calls tenants.
type Organisations interface {
	// Known reports whether a tenant has an organisation of that id.
	Known(ctx context.Context, tenantID, orgID string) (bool, error)
}

// Keys publishes, signs and reads; token.Service is one.
type Keys interface {
	// RSA gives a tenant's RSA keys as a ready JWKS, nil while there are none, and when the next one will be made.
	RSA(t *tenant.Tenant) (jwks []byte, next time.Time)
	Sign(ctx context.Context, t *tenant.Tenant, shape token.Shape, at time.Time, claims []byte) (string, error)
	Read(t *tenant.Tenant, q token.Query, raw string, at time.Time) (*jose.Token, error)
}

// Sessions is the one engine; session.Service is one.
type Sessions interface {
	OpenDialect(ctx context.Context, call *audit.Call, r session.OpenDialectRequest) (session.Tokens, error)
	Refresh(ctx context.Context, call *audit.Call, r session.RefreshRequest) (session.Tokens, error)
	Confirm(ctx context.Context, call *audit.Call, r session.ConfirmRequest) (session.Confirmed, error)
	Find(ctx context.Context, call *audit.Call, d *session.Dialect, tenantID, id string) (session.Family, error)
	Change(ctx context.Context, call *audit.Call, r session.Change) (session.Changed, error)
	List(ctx context.Context, call *audit.Call, q session.ListQuery) ([]session.Family, error)
	Revoke(ctx context.Context, call *audit.Call, m session.Match, reason string) ([]session.Ended, error)
}

// Users reads people; user.Store is one.
type Users interface {
	Get(ctx context.Context, tenantID, userID, clientID string) (user.User, error)
}

// Services makes the tokens of services; servicetoken.Service is one.
type Services interface {
	Vend(ctx context.Context, call *audit.Call, t *tenant.Tenant, r servicetoken.VendRequest) (string, error)
}

// Passwords checks the password of an account for an application that asks; login.Service is one.
type Passwords interface {
	Check(ctx context.Context, call *audit.Call, req login.CheckRequest) (user.User, error)
}

// Config is what the face stands on; every part is needed, but that without Recipe and Passwords the calls about people, organisations and
// apps are not there.
type Config struct {
	Recipe        *recipe.Service
	Passwords     Passwords
	Directory     Directory
	ServiceKeys   ServiceKeys
	Organisations Organisations
	Keys          Keys
	Sessions      Sessions
	Users         Users
	Services      Services
	Ping          func(context.Context) error // touches the store, for /hello
}

// Face answers.
type Face struct {
	cfg   Config
	table map[string]map[string]*endpoint // by path, then method
	doors doors
}

// New makes the face.
func New(cfg Config) (*Face, error) {
	if cfg.Directory == nil || cfg.ServiceKeys == nil || cfg.Organisations == nil || cfg.Keys == nil || cfg.Sessions == nil ||
		cfg.Users == nil || cfg.Services == nil || cfg.Ping == nil {
		return nil, errors.New("supertokens: every part of Config is needed")
	}
	f := &Face{cfg: cfg, doors: newDoors(cfg.ServiceKeys)}
	var err error
	f.table, err = tabulate(f.endpoints())
	return f, err
}

// prefix is the path the libraries' connectionURI ends in.
const prefix = "/supertokens"

// Routes are two: the dialect's own grammar (an app, a tenant, a path in any case) is none of ServeMux.
func (f *Face) Routes() []web.Route {
	var labels []web.Label
	for path, methods := range f.table {
		for method := range methods {
			labels = append(labels, web.Label{Method: method, Route: prefix + path})
		}
	}
	route := web.Route{Owner: Owner, Method: web.AnyMethod, Pattern: prefix, Handle: f.serve, SelfGuard: true, Labels: labels}
	below := route
	below.Pattern = prefix + "/{rest...}"
	return []web.Route{route, below}
}
