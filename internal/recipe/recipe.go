// Package recipe owns what only the SuperTokens dialect has: accounts that work before their mailbox is proved, one-time tokens for mails
// that the application sends itself, metadata, roles and permissions of the whole application, other systems' names of users,
// organisations and their settings. Its accounts are the users of every other face. It does not own their passwords' hashing, sessions, or
// any status word of that dialect.
package recipe

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// Public is the organisation that every tenant has, and that everybody belongs to who was not taken out of it.
const Public = "public"

// Lives of one-time tokens.
const (
	VerifyLife = 24 * time.Hour
	ResetLife  = time.Hour
)

// The events of this room.
const (
	EventSignedUp   = "account.signed_up"
	EventImported   = "account.imported"
	EventChanged    = "account.changed"
	EventRemoved    = "account.removed"
	EventProved     = "mailbox.proved"
	EventUnproved   = "mailbox.unproved"
	EventAsked      = "recipe_token.made"
	EventReset      = "recipe_token.reset"
	EventMapped     = "external_name.set"
	EventUnmapped   = "external_name.removed"
	EventRole       = "app_role.changed"
	EventGranted    = "subject_role.granted"
	EventTaken      = "subject_role.taken"
	EventOrg        = "organisation.changed"
	EventMembership = "membership.changed"
	EventMetadata   = "metadata.changed"
	EventAppCreated = "app.created"
	EventAppRemoved = "app.removed"
)

// Account is a user as this dialect sees one.
type Account struct {
	User        user.User // with identifiers, without a registration
	HasPassword bool
	Primary     bool     // others may be linked to it
	External    string   // the name that other systems know them by, "" for none
	Orgs        []string // organisations, sorted; none is possible
}

// Name is the id that callers see: the external one where there is one.
func (a *Account) Name() string {
	if a.External != "" {
		return a.External
	}
	return a.User.ID
}

// In reports whether the account belongs to the organisation.
func (a *Account) In(org string) bool { return slices.Contains(a.Orgs, org) }

// Email is the primary address, "" for none, and whether it is proved.
func (a *Account) Email() (value string, verified bool) {
	i := a.User.PrimaryEmail()
	return i.Value, i.Verified()
}

// Newcomer is an account to be made: its address is claimed, not proved.
type Newcomer struct {
	TenantID, UserID, Org string
	ClientID              string // to be registered with, "" for none
	Roles                 []string
	Email, Typed          string // normalised; as given
	Password              credential.Password
	At                    time.Time
}

// Change is what an application sets on an account. Empty fields stay as they are.
type Change struct {
	TenantID, UserID string
	Email, Typed     string               // normalised; as given
	Password         *credential.Password // ends every session
	At               time.Time
}

// TokenKind says what a one-time token is for.
type TokenKind string

// The kinds.
const (
	TokenVerify TokenKind = "email_verify"
	TokenReset  TokenKind = "password_reset"
)

// Token is a one-time token; the token itself was shown once, to the application that mails it.
type Token struct {
	TenantID  string
	Hash      []byte
	Kind      TokenKind
	Org       string
	Subject   string
	Email     string // normalised
	ExpiresAt time.Time
}

// Spend names a presented token.
type Spend struct {
	TenantID string
	Org      string
	Kind     TokenKind
	Hash     []byte
	At       time.Time
}

// Role is a role with its permissions, sorted.
type Role struct {
	Name        string
	Permissions []string
}

// Grant is a role of a subject in an organisation.
type Grant struct{ TenantID, Org, Subject, Role string }

// Metadata is a subject's free object with the version to swap on; version 0 is none yet.
type Metadata struct {
	Data    json.RawMessage
	Version int64
}

// External is another system's name of a user.
type External struct {
	UserID, Name string
	Info         string
	HasInfo      bool
}

// Organisation is a division of a tenant. Config is a JSON object, nil for none.
type Organisation struct {
	TenantID, ID string
	Config       json.RawMessage
}

// PageQuery asks for accounts in the order of joining.
type PageQuery struct {
	TenantID string
	Org      string // "" for all
	Newest   bool   // newest first
	After    Cursor // zero for the first page
	Limit    int
	Filter   Filter
}

// Filter narrows a list.
type Filter struct {
	Passwords   bool     // only accounts with a password
	NoPasswords bool     // only accounts without one
	EmailPrefix []string // only accounts whose address, or its domain, begins with one of these (normalised)
}

// Cursor is a place in a list: behind this account.
type Cursor struct {
	JoinedAt time.Time
	UserID   string
}
