package token

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
)

// KeyStore keeps signing keys (sealed) and ring keys (wrapped).
type KeyStore interface {
	// SigningKeys reads every key of a tenant that is not dead at the given instant (VerifyUntil zero or later).
	SigningKeys(ctx context.Context, tenantID string, at time.Time) ([]SigningKey, error)
	// (KeepUntil is raised by the store of service tokens, in the transaction that adds such a token.)
	// AddSigningKey inserts k unless another key with the same (tenant, kind, alg, slot) exists: the slot number makes nodes that decide
	// at once agree. False means another node was first; read again.
	AddSigningKey(ctx context.Context, k SigningKey, rec audit.Record) (bool, error)
	// Advance moves the instant from which an announced key signs to an earlier one; false when the key is not there, withdrawn, or
	// signs as early already, and then nothing is written. Like Withdraw and the verbs of ring keys it moves the directory's version, so
	// that running nodes read their keys anew within a poll.
	Advance(ctx context.Context, tenantID, kid string, signsFrom time.Time, rec audit.Record) (bool, error)
	// Withdraw marks a key dead at once.
	Withdraw(ctx context.Context, tenantID, kid string, at time.Time, rec audit.Record) error
	// PurgeSigningKeys deletes keys that a tenant's clock has left behind: dead (VerifyUntil, Withdrawn) before the instant.
	PurgeSigningKeys(ctx context.Context, tenantID string, before time.Time) (int, error)
	// RingKeys reads every ring key.
	RingKeys(ctx context.Context) ([]WrappedKey, error)
	// AddRingKey inserts a ring key; false when the id is taken.
	AddRingKey(ctx context.Context, k WrappedKey, rec audit.Record) (bool, error)
	// UpdateRingKey replaces wrapping and retirement of a ring key.
	UpdateRingKey(ctx context.Context, k WrappedKey, rec audit.Record) error
}

// Kind of a signing key.
type Kind string

// The kinds. Static keys never rotate by themselves and never sign user tokens.
const (
	Static   Kind = "static"
	Rotating Kind = "rotating"
)

// SigningKey is one row. Private is sealed under the ring.
type SigningKey struct {
	TenantID    string
	KID         string // s-<uuid> or d-<ms>-<random>
	Kind        Kind
	Alg         string
	Slot        int64  // 0, 1, 2 … per (tenant, kind, alg)
	PublicJWK   []byte // JSON
	Sealed      []byte // PKCS #8, sealed
	CreatedAt   time.Time
	SignsFrom   time.Time // rotating: signs from here until its successor does
	Withdrawn   time.Time // zero unless withdrawn in an emergency
	VerifyUntil time.Time // zero while nobody can say
	KeepUntil   time.Time // rotating: published at least until here, for a service's token that outlives the key's turn; zero: no such token
}

// WrappedKey is a ring key as stored: wrapped under a master key.
type WrappedKey struct {
	ID        uint32
	Purpose   string
	Wrapped   []byte
	CreatedAt time.Time
	RetiredAt time.Time // zero while it is used for new values
}
