package user

import (
	"context"
	"encoding/json"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
)

// Store reads and changes users. Acts that must stop refreshes (SetStatus, Delete, RaiseEpoch; Unregister at its client) also end every
// live session of the user, with the given reason, in the same transaction, after changing the user's row. For every session ended there the
// store writes a "session" revocation itself, beside rec.
type Store interface {
	// Get reads one user with identifiers and, when clientID is not empty, the registration. NotFound when absent or erased.
	Get(ctx context.Context, tenantID, userID, clientID string) (User, error)
	// UpdateProfile replaces what a person may change about themselves, guarded by version; Conflict when it moved.
	UpdateProfile(ctx context.Context, change ProfileChange, rec audit.Record) error
	// SetStatus makes a user Active or Disabled. Disabling ends their sessions.
	SetStatus(ctx context.Context, tenantID, userID string, to Status, at time.Time, rec audit.Record) error
	// Delete marks a user deleted, to be erased at purgeAt, and ends their sessions.
	Delete(ctx context.Context, tenantID, userID string, at, purgeAt time.Time, rec audit.Record) error
	// RaiseEpoch adds one to the epoch, ends all sessions and gives the new epoch.
	RaiseEpoch(ctx context.Context, tenantID, userID, reason string, at time.Time, rec audit.Record) (epoch int64, err error)
	// Register makes a registration; one that is there gets its roles and keeps the rest. NotFound for a user who is absent or deleted.
	Register(ctx context.Context, tenantID, userID string, r Registration, at time.Time, rec audit.Record) error
	// Unregister removes a registration and, in the same transaction, ends the user's sessions at that client and voids the authorization
	// codes that are out for it. NotFound when there is none.
	Unregister(ctx context.Context, tenantID, userID, clientID string, at time.Time, rec audit.Record) error
	// Purge erases up to limit users of the tenant whose time has come (with their identifiers, credentials, sessions and the personal
	// part of events) and gives how many.
	Purge(ctx context.Context, tenantID string, at time.Time, limit int) (int, error)
}

// ProfileChange is the new profile; nil fields stay as they are.
type ProfileChange struct {
	TenantID, UserID string
	Version          int64
	At               time.Time
	Name             *string
	Locale           *string
	Data             *json.RawMessage
}
