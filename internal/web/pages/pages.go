// Package pages owns the hosted pages behind mailed links (proof of a mailbox, new password), both sides of a hand-off to a
// second device, and the development pages (mailbox, try-it).
// GET and HEAD change nothing here, because link scanners open every link before its reader does. It decides nothing: login does.
package pages

import (
	"context"
	"errors"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/delivery"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/web"
	"github.com/gatehouse-auth/gatehouse/internal/web/view"
)

// Login spends mailed tokens. *login.Service is one.
type Login interface {
	Inspect(ctx context.Context, call *audit.Call, t *tenant.Tenant, token secret.Text) (login.Pending, error)
	VerifyEmail(ctx context.Context, call *audit.Call, req login.VerifyRequest) (login.Proved, error)
	Reset(ctx context.Context, call *audit.Call, req login.ResetRequest) (login.Proved, error)
}

// Handoffs give a login to a second device. *login.Service is one.
type Handoffs interface {
	CreateCode(ctx context.Context, call *audit.Call, live session.Live) (login.SessionCode, error)
	ViewCode(ctx context.Context, call *audit.Call, live session.Live, id string) (login.HandoffView, error)
	ConfirmCode(ctx context.Context, call *audit.Call, live session.Live, id, number string) error
	OfferOf(ctx context.Context, call *audit.Call, t *tenant.Tenant, code secret.Text) (login.Offer, error)
	ClaimCode(ctx context.Context, call *audit.Call, r login.ClaimRequest) (login.Claim, error)
	PeekClaim(ctx context.Context, call *audit.Call, r login.RedeemRequest) (login.Redemption, error)
	RedeemClaim(ctx context.Context, call *audit.Call, r login.RedeemRequest) (login.Redemption, error)
}

// Sessions says who is signed in. *session.Service is one.
type Sessions interface {
	Authenticate(ctx context.Context, call *audit.Call, t *tenant.Tenant, access secret.Text) (session.Live, error)
}

// Mailbox is the development mailbox. A delivery.Store is one.
type Mailbox interface {
	Mailbox(ctx context.Context, tenantID, to string, limit int) ([]delivery.BoxMail, error)
	ClearMailbox(ctx context.Context, tenantID string) error
}

// Directory finds the client that a mailed link belongs to. *tenant.Directory is one.
type Directory interface {
	Client(tenantID, clientID string) *tenant.Client
}

// Flow leads people who follow a mailed link back to the authorization request they came from. *hosted.Pages is one.
type Flow interface {
	// Leads lets the page's form lead on to the application that the request is on the way to.
	Leads(x *web.Exchange, id string)
	// Back is where the proved person goes on, "" when there is nothing to go back to; signOn signs them on in this browser.
	Back(x *web.Exchange, p login.Proved, signOn bool) (string, error)
}

// Config is what the pages are built from.
type Config struct {
	Login     Login
	Handoffs  Handoffs
	Sessions  Sessions
	Directory Directory
	Mailbox   Mailbox // needed with Dev only
	Flow      Flow    // may be nil: then nobody is led back
	Dev       bool    // mounts mailbox and try-it page, which show everybody's mail to whoever asks
}

// Pages is the face.
type Pages struct{ cfg Config }

// New makes the face.
func New(cfg Config) (*Pages, error) {
	if cfg.Login == nil || cfg.Handoffs == nil || cfg.Sessions == nil || cfg.Directory == nil || (cfg.Dev && cfg.Mailbox == nil) {
		return nil, errors.New("pages: Login, Handoffs, Sessions and Directory are needed, with Dev also Mailbox")
	}
	return &Pages{cfg: cfg}, nil
}

const owner = "pages"

// Routes is everything to be mounted.
func (p *Pages) Routes() []web.Route {
	routes := []web.Route{
		page(http.MethodGet, "/email/verify/{token}", p.showVerify),
		page(http.MethodPost, "/email/verify/{token}", p.verify),
		page(http.MethodGet, "/password/reset/{token}", p.showReset),
		page(http.MethodPost, "/password/reset/{token}", p.reset),
		page(http.MethodGet, "/ui/done/{what}", p.done),
		page(http.MethodGet, "/ui/handoff", p.showHandoff),
		page(http.MethodPost, "/ui/handoff", p.startHandoff),
		page(http.MethodPost, "/ui/handoff/confirm", p.confirmHandoff),
		page(http.MethodGet, "/ui/handoff/wait", p.showWait),
		page(http.MethodPost, "/ui/handoff/wait", p.finishWait),
		page(http.MethodGet, "/ui/handoff/{code}", p.showOffer),
		page(http.MethodPost, "/ui/handoff/{code}", p.claimOffer),
		view.Assets(tryScript),
	}
	if !p.cfg.Dev {
		return routes
	}
	return append(routes,
		web.Route{Owner: owner, Method: http.MethodGet, Pattern: "/dev/mailbox", Handle: p.listMail},
		web.Route{Owner: owner, Method: http.MethodDelete, Pattern: "/dev/mailbox", Handle: p.clearMail},
		page(http.MethodGet, "/dev/mailbox/view", p.viewMail),
		page(http.MethodGet, "/dev/mailbox/view/{id}", p.viewDesigned),
		page(http.MethodGet, "/ui/try", p.try),
	)
}

func page(method, pattern string, handle func(*web.Exchange) error) web.Route {
	return web.Route{Owner: owner, Method: method, Pattern: pattern, Browser: true, Handle: func(x *web.Exchange) error {
		if err := x.ResolveTenant(); err != nil {
			return err
		}
		return handle(x)
	}}
}
