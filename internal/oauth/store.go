package oauth

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// Requests keeps authorization requests under way, what was consented to, and the codes they end in. Every verb is one transaction.
type Requests interface {
	// Begin inserts a request.
	Begin(ctx context.Context, r Request) error
	// Request reads one that has not expired at the instant, done or not; NotFound otherwise.
	Request(ctx context.Context, tenantID, id string, at time.Time) (Request, error)
	// Step replaces what a step may change, guarded by from's version and by DoneAt being empty; false when somebody else was first.
	Step(ctx context.Context, from, to Request, rec audit.Record) (bool, error)
	// Finish marks the request done under the same guard and, in the same transaction, stores the code and the consent (nil: none). The
	// sign-on session of a code is share-locked and must be live at the instant, its user active and at the code's epoch; else
	// ReasonUserChanged (Conflict) and nothing is written.
	Finish(ctx context.Context, from Request, code *Code, consent *Consent, at time.Time, rec audit.Record) (bool, error)
	// Consents reads a user's consents; clientID "" for all.
	Consents(ctx context.Context, tenantID, userID, clientID string) ([]Consent, error)
	// Withdraw deletes a consent and ends, in the same transaction, the user's live families of that client.
	Withdraw(ctx context.Context, tenantID, userID, clientID string, at time.Time, rec audit.Record) ([]Ended, error)
	// Purge deletes up to limit requests and codes that expired before the instant.
	Purge(ctx context.Context, tenantID string, before time.Time, limit int) (int, error)
}

// Codes spends authorization codes.
type Codes interface {
	// Code reads a code, spent or not, until it is purged; NotFound otherwise.
	Code(ctx context.Context, tenantID string, hash []byte) (Code, error)
	// Exchange spends the code and opens the family in one transaction, with everything session.Store.Open guards. False when it is spent
	// already: exactly one of any number of callers gets true. Nothing is written then.
	Exchange(ctx context.Context, tenantID string, hash []byte, f session.Family, register *user.Registration, rec audit.Record) (bool, error)
}

// Devices keeps device authorizations.
type Devices interface {
	// Add inserts one; Conflict when the user code is taken by a live one.
	Add(ctx context.Context, d Device, rec audit.Record) error
	// ByDevice and ByUser read a live or spent one; NotFound otherwise.
	ByDevice(ctx context.Context, tenantID string, hash []byte) (Device, error)
	ByUser(ctx context.Context, tenantID string, userCode []byte, at time.Time) (Device, error)
	// Swap replaces stage, user facts and polling, guarded by version.
	Swap(ctx context.Context, from, to Device, rec audit.Record) (bool, error)
	// Redeem moves an allowed one to spent and opens the family in one transaction; exactly one caller gets true.
	Redeem(ctx context.Context, from Device, f session.Family, register *user.Registration, rec audit.Record) (bool, error)
	Purge(ctx context.Context, tenantID string, before time.Time, limit int) (int, error)
}

// Opaques keeps opaque access tokens. One that belongs to a session is written by the verb that opens or rotates it (audit.Record.Tokens).
type Opaques interface {
	// Put inserts one that stands alone: a client's own.
	Put(ctx context.Context, o audit.OpaqueToken) error
	// Opaque reads one, dead or not; NotFound otherwise.
	Opaque(ctx context.Context, tenantID string, hash []byte) (Opaque, error)
	RevokeOpaque(ctx context.Context, tenantID string, hash []byte, at time.Time, rec audit.Record) error
	// RevokedToken reports whether the feed holds a revocation of that token id.
	RevokedToken(ctx context.Context, tenantID, jti string) (bool, error)
	Purge(ctx context.Context, tenantID string, before time.Time, limit int) (int, error)
}
