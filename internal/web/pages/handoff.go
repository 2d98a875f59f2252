package pages

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/delivery"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/web"
	"github.com/gatehouse-auth/gatehouse/internal/web/view"
)

// lookEvery is the Refresh header of pages that wait for the other device: they look again by themselves, also without script.
const lookEvery = "2"

// firstPage is the page of the device that is signed in. Story names its state and the words for it.
type firstPage struct {
	view.Page
	Story    string // "" to begin, or signedout, stale, offered, claimed, confirmed, taken, wrong, ended
	ID       string
	QR, URL  string
	Device   string // of the second device
	Place    string
	Problems view.Problems
}

// CanStart says that a new code may be asked for.
func (f firstPage) CanStart() bool { return f.Story == "" || f.Story == "ended" || f.Story == "wrong" }

// stages are the stories of the stages of a hand-off.
var stages = map[login.HandoffStage]string{
	login.HandoffOffered: "offered", login.HandoffClaimed: "claimed", login.HandoffConfirmed: "confirmed",
	login.HandoffTaken: "taken", login.HandoffRefused: "wrong",
}

func (p *Pages) first(x *web.Exchange, status int, f firstPage) error {
	title := "handoff.title"
	if f.Story != "" {
		title = "handoff." + f.Story + ".title"
	}
	f.Page = view.For(x, title)
	if f.Story == "offered" || f.Story == "confirmed" {
		x.W.Header().Set("Refresh", lookEvery)
	}
	return x.HTML(status, handoffPage(f))
}

// showHandoff shows where a hand-off of this browser's session stands. Reloading it shows the same code again.
func (p *Pages) showHandoff(x *web.Exchange) error {
	live, err := p.signedIn(x)
	if err != nil {
		return p.firstRefused(x, err)
	}
	id := x.R.URL.Query().Get("id")
	if id == "" {
		return p.first(x, http.StatusOK, firstPage{})
	}
	return p.firstStage(x, live, id, nil)
}

func (p *Pages) firstStage(x *web.Exchange, live session.Live, id string, problems view.Problems) error {
	v, err := p.cfg.Handoffs.ViewCode(x.R.Context(), x.Call, live, id)
	if err != nil {
		return p.firstRefused(x, err)
	}
	f := firstPage{Story: stages[v.Stage], ID: id, URL: v.URL.Reveal(), Place: v.Place, Problems: problems}
	f.Device = delivery.Device(view.Lang(x), v.Agent)
	if v.Stage == login.HandoffOffered {
		if f.QR, err = view.QR(f.URL); err != nil {
			return err
		}
	}
	status := http.StatusOK
	if problems != nil {
		status = http.StatusUnprocessableEntity
	}
	return p.first(x, status, f)
}

// startHandoff makes a code. The page that shows it has only the code's id in its address.
func (p *Pages) startHandoff(x *web.Exchange) error {
	live, err := p.signedIn(x)
	if err != nil {
		return p.firstRefused(x, err)
	}
	code, err := p.cfg.Handoffs.CreateCode(x.R.Context(), x.Call, live)
	if err != nil {
		return p.firstRefused(x, err)
	}
	return x.Redirect(x.PathPrefix() + "/ui/handoff?id=" + url.QueryEscape(code.ID))
}

var twoDigits = regexp.MustCompile(`^[0-9]{2}$`)

// confirmHandoff takes the typed number. What cannot be a number is asked for again: the one try is for numbers.
func (p *Pages) confirmHandoff(x *web.Exchange) error {
	live, err := p.signedIn(x)
	if err != nil {
		return p.firstRefused(x, err)
	}
	form, err := readForm(x)
	if err != nil {
		return err
	}
	id, number := form.Get("id"), strings.TrimSpace(form.Get("number"))
	if !twoDigits.MatchString(number) {
		return p.firstStage(x, live, id, view.Problems{{Field: "number", Text: view.Lang(x).Say("handoff.number.wrong")}})
	}
	if err := p.cfg.Handoffs.ConfirmCode(x.R.Context(), x.Call, live, id, number); err != nil {
		return p.firstRefused(x, err)
	}
	return x.Redirect(x.PathPrefix() + "/ui/handoff?id=" + url.QueryEscape(id))
}

// firstRefused tells what a person can do about a refusal; what they cannot is the error page's.
func (p *Pages) firstRefused(x *web.Exchange, err error) error {
	e := fault.From(err)
	var story string
	switch {
	case e.Kind == fault.Unauthenticated:
		story = "signedout"
	case e.Reason == fault.ReasonStepUpRequired:
		story = "stale"
	case e.Reason == fault.ReasonWrongNumber:
		story = "wrong"
	case e.Kind == fault.Gone:
		story = "ended"
	default:
		return err
	}
	return p.first(x, web.Status(e), firstPage{Story: story})
}

// signedIn is the session of this browser's cookies. A bound one is refused: pages take no proofs of possession.
func (p *Pages) signedIn(x *web.Exchange) (session.Live, error) {
	live, err := p.cfg.Sessions.Authenticate(x.R.Context(), x.Call, x.Tenant, x.Cookie(web.AccessCookie))
	if err != nil {
		return live, err
	}
	if live.Claims.Thumbprint != "" {
		return live, fault.New(fault.Unauthenticated, fault.ReasonBindingMismatch, "this session is bound to a key")
	}
	x.Call.Actor = audit.Actor{Kind: "user", ID: live.Claims.Subject}
	x.Call.ClientID = live.Claims.ClientID
	return live, nil
}
