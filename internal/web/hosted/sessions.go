package hosted

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/delivery"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// endedByOwner is the reason of what people end on these pages, as it is on the login API.
const endedByOwner = "ended_by_owner"

// maxSessions bounds the page; who has more ends all others.
const maxSessions = 100

// opening is one sign-on of a browser, or one session at an application, as its owner sees it.
type opening struct {
	Kind, ID            string // Kind is the name of the field that ends it
	Title, Place, Since string
	Seen                string
	Current             bool
}

// sessionsForm lists what is signed on as this person.
type sessionsForm struct {
	accountPage
	Browsers, Apps []opening
	Others         bool // something is open beside this browser
}

// openings are what the store shows now.
type openings struct {
	signOns  []sso.Session
	families []session.Family
}

func (h *Pages) openings(x *web.Exchange, v *visit) (o openings, err error) {
	if o.signOns, err = h.cfg.SignOns.List(x.R.Context(), x.Call, x.Tenant, v.live.User.ID); err != nil {
		return o, err
	}
	o.families, err = h.cfg.Sessions.List(x.R.Context(), x.Call, session.ListQuery{
		TenantID: x.Tenant.ID, Subject: v.live.User.ID, At: x.Call.At, Limit: maxSessions,
	})
	return o, err
}

func (h *Pages) showSessions(x *web.Exchange) error {
	v, query, err := h.own(x, "sessions")
	if err != nil || v.live == nil {
		return err
	}
	o, err := h.openings(x, &v)
	if err != nil {
		return err
	}
	f := sessionsForm{accountPage: v.account(x, "/ui/account/sessions", query)}
	for _, n := range o.signOns {
		f.Browsers = append(f.Browsers, opening{
			Kind: "browser", ID: n.ID, Title: delivery.Device(f.Lang, n.Agent), Place: n.Place, Since: f.Lang.Instant(n.AuthTime),
			Seen: f.Lang.Ago(n.LastSeen, x.Call.At), Current: n.ID == v.live.Session.ID,
		})
	}
	slices.SortStableFunc(f.Browsers, func(a, b opening) int { return rank(b) - rank(a) })
	for _, s := range o.families {
		title := s.ClientID
		if c := h.cfg.Directory.Client(x.Tenant.ID, s.ClientID); c != nil {
			title = clientName(c)
		}
		f.Apps = append(f.Apps, opening{
			Kind: "session", ID: s.ID, Title: f.Say("sessions.app", "app", title, "device", delivery.Device(f.Lang, s.Agent)), Place: s.Place,
			Since: f.Lang.Instant(s.CreatedAt), Seen: f.Lang.Ago(s.LastSeen, x.Call.At), Current: s.SSOID != "" && s.SSOID == v.live.Session.ID,
		})
	}
	f.Others = slices.ContainsFunc(slices.Concat(f.Browsers, f.Apps), func(o opening) bool { return !o.Current })
	return x.HTML(http.StatusOK, sessionsPage(f))
}

func rank(o opening) int {
	if o.Current {
		return 1
	}
	return 0
}

// endSessions ends one of the person's own, or all others.
func (h *Pages) endSessions(x *web.Exchange) error {
	v, _, err := h.own(x, "sessions")
	if err != nil || v.live == nil {
		return err
	}
	form, err := web.DecodeForm(x)
	if err != nil {
		return err
	}
	o, err := h.openings(x, &v)
	if err != nil {
		return err
	}
	if form.Get("all") != "" {
		return h.endOthers(x, &v, o)
	}
	if err := h.endOne(x, o, form); err != nil {
		return err
	}
	return settled(x, "/ui/account/sessions", "ended")
}

// endOne ends what is among the person's own. What is not there any more is ended already.
func (h *Pages) endOne(x *web.Exchange, o openings, form url.Values) (err error) {
	ctx, browser, family := x.R.Context(), form.Get("browser"), form.Get("session")
	if slices.ContainsFunc(o.signOns, func(n sso.Session) bool { return n.ID == browser }) {
		_, err = h.cfg.SignOns.End(ctx, x.Call, x.Tenant, sso.Match{TenantID: x.Tenant.ID, ID: browser}, endedByOwner)
	}
	if err == nil && slices.ContainsFunc(o.families, func(f session.Family) bool { return f.ID == family }) {
		_, err = h.cfg.Sessions.Revoke(ctx, x.Call, session.Match{TenantID: x.Tenant.ID, ID: family}, endedByOwner)
	}
	return err
}

// endOthers ends everything but this browser and what is open under it. It asks for a fresh login: who finds a signed-on browser must not be
// able to throw its owner out everywhere else.
func (h *Pages) endOthers(x *web.Exchange, v *visit, o openings) error {
	if age := x.Call.At.Sub(v.live.Session.AuthTime); age < -time.Minute || age > x.Tenant.For(nil).Fresh {
		v.to = toOthers
		return x.Redirect(withQuery(x.PathPrefix()+"/ui/login", v.query()))
	}
	ctx, mine := x.R.Context(), v.live.Session.ID
	others := sso.Match{TenantID: x.Tenant.ID, UserID: v.live.User.ID, Except: mine}
	if _, err := h.cfg.SignOns.End(ctx, x.Call, x.Tenant, others, endedByOwner); err != nil {
		return err
	}
	for len(o.families) > 0 {
		for _, f := range o.families {
			if f.SSOID != "" && f.SSOID == mine {
				continue
			}
			if _, err := h.cfg.Sessions.Revoke(ctx, x.Call, session.Match{TenantID: x.Tenant.ID, ID: f.ID}, endedByOwner); err != nil {
				return err
			}
		}
		if len(o.families) < maxSessions {
			break
		}
		var err error
		o.families, err = h.cfg.Sessions.List(ctx, x.Call, session.ListQuery{
			TenantID: x.Tenant.ID, Subject: v.live.User.ID, At: x.Call.At, After: o.families[len(o.families)-1].ID, Limit: maxSessions,
		})
		if err != nil {
			return err
		}
	}
	return settled(x, "/ui/account/sessions", "others")
}
