package view

import (
	"strings"

	"github.com/a-h/templ"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// stories tells people about refusals in classes: the kind decides what they can do next. The exact reason stands in the audit trail
// under the trace id, which every page shows.
var stories = map[fault.Kind]string{
	fault.Internal:        "internal",
	fault.Invalid:         "invalid",
	fault.Unauthenticated: "forbidden",
	fault.Forbidden:       "forbidden",
	fault.NotFound:        "notfound",
	fault.Conflict:        "invalid",
	fault.TooLarge:        "invalid",
	fault.Unsupported:     "invalid",
	fault.Misdirected:     "notfound",
	fault.Unprocessable:   "invalid",
	fault.Limited:         "limited",
	fault.Unavailable:     "unavailable",
}

// ErrorPage is the page for a refusal; it fits web.Config.ErrorPage.
func ErrorPage(x *web.Exchange, _ int, e *fault.Error) templ.Component {
	if e.Kind == fault.Gone {
		return GonePage(For(x, "gone.title"))
	}
	story := stories[e.Kind]
	if story == "" {
		story = "internal"
	}
	p := For(x, "fault."+story+".title")
	return faultPage(p, p.Say("fault."+story+".lead"))
}

// PasswordField is one password field of a form.
type PasswordField struct {
	Name, Label, Hint, Error string
	Autocomplete             string // "current-password" or "new-password"
	Required                 bool
}

func (f PasswordField) describedBy() string {
	var ids []string
	if f.Hint != "" {
		ids = append(ids, f.Name+"-hint")
	}
	if f.Error != "" {
		ids = append(ids, f.Name+"-error")
	}
	return strings.Join(ids, " ")
}
