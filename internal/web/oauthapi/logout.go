package oauthapi

import (
	"net/http"
	"net/url"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// logout is OpenID Connect RP-Initiated Logout 1.0 section 2, by GET. It never counts as confirmed: any page can make a browser get.
func (a *API) logout(x *web.Exchange) error {
	form, err := web.ReadQuery(x)
	if err == nil {
		err = web.Once(form)
	}
	if err != nil {
		return err
	}
	if err := enter(x, form.Get("client_id")); err != nil {
		return err
	}
	if x.R.Method == http.MethodHead {
		return x.NoContent()
	}
	return a.leave(x, form, false)
}

// postLogout is the same by POST. Posted by an application's page it brings no cookies, so the browser is sent to ask again by itself;
// posted by our own page with confirm, the person has said so.
func (a *API) postLogout(x *web.Exchange) error {
	if x.Guard() != nil {
		return bounce(x, "/oauth2/logout", "confirm")
	}
	form, err := web.DecodeForm(x)
	if err != nil {
		return err
	}
	if err := enter(x, form.Get("client_id")); err != nil {
		return err
	}
	return a.leave(x, form, form.Get("confirm") == "yes")
}

func (a *API) leave(x *web.Exchange, form url.Values, confirmed bool) error {
	live, err := a.live(x)
	if err != nil {
		return err
	}
	step, err := a.cfg.Front.Logout(x.R.Context(), x.Call, x.Tenant, oauth.LogoutRequest{
		ClientID: form.Get("client_id"), IDTokenHint: form.Get("id_token_hint"), PostLogoutRedirectURI: form.Get("post_logout_redirect_uri"),
		State: form.Get("state"), Live: live, Confirmed: confirmed,
	})
	if err != nil {
		return err
	}
	if step.Confirm {
		return x.Redirect(x.PathPrefix() + "/ui/logout?" + asked(form, step).Encode())
	}
	if err := x.SetSSO(secret.Text{}, 0); err != nil {
		return err
	}
	if step.RedirectURI != "" {
		return x.Redirect(step.RedirectURI)
	}
	return x.Redirect(x.PathPrefix() + "/ui/done/logout")
}

// asked is what the page that asks needs to ask again with; its form posts these, with confirm=yes, to /oauth2/logout. An ID token is left
// out: it did not settle the matter, and it is long.
func asked(form url.Values, step oauth.LogoutStep) url.Values {
	out := url.Values{}
	for _, name := range []string{"post_logout_redirect_uri", "state", "ui_locales"} {
		if v := form.Get(name); v != "" {
			out.Set(name, v)
		}
	}
	if step.Client != nil {
		out.Set("client_id", step.Client.ID)
	}
	return out
}
