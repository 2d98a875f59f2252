package loginapi

import (
	"cmp"
	"errors"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

func (a *API) password(x *web.Exchange) error {
	var in PasswordBody
	if err := web.Decode(x, &in); err != nil {
		return err
	}
	if err := x.Resolve(in.ClientID); err != nil {
		return err
	}
	if err := needed("email", in.Email, "password", in.Password); err != nil {
		return err
	}
	m, err := a.openBy(x)
	if err != nil {
		return err
	}
	key, err := a.binding(x)
	if err != nil {
		return err
	}
	out, err := a.cfg.Logins.Password(x.R.Context(), x.Call, login.PasswordRequest{
		Tenant: x.Tenant, Client: x.Client, Email: in.Email, Password: secret.NewText(in.Password), Locale: x.Language(), Binding: key,
	})
	if err != nil {
		return err
	}
	if m != modeBearer {
		if err := errors.Join(x.SetDevice(out.DeviceCookie), x.RenewBrowser()); err != nil {
			return err
		}
	}
	return afterLogin(m).send(x, &out.Tokens)
}

// openBy settles how the tokens of a new session travel, and guards the call when cookies are touched (login CSRF).
func (a *API) openBy(x *web.Exchange) (mode, error) {
	m, err := modeOf(x)
	if err != nil || m == modeBearer {
		return m, err
	}
	if err := x.Guard(); err != nil {
		return m, err
	}
	x.Call.Device = a.cfg.Devices.DeviceID(x.Tenant, x.Cookie(web.DeviceCookie))
	return m, x.EnsureBrowser()
}

func (a *API) register(x *web.Exchange) error {
	var in RegisterBody
	if err := web.Decode(x, &in); err != nil {
		return err
	}
	if err := x.Resolve(in.ClientID); err != nil {
		return err
	}
	if err := needed("email", in.Email, "password", in.Password); err != nil {
		return err
	}
	if err := x.EnsureBrowser(); err != nil {
		return err
	}
	err := a.cfg.Logins.Register(x.R.Context(), x.Call, login.RegisterRequest{
		Tenant: x.Tenant, Client: x.Client, Email: in.Email, Password: secret.NewText(in.Password), Name: in.Name,
		Locale: cmp.Or(in.Locale, x.Language()),
	})
	if err != nil {
		return err
	}
	return x.JSON(http.StatusAccepted, accepted)
}

func (a *API) resend(x *web.Exchange) error {
	r, err := mailRequest(x)
	if err != nil {
		return err
	}
	if err := a.cfg.Logins.Resend(x.R.Context(), x.Call, r); err != nil {
		return err
	}
	return x.JSON(http.StatusAccepted, accepted)
}

func (a *API) forgot(x *web.Exchange) error {
	r, err := mailRequest(x)
	if err != nil {
		return err
	}
	if err := a.cfg.Logins.Forgot(x.R.Context(), x.Call, r); err != nil {
		return err
	}
	return x.JSON(http.StatusAccepted, accepted)
}

func mailRequest(x *web.Exchange) (login.MailRequest, error) {
	var in MailBody
	if err := web.Decode(x, &in); err != nil {
		return login.MailRequest{}, err
	}
	if err := x.Resolve(in.ClientID); err != nil {
		return login.MailRequest{}, err
	}
	return login.MailRequest{Tenant: x.Tenant, Client: x.Client, Email: in.Email, Locale: x.Language()}, needed("email", in.Email)
}

func (a *API) reset(x *web.Exchange) error {
	var in ResetBody
	if err := web.Decode(x, &in); err != nil {
		return err
	}
	if err := x.ResolveTenant(); err != nil {
		return err
	}
	if err := needed("token", in.Token, "password", in.Password); err != nil {
		return err
	}
	out, err := a.cfg.Logins.Reset(x.R.Context(), x.Call, login.ResetRequest{
		Tenant: x.Tenant, Token: secret.NewText(in.Token), Password: secret.NewText(in.Password),
	})
	if err != nil {
		return err
	}
	return x.JSON(http.StatusOK, ResetAnswer{RedirectURL: out.RedirectURL})
}
