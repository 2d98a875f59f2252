package hosted

import (
	"cmp"
	"context"
	"net/http"
	"strconv"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/web"
	"github.com/gatehouse-auth/gatehouse/internal/web/view"
)

// mailForm is a page that ends in a mail: sign-up, or a forgotten password.
type mailForm struct {
	view.Page
	App      string
	Email    string
	Min      string // length of a new password
	Login    string // address
	Problems view.Problems
}

// sent is the page after a mail was asked for. It is the same whether or not anything was sent.
type sent struct {
	view.Page
	What    string // "signup", "reset", or "unverified" for who typed the right password of an unproved sign-up
	Email   string
	Again   bool // the mail was asked for again
	Login   string
	Restart string // where to begin again with another address
	Resend  string
}

func minLength(t *tenant.Tenant) string { return strconv.Itoa(cmp.Or(t.Policy.Password.MinLength, 8)) }

// enterFor is enter for pages of an account to be: it is made for an application, so one must be named.
func (h *Pages) enterFor(x *web.Exchange) (visit, error) {
	v, _, err := h.enter(x)
	if err == nil && v.client == nil {
		err = fault.New(fault.NotFound, fault.ReasonUnknownClient, "begin at the application")
	}
	return v, err
}

// closed reports whether the application lets in only who is registered with it, so that nobody signs up on the way to it.
func (v *visit) closed() bool { return v.client != nil && v.client.Settings.RequireRegistration }

// enterOpen is enterFor for the pages of a sign-up.
func (h *Pages) enterOpen(x *web.Exchange) (visit, error) {
	v, err := h.enterFor(x)
	if err == nil && v.closed() {
		err = fault.New(fault.Forbidden, fault.ReasonRegistrationClosed, "nobody can sign up for this application")
	}
	return v, err
}

func (h *Pages) mailFormOf(x *web.Exchange, v *visit, title, email string) mailForm {
	f := mailForm{Page: v.page(x, title), App: v.app(), Email: email, Min: minLength(x.Tenant)}
	f.Login = v.address(f.Page, "/ui/login")
	return f
}

func (h *Pages) showRegister(x *web.Exchange) error {
	v, err := h.enterOpen(x)
	if err != nil {
		return err
	}
	return x.HTML(http.StatusOK, registerPage(h.mailFormOf(x, &v, "register.title", v.hint())))
}

// register stores a sign-up that leads back to the request once its mailbox is proved in this browser.
func (h *Pages) register(x *web.Exchange) error {
	v, err := h.enterOpen(x)
	if err != nil {
		return err
	}
	form, err := web.DecodeForm(x)
	if err != nil {
		return err
	}
	f := h.mailFormOf(x, &v, "register.title", form.Get("email"))
	if f.Problems = lacking(f.Page, form, "email", "new_password"); f.Problems != nil {
		return x.HTML(http.StatusUnprocessableEntity, registerPage(f))
	}
	if err := x.EnsureBrowser(); err != nil {
		return err
	}
	err = h.cfg.Login.Register(x.R.Context(), x.Call, login.RegisterRequest{
		Tenant: x.Tenant, Client: v.client, Email: f.Email, Password: field(form, "new_password"), Locale: string(f.Lang), ReturnTo: v.id,
	})
	if err == nil {
		return h.sentPage(x, &v, sent{What: "signup", Email: f.Email})
	}
	problem, ok := h.say(f.Page, err, "", "new_password")
	if !ok {
		return err
	}
	f.Problems = view.Problems{problem}
	return x.HTML(refused(x, err), registerPage(f))
}

func (h *Pages) showForgot(x *web.Exchange) error {
	v, err := h.enterFor(x)
	if err != nil {
		return err
	}
	return x.HTML(http.StatusOK, forgotPage(h.mailFormOf(x, &v, "forgot.title", v.hint())))
}

func (h *Pages) forgot(x *web.Exchange) error { return h.mail(x, "reset", h.cfg.Login.Forgot) }

