package login

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// Attempt is a sign-up whose mailbox is not proved. It is not a user, and nothing in it is usable until proved (pre-hijacking).
type Attempt struct {
	TenantID  string
	ID        string
	ClientID  string
	Email     string // normalised
	Typed     string
	Name      string
	Locale    string
	Password  credential.Password // UserID empty
	Browser   string              // hash of the browser cookie that made it, "" when it sent none
	ReturnTo  string              // the authorization request it was made on the way of, "" for none; opaque here
	TokenHash []byte              // hash of the mailed token; empty for an inert attempt (address already known: equal work only)
	CreatedAt time.Time
	ExpiresAt time.Time
}

// TicketKind says what a mailed one-time token proves and changes.
type TicketKind string

// The kinds of ticket.
const (
	TicketReset       TicketKind = "reset"        // forgotten password
	TicketEmailChange TicketKind = "email_change" // the new address of an existing user
)

// Ticket is a mailed one-time token that is not a sign-up. A reset for an address with attempts but no user has an empty UserID and
// creates the user when spent. An inert ticket (unknown address: equal work only) has an empty TokenHash.
type Ticket struct {
	TenantID  string
	ID        string
	Kind      TicketKind
	ClientID  string
	UserID    string
	Email     string // normalised: the mailbox it proves
	Typed     string
	Browser   string
	ReturnTo  string // as in Attempt
	TokenHash []byte
	CreatedAt time.Time
	ExpiresAt time.Time
}

// KnownQuery asks what is known under an e-mail address.
type KnownQuery struct {
	TenantID string
	ClientID string
	Email    string // normalised
	Browser  string // prefers the attempt made by this browser
	At       time.Time
}

// taken reports whether nobody may sign up with the address, or move to it.
func (k Known) taken() bool { return k.User != nil || k.Closed }

// Known is what a password login or a mail request decides from. All parts may be nil.
type Known struct {
	User     *user.User // with identifiers and the client's registration; deleted users are absent
	Password *credential.Password
	Closed   bool     // the address belongs to a deleted account that is not erased yet: nobody can have it until then
	Attempt  *Attempt // newest live attempt of this browser, else the newest live one; inert ones are absent
}

// Proof is a proved mailbox of an attempt: the user to be made from it.
type Proof struct {
	Attempt  Attempt             // as read
	UserID   string              // for the new user
	Name     string              // "" when the attempt's planted name is discarded
	Password credential.Password // the attempt's, or a new one
	Roles    []string            // default roles of the client
	At       time.Time
}

// ResetSpend is a spent reset ticket.
type ResetSpend struct {
	Ticket   Ticket // as read
	UserID   string // of the user to be made when Ticket.UserID is empty
	Password credential.Password
	Roles    []string
	At       time.Time
}
