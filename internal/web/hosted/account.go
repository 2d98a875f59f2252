package hosted

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
	"github.com/gatehouse-auth/gatehouse/internal/user"
	"github.com/gatehouse-auth/gatehouse/internal/web"
	"github.com/gatehouse-auth/gatehouse/internal/web/view"
	"github.com/gatehouse-auth/gatehouse/internal/words"
)

// accountPage is what the account pages share.
type accountPage struct {
	view.Page
	Here     string // path of the page that is shown
	Email    string
	Notice   string // what was done just now
	Problems view.Problems
}

// Tabs are the account pages.
func (accountPage) Tabs() []string {
	return []string{"/ui/account", "/ui/account/password", "/ui/account/sessions", "/ui/account/applications"}
}

// tabTitle is the key of a tab's word.
func tabTitle(path string) string {
	if name, ok := strings.CutPrefix(path, "/ui/account/"); ok {
		return "account.tab." + name
	}
	return "account.tab.profile"
}

// notices are what an account page may say was done; the address carries only the name.
var notices = []string{"saved", "mailed", "password", "ended", "others", "withdrawn", "again"}

// own reads who is signed on for an account page. Who is not is sent to the login page, and v.live is nil.
func (h *Pages) own(x *web.Exchange, to string) (visit, url.Values, error) {
	v, query, err := h.enter(x)
	if err != nil {
		return v, nil, err
	}
	v.id, v.to, v.code = "", to, ""
	if v.live == nil {
		return v, query, x.Redirect(withQuery(x.PathPrefix()+"/ui/login", v.query()))
	}
	return v, query, nil
}

func (v *visit) account(x *web.Exchange, here string, query url.Values) accountPage {
	a := accountPage{Page: v.page(x, tabTitle(here)), Here: here, Email: v.live.User.PrimaryEmail().Value}
	if done := query.Get("done"); slices.Contains(notices, done) {
		a.Notice = a.Say("account.done." + done)
	}
	return a
}

// settled ends a post: a reload does no harm.
func settled(x *web.Exchange, path, done string) error {
	return x.Redirect(x.PathPrefix() + path + "?done=" + done)
}

// profileForm is the page of a person's name and language.
type profileForm struct {
	accountPage
	Name, Locale string
	Locales      []string
}

func (h *Pages) profileOf(x *web.Exchange, v *visit, query url.Values) profileForm {
	f := profileForm{accountPage: v.account(x, "/ui/account", query), Name: v.live.User.Name, Locale: v.live.User.Locale}
	for _, l := range words.Langs() {
		f.Locales = append(f.Locales, string(l))
	}
	if f.Locale != "" && !slices.Contains(f.Locales, f.Locale) {
		f.Locales = append(f.Locales, f.Locale)
	}
	return f
}

// LocaleName says a language in itself; one that has no catalogue is said by its tag.
func (f profileForm) LocaleName(tag string) string {
	if words.Has("lang." + tag) {
		return f.Say("lang." + tag)
	}
	return tag
}

func (h *Pages) showProfile(x *web.Exchange) error {
	v, query, err := h.own(x, "")
	if err != nil || v.live == nil {
		return err
	}
	return x.HTML(http.StatusOK, profilePage(h.profileOf(x, &v, query)))
}

// profile changes name and language.
func (h *Pages) profile(x *web.Exchange) error {
	v, _, err := h.own(x, "")
	if err != nil || v.live == nil {
		return err
	}
	form, err := web.DecodeForm(x)
	if err != nil {
		return err
	}
	name, locale := strings.TrimSpace(form.Get("name")), form.Get("locale")
	_, _, err = h.cfg.Login.Update(x.R.Context(), x.Call, v.asSession(), login.MeChange{Name: &name, Locale: &locale})
	if err == nil {
		return settled(x, "/ui/account", "saved")
	}
	f := h.profileOf(x, &v, nil)
	problem, ok := h.say(f.Page, err, "", "")
	if !ok {
		return err
	}
	f.Name, f.Problems = name, view.Problems{problem}
	return x.HTML(refused(x, err), profilePage(f))
}

// asSession shows a person who is signed on at the issuer to rules that ask about a session: who it is, and when they were proved.
func (v *visit) asSession() session.Live {
	u, n := &v.live.User, &v.live.Session
	f := session.Family{TenantID: n.TenantID, Subject: u.ID, UserID: u.ID, Epoch: n.Epoch, AuthTime: n.AuthTime}
	if v.client != nil {
		f.ClientID = v.client.ID
	}
	return session.Live{Loaded: session.Loaded{Family: f, Holder: session.Holder{
		Present: true, Status: u.Status, Epoch: u.Epoch, Name: u.Name, Locale: u.Locale, Email: u.PrimaryEmail().Value,
		Verified: u.PrimaryEmail().Verified(),
	}}}
}

// emailForm asks for a new address.
type emailForm struct {
	accountPage
	New string
}

