package credential

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
)

// Store changes password credentials outside sign-up and reset (which belong to login).
type Store interface {
	// Rehash replaces the hash of a credential, guarded by the old one: false when it changed meanwhile, and then nothing is written.
	Rehash(ctx context.Context, tenantID, credentialID, oldPHC string, to Password, at time.Time, rec audit.Record) (bool, error)
	// Change sets the password of an active user if the stored one is still OldPHC, raises the epoch, ends all sessions and sign-ons with
	// reason "password_changed", and deletes the user's mailed tickets. Conflict with ReasonUserChanged when somebody was first. Gives the
	// new epoch.
	Change(ctx context.Context, c Change, rec audit.Record) (epoch int64, err error)
}

// Change is a new password in the place of the one that its owner has just shown.
type Change struct {
	TenantID string
	UserID   string
	OldPHC   string // as read: the change is made only while it is still the stored one
	Password Password
	At       time.Time
}
