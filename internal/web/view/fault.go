package view

import (
	"github.com/a-h/templ"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/web"
	"github.com/gatehouse-auth/gatehouse/internal/words"
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
	if e.Reason == fault.ReasonOAuthUnanswerable || e.Reason == fault.ReasonOAuthRequestURI {
		p := For(x, "fault.over.title")
		return faultPage(p, p.Say("fault.over.lead"), "")
	}
	if applicationsFault[e.Reason] && e.Kind == fault.Invalid {
		p := For(x, "fault.application.title")
		return faultPage(p, p.Say("fault.application.lead"), e.Safe)
	}
	if e.Reason == fault.ReasonNotRegistered || e.Reason == fault.ReasonRegistrationClosed {
		p := For(x, "fault.closed.title")
		return faultPage(p, p.Say("fault.closed.lead"), "")
	}
	if e.Kind == fault.Gone {
		return GonePage(For(x, "gone.title"))
	}
	story := stories[e.Kind]
	if story == "" {
		story = "internal"
	}
	p := For(x, "fault."+story+".title")
	if e.Kind == fault.Limited && e.RetryAfter > 0 {
		return faultPage(p, p.Say("fault.limited.when", "when", p.Lang.In(e.RetryAfter)), "")
	}
	return faultPage(p, p.Say("fault."+story+".lead"), "")
}

// TooOften says in a form that there were too many tries, and when there may be more if that is known.
func TooOften(l words.Lang, e *fault.Error) string {
	if e.RetryAfter <= 0 {
		return l.Say("error.limited")
	}
	return l.Say("error.limited.when", "when", l.In(e.RetryAfter))
}

// applicationsFault are refusals of an authorization request that the person can do nothing about: the application asked wrongly, and its
// address is not to be trusted with the answer (RFC 6749 section 4.1.2.1). The page says in words for its makers what is wrong.
var applicationsFault = map[fault.Reason]bool{
	fault.ReasonOAuthRequest: true, fault.ReasonOAuthRedirectURI: true, fault.ReasonOAuthResponseType: true,
	fault.ReasonUnknownClient: true, fault.ReasonOAuthUnauthorized: true,
}
