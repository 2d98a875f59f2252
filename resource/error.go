package resource

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

// Reasons of refusals: stable codes that clients may branch on and operators may search for.
const (
	ReasonMissing     = "missing_token"
	ReasonRequest     = "malformed_request" // two Authorization headers, two cookies of one name
	ReasonInvalid     = "invalid_token"     // form, algorithm, signature or claims
	ReasonUnknownKey  = "unknown_key"
	ReasonExpired     = "token_expired" // right in everything but its age: refresh and try again
	ReasonEarly       = "not_yet_valid"
	ReasonIssuer      = "wrong_issuer"
	ReasonAudience    = "wrong_audience"
	ReasonKind        = "wrong_kind"     // a token of another kind than this API takes
	ReasonSource      = "wrong_source"   // a service's token with another mark than this API takes
	ReasonProof       = "proof_required" // bound to a key (cnf), and nobody checks the proof
	ReasonBadProof    = "invalid_proof"  // of another request, too old, or used before
	ReasonRole        = "insufficient_role"
	ReasonScope       = "insufficient_scope"
	ReasonOld         = "authentication_too_old"
	ReasonLevel       = "insufficient_level"
	ReasonCrossOrigin = "cross_origin" // by cookie, from another origin
	ReasonUnavailable = "keys_unavailable"
)

// Codes of RFC 6750 section 3.1.
const (
	codeRequest = "invalid_request"
	codeToken   = "invalid_token"
	codeScope   = "insufficient_scope"
	codeStepUp  = "insufficient_user_authentication" // RFC 9470 section 3
	codeProof   = "invalid_dpop_proof"               // RFC 9449 section 7.1
)

// Error is a refusal, and the only error that Verify and the middlewares give.
type Error struct {
	Status int    // for HTTP: 400, 401, 403 or 503
	Code   string // of RFC 6750 section 3.1: invalid_request, invalid_token, insufficient_scope; "" when no token came, and with 503
	Reason string // why, more precisely

	detail string // for logs
	scope  string // what insufficient_scope lacks
	kind   string // of an expired token
	more   string // of the challenge: what would be enough
	bound  bool   // a proof of possession would mend it
}

// Error is for logs. It never holds any part of the token.
func (e *Error) Error() string {
	if e.detail == "" {
		return "resource: " + e.Reason
	}
	return "resource: " + e.Reason + ": " + e.detail
}

// Is makes errors.Is true for a *Error of the same Reason.
func (e *Error) Is(target error) bool {
	other, ok := target.(*Error)
	return ok && other.Reason == e.Reason
}

// Challenge is the value of WWW-Authenticate (RFC 6750 section 3): the bare scheme and realm when no token came, else error,
// error_description, and scope where that is what lacks. It is "" when another token would not help. realm must need no quoting.
func (e *Error) Challenge(realm string) string {
	if e.Status == http.StatusServiceUnavailable || e.Reason == ReasonCrossOrigin {
		return ""
	}
	var b strings.Builder
	scheme := "Bearer"
	if e.bound {
		scheme = "DPoP"
	}
	b.WriteString(scheme + ` realm="` + realm + `"`)
	if e.Code != "" {
		b.WriteString(`, error="` + e.Code + `", error_description="` + e.Reason + `"`)
	}
	if e.scope != "" {
		b.WriteString(`, scope="` + e.scope + `"`)
	}
	b.WriteString(e.more)
	if e.bound {
		b.WriteString(`, algs="EdDSA ES256 RS256"`)
	}
	return b.String()
}

func denied(reason, detail string) *Error {
	return &Error{Status: http.StatusUnauthorized, Code: codeToken, Reason: reason, detail: detail}
}

func stepUp(reason, more string) *Error {
	return &Error{Status: http.StatusUnauthorized, Code: codeStepUp, Reason: reason, more: more}
}

func missing() *Error { return &Error{Status: http.StatusUnauthorized, Reason: ReasonMissing} }

func malformed(detail string) *Error {
	return &Error{Status: http.StatusBadRequest, Code: codeRequest, Reason: ReasonRequest, detail: detail}
}

func unavailable(cause error) *Error {
	e := &Error{Status: http.StatusServiceUnavailable, Reason: ReasonUnavailable}
	if cause != nil {
		e.detail = cause.Error()
	}
	return e
}

// asError gives any error as a refusal. A foreign one (of a feed) is no fault of the token.
func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return unavailable(err)
}

// refuse answers a request: challenge, problem details (RFC 9457), and no caching.
func (v *Verifier) refuse(w http.ResponseWriter, r *http.Request, e *Error) {
	h := w.Header()
	if c := e.Challenge(v.realm); c != "" {
		h.Set("WWW-Authenticate", c)
	}
	if e.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1")
	}
	h.Set("Cache-Control", "no-store")
	if v.cfg.OnRefusal != nil {
		v.cfg.OnRefusal(w, r, e)
		return
	}
	h.Set("Content-Type", "application/problem+json")
	w.WriteHeader(e.Status)
	_ = json.NewEncoder(w).Encode(map[string]any{"type": "about:blank", "title": http.StatusText(e.Status), "status": e.Status, "reason": e.Reason})
}
