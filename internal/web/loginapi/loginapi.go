// Package loginapi owns the login API that web and mobile apps call: its paths, bodies, token delivery and its OpenAPI document. It does
// not own any rule about who may log in, what a refresh does, or how refusals look (that is the hallway's).
package loginapi

import (
	"context"
	"errors"
	"sync"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/servicekey"
	"github.com/gatehouse-auth/gatehouse/internal/servicetoken"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/user"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// Owner is this face's name in the route table and in audit.Call.Face.
const Owner = "login-api"

// Logins proves people; login.Service is one.
type Logins interface {
	Password(ctx context.Context, call *audit.Call, r login.PasswordRequest) (login.PasswordResult, error)
	Register(ctx context.Context, call *audit.Call, r login.RegisterRequest) error
	Resend(ctx context.Context, call *audit.Call, r login.MailRequest) error
	Forgot(ctx context.Context, call *audit.Call, r login.MailRequest) error
	Reset(ctx context.Context, call *audit.Call, r login.ResetRequest) (login.Proved, error)
}

// Profiles are people's own data; login.Service is one.
type Profiles interface {
	Profile(ctx context.Context, call *audit.Call, live session.Live) (user.User, error)
	Update(ctx context.Context, call *audit.Call, live session.Live, c login.MeChange) (u user.User, emailPending bool, err error)
	Delete(ctx context.Context, call *audit.Call, live session.Live) error
}

// Handoffs give a login to a second device; login.Service is one.
type Handoffs interface {
	CreateCode(ctx context.Context, call *audit.Call, live session.Live) (login.SessionCode, error)
	ConfirmCode(ctx context.Context, call *audit.Call, live session.Live, id, number string) error
	ClaimCode(ctx context.Context, call *audit.Call, r login.ClaimRequest) (login.Claim, error)
	RedeemClaim(ctx context.Context, call *audit.Call, r login.RedeemRequest) (login.Redemption, error)
}

// Devices tells the known device a cookie proves, "" for none; login.Service is one.
type Devices interface {
	DeviceID(t *tenant.Tenant, cookie secret.Text) string
}

// Sessions rotates, checks and ends sessions; session.Service is one.
type Sessions interface {
	Refresh(ctx context.Context, call *audit.Call, r session.RefreshRequest) (session.Tokens, error)
	Authenticate(ctx context.Context, call *audit.Call, t *tenant.Tenant, access secret.Text) (session.Live, error)
	Logout(ctx context.Context, call *audit.Call, r session.LogoutRequest) error
	List(ctx context.Context, call *audit.Call, q session.ListQuery) ([]session.Family, error)
	Revoke(ctx context.Context, call *audit.Call, m session.Match, reason string) ([]session.Ended, error)
}

// ServiceKeys lets services in; servicekey.Service is one.
type ServiceKeys interface {
	Check(ctx context.Context, call *audit.Call, tenantID string, presented secret.Text, scope string) (servicekey.Key, error)
}

// ServiceTokens makes, lists, ends and checks the tokens of services; servicetoken.Service is one.
type ServiceTokens interface {
	Create(ctx context.Context, call *audit.Call, t *tenant.Tenant, r servicetoken.Request) (servicetoken.Issued, error)
	List(ctx context.Context, call *audit.Call, q servicetoken.Query) (page []servicetoken.Token, next string, err error)
	Revoke(ctx context.Context, call *audit.Call, t *tenant.Tenant, name string) ([]servicetoken.Token, error)
	Check(ctx context.Context, call *audit.Call, t *tenant.Tenant, raw string) (servicetoken.Good, error)
}

// Users reads people for services; user.Store is one.
type Users interface {
	Get(ctx context.Context, tenantID, userID, clientID string) (user.User, error)
}

// Keys gives a tenant's published keys as prebuilt JSON; token.Service is one.
type Keys interface {
	JWKS(tenantID string) []byte
}

// Config is what the face stands on; every part is needed.
type Config struct {
	Logins      Logins
	Profiles    Profiles
	Handoffs    Handoffs
	Devices     Devices
	Sessions    Sessions
	Users       Users
	Keys        Keys
	ServiceKeys ServiceKeys
	// ServiceTokens may also be made by the faces of other dialects.
	ServiceTokens ServiceTokens
	Proofs        Proofs // nil: nobody can prove possession of a key
	Version       string // of the program, for the OpenAPI document
}

// API is the face.
type API struct {
	cfg  Config
	doc  file
	keys sync.Map // tenant id → *file
}

// New makes the face and its OpenAPI document.
func New(cfg Config) (*API, error) {
	if cfg.Logins == nil || cfg.Profiles == nil || cfg.Handoffs == nil || cfg.Devices == nil || cfg.Sessions == nil || cfg.Users == nil ||
		cfg.Keys == nil || cfg.ServiceKeys == nil || cfg.ServiceTokens == nil {
		return nil, errors.New("loginapi: every part of Config is needed")
	}
	a := &API{cfg: cfg}
	body, err := document(a.operations(), cfg.Version)
	if err != nil {
		return nil, err
	}
	a.doc = newFile(body)
	return a, nil
}

// Routes is what the face mounts in the hallway: exactly the operations of its document.
func (a *API) Routes() []web.Route {
	var out []web.Route
	for _, op := range a.operations() {
		r := op.Route
		r.Owner = Owner
		out = append(out, r)
	}
	return out
}

// The services that stand behind this face.
var (
	_ Logins   = (*login.Service)(nil)
	_ Profiles = (*login.Service)(nil)
	_ Handoffs = (*login.Service)(nil)
	_ Devices  = (*login.Service)(nil)
	_ Sessions = (*session.Service)(nil)

	_ ServiceTokens = (*servicetoken.Service)(nil)
)
