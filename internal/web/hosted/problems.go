package hosted

import (
	"net/url"
	"strconv"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/web"
	"github.com/gatehouse-auth/gatehouse/internal/web/view"
)

// lacking lists the fields of a form that were left empty, nil when none was.
func lacking(p view.Page, form url.Values, names ...string) view.Problems {
	var out view.Problems
	for _, name := range names {
		if form.Get(name) == "" {
			out = append(out, view.Problem{Field: name, Text: p.Say("error.lack." + name)})
		}
	}
	return out
}

// say turns a refusal into what a person can put right in the form. current and fresh are the names of its password fields. ok is false when
// the form cannot help.
func (h *Pages) say(p view.Page, err error, current, fresh string) (view.Problem, bool) {
	e := fault.From(err)
	switch e.Reason {
	case fault.ReasonInvalidCredentials:
		if current != "" {
			return view.Problem{Field: current, Text: p.Say("error.wrong_password_only")}, true
		}
		return view.Problem{Text: p.Say("error.login")}, true
	case fault.ReasonWeakPassword:
		return view.Problem{Field: fresh, Text: p.Say("error.weak_password")}, true
	case fault.ReasonBreachedPassword:
		return view.Problem{Field: fresh, Text: p.Say("error.breached_password")}, true
	case fault.ReasonDisabled:
		return view.Problem{Text: p.Say("error.disabled")}, true
	case fault.ReasonNotRegistered:
		return view.Problem{Text: p.Say("error.not_registered")}, true
	case fault.ReasonLimited:
		return view.Problem{Text: view.TooOften(p.Lang, e)}, true
	case fault.ReasonBusy, fault.ReasonUnavailable, fault.ReasonConflict, fault.ReasonUserChanged:
		return view.Problem{Text: p.Say("fault.unavailable.lead")}, true
	case fault.ReasonInvalid:
		return h.invalid(p, e, current, fresh)
	}
	return view.Problem{}, false
}

func (h *Pages) invalid(p view.Page, e *fault.Error, current, fresh string) (view.Problem, bool) {
	if len(e.Fields) == 0 {
		return view.Problem{}, false
	}
	switch name := e.Fields[0].Name; {
	case name == "email":
		return view.Problem{Field: "email", Text: p.Say("error.email")}, true
	case name == "password" && current == "" && fresh != "":
		return view.Problem{Field: fresh, Text: p.Say("error.invalid")}, true
	default:
		return view.Problem{Field: name, Text: p.Say("error.invalid")}, true
	}
}

// refused is the status of a form that is shown again; programs are told when to come back.
func refused(x *web.Exchange, err error) int {
	e := fault.From(err)
	if e.RetryAfter > 0 {
		x.W.Header().Set("Retry-After", strconv.Itoa(max(1, int(e.RetryAfter.Seconds()+0.999))))
	}
	return web.Status(e)
}
