// Package resource is for resource servers.
package resource

import "time"

// Token stands in until the verifier is there; it is to be deleted then.
type Token struct {
	Kind, Subject, SessionID, ID, KeyID, ClientID, TenantID, Issuer string
	Epoch                                                           int64
	ExpiresAt, IssuedAt                                             time.Time
}

// Error stands in as well.
type Error struct {
	Status       int
	Code, Reason string
}

func (e *Error) Error() string { return e.Code + ": " + e.Reason }
