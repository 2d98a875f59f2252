package web

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// Tracer makes a span of an exchange, for a system that collects traces. The hallway knows no such system.
type Tracer interface {
	// Begin starts the span of a request that came at the instant. parent is the caller's W3C traceparent, valid, or "": whoever calls may
	// write there what he likes, so it may link spans and never decide. The context is the request's from then on. A nil Span says that
	// this one is not traced.
	Begin(ctx context.Context, at time.Time, parent string) (context.Context, Span)
}

// Span is ended once, when the exchange is over.
type Span interface{ End(Seen) }

// Seen is what may be told of an exchange to those who look at traces: what the route table and the directory know, and nothing that the
// caller sent but the trace id.
type Seen struct {
	At       time.Time // when it ended
	Method   string    // a known one, or "other"
	Route    string    // the pattern, never the path: paths carry one-time values
	Status   int
	TenantID string
	ClientID string // a known client's
	Reason   string // of a refusal
	Trace    string // as in the answer, the log and the audit trail
}

// trace begins the exchange's span and gives its request; the tracer is there.
func (x *Exchange) trace(t Tracer) *http.Request {
	parent := x.R.Header.Get("Traceparent")
	if !validParent(parent) {
		parent = ""
	}
	ctx, span := t.Begin(x.R.Context(), x.start, parent)
	if span != nil {
		x.span, x.R = span, x.R.WithContext(ctx)
	}
	return x.R
}

func (x *Exchange) endSpan(pattern string, status int, took time.Duration) {
	x.span.End(Seen{
		At: x.start.Add(took), Method: method(x.R.Method), Route: pattern, Status: status,
		TenantID: x.Call.TenantID, ClientID: x.Call.ClientID, Reason: x.reason, Trace: x.Call.Trace,
	})
}

// traceOf takes the trace id of a valid W3C traceparent, else makes one. A caller may choose it: it is for finding things, never for
// deciding.
func traceOf(header string, now time.Time) string {
	if validParent(header) {
		return header[3:35]
	}
	return secret.NewID(now)
}

// validParent judges a W3C traceparent of version 00.
func validParent(header string) bool {
	if len(header) != 55 || !strings.HasPrefix(header, "00-") || header[35] != '-' || header[52] != '-' {
		return false
	}
	id, span := header[3:35], header[36:52]
	return lowerHex(id) && lowerHex(span) && lowerHex(header[53:]) && strings.Trim(id, "0") != "" && strings.Trim(span, "0") != ""
}

func lowerHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
