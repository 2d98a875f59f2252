package pages

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/web"
	"github.com/gatehouse-auth/gatehouse/internal/web/view"
)

// resetForm is the page behind a link that sets a new password.
type resetForm struct {
	view.Page
	Pending  login.Pending
	Min      string
	Problems view.Problems
}

func (p *Pages) showReset(x *web.Exchange) error {
	pending, err := p.inspect(x, login.PendingReset)
	if err != nil {
		return err
	}
	return p.resetPage(x, http.StatusOK, pending, nil)
}

func (p *Pages) resetPage(x *web.Exchange, status int, pending login.Pending, problems view.Problems) error {
	if c := p.cfg.Directory.Client(x.Tenant.ID, pending.ClientID); c != nil {
		view.LetFormLeadTo(x, c.Settings.AfterResetURL)
	}
	p.leads(x, pending)
	return x.HTML(status, resetPage(resetForm{Page: view.For(x, "reset.title"), Pending: pending, Min: minLength(x.Tenant), Problems: problems}))
}

func (p *Pages) reset(x *web.Exchange) error {
	form, err := readForm(x)
	if err != nil {
		return err
	}
	pending, err := p.inspect(x, login.PendingReset)
	if err != nil {
		return err
	}
	password := field(form, "new_password")
	if password.IsZero() {
		lack := view.Problem{Field: "new_password", Text: view.Lang(x).Say("error.password_missing")}
		return p.resetPage(x, http.StatusUnprocessableEntity, pending, view.Problems{lack})
	}
	proved, err := p.cfg.Login.Reset(x.R.Context(), x.Call, login.ResetRequest{Tenant: x.Tenant, Token: tokenOf(x), Password: password})
	if err == nil {
		return p.leave(x, proved, "reset")
	}
	problem, ok := say(view.Lang(x), err, "", "new_password")
	if !ok {
		return err
	}
	e := fault.From(err)
	retryLater(x, e)
	return p.resetPage(x, web.Status(e), pending, view.Problems{problem})
}
