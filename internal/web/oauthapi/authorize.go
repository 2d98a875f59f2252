package oauthapi

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// enter resolves tenant and client. An unknown client is the endpoint's to refuse in its own words, so it is no error here.
func enter(x *web.Exchange, clientID string) error {
	err := x.Resolve(clientID)
	if fault.ReasonOf(err) == fault.ReasonUnknownClient && x.Tenant != nil {
		return nil
	}
	return err
}

// authorize begins an authorization request (RFC 6749 section 4.1.1, OpenID Connect Core section 3.1.2.1) and goes as far as it can.
func (a *API) authorize(x *web.Exchange) error {
	form, err := web.ReadQuery(x)
	if err != nil {
		return err
	}
	if err := enter(x, form.Get("client_id")); err != nil {
		return err
	}
	if x.R.Method == http.MethodHead {
		return x.NoContent() // looking is not asking
	}
	if err := x.EnsureBrowser(); err != nil {
		return err
	}
	r, err := a.cfg.Front.Begin(x.R.Context(), x.Call, x.Tenant, oauth.ParseParams(form))
	var back *oauth.RedirectError
	if errors.As(err, &back) {
		return reply(x, back.Reply)
	}
	if err != nil {
		return err
	}
	return a.next(x, r.ID)
}

// maxBounce is how long a query may become that was posted: header lines have an end.
const maxBounce = 16 << 10

// postAuthorize takes the request as a form, which an application's page may post (OpenID Connect Core section 3.1.2.1). Such a post brings no
// cookies and may set none, so the browser is sent to ask again by itself.
func (a *API) postAuthorize(x *web.Exchange) error { return bounce(x, "/oauth2/authorize") }

func bounce(x *web.Exchange, path string, without ...string) error {
	form, err := web.ReadForm(x)
	if err != nil {
		return err
	}
	for _, name := range without {
		form.Del(name)
	}
	if err := enter(x, form.Get("client_id")); err != nil {
		return err
	}
	query := form.Encode()
	if len(query) > maxBounce {
		return fault.New(fault.Invalid, fault.ReasonOAuthRequest, "the request is too long")
	}
	return x.Redirect(x.PathPrefix() + path + "?" + query)
}

// proceed is where every step comes back to.
func (a *API) proceed(x *web.Exchange) error {
	form, err := web.ReadQuery(x)
	if err == nil {
		err = web.Once(form)
	}
	if err != nil {
		return err
	}
	if err := enter(x, ""); err != nil {
		return err
	}
	if x.R.Method == http.MethodHead {
		return x.NoContent()
	}
	return a.next(x, form.Get("i"))
}

// steps are the pages that steps happen on.
var steps = map[oauth.StepKind]string{
	oauth.StepLogin:   "/ui/login",
	oauth.StepChoose:  "/ui/choose",
	oauth.StepConsent: "/ui/consent",
}

// next asks the dispatcher and goes where it says.
func (a *API) next(x *web.Exchange, id string) error {
	live, err := a.live(x)
	if err != nil {
		return err
	}
	step, err := a.cfg.Front.Next(x.R.Context(), x.Call, x.Tenant, id, live)
	if err != nil {
		return err
	}
	if step.Kind == oauth.StepReply {
		return reply(x, *step.Reply)
	}
	return x.Redirect(x.PathPrefix() + steps[step.Kind] + "?" + url.Values{"i": {step.Request.ID}}.Encode())
}

// live is the sign-on session of the browser, nil when nobody is signed on.
func (a *API) live(x *web.Exchange) (*sso.Live, error) {
	cookie := x.SSO()
	if cookie.IsZero() {
		return nil, nil
	}
	live, err := a.cfg.SignOns.Find(x.R.Context(), x.Call, x.Tenant, cookie)
	if e := fault.From(err); e != nil {
		if e.Kind == fault.Unauthenticated {
			return nil, nil
		}
		return nil, err
	}
	return &live, nil
}
