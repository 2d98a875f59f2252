// Package sso owns the sign-on session of a browser at the issuer: what lets a person who has signed on for one application open another
// without a second prompt. It opens, finds and ends such sessions, and ending one ends every session that was opened under it. It does not
// own how a person is proved (login), what an application is given (oauth), or the cookie's attributes (the hallway).
package sso

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// Session is one sign-on session: one row. The cookie carries a random secret of which only the hash is stored.
type Session struct {
	TenantID       string
	ID             string // UUIDv7; Family.SSOID of the sessions opened under it
	Hash           []byte // of the cookie's secret; new after every proof (session fixation)
	UserID         string
	Epoch          int64 // the user's epoch seen at open
	CreatedAt      time.Time
	LastSeen       time.Time // coarse: at most once a minute
	IdleExpiry     time.Time
	AbsoluteExpiry time.Time
	AuthTime       time.Time // of the newest proof
	AMR            []string
	ACR            string
	Agent          string
	Place          string
	Device         string
	Version        int64
	RevokedAt      time.Time
	RevokedReason  string
}

// Live is a sign-on session that is good at this moment, with its user as the store shows it now.
type Live struct {
	Session Session
	User    user.User // without registrations
}

// Store keeps sign-on sessions. Every verb is one transaction.
type Store interface {
	// Open inserts a session under a share lock on the user's row: ReasonUserChanged (Conflict) unless the user is active and at Epoch.
	Open(ctx context.Context, s Session, rec audit.Record) error
	// ByHash reads the session with that cookie hash and its user, whatever their state, in one query; NotFound when there is none.
	ByHash(ctx context.Context, tenantID string, hash []byte) (Live, error)
	// Prove replaces hash, authentication facts and limits after a new proof of the same user, guarded by version and revoked_at; false when
	// somebody else was first.
	Prove(ctx context.Context, from, to Session, rec audit.Record) (bool, error)
	// Touch records coarse activity and the idle limit under the same guard without raising the version.
	Touch(ctx context.Context, s Session, lastSeen, idle time.Time) (bool, error)
	// Revoke ends the live sign-on sessions that match and, in the same transaction, every family with one of their ids that nobody has
	// ended before, also one whose time has run out: its application may still show the person as signed on. Beside rec it writes a
	// revocation for each family and what their applications are told (back-channel logout), and gives them. Ending what is already
	// ended gives none; then only the events of rec are written.
	Revoke(ctx context.Context, e End, rec audit.Record) ([]session.Ended, error)
	// List gives a user's live sign-on sessions, newest first.
	List(ctx context.Context, tenantID, userID string, at time.Time) ([]Session, error)
	// Purge deletes up to limit sessions dead since before the instant.
	Purge(ctx context.Context, tenantID string, before time.Time, limit int) (int, error)
}

// Match selects sign-on sessions of one tenant. Exactly one of ID and UserID is set.
type Match struct {
	TenantID string
	ID       string
	UserID   string
	Except   string // id that stays, with UserID
}

// End asks for the end of sign-on sessions.
type End struct {
	Match  Match
	At     time.Time
	Reason string
}
