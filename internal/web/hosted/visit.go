package hosted

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/user"
	"github.com/gatehouse-auth/gatehouse/internal/web"
	"github.com/gatehouse-auth/gatehouse/internal/web/view"
	"github.com/gatehouse-auth/gatehouse/internal/words"
)

// visit is one look at a page: who is signed on in the browser, and what they are on the way to.
type visit struct {
	live   *sso.Live      // nil when nobody is signed on
	id     string         // of the authorization request, "" for none
	step   oauth.Step     // what the request needs; zero without one
	client *tenant.Client // of the request, else the tenant's default; may be nil
	to     string         // page of ours to go on to, without a request: "", "device", "sessions" or toOthers
	code   string         // that a device showed, on the way to "device"
	other  bool           // the person asked for the login form although somebody is signed on
}

// toOthers leads to the sessions of somebody who had to show again that it is them before they end all others.
const toOthers = "others"

// enter reads where the visitor comes from. A request that is over, unknown or another browser's is refused.
func (h *Pages) enter(x *web.Exchange) (v visit, query url.Values, err error) {
	if query, err = web.ReadQuery(x); err == nil {
		err = web.Once(query)
	}
	if err != nil {
		return v, nil, err
	}
	x.Call.Device = h.cfg.Login.DeviceID(x.Tenant, x.Cookie(web.DeviceCookie))
	if v.live, err = h.live(x); err != nil {
		return v, nil, err
	}
	v.client, v.id, v.other = x.Client, query.Get("i"), query.Get("other") != ""
	if v.id == "" {
		v.to, v.code = query.Get("to"), query.Get("user_code")
		return v, query, nil
	}
	if v.step, err = h.cfg.Flow.Look(x.R.Context(), x.Call, x.Tenant, v.id, v.live); err != nil {
		return v, nil, err
	}
	v.client = v.step.Client
	x.Call.ClientID = v.client.ID
	view.LetFormLeadTo(x, v.step.Request.Params.RedirectURI)
	return v, query, nil
}

// live is the sign-on session of the browser, nil when nobody is signed on.
func (h *Pages) live(x *web.Exchange) (*sso.Live, error) {
	cookie := x.SSO()
	if cookie.IsZero() {
		return nil, nil
	}
	live, err := h.cfg.SignOns.Find(x.R.Context(), x.Call, x.Tenant, cookie)
	if e := fault.From(err); e != nil {
		if e.Kind == fault.Unauthenticated {
			return nil, nil
		}
		return nil, err
	}
	return &live, nil
}

// elsewhere reports whether the request needs another step than this page's, or none: the page was opened late, or again.
func (v *visit) elsewhere(here oauth.StepKind) bool { return v.id != "" && v.step.Kind != here }

// query is what every link between these pages carries.
func (v *visit) query() url.Values {
	out := url.Values{}
	for name, value := range map[string]string{"i": v.id, "to": v.to, "user_code": v.code} {
		if value != "" {
			out.Set(name, value)
		}
	}
	return out
}

// address is a page of ours with what the visit carries.
func (v *visit) address(p view.Page, path string) string { return withQuery(p.At(path), v.query()) }

func withQuery(path string, query url.Values) string {
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

// onward is where the person goes on when a step is done: to the dispatcher, which alone knows what follows, or to a page of ours.
func (v *visit) onward(x *web.Exchange) error {
	switch {
	case v.id != "":
		return x.Redirect(withQuery(x.PathPrefix()+"/oauth2/continue", url.Values{"i": {v.id}}))
	case v.to == "device":
		return x.Redirect(withQuery(x.PathPrefix()+"/ui/device", (&visit{code: v.code}).query()))
	case v.to == "sessions":
		return x.Redirect(x.PathPrefix() + "/ui/account/sessions")
	case v.to == toOthers:
		return settled(x, "/ui/account/sessions", "again")
	}
	return x.Redirect(x.PathPrefix() + "/ui/account")
}

// app is what people call the application they are on the way to, "" when there is none.
func (v *visit) app() string {
	if v.id == "" {
		return ""
	}
	return clientName(v.client)
}

func clientName(c *tenant.Client) string {
	if c == nil {
		return ""
	}
	return cmp.Or(c.Name, c.ID)
}

// page is view.For in the language that the application asks for (OpenID Connect Core section 3.1.2.1, ui_locales), else the one that the person
// chose, else the browser's.
func (v *visit) page(x *web.Exchange, title string, pairs ...string) view.Page {
	p := view.For(x, title)
	wishes := slices.Concat(v.step.Request.Params.UILocales, view.Asked(x))
	if v.live != nil && v.live.User.Locale != "" {
		wishes = append(wishes, v.live.User.Locale)
	}
	p.Lang = words.Pick(append(wishes, string(p.Lang))...)
	p.Title = p.Say(title, pairs...)
	return p
}

// signOn makes the proved person the one who is signed on in this browser, under a new secret, and notes it for the request under way. The
// browser's own cookie stays while a request is: other tabs of this browser have requests of their own that are known by it.
func (h *Pages) signOn(x *web.Exchange, v *visit, u *user.User, proof sso.Proof) error {
	proof.User = u
	cookie, n, err := h.cfg.SignOns.Open(x.R.Context(), x.Call, x.Tenant, proof, x.SSO())
	if err != nil {
		return err
	}
	if err := x.SetSSO(cookie, n.AbsoluteExpiry.Sub(x.Call.At)); err != nil {
		return err
	}
	v.live = &sso.Live{Session: n, User: *u}
	if v.id == "" {
		return x.RenewBrowser()
	}
	return h.cfg.Flow.Proved(x.R.Context(), x.Call, x.Tenant, v.id, n.ID)
}

// hint is the address that the login form begins with: the one the application names, else that of who is signed on.
func (v *visit) hint() string {
	if hint := strings.TrimSpace(v.step.Request.Params.LoginHint); strings.Contains(hint, "@") && len(hint) <= user.MaxEmailBytes {
		return hint
	}
	if v.live != nil && !v.other {
		return v.live.User.PrimaryEmail().Value
	}
	return ""
}

func field(form url.Values, name string) secret.Text { return secret.NewText(form.Get(name)) }
