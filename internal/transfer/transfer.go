// Package transfer owns users on their way in and out in bulk: the JSON lines format, its checks, import in batches that can be resumed,
// export as a stream. It does not own users, nor how their password hashes are verified.
package transfer

import (
	"context"
	"encoding/json"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// Person is one line of a file of users. At least one of Email and Username is needed.
type Person struct {
	ID           string              `json:"id,omitempty"`       // the subject to keep; drawn when absent
	Email        string              `json:"email,omitempty"`    // primary
	Verified     bool                `json:"verified,omitempty"` // possession of the mailbox was proved
	Username     string              `json:"username,omitempty"`
	Name         string              `json:"name,omitempty"`
	Locale       string              `json:"locale,omitempty"`
	Status       string              `json:"status,omitempty"` // active (default) or disabled
	Data         json.RawMessage     `json:"data,omitempty"`   // free JSON object
	Roles        map[string][]string `json:"roles,omitempty"`  // client id → roles; each client named is a registration
	CreatedAt    *time.Time          `json:"created_at,omitempty"`
	PasswordHash string              `json:"password_hash,omitempty"` // PHC or Modular Crypt form, or {SSHA…}
	Pepper       string              `json:"pepper,omitempty"`        // of an export with hashes: names the ring key mixed in

	ClientData map[string]json.RawMessage `json:"client_data,omitempty"` // client id of roles → free JSON object of that registration
	Links      []Link                     `json:"links,omitempty"`
}

// Link is an identity elsewhere that is the same person.
type Link struct {
	Issuer    string          `json:"issuer"`
	Subject   string          `json:"subject"`
	Data      json.RawMessage `json:"data,omitempty"`       // free JSON object
	CreatedAt *time.Time      `json:"created_at,omitempty"` // the user's when absent
}

// Entry is one user as stored, with everything a line holds.
type Entry struct {
	User          user.User
	Registrations []user.Registration
	Links         []Link // with CreatedAt
	Password      *credential.Password
	Named         bool // the id is the file's, not drawn
}

// Outcome says what became of a line.
type Outcome uint8

// The outcomes. Present: the same user is there already and was left alone, so a file may be imported again. Clash: the id or a name
// belongs to somebody else.
const (
	Added Outcome = iota
	Present
	Clash
)

// Store moves users in bulk.
type Store interface {
	// Import adds users of one tenant in one transaction and says of each what became of it. Users who are there are never changed.
	Import(ctx context.Context, tenantID string, batch []Entry, rec audit.Record) ([]Outcome, error)
	// Page gives users with identifiers, registrations, links and password, by id, after the given id; deleted ones only when asked for.
	Page(ctx context.Context, q PageQuery) ([]Entry, error)
	// Find gives the id of whoever holds an identifier (normalised); NotFound when nobody does.
	Find(ctx context.Context, tenantID string, kind user.IdentifierKind, value string) (userID string, err error)
}

// PageQuery asks for a page of users.
type PageQuery struct {
	TenantID string
	After    string // user id, "" for the first page
	Limit    int
	Deleted  bool
	Only     string // this user alone, when set
}
