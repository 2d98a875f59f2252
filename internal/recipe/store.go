package recipe

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
)

// Accounts makes and changes accounts. Every verb is one transaction.
type Accounts interface {
	// SignUp makes an active user whose address is claimed (user.Claimed), with a password and a registration, in one organisation.
	// Conflict when the address is held or claimed by somebody; NotFound when there is no such organisation.
	SignUp(ctx context.Context, n Newcomer, rec audit.Record) error
	// Change sets a new address, a new password, or both. A new address is claimed, unless the user proved it before (proved_mailbox),
	// and ends pending changes of the user. A new password raises the epoch, ends every session with reason "password_changed" and
	// kills the user's one-time tokens. NotFound when there is no such user, Conflict when the address is somebody else's.
	Change(ctx context.Context, c Change, rec audit.Record) error
	// SetPrimary notes that others may be linked to a user, or no longer. NotFound when there is no such user.
	SetPrimary(ctx context.Context, tenantID, userID string, primary bool, rec audit.Record) (changed bool, err error)
	// Remove deletes whatever stands under the names of a subject: user (kept without names and credentials until purgeAt, for the
	// trail), sessions with reason "user_deleted", metadata, roles, proofs, tokens. Their addresses are free at once. found is false
	// when there was no such user.
	Remove(ctx context.Context, tenantID string, names []string, at, purgeAt time.Time, rec audit.Record) (found bool, err error)
}

// People finds accounts. Deleted users are absent.
type People interface {
	// Get reads an account by its id or external name, in one query. NotFound when there is none.
	Get(ctx context.Context, tenantID, id string) (Account, error)
	// ByEmail reads the account that holds or claims a normalised address. NotFound when there is none.
	ByEmail(ctx context.Context, tenantID, email string) (Account, error)
	// Page gives accounts in the order of joining.
	Page(ctx context.Context, q PageQuery) ([]Account, error)
	// Count counts what Page would list.
	Count(ctx context.Context, q PageQuery) (int64, error)
}

// Tokens keeps one-time tokens by their hashes. Each is spent by exactly one caller.
type Tokens interface {
	// Save inserts a token.
	Save(ctx context.Context, t Token, rec audit.Record) error
	// Verify spends a token of kind TokenVerify and every other one of that subject and address, and marks the address proved. When a user
	// holds it, attempts and tickets for the address go. Gone when it is not there, expired, or of another organisation.
	Verify(ctx context.Context, s Spend, rec audit.Record) (Token, error)
	// Reset spends a token of kind TokenReset and every other token of the subject, raises the user's epoch and ends every session with
	// reason "password_reset": whoever asked for it is locked out. Where change is not nil its password is set in the same transaction.
	// Gone when it is not there or expired.
	Reset(ctx context.Context, s Spend, change *Change, rec audit.Record) (Token, error)
	// Proved reports whether a subject proved an address.
	Proved(ctx context.Context, tenantID, subject, email string) (bool, error)
	// Unprove forgets that proof: the address becomes claimed.
	Unprove(ctx context.Context, tenantID, subject, email string, rec audit.Record) error
	// Drop deletes the tokens of a kind, subject and address.
	Drop(ctx context.Context, t Token, rec audit.Record) error
	// Purge deletes up to limit tokens that expired before at.
	Purge(ctx context.Context, tenantID string, at time.Time, limit int) (int, error)
	// Peek reads a live token of that kind and organisation without spending it, so that a password can be hashed before the
	// transaction; Gone when there is none.
	Peek(ctx context.Context, s Spend) (Token, error)
}

// Roles keeps the application's roles.
type Roles interface {
	// Put makes a role if it is not there and adds permissions to it.
	Put(ctx context.Context, tenantID string, r Role, rec audit.Record) (created bool, err error)
	// All gives every role with its permissions, sorted by name.
	All(ctx context.Context, tenantID string) ([]Role, error)
	// Strip takes permissions from a role, all when nil. NotFound when there is no such role.
	Strip(ctx context.Context, tenantID, role string, permissions []string, rec audit.Record) error
	// Remove deletes a role and takes it from everybody.
	Remove(ctx context.Context, tenantID, role string, rec audit.Record) (found bool, err error)
	// Grant gives a subject a role. NotFound when there is no such role.
	Grant(ctx context.Context, g Grant, rec audit.Record) (had bool, err error)
	// Take takes it back. NotFound when there is no such role.
	Take(ctx context.Context, g Grant, rec audit.Record) (had bool, err error)
	// Of gives the names of a subject's roles in an organisation, sorted.
	Of(ctx context.Context, tenantID, org, subject string) ([]string, error)
	// Holders gives who has a role in an organisation, sorted. NotFound when there is no such role.
	Holders(ctx context.Context, tenantID, org, role string) ([]string, error)
}

// Metadatas keeps a free JSON object for each subject.
type Metadatas interface {
	// Load reads it; an absent one has version 0.
	Load(ctx context.Context, tenantID, subject string) (Metadata, error)
	// Swap replaces what was loaded. False means that somebody else was first; then nothing was written.
	Swap(ctx context.Context, tenantID, subject string, from, to Metadata, rec audit.Record) (bool, error)
	// Remove deletes it.
	Remove(ctx context.Context, tenantID, subject string, rec audit.Record) error
}

// Externals keeps other systems' names of users.
type Externals interface {
	// Map names a user. NotFound when there is no such user, Conflict when the user or the name is mapped already.
	Map(ctx context.Context, tenantID string, e External, rec audit.Record) error
	// ByUser and ByName read a mapping; NotFound when there is none.
	ByUser(ctx context.Context, tenantID, userID string) (External, error)
	ByName(ctx context.Context, tenantID, name string) (External, error)
	// SetInfo replaces the free text of a mapping. NotFound when there is none.
	SetInfo(ctx context.Context, tenantID string, e External, rec audit.Record) error
	// Unmap deletes a mapping.
	Unmap(ctx context.Context, tenantID, userID string, rec audit.Record) (found bool, err error)
}

// Organisations keeps the divisions of a tenant and who belongs to them.
type Organisations interface {
	// Put makes an organisation or replaces its settings.
	Put(ctx context.Context, o Organisation, rec audit.Record) (created bool, err error)
	// Get reads one; NotFound when there is none.
	Get(ctx context.Context, tenantID, id string) (Organisation, error)
	// List gives all of them, sorted by id.
	List(ctx context.Context, tenantID string) ([]Organisation, error)
	// Remove deletes one; its members stay users. Never for Public.
	Remove(ctx context.Context, tenantID, id string, rec audit.Record) (found bool, err error)
	// Join makes a user a member; NotFound when there is no such user or organisation.
	Join(ctx context.Context, tenantID, org, userID string, at time.Time, rec audit.Record) (was bool, err error)
	// Leave ends a membership; a user may be left with none. NotFound when there is no such user.
	Leave(ctx context.Context, tenantID, org, userID string, rec audit.Record) (was bool, err error)
}

// Apps removes whole tenants.
type Apps interface {
	// RemoveTenant deletes a tenant that an API made, and everything that stands in it. NotFound when there is none, or when a file
	// manages it.
	RemoveTenant(ctx context.Context, tenantID string, rec audit.Record) error
}
