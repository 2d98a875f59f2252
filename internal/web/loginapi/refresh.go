package loginapi

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

func missing() error {
	return fault.New(fault.Unauthenticated, fault.ReasonMissingToken, "no token was sent")
}

// refresh never clears a cookie when it refuses: a late refusal of an old session would delete a newer login.
func (a *API) refresh(x *web.Exchange) error {
	var in RefreshBody
	if err := web.DecodeOptional(x, &in); err != nil {
		return err
	}
	if err := x.Resolve(in.ClientID); err != nil {
		return err
	}
	m, err := modeOf(x)
	if err != nil {
		return err
	}
	access, refresh, byCookie, err := tokensOf(x, in.RefreshToken, m)
	if err != nil {
		return err
	}
	if refresh.IsZero() {
		return missing()
	}
	d := afterRefresh(m, byCookie)
	if d.cookies {
		if err := x.Guard(); err != nil {
			return err // before anything rotates
		}
	}
	key, err := a.binding(x)
	if err != nil {
		return err
	}
	out, err := a.cfg.Sessions.Refresh(x.R.Context(), x.Call, session.RefreshRequest{
		Tenant: x.Tenant, Client: x.Client, Refresh: refresh, Access: access, Proof: key,
	})
	if err != nil {
		return err
	}
	return d.send(x, &out)
}

// tokensOf collects both tokens. An explicit refresh token is taken with the explicit access token only: a cookie beside it may belong
// to somebody else. In bearer mode cookies are not read at all.
func tokensOf(x *web.Exchange, body string, m mode) (access, refresh secret.Text, byCookie bool, err error) {
	refresh, byCookie = x.Refresh(body)
	explicit, has := x.Explicit()
	switch {
	case !refresh.IsZero() && !byCookie:
		return explicit, refresh, false, nil
	case m == modeBearer:
		return explicit, secret.Text{}, false, nil
	}
	if x.HasCookie(web.RefreshCookie) {
		if err := x.Guard(); err != nil {
			return access, refresh, byCookie, err
		}
	}
	if has {
		return explicit, refresh, byCookie, nil
	}
	return x.Cookie(web.AccessCookie), refresh, byCookie, nil
}

// logout answers 200 whatever the tokens are worth, so that a client never has to handle a refusal of it. Only what keeps the session
// alive against the person's will (the store is down, too many calls) is told, after the cookies are gone.
func (a *API) logout(x *web.Exchange) error {
	var in LogoutBody
	if err := web.DecodeOptional(x, &in); err != nil {
		return err
	}
	if err := x.Resolve(in.ClientID); err != nil && x.Tenant == nil {
		return err // an unknown client ends sessions all the same
	}
	r, err := a.logoutRequest(x, &in)
	if err != nil {
		return err
	}
	if r.Revoke || r.All {
		err = a.cfg.Sessions.Logout(x.R.Context(), x.Call, r)
	}
	if x.Guard() == nil {
		if err := x.ClearTokens(); err != nil {
			return err
		}
	}
	if err != nil && web.Status(fault.From(err)) >= http.StatusTooManyRequests {
		return err
	}
	return x.JSON(http.StatusOK, loggedOut)
}

// logoutRequest takes explicit tokens, else the cookies; a foreign page that can only ride on cookies is refused (logout CSRF).
func (a *API) logoutRequest(x *web.Exchange, in *LogoutBody) (session.LogoutRequest, error) {
	r := session.LogoutRequest{
		Tenant: x.Tenant, Client: x.Client, Revoke: in.Revoke == nil || *in.Revoke, All: in.All,
	}
	explicit, has := x.Explicit()
	refresh, byCookie := x.Refresh(in.RefreshToken)
	if has || !refresh.IsZero() && !byCookie {
		r.Access = explicit
		if !byCookie {
			r.Refresh = refresh
		}
		return r, nil
	}
	r.Access, r.Refresh = x.Cookie(web.AccessCookie), refresh
	return r, x.Guard()
}
