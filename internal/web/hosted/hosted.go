// Package hosted owns the hosted pages of signing on: login, sign-up, forgotten password, choice of account, consent, the code of a device,
// logout, and the account pages. It is the glue between proving a person (login), the sign-on session of the browser (sso) and the
// authorization request under way (oauth), which never meet. It decides nothing of theirs: each page does its own step and sends the
// browser back to the dispatcher.
package hosted

import (
	"context"
	"errors"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/user"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// Login proves people. *login.Service is one.
type Login interface {
	Prove(ctx context.Context, call *audit.Call, req login.PasswordRequest) (login.Proven, error)
	Register(ctx context.Context, call *audit.Call, req login.RegisterRequest) error
	Resend(ctx context.Context, call *audit.Call, req login.MailRequest) error
	Forgot(ctx context.Context, call *audit.Call, req login.MailRequest) error
	ChangePassword(ctx context.Context, call *audit.Call, req login.ChangePasswordRequest) (login.Proven, error)
	Update(ctx context.Context, call *audit.Call, live session.Live, change login.MeChange) (user.User, bool, error)
	DeviceID(t *tenant.Tenant, cookie secret.Text) string
}

// Flow keeps authorization requests under way. *oauth.Service is one.
type Flow interface {
	Look(ctx context.Context, call *audit.Call, t *tenant.Tenant, id string, live *sso.Live) (oauth.Step, error)
	Proved(ctx context.Context, call *audit.Call, t *tenant.Tenant, id, ssoID string) error
	Choose(ctx context.Context, call *audit.Call, t *tenant.Tenant, id string, live *sso.Live) error
	Allow(ctx context.Context, call *audit.Call, t *tenant.Tenant, id string, live *sso.Live, scopes []string) error
	Refuse(ctx context.Context, call *audit.Call, t *tenant.Tenant, id string) error
	Consents(ctx context.Context, call *audit.Call, t *tenant.Tenant, userID string) ([]oauth.Consent, error)
	WithdrawConsent(ctx context.Context, call *audit.Call, t *tenant.Tenant, userID, clientID string) error
}

// Devices are the authorizations that devices without a browser ask for (RFC 8628). *oauth.Service is one.
type Devices interface {
	DeviceByCode(ctx context.Context, call *audit.Call, t *tenant.Tenant, typed, userID string) (oauth.Device, *tenant.Client, error)
	AllowDevice(ctx context.Context, call *audit.Call, t *tenant.Tenant, d oauth.Device, live *sso.Live, scopes []string) error
	RefuseDevice(ctx context.Context, call *audit.Call, t *tenant.Tenant, d oauth.Device, live *sso.Live) error
}

// SignOns keeps the sign-on session of a browser. *sso.Service is one.
type SignOns interface {
	Open(ctx context.Context, call *audit.Call, t *tenant.Tenant, p sso.Proof, old secret.Text) (secret.Text, sso.Session, error)
	Find(ctx context.Context, call *audit.Call, t *tenant.Tenant, cookie secret.Text) (sso.Live, error)
	End(ctx context.Context, call *audit.Call, t *tenant.Tenant, m sso.Match, reason string) ([]session.Ended, error)
	List(ctx context.Context, call *audit.Call, t *tenant.Tenant, userID string) ([]sso.Session, error)
}

// Sessions are a person's sessions at applications. *session.Service is one.
type Sessions interface {
	List(ctx context.Context, call *audit.Call, q session.ListQuery) ([]session.Family, error)
	Revoke(ctx context.Context, call *audit.Call, m session.Match, reason string) ([]session.Ended, error)
}

// Users reads people. A user.Store is one.
type Users interface {
	Get(ctx context.Context, tenantID, userID, clientID string) (user.User, error)
}

// Directory names applications. *tenant.Directory is one.
type Directory interface {
	Client(tenantID, clientID string) *tenant.Client
}

// Config is what the pages are built from. Devices may be nil: then the pages of devices are not there.
type Config struct {
	Login     Login
	Flow      Flow
	Devices   Devices
	SignOns   SignOns
	Sessions  Sessions
	Users     Users
	Directory Directory
}

// Pages is the face.
type Pages struct{ cfg Config }

// New makes the face.
func New(cfg Config) (*Pages, error) {
	if cfg.Login == nil || cfg.Flow == nil || cfg.SignOns == nil || cfg.Sessions == nil || cfg.Users == nil || cfg.Directory == nil {
		return nil, errors.New("hosted: everything but Devices is needed")
	}
	return &Pages{cfg: cfg}, nil
}

// Routes is everything to be mounted.
func (h *Pages) Routes() []web.Route {
	routes := append(both("/ui/login", h.showLogin, h.login), both("/ui/register", h.showRegister, h.register)...)
	routes = append(routes, both("/ui/forgot", h.showForgot, h.forgot)...)
	routes = append(routes, page(http.MethodPost, "/ui/resend", h.resend))
	routes = append(routes, both("/ui/choose", h.showChoose, h.choose)...)
	routes = append(routes, both("/ui/consent", h.showConsent, h.consent)...)
	routes = append(routes, page(http.MethodGet, "/ui/logout", h.showLogout))
	routes = append(routes, both("/ui/account", h.showProfile, h.profile)...)
	routes = append(routes, both("/ui/account/email", h.showEmail, h.email)...)
	routes = append(routes, both("/ui/account/password", h.showPassword, h.password)...)
	routes = append(routes, both("/ui/account/sessions", h.showSessions, h.endSessions)...)
	routes = append(routes, both("/ui/account/applications", h.showApplications, h.withdraw)...)
	if h.cfg.Devices != nil {
		routes = append(routes, both("/ui/device", h.showDevice, h.device)...)
		routes = append(routes, page(http.MethodPost, "/ui/device/answer", h.answerDevice), page(http.MethodGet, "/oauth2/device", h.toDevice))
	}
	return routes
}

func both(pattern string, show, take func(*web.Exchange) error) []web.Route {
	return []web.Route{page(http.MethodGet, pattern, show), page(http.MethodPost, pattern, take)}
}

// page is for people. The hallway refuses posts of foreign pages before the handler runs: a page that logs its visitor in to somebody else's
// account, or makes them allow what they have not seen, does not get here.
func page(method, pattern string, handle func(*web.Exchange) error) web.Route {
	return web.Route{Owner: "pages", Method: method, Pattern: pattern, Browser: true, Handle: func(x *web.Exchange) error {
		if err := x.ResolveTenant(); err != nil {
			return err
		}
		return handle(x)
	}}
}
