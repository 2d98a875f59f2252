package pages

import (
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/web"
	"github.com/gatehouse-auth/gatehouse/internal/web/view"
)

// secondPage is the page of the device that is to be logged in.
type secondPage struct {
	view.Page
	Story  string // offer, wait, ready, over, mismatch
	Hint   string // of the account
	Place  string // of the first device
	Number string
}

func (p *Pages) second(x *web.Exchange, status int, f secondPage) error {
	f.Page = view.For(x, "handoff."+f.Story+".title")
	if f.Story == "wait" {
		x.W.Header().Set("Refresh", lookEvery)
	}
	return x.HTML(status, secondDevicePage(f))
}

// showOffer is behind the QR code. It claims nothing: cameras, scanners and previews open links too.
func (p *Pages) showOffer(x *web.Exchange) error {
	o, err := p.offer(x)
	if err != nil {
		return p.secondRefused(x, err)
	}
	return p.second(x, http.StatusOK, secondPage{Story: "offer", Hint: o.Hint, Place: o.Place})
}

// offer reads the code and takes its client for the call's: the link names no client.
func (p *Pages) offer(x *web.Exchange) (login.Offer, error) {
	o, err := p.cfg.Handoffs.OfferOf(x.R.Context(), x.Call, x.Tenant, codeOf(x))
	if err != nil {
		return o, err
	}
	return o, enterClient(x, o.ClientID)
}

func codeOf(x *web.Exchange) secret.Text { return secret.NewText(x.R.PathValue("code")) }

// enterClient settles whose session it will be. Cookies are the only way a page can give tokens.
func enterClient(x *web.Exchange, clientID string) error {
	if err := x.Resolve(clientID); err != nil {
		return err
	}
	if s := &x.Client.Settings; s.TokenDelivery == "bearer" || s.OAuth.DPoPRequired { // a page has no key to bind a session to
		return fault.New(fault.Forbidden, fault.ReasonWrongClient, "no page can log this application in; use the application to scan the code")
	}
	return nil
}

func (p *Pages) claimOffer(x *web.Exchange) error {
	if _, err := p.offer(x); err != nil {
		return p.secondRefused(x, err)
	}
	claim, err := p.cfg.Handoffs.ClaimCode(x.R.Context(), x.Call, login.ClaimRequest{Tenant: x.Tenant, Client: x.Client, Code: codeOf(x)})
	if err != nil {
		return p.secondRefused(x, err)
	}
	if claim.Tokens != nil {
		return loggedIn(x, claim.Tokens)
	}
	if err := x.SetClaim(secret.NewText(claim.ID+"."+claim.Secret.Reveal()), login.HandoffLife); err != nil {
		return err
	}
	return x.Redirect(x.PathPrefix() + "/ui/handoff/wait")
}

// claimOf is the claim that this browser's cookie holds.
func claimOf(x *web.Exchange) login.RedeemRequest {
	id, text, _ := strings.Cut(x.Cookie(web.ClaimCookie).Reveal(), ".")
	return login.RedeemRequest{Tenant: x.Tenant, ID: id, Secret: secret.NewText(text)}
}

// showWait shows the number and looks every other second. When the number was typed, a button (which script presses) gets the session.
func (p *Pages) showWait(x *web.Exchange) error {
	got, err := p.cfg.Handoffs.PeekClaim(x.R.Context(), x.Call, claimOf(x))
	if err != nil {
		return p.secondRefused(x, err)
	}
	f := secondPage{Story: "ready", Hint: got.Hint, Place: got.Place, Number: got.Number}
	if got.Waiting {
		f.Story = "wait"
	}
	return p.second(x, http.StatusOK, f)
}

func (p *Pages) finishWait(x *web.Exchange) error {
	r := claimOf(x)
	seen, err := p.cfg.Handoffs.PeekClaim(x.R.Context(), x.Call, r)
	if err != nil {
		return p.secondRefused(x, err)
	}
	if err := enterClient(x, seen.ClientID); err != nil {
		return err
	}
	r.Client = x.Client
	got, err := p.cfg.Handoffs.RedeemClaim(x.R.Context(), x.Call, r)
	if err != nil {
		return p.secondRefused(x, err)
	}
	if got.Tokens == nil {
		return x.Redirect(x.PathPrefix() + "/ui/handoff/wait")
	}
	if err := x.SetClaim(secret.Text{}, 0); err != nil {
		return err
	}
	return loggedIn(x, got.Tokens)
}

// loggedIn gives this browser the session. Whatever it was known by before is replaced (session fixation).
func loggedIn(x *web.Exchange, t *session.Tokens) error {
	if err := x.RenewBrowser(); err != nil {
		return err
	}
	up := func(until time.Time) time.Duration {
		return (until.Sub(x.Call.At) + time.Second - 1).Truncate(time.Second)
	}
	if err := x.SetTokens(t.Access, t.Refresh, up(t.AccessClaims.ExpiresAt), up(t.RefreshExpires)); err != nil {
		return err
	}
	return x.Redirect(x.PathPrefix() + "/ui/done/handoff")
}

func (p *Pages) secondRefused(x *web.Exchange, err error) error {
	switch e := fault.From(err); {
	case e.Kind == fault.Gone:
		return p.second(x, web.Status(e), secondPage{Story: "over"})
	case e.Reason == fault.ReasonWrongNumber:
		return p.second(x, web.Status(e), secondPage{Story: "mismatch"})
	default:
		return err
	}
}
