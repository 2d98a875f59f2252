package hosted

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// connected is an application that the person has allowed something.
type connected struct {
	ID, Name, Since string
	Scopes          []scope
}

// applicationsForm lists them.
type applicationsForm struct {
	accountPage
	Apps []connected
}

func (h *Pages) showApplications(x *web.Exchange) error {
	v, query, err := h.own(x, "")
	if err != nil || v.live == nil {
		return err
	}
	all, err := h.cfg.Flow.Consents(x.R.Context(), x.Call, x.Tenant, v.live.User.ID)
	if err != nil {
		return err
	}
	f := applicationsForm{accountPage: v.account(x, "/ui/account/applications", query)}
	f.Title = f.Say("applications.title")
	for _, c := range all {
		f.Apps = append(f.Apps, h.connected(x, &f, c))
	}
	slices.SortFunc(f.Apps, func(a, b connected) int { return cmp.Compare(a.Name, b.Name) })
	return x.HTML(http.StatusOK, applicationsPage(f))
}

func (h *Pages) connected(x *web.Exchange, f *applicationsForm, c oauth.Consent) connected {
	out := connected{ID: c.ClientID, Name: c.ClientID, Since: f.Lang.Instant(c.GrantedAt), Scopes: scopesOf(f.Page, x.Tenant, c.Scope)}
	if client := h.cfg.Directory.Client(x.Tenant.ID, c.ClientID); client != nil {
		out.Name = clientName(client)
	}
	return out
}

// withdraw takes back what an application was allowed; its sessions end.
func (h *Pages) withdraw(x *web.Exchange) error {
	v, _, err := h.own(x, "")
	if err != nil || v.live == nil {
		return err
	}
	form, err := web.DecodeForm(x)
	if err != nil {
		return err
	}
	if id := form.Get("client_id"); id != "" {
		if err := h.cfg.Flow.WithdrawConsent(x.R.Context(), x.Call, x.Tenant, v.live.User.ID, id); err != nil {
			return err
		}
	}
	return settled(x, "/ui/account/applications", "withdrawn")
}
