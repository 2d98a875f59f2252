package hosted

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/web"
	"github.com/gatehouse-auth/gatehouse/internal/web/view"
)

// scope is one thing an application asks for, in words.
type scope struct {
	Name, Text string
	Fixed      bool // not to be had apart
}

// consentForm is the page that asks whether an application may have what it asks for.
type consentForm struct {
	view.Page
	App    string
	User   string // whose answer it is
	Email  string
	Back   string // host that the person returns to
	Scopes []scope
	Other  string // address of the login form for another account
}

// chooseForm asks whether to go on as who is signed on.
type chooseForm struct {
	view.Page
	App, User, Name, Email, Other string
}

// scopesOf says scopes in words: the known ones in ours, custom ones in the tenant's.
func scopesOf(p view.Page, t *tenant.Tenant, names []string) []scope {
	out := make([]scope, 0, len(names))
	for _, name := range names {
		s := scope{Name: name, Text: name, Fixed: name == oauth.ScopeOpenID}
		switch own := t.Policy.OAuth.Scopes[name]; {
		case own != "":
			s.Text = own
		case slices.Contains([]string{"openid", "profile", "email", "offline_access"}, name):
			s.Text = p.Say("scope." + name)
		}
		out = append(out, s)
	}
	return out
}

func (h *Pages) showConsent(x *web.Exchange) error {
	v, _, err := h.enter(x)
	if err != nil {
		return err
	}
	if v.id == "" || v.live == nil || v.elsewhere(oauth.StepConsent) {
		return v.onward(x)
	}
	f := consentForm{App: v.app(), User: v.live.User.ID, Email: v.live.User.PrimaryEmail().Value, Back: hostOf(v.step.Request.Params.RedirectURI)}
	f.Page = v.page(x, "consent.title", "app", f.App)
	f.Scopes = scopesOf(f.Page, x.Tenant, v.step.Ask)
	f.Other = other(&v, f.Page)
	return x.HTML(http.StatusOK, consentPage(f))
}

// other is the login form for another account than the one that is signed on.
func other(v *visit, p view.Page) string {
	q := v.query()
	q.Set("other", "1")
	return withQuery(p.At("/ui/login"), q)
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	return u.Host
}

// shownTo reports whether the page was shown to the person who is signed on now: an answer counts for nobody else.
func (v *visit) shownTo(form url.Values) bool {
	return v.live != nil && form.Get("user") == v.live.User.ID
}

// consent notes what the person allows, of what was asked.
func (h *Pages) consent(x *web.Exchange) error {
	v, _, err := h.enter(x)
	if err != nil {
		return err
	}
	form, err := web.DecodeForm(x, "scope")
	if err != nil {
		return err
	}
	if v.id == "" || !v.shownTo(form) || v.elsewhere(oauth.StepConsent) {
		return v.onward(x) // signed off or switched meanwhile, or answered in another tab
	}
	if form.Get("answer") == "allow" {
		err = h.cfg.Flow.Allow(x.R.Context(), x.Call, x.Tenant, v.id, v.live, form["scope"])
	} else {
		err = h.cfg.Flow.Refuse(x.R.Context(), x.Call, x.Tenant, v.id)
	}
	if err != nil {
		return err
	}
	return v.onward(x)
}

func (h *Pages) showChoose(x *web.Exchange) error {
	v, _, err := h.enter(x)
	if err != nil {
		return err
	}
	if v.id == "" || v.live == nil || v.elsewhere(oauth.StepChoose) {
		return v.onward(x)
	}
	f := chooseForm{Page: v.page(x, "choose.title"), App: v.app(), User: v.live.User.ID, Name: v.live.User.Name}
	f.Email = v.live.User.PrimaryEmail().Value
	f.Other = other(&v, f.Page)
	return x.HTML(http.StatusOK, choosePage(f))
}

// choose goes on with the account that is signed on.
func (h *Pages) choose(x *web.Exchange) error {
	v, _, err := h.enter(x)
	if err != nil {
		return err
	}
	form, err := web.DecodeForm(x)
	if err != nil {
		return err
	}
	if v.id == "" || !v.shownTo(form) || v.elsewhere(oauth.StepChoose) {
		return v.onward(x)
	}
	if err := h.cfg.Flow.Choose(x.R.Context(), x.Call, x.Tenant, v.id, v.live); err != nil {
		return err
	}
	return v.onward(x)
}
