// Package fault owns the one error type that rooms return: a kind, a stable reason code, a text that is safe to show, and a hidden
// cause. It does not own any dialect: each face turns kind and reason into its own status codes in one table.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what class of refusal an error is. Faces map it to a status; nothing else may depend on it.
type Kind uint8

// The kinds, each with the HTTP status the login API gives it.
const (
	Internal        Kind = iota // 500: our fault; never explained to the caller
	Invalid                     // 400: malformed request, wrong type, missing field
	Unauthenticated             // 401: no or wrong proof of who is asking
	Forbidden                   // 403: known, but not allowed
	NotFound                    // 404
	Conflict                    // 409: somebody else changed or holds it
	Gone                        // 410: a one-time thing that is used, expired or unknown
	TooLarge                    // 413
	Unsupported                 // 415: wrong media type
	Misdirected                 // 421: a Host this server does not serve
	Unprocessable               // 422: well formed, refused by policy (weak password)
	Limited                     // 429: RetryAfter says when
	Unavailable                 // 503: RetryAfter says when
)

// Field names one faulty input field. Message never contains the submitted value, which may be a secret.
type Field struct {
	Name    string `json:"field"`
	Message string `json:"message"`
}

// Error is the only error type that crosses a room's wall on purpose.
type Error struct {
	Kind       Kind
	Reason     Reason
	Safe       string        // may be shown to a person; contains no secret and no internals
	Fields     []Field       // for Invalid and Unprocessable
	RetryAfter time.Duration // for Limited and Unavailable
	cause      error
}

// New makes a refusal without a cause.
func New(kind Kind, reason Reason, safe string) *Error {
	return &Error{Kind: kind, Reason: reason, Safe: safe}
}

// Wrap makes a refusal that hides cause from the caller; logs may show the cause.
func Wrap(kind Kind, reason Reason, safe string, cause error) *Error {
	return &Error{Kind: kind, Reason: reason, Safe: safe, cause: cause}
}

// WithFields returns a copy of e naming the faulty fields.
func (e *Error) WithFields(fields ...Field) *Error {
	c := *e
	c.Fields = fields
	return &c
}

// After returns a copy of e that tells the caller when to try again.
func (e *Error) After(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// Error is for logs; it includes the cause. Answers use Safe.
func (e *Error) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Reason, e.Safe, e.cause)
	}
	return fmt.Sprintf("%s: %s", e.Reason, e.Safe)
}

// Unwrap gives the hidden cause.
func (e *Error) Unwrap() error { return e.cause }

// Is makes errors.Is(err, target) true when target is a *Error with the same reason.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Reason == e.Reason
}

// From gives err as *Error; a foreign error becomes an Internal one that hides it.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return Wrap(Internal, ReasonInternal, "something went wrong on our side", err)
}

// ReasonOf is the reason code of err, ReasonInternal for foreign errors, "" for nil.
func ReasonOf(err error) Reason {
	if err == nil {
		return ""
	}
	return From(err).Reason
}
