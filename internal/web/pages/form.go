package pages

import (
	"cmp"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/web"
	"github.com/gatehouse-auth/gatehouse/internal/web/view"
	"github.com/gatehouse-auth/gatehouse/internal/words"
)

// readForm reads a posted form as strictly as JSON is read: one value a field, valid UTF-8, no NUL. Refusals name the field and never
// repeat what was sent.
func readForm(x *web.Exchange) (url.Values, error) {
	body, err := x.Body()
	if err != nil {
		return nil, err
	}
	if len(body) == 0 {
		return url.Values{}, nil
	}
	if kind, _, err := mime.ParseMediaType(x.R.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, fault.New(fault.Unsupported, fault.ReasonMediaType, "the body must be a form or application/json")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, fault.New(fault.Invalid, fault.ReasonMalformed, "the form does not parse")
	}
	for name, values := range form {
		if len(values) > 1 {
			return nil, badField(name, "is given twice")
		}
		if v := values[0]; !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
			return nil, badField(name, "is not text")
		}
	}
	return form, nil
}

func badField(name, what string) error {
	if !plainName.MatchString(name) {
		name = "a field" // a stranger's text does not come back
	}
	return fault.New(fault.Invalid, fault.ReasonInvalid, "a field is wrong").WithFields(fault.Field{Name: name, Message: what})
}

var plainName = regexp.MustCompile(`^[a-z_]{1,32}$`)

func isJSON(x *web.Exchange) bool {
	kind, _, err := mime.ParseMediaType(x.R.Header.Get("Content-Type"))
	return err == nil && kind == "application/json"
}

func field(form url.Values, name string) secret.Text { return secret.NewText(form.Get(name)) }

// say turns a refusal into what a person can put right in the form, at the field to blame. ok is false when the form cannot help.
func say(lang words.Lang, err error, current, fresh string) (p view.Problem, ok bool) {
	switch e := fault.From(err); e.Reason {
	case fault.ReasonInvalidCredentials:
		key := "error.wrong_password"
		if fresh == "" {
			key = "error.wrong_password_only"
		}
		return view.Problem{Field: current, Text: lang.Say(key)}, current != ""
	case fault.ReasonWeakPassword:
		return view.Problem{Field: fresh, Text: lang.Say("error.weak_password")}, fresh != ""
	case fault.ReasonBreachedPassword:
		return view.Problem{Field: fresh, Text: lang.Say("error.breached_password")}, fresh != ""
	case fault.ReasonInvalid:
		if len(e.Fields) == 0 {
			return view.Problem{}, false
		}
		at := cmp.Or(fresh, current)
		if e.Fields[0].Name == current {
			at = current
		}
		return view.Problem{Field: at, Text: lang.Say("error.invalid")}, true
	case fault.ReasonLimited:
		return view.Problem{Text: view.TooOften(lang, e)}, true
	case fault.ReasonBusy, fault.ReasonUnavailable:
		return view.Problem{Text: lang.Say("fault.unavailable.lead")}, true
	}
	return view.Problem{}, false
}

// retryLater tells programs when to come back; people read it on the page.
func retryLater(x *web.Exchange, e *fault.Error) {
	if e.RetryAfter > 0 {
		x.W.Header().Set("Retry-After", strconv.Itoa(max(1, int(e.RetryAfter.Seconds()+0.999))))
	}
}

// leave sends the person on: back to the authorization request they came from, to the client's page if it has one, else to a page of ours
// that a reload does no harm to.
func (p *Pages) leave(x *web.Exchange, proved login.Proved, done string) error {
	if p.cfg.Flow != nil && proved.ReturnTo != "" {
		to, err := p.cfg.Flow.Back(x, proved, done == "verified")
		if err != nil {
			return err
		}
		if to != "" {
			return x.Redirect(to)
		}
	}
	if proved.RedirectURL != "" {
		return x.Redirect(proved.RedirectURL)
	}
	return x.Redirect(x.PathPrefix() + "/ui/done/" + done)
}

func (p *Pages) done(x *web.Exchange) error {
	what := x.R.PathValue("what")
	story, ok := donePages[what]
	if !ok {
		return fault.New(fault.NotFound, fault.ReasonNoRoute, "there is nothing at this path")
	}
	return x.HTML(http.StatusOK, donePage(view.For(x, story.Title), story))
}

// doneStory is the page at the end of a way.
type doneStory struct {
	Title, Lead string // keys of the catalogues
	Next        string // path of a page that people may want to go on to
	Refused     bool   // it ends without what it was begun for
}

var donePages = map[string]doneStory{
	"verified": {Title: "verify.done.title", Lead: "verify.done.lead"},
	"changed":  {Title: "verify.changed.title", Lead: "verify.done.change"},
	"reset":    {Title: "reset.done.title", Lead: "reset.done.lead"},
	"handoff":  {Title: "handoff.done.title", Lead: "handoff.done.lead"},
	"logout":   {Title: "logout.done.title", Lead: "logout.done.lead", Next: "/ui/account"},
	"device":   {Title: "device.done.title", Lead: "device.done.lead"},

	"device-refused": {Title: "device.refused.title", Lead: "device.refused.lead", Refused: true},
}
