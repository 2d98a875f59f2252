// Package user owns people as the directory knows them: subject, identifiers, registrations and roles, links. It does not own
// credentials, sign-up attempts or sessions.
package user

import (
	"encoding/json"
	"time"
)

// Status of a user.
type Status string

// The states. A deleted user is kept for a while and then erased.
const (
	Active   Status = "active"
	Disabled Status = "disabled"
	Deleted  Status = "deleted"
)

// User is a subject of one tenant.
type User struct {
	TenantID  string
	ID        string // the sub claim
	Status    Status
	Epoch     int64 // raised to end every token of the user at once
	Name      string
	Locale    string
	Data      json.RawMessage // free JSON object, nil when empty
	CreatedAt time.Time
	UpdatedAt time.Time
	DeletedAt time.Time // zero unless Deleted
	PurgeAt   time.Time // zero unless Deleted
	Version   int64

	Identifiers  []Identifier
	Registration *Registration // for the client the call named, nil when there is none
}

// IdentifierKind names what a person may type to say who they are.
type IdentifierKind string

// The kinds.
const (
	Email    IdentifierKind = "email"
	Username IdentifierKind = "username"
	Phone    IdentifierKind = "phone"
	External IdentifierKind = "external"
)

// Identifier is unique by (tenant, kind, normalised value).
type Identifier struct {
	Kind        IdentifierKind
	Value       string // normalised
	Typed       string // as the person typed it
	VerifiedAt  time.Time
	VerifiedHow string // "mail", "reset", "import", …; Claimed of one that is not verified
	Primary     bool
}

// Claimed is VerifiedHow of an address that somebody signed up with, or moved to, through a face where accounts work before their mailbox
// is proved. It blocks nobody: whoever proves the mailbox takes the address, and nothing of the claimant's survives (pre-hijacking).
const Claimed = "claimed"

// Claimed reports whether whoever proves the mailbox may take this identifier from its holder.
func (i Identifier) Claimed() bool { return !i.Verified() && i.VerifiedHow == Claimed }

// Verified reports whether possession was ever proved.
func (i Identifier) Verified() bool { return !i.VerifiedAt.IsZero() }

// Registration is a user's membership of a client.
type Registration struct {
	ClientID  string
	Roles     []string
	Data      json.RawMessage
	CreatedAt time.Time

	// Held asks a store that opens a session for a registration that stands at the commit, and makes none: the client lets in only who is
	// registered, and an operator may be removing them at this moment. Never stored.
	Held bool
}

// PrimaryEmail is the user's primary e-mail identifier, or the zero value.
func (u *User) PrimaryEmail() Identifier {
	var found Identifier
	for _, i := range u.Identifiers {
		if i.Kind == Email && (i.Primary || found.Value == "") {
			found = i
		}
	}
	return found
}
