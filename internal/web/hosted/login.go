package hosted

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
	"github.com/gatehouse-auth/gatehouse/internal/web"
	"github.com/gatehouse-auth/gatehouse/internal/web/view"
)

// loginForm is the page that asks who is there.
type loginForm struct {
	view.Page
	App      string
	Email    string
	Again    bool // somebody is signed on already, and is asked to show that it is still them
	Problems view.Problems

	Register, Forgot string // addresses; no Register where nobody signs up
}

func (h *Pages) showLogin(x *web.Exchange) error {
	v, _, err := h.enter(x)
	if err != nil {
		return err
	}
	if v.elsewhere(oauth.StepLogin) && !v.other || v.id == "" && v.to == "" && v.live != nil && !v.other {
		return v.onward(x)
	}
	return h.loginPage(x, http.StatusOK, &v, v.hint(), nil)
}

func (h *Pages) loginPage(x *web.Exchange, status int, v *visit, email string, problems view.Problems) error {
	f := loginForm{Page: v.page(x, "login.title"), App: v.app(), Email: email, Again: v.live != nil && !v.other, Problems: problems}
	if f.Again {
		f.Title = f.Say("login.again.title")
	}
	f.Forgot = v.address(f.Page, "/ui/forgot")
	if !v.closed() {
		f.Register = v.address(f.Page, "/ui/register")
	}
	return x.HTML(status, loginPage(f))
}

// login proves the person and signs them on in this browser. What it says of a wrong try is the same for every address.
func (h *Pages) login(x *web.Exchange) error {
	v, _, err := h.enter(x)
	if err != nil {
		return err
	}
	form, err := web.DecodeForm(x)
	if err != nil {
		return err
	}
	email := form.Get("email")
	p := v.page(x, "login.title")
	if problems := lacking(p, form, "email", "password"); problems != nil {
		return h.loginPage(x, http.StatusUnprocessableEntity, &v, email, problems)
	}
	proven, err := h.cfg.Login.Prove(x.R.Context(), x.Call, login.PasswordRequest{
		Tenant: x.Tenant, Client: v.step.Client, Email: email, Password: field(form, "password"), Locale: string(p.Lang),
	})
	if fault.ReasonOf(err) == fault.ReasonEmailUnverified { // said only to who typed the right password
		return h.sentPage(x, &v, sent{What: "unverified", Email: email})
	}
	if err == nil {
		err = x.SetDevice(proven.DeviceCookie)
	}
	if err == nil {
		err = h.signOn(x, &v, &proven.User, sso.Proof{AuthTime: proven.AuthTime, AMR: proven.AMR, ACR: proven.ACR, Device: proven.Device})
	}
	if err != nil {
		problem, ok := h.say(p, err, "", "")
		if !ok {
			return err
		}
		return h.loginPage(x, refused(x, err), &v, email, view.Problems{problem})
	}
	return v.onward(x)
}
