package session

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// Store keeps families. Every verb is one transaction, and a verb that fails leaves no trace. Instants are given, never asked.
type Store interface {
	// Open inserts a family. When UserID is not empty it takes a share lock on the user's row and refuses with ReasonUserChanged
	// (Conflict) unless the user is active and at Family.Epoch: so that an open cannot slip past a disable, delete or epoch raise. When
	// register is not nil and the user is not registered with that client, the registration is made, or, when it is Held, the open is
	// refused with ReasonNotRegistered (Forbidden). When ParentID is not empty it takes a
	// share lock on the parent as well and refuses with ReasonSessionRevoked (Unauthenticated) unless that one is live at CreatedAt: so that
	// a child cannot slip past the end of its parent.
	Open(ctx context.Context, f Family, register *user.Registration, rec audit.Record) error
	// Load reads the family a token names, with its holder, in one query from the primary. NotFound when there is none.
	Load(ctx context.Context, ref Ref) (Loaded, error)
	// Swap replaces the rotating part of a family (every field that refresh changes; never Binding, subject or client) guarded by
	// from's version and by revoked_at being empty. It raises the version by one. False means somebody else was first; then nothing,
	// rec included, was written.
	Swap(ctx context.Context, from, to Family, rec audit.Record) (bool, error)
	// Touch records coarse activity (LastSeen) under the same guard as Swap but without raising the version, and reports whether the
	// family is still live and at that version: the guard re-read of a repeated hand-out. When lastSeen is not after f.LastSeen it writes
	// nothing and only looks.
	Touch(ctx context.Context, f Family, lastSeen time.Time) (bool, error)
	// Revoke ends the live families that match, writes a revocation for each beside rec, and gives them (id, client, subject). Children by
	// ParentID end with their parent. Ending what is already ended is no error and gives none; then rec is not written either, so that of
	// many callers who find a theft at once only one tells the owner.
	Revoke(ctx context.Context, m Match, at time.Time, reason string, rec audit.Record) ([]Ended, error)
	// List gives a subject's live sessions, newest first, after the cursor (a sid, "" for the first page).
	List(ctx context.Context, q ListQuery) ([]Family, error)
	// Purge deletes up to limit families that have been dead since before the given instant.
	Purge(ctx context.Context, tenantID string, before time.Time, limit int) (int, error)
	// Record writes events on their own: refusals have no other change to travel with.
	Record(ctx context.Context, rec audit.Record) error
}

// Ref names a family: by the id inside a token of ours, else by the hash of a foreign token. Only a foreign head is found by its hash:
// every successor is of our form, so the hashes that change with each refresh need no index.
type Ref struct {
	TenantID string
	ID       string
	Hash     Hash   // used when ID is empty: matches a foreign head
	ClientID string // "" or the client whose registration the holder should show; the family's own client when empty
}

// Match selects families of one tenant to revoke. Exactly one of ID, UserID or Subject is set.
type Match struct {
	TenantID string
	ID       string
	UserID   string
	Subject  string
	Except   string // sid that stays, with UserID or Subject
	ClientID string // narrows, when set
}

// Ended is a family that a verb ended.
type Ended struct{ ID, ClientID, Subject, OrgID string }

// ListQuery asks for a page of live sessions. At decides which are still live.
type ListQuery struct {
	TenantID string
	Subject  string
	At       time.Time
	After    string
	Limit    int
}
