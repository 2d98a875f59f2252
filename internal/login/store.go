// Package login owns proving who the user is, by any road: password login, registration, sign-up attempts and mailbox proof, recovery,
// limits. It does not own sessions, hashing, or who a token is for.
package login

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
)

// Store keeps sign-up attempts and tickets and composes users out of proved ones. One verb is one transaction; one-time tokens are spent
// by exactly one caller.
type Store interface {
	// Known reads user, password and attempt for an address in one query.
	Known(ctx context.Context, q KnownQuery) (Known, error)
	// SaveAttempt inserts a sign-up attempt (inert ones too). At most 20 live ones are kept per address: the oldest go.
	SaveAttempt(ctx context.Context, a Attempt, rec audit.Record) error
	// AttemptByToken reads a live attempt by its token's hash; Gone when there is none.
	AttemptByToken(ctx context.Context, tenantID string, tokenHash []byte, at time.Time) (Attempt, error)
	// Prove spends an attempt: creates the user from it alone (active, epoch 1, primary e-mail verified by "mail", password,
	// registration) and deletes every attempt and ticket for the address. Gone when the attempt is not there any more, or the address
	// belongs to a user already.
	Prove(ctx context.Context, p Proof, rec audit.Record) error
	// SaveTicket inserts a ticket (inert ones too), replacing older ones of the same kind for the same address.
	SaveTicket(ctx context.Context, t Ticket, rec audit.Record) error
	// TicketByToken reads a live ticket; Gone when there is none.
	TicketByToken(ctx context.Context, tenantID string, tokenHash []byte, at time.Time) (Ticket, error)
	// Reset spends a reset ticket: sets the password (or creates the user), marks the address verified by "reset", raises the epoch, ends
	// all sessions with reason "password_reset", and deletes every attempt and ticket of the address and of the user. Gone when spent.
	// Gives the user's id.
	Reset(ctx context.Context, r ResetSpend, rec audit.Record) (userID string, err error)
	// ChangeEmail spends an e-mail change ticket: the ticket's address becomes the user's primary, verified e-mail and the old one goes;
	// attempts for the new address and the user's other tickets are deleted. Gone when spent, or the address is taken meanwhile.
	ChangeEmail(ctx context.Context, t Ticket, at time.Time, rec audit.Record) error
}

// Janitor deletes what has expired.
type Janitor interface {
	// PurgeExpired deletes up to limit attempts and tickets of a tenant that expired before at, and gives how many.
	PurgeExpired(ctx context.Context, tenantID string, at time.Time, limit int) (int, error)
}