// resend mails the proof of a sign-up again; it says nothing about whether there is one.
func (h *Pages) resend(x *web.Exchange) error { return h.mail(x, "signup", h.cfg.Login.Resend) }

type mailVerb func(ctx context.Context, call *audit.Call, req login.MailRequest) error

// mail asks for a mail to the typed address.
func (h *Pages) mail(x *web.Exchange, what string, ask mailVerb) error {
	v, err := h.enterFor(x)
	if err != nil {
		return err
	}
	form, err := web.DecodeForm(x)
	if err != nil {
		return err
	}
	f := h.mailFormOf(x, &v, "forgot.title", form.Get("email"))
	if f.Problems = lacking(f.Page, form, "email"); f.Problems != nil {
		return x.HTML(http.StatusUnprocessableEntity, forgotPage(f))
	}
	if err := x.EnsureBrowser(); err != nil {
		return err
	}
	err = ask(x.R.Context(), x.Call, login.MailRequest{Tenant: x.Tenant, Client: v.client, Email: f.Email, Locale: string(f.Lang), ReturnTo: v.id})
	if err == nil {
		return h.sentPage(x, &v, sent{What: what, Email: f.Email, Again: what == "signup"})
	}
	problem, ok := h.say(f.Page, err, "", "")
	if !ok || what != "reset" {
		return err
	}
	f.Problems = view.Problems{problem}
	return x.HTML(refused(x, err), forgotPage(f))
}

// sentPage says to look at the mail. It is the answer to the post itself, so that the address stands in no address line and no log.
func (h *Pages) sentPage(x *web.Exchange, v *visit, s sent) error {
	s.Page = v.page(x, "sent."+s.What+".title")
	s.Login, s.Resend, s.Restart = v.address(s.Page, "/ui/login"), v.address(s.Page, "/ui/resend"), v.address(s.Page, "/ui/register")
	switch {
	case s.What == "reset":
		s.Restart = v.address(s.Page, "/ui/forgot")
	case v.closed():
		s.Restart = ""
	}
	return x.HTML(http.StatusOK, sentPage(s))
}

// Leads lets the form of a mailed link lead on to the application that the request id is on the way to.
func (h *Pages) Leads(x *web.Exchange, id string) {
	live, err := h.live(x)
	if err != nil || id == "" {
		return
	}
	if step, err := h.cfg.Flow.Look(x.R.Context(), x.Call, x.Tenant, id, live); err == nil {
		view.LetFormLeadTo(x, step.Request.Params.RedirectURI)
	}
}

// Back is where somebody goes on who followed a mailed link in the browser that asked for it; "" when the request is over, or was another
// browser's. Who has proved the mailbox of a sign-up is signed on; who has set a new password is asked for it, as anybody is.
func (h *Pages) Back(x *web.Exchange, p login.Proved, signOn bool) (string, error) {
	if p.ReturnTo == "" {
		return "", nil
	}
	live, err := h.live(x)
	if err != nil {
		return "", err
	}
	step, err := h.cfg.Flow.Look(x.R.Context(), x.Call, x.Tenant, p.ReturnTo, live)
	if e := fault.From(err); e != nil {
		if e.Kind == fault.Gone || e.Kind == fault.Invalid || e.Kind == fault.NotFound {
			return "", nil
		}
		return "", err
	}
	v := visit{live: live, id: p.ReturnTo, step: step, client: step.Client}
	if signOn {
		u, err := h.cfg.Users.Get(x.R.Context(), x.Tenant.ID, p.UserID, "")
		if err != nil {
			return "", err
		}
		if err := h.signOn(x, &v, &u, sso.Proof{AMR: []string{"otp"}, ACR: mailedACR}); err != nil {
			return "", err
		}
	}
	return withQuery(x.PathPrefix()+"/oauth2/continue", v.query()), nil
}

// mailedACR is the class of a proof by a mailed one-time token: one factor.
const mailedACR = login.ACROneFactor
