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
}
