package web

import (
	"encoding/json"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

// Problem is the refusal document of our own API (RFC 9457 with our members).
type Problem struct {
	Type    string        `json:"type" doc:"always about:blank; branch on reason"`
	Title   string        `json:"title" doc:"the status in words"`
	Status  int           `json:"status" doc:"the HTTP status"`
	Detail  string        `json:"detail,omitempty" doc:"what was refused; absent when the fault is ours"`
	Message string        `json:"message" doc:"may be shown to a person"`
	Reason  string        `json:"reason" doc:"stable code"`
	TraceID string        `json:"trace_id" doc:"names this answer in the logs and the audit trail"`
	Errors  []fault.Field `json:"errors,omitempty" doc:"the faulty fields"`
}

// statuses is the one table from fault kind to HTTP status of our own API.
var statuses = map[fault.Kind]int{
	fault.Internal:        http.StatusInternalServerError,
	fault.Invalid:         http.StatusBadRequest,
	fault.Unauthenticated: http.StatusUnauthorized,
	fault.Forbidden:       http.StatusForbidden,
	fault.NotFound:        http.StatusNotFound,
	fault.Conflict:        http.StatusConflict,
	fault.Gone:            http.StatusGone,
	fault.TooLarge:        http.StatusRequestEntityTooLarge,
	fault.Unsupported:     http.StatusUnsupportedMediaType,
	fault.Misdirected:     http.StatusMisdirectedRequest,
	fault.Unprocessable:   http.StatusUnprocessableEntity,
	fault.Limited:         http.StatusTooManyRequests,
	fault.Unavailable:     http.StatusServiceUnavailable,
}

// Status is the HTTP status of a refusal on our own API and pages.
func Status(e *fault.Error) int {
	if e.Reason == fault.ReasonMethod {
		return http.StatusMethodNotAllowed
	}
	if s, ok := statuses[e.Kind]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// Problem answers err. What is our fault is logged with its cause and answered without any detail.
func (x *Exchange) Problem(err error) {
	e := fault.From(err)
	status := Status(e)
	x.reason = string(e.Reason)
	x.logFailure(status, e)
	if x.out.status != 0 {
		return // the answer has begun; nothing can be taken back
	}
	x.refusalHeaders(status, e)
	if x.page(status, e) {
		return
	}
	body, err := json.Marshal(x.document(status, e))
	if err != nil {
		body = []byte(`{"status":500,"reason":"internal_error"}`)
	}
	h := x.W.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	x.W.WriteHeader(status)
	_, _ = x.W.Write(body)
}

func (x *Exchange) logFailure(status int, e *fault.Error) {
	if status >= http.StatusInternalServerError {
		x.hall.cfg.Log.LogAttrs(x.R.Context(), slog.LevelError, "request failed",
			slog.String("trace_id", x.Call.Trace), slog.String("reason", string(e.Reason)), slog.String("error", e.Error()))
	}
}

func (x *Exchange) document(status int, e *fault.Error) Problem {
	p := Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status,
		Detail: e.Safe, Message: e.Safe, Reason: string(e.Reason), TraceID: x.Call.Trace, Errors: e.Fields,
	}
	if status >= http.StatusInternalServerError {
		p.Detail, p.Errors, p.Message = "", nil, "something went wrong on our side"
		if status == http.StatusServiceUnavailable {
			p.Message = "please try again in a moment"
		}
	}
	return p
}

func (x *Exchange) refusalHeaders(status int, e *fault.Error) {
	h := x.W.Header()
	switch status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		h.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(e.RetryAfter.Seconds())))))
	case http.StatusUnauthorized:
		if x.Route.Bearer || h.Get("WWW-Authenticate") != "" || x.R.Header.Get("Authorization") != "" || x.R.Header.Get("DPoP") != "" {
			h.Set("WWW-Authenticate", challenge(e))
		}
	}
}

// challenge follows RFC 6750 section 3: a call without a token gets no error code.
func challenge(e *fault.Error) string {
	if e.Reason == fault.ReasonMissingToken {
		return `Bearer`
	}
	if c := proofChallenge(e); c != "" {
		return c
	}
	return `Bearer error="invalid_token", error_description="` + string(e.Reason) + `"`
}

// page answers a person with a page where the route is one, or where their browser opens an address that is none, if they accept HTML.
func (x *Exchange) page(status int, e *fault.Error) bool {
	opened := x.Route.Pattern == "" && x.R.Header.Get("Sec-Fetch-Dest") == "document"
	if !(x.Route.Browser || opened) || x.hall.cfg.ErrorPage == nil || !strings.Contains(x.R.Header.Get("Accept"), "text/html") {
		return false
	}
	c := x.hall.cfg.ErrorPage(x, status, e)
	return c != nil && x.HTML(status, c) == nil
}
