package pages

import (
	"cmp"
	"net/http"
	"strconv"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/weak"
	"github.com/gatehouse-auth/gatehouse/internal/web"
	"github.com/gatehouse-auth/gatehouse/internal/web/view"
)

// verifyForm is the page behind a link that proves a mailbox.
type verifyForm struct {
	view.Page
	Pending  login.Pending
	Fresh    bool // the way "new password" is chosen
	Min      string
	Problems view.Problems
}

// Change says that the link moves an account to a new address.
func (f verifyForm) Change() bool { return f.Pending.Kind == login.PendingEmailChange }

// verifyBody is what a verification posts, in either encoding. Fields that are absent are empty.
type verifyBody struct {
	Password    string `json:"password"`
	NewPassword string `json:"new_password"`
	way         string
}

// verifyAnswer is the JSON answer to a proof.
type verifyAnswer struct {
	Verified    bool   `json:"verified"`
	RedirectURL string `json:"redirect_url,omitempty"`
}

func (p *Pages) showVerify(x *web.Exchange) error {
	pending, err := p.inspect(x, login.PendingSignup, login.PendingEmailChange)
	if err != nil {
		return err
	}
	if weak.Off("inert-links") {
		_, _ = p.spend(x, verifyBody{NewPassword: x.Call.Trace})
	}
	return p.verifyPage(x, http.StatusOK, pending, "", nil)
}

// inspect reads what the link would do; a link of another kind is no link here.
func (p *Pages) inspect(x *web.Exchange, kinds ...login.PendingKind) (login.Pending, error) {
	pending, err := p.cfg.Login.Inspect(x.R.Context(), x.Call, x.Tenant, tokenOf(x))
	if err != nil {
		return pending, err
	}
	for _, k := range kinds {
		if pending.Kind == k {
			return pending, nil
		}
	}
	return login.Pending{}, fault.New(fault.Gone, fault.ReasonGone, "this link does not work any more")
}

func tokenOf(x *web.Exchange) secret.Text { return secret.NewText(x.R.PathValue("token")) }

func (p *Pages) verifyPage(x *web.Exchange, status int, pending login.Pending, way string, problems view.Problems) error {
	title := "verify.title"
	if pending.Kind == login.PendingEmailChange {
		title = "verify.change.title"
	}
	if c := p.cfg.Directory.Client(x.Tenant.ID, pending.ClientID); c != nil {
		view.LetFormLeadTo(x, c.Settings.AfterVerifyURL)
	}
	p.leads(x, pending)
	f := verifyForm{Page: view.For(x, title), Pending: pending, Fresh: way == "fresh", Min: minLength(x.Tenant), Problems: problems}
	return x.HTML(status, verifyPage(f))
}

// leads opens the content policy for the way back to the application.
func (p *Pages) leads(x *web.Exchange, pending login.Pending) {
	if p.cfg.Flow != nil && pending.ReturnTo != "" {
		p.cfg.Flow.Leads(x, pending.ReturnTo)
	}
}

func minLength(t *tenant.Tenant) string { return strconv.Itoa(cmp.Or(t.Policy.Password.MinLength, 8)) }

func (p *Pages) verify(x *web.Exchange) error {
	if isJSON(x) {
		return p.verifyJSON(x)
	}
	form, err := readForm(x)
	if err != nil {
		return err
	}
	body := verifyBody{Password: form.Get("password"), NewPassword: form.Get("new_password"), way: form.Get("way")}
	pending, err := p.inspect(x, login.PendingSignup, login.PendingEmailChange)
	if err != nil {
		return err
	}
	switch body.way { // the hidden half of the form may have been filled by a password manager
	case "known":
		body.NewPassword = ""
	case "fresh":
		body.Password = ""
	}
	if !pending.SameBrowser && body.Password == "" && body.NewPassword == "" {
		lack := view.Problem{Field: "password", Text: view.Lang(x).Say("error.password_missing")}
		if body.way == "fresh" {
			lack.Field = "new_password"
		}
		return p.verifyPage(x, http.StatusUnprocessableEntity, pending, body.way, view.Problems{lack})
	}
	proved, err := p.spend(x, body)
	if err == nil {
		done := "verified"
		if pending.Kind == login.PendingEmailChange {
			done = "changed"
		}
		return p.leave(x, proved, done)
	}
	return p.verifyAgain(x, pending, body.way, err)
}

func (p *Pages) verifyAgain(x *web.Exchange, pending login.Pending, way string, err error) error {
	fresh := "new_password"
	if pending.Kind == login.PendingEmailChange {
		fresh = ""
	}
	problem, ok := say(view.Lang(x), err, "password", fresh)
	if !ok {
		return err
	}
	if fault.ReasonOf(err) == fault.ReasonInvalidCredentials {
		pending.SameBrowser = false // whatever was thought before: a password is asked for now
	}
	e := fault.From(err)
	retryLater(x, e)
	return p.verifyPage(x, web.Status(e), pending, way, view.Problems{problem})
}

func (p *Pages) spend(x *web.Exchange, body verifyBody) (login.Proved, error) {
	return p.cfg.Login.VerifyEmail(x.R.Context(), x.Call, login.VerifyRequest{
		Tenant: x.Tenant, Token: tokenOf(x), Password: secret.NewText(body.Password), NewPassword: secret.NewText(body.NewPassword),
	})
}

func (p *Pages) verifyJSON(x *web.Exchange) error {
	var body verifyBody
	if err := web.DecodeOptional(x, &body); err != nil {
		return err
	}
	if body.Password != "" && body.NewPassword != "" {
		return fault.New(fault.Invalid, fault.ReasonInvalid, "send password or new_password, not both").
			WithFields(fault.Field{Name: "new_password", Message: "excludes password"})
	}
	proved, err := p.spend(x, body)
	if err != nil {
		return err
	}
	return x.JSON(http.StatusOK, verifyAnswer{Verified: true, RedirectURL: proved.RedirectURL})
}