func (h *Pages) emailOf(x *web.Exchange, v *visit) emailForm {
	f := emailForm{accountPage: v.account(x, "/ui/account", nil)}
	f.Title = f.Say("account.email.title")
	return f
}

func (h *Pages) showEmail(x *web.Exchange) error {
	v, _, err := h.own(x, "")
	if err != nil || v.live == nil {
		return err
	}
	return x.HTML(http.StatusOK, emailPage(h.emailOf(x, &v)))
}

// email asks the new address for its proof. The password is asked for first: who finds a signed-on browser must not move the account away.
func (h *Pages) email(x *web.Exchange) error {
	v, _, err := h.own(x, "")
	if err != nil || v.live == nil {
		return err
	}
	form, err := web.DecodeForm(x)
	if err != nil {
		return err
	}
	f := h.emailOf(x, &v)
	f.New = form.Get("email")
	if f.Problems = lacking(f.Page, form, "email", "password"); f.Problems != nil {
		return x.HTML(http.StatusUnprocessableEntity, emailPage(f))
	}
	err = errorsOf(user.NormaliseEmail(f.New))
	if err == nil {
		err = h.proveAgain(x, &v, field(form, "password"))
	}
	if err == nil {
		_, _, err = h.cfg.Login.Update(x.R.Context(), x.Call, v.asSession(), login.MeChange{Email: &f.New})
	}
	if err == nil {
		return settled(x, "/ui/account", "mailed")
	}
	problem, ok := h.say(f.Page, err, "password", "")
	if !ok {
		return err
	}
	f.Problems = view.Problems{problem}
	return x.HTML(refused(x, err), emailPage(f))
}

func errorsOf(_ string, err error) error { return err }

// proveAgain proves the person who is signed on by their password; the session goes on under a new secret.
func (h *Pages) proveAgain(x *web.Exchange, v *visit, password secret.Text) error {
	proven, err := h.cfg.Login.Prove(x.R.Context(), x.Call, login.PasswordRequest{
		Tenant: x.Tenant, Email: v.live.User.PrimaryEmail().Value, Password: password,
	})
	if err != nil {
		return err
	}
	if proven.User.ID != v.live.User.ID {
		return fault.New(fault.Conflict, fault.ReasonConflict, "please try again")
	}
	return h.signOn(x, v, &proven.User, sso.Proof{AuthTime: proven.AuthTime, AMR: proven.AMR, ACR: proven.ACR, Device: proven.Device})
}

// passwordForm asks for the present password and a new one.
type passwordForm struct {
	accountPage
	Min    string
	Forgot string // address of the page for who does not know the present one; "" when no application stands behind it
}

func passwordOf(x *web.Exchange, v *visit, query url.Values) passwordForm {
	f := passwordForm{accountPage: v.account(x, "/ui/account/password", query), Min: minLength(x.Tenant)}
	if v.client != nil {
		f.Forgot = f.At("/ui/forgot")
	}
	return f
}

func (h *Pages) showPassword(x *web.Exchange) error {
	v, query, err := h.own(x, "")
	if err != nil || v.live == nil {
		return err
	}
	return x.HTML(http.StatusOK, passwordPage(passwordOf(x, &v, query)))
}

// password sets a new password. Everything else that is signed on as this person ends; this browser is signed on anew.
func (h *Pages) password(x *web.Exchange) error {
	v, _, err := h.own(x, "")
	if err != nil || v.live == nil {
		return err
	}
	form, err := web.DecodeForm(x)
	if err != nil {
		return err
	}
	f := passwordOf(x, &v, nil)
	if f.Problems = lacking(f.Page, form, "password", "new_password"); f.Problems != nil {
		return x.HTML(http.StatusUnprocessableEntity, passwordPage(f))
	}
	proven, err := h.cfg.Login.ChangePassword(x.R.Context(), x.Call, login.ChangePasswordRequest{
		Tenant: x.Tenant, UserID: v.live.User.ID, Current: field(form, "password"), New: field(form, "new_password"),
	})
	if err == nil {
		return h.afterPassword(x, &v, proven)
	}
	problem, ok := h.say(f.Page, err, "password", "new_password")
	if !ok {
		return err
	}
	f.Problems = view.Problems{problem}
	return x.HTML(refused(x, err), passwordPage(f))
}

// afterPassword signs this browser on again, since the change put an end to every sign-on and told their applications.
func (h *Pages) afterPassword(x *web.Exchange, v *visit, proven login.Proven) error {
	if err := x.SetDevice(proven.DeviceCookie); err != nil {
		return err
	}
	proof := sso.Proof{AuthTime: proven.AuthTime, AMR: proven.AMR, ACR: proven.ACR, Device: proven.Device}
	if err := h.signOn(x, v, &proven.User, proof); err != nil {
		return err
	}
	return settled(x, "/ui/account/password", "password")
}
