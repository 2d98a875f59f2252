package loginapi

import (
	"bytes"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// handler is a call of somebody with a live session.
type handler func(x *web.Exchange, live session.Live) error

// signedIn authenticates before h runs. With a cookie as proof, a foreign page is refused first.
func (a *API) signedIn(h handler) func(*web.Exchange) error {
	return func(x *web.Exchange) error {
		if err := x.ResolveTenant(); err != nil {
			return err
		}
		m, err := modeOf(x)
		if err != nil {
			return err
		}
		access, explicit := x.Explicit()
		if !explicit && m != modeBearer && x.HasCookie(web.AccessCookie) {
			if err := x.Guard(); err != nil {
				return err
			}
			access = x.Cookie(web.AccessCookie)
		}
		if access.IsZero() {
			return missing()
		}
		live, err := a.cfg.Sessions.Authenticate(x.R.Context(), x.Call, x.Tenant, access)
		if err != nil {
			return err
		}
		if err := a.possession(x, access, explicit, live.Claims.Thumbprint); err != nil {
			return err
		}
		x.Call.Actor = audit.Actor{Kind: "user", ID: live.Claims.Subject}
		x.Call.ClientID = live.Claims.ClientID
		return h(x, live)
	}
}

func (a *API) me(x *web.Exchange, live session.Live) error {
	u, err := a.cfg.Profiles.Profile(x.R.Context(), x.Call, live)
	if err != nil {
		return err
	}
	return x.JSON(http.StatusOK, profile(&u, false))
}

func (a *API) changeMe(x *web.Exchange, live session.Live) error {
	var in MeBody
	if err := web.Decode(x, &in); err != nil {
		return err
	}
	if in.Data != nil && !bytes.HasPrefix(bytes.TrimSpace(*in.Data), []byte("{")) {
		return invalid("data", "must be an object")
	}
	u, pending, err := a.cfg.Profiles.Update(x.R.Context(), x.Call, live, login.MeChange{
		Name: in.Name, Locale: in.Locale, Data: in.Data, Email: in.Email,
	})
	if err != nil {
		return err
	}
	return x.JSON(http.StatusOK, profile(&u, pending))
}

func (a *API) deleteMe(x *web.Exchange, live session.Live) error {
	if err := a.cfg.Profiles.Delete(x.R.Context(), x.Call, live); err != nil {
		return err
	}
	return x.NoContent()
}
