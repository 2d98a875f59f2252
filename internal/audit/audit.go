// Package audit owns the Call value (who asks, from where, at which instant) and the Record of plain data that every state-changing
// store verb writes in its own transaction: events, outgoing messages, revocations, opaque tokens. It does not own storage or delivery of them.
package audit

import (
	"net/netip"
	"time"
)

// Call is stamped once per request by the hallway and handed down as data. Nothing below the hallway asks a clock.
type Call struct {
	At       time.Time  // the tenant's clock, UTC, microseconds: our own state is judged by it
	Wall     time.Time  // the machine's clock: for whatever another party stamps (DPoP proofs, client assertions)
	TenantID string     // tenant the call was resolved to
	ClientID string     // client the call names, "" before it is resolved
	Actor    Actor      // who acts
	Address  netip.Addr // the caller's address, already freed of untrusted forwarded headers
	Agent    string     // User-Agent, cut to 256 bytes; personal data
	Browser  string     // hash of the pre-login browser cookie, "" when there is none
	Device   string     // id of the known device proved by its cookie, "" for an unknown device
	Trace    string     // trace id, in every refusal and event
	Face     string     // which face took the call: "login-api", "pages", …
	Loopback bool       // a development call from loopback: no network limits
}

// Actor is who did something.
type Actor struct {
	Kind string // "user", "operator", "system", "anonymous"
	ID   string
}

// Event is one line of the audit trail. It holds ids only; personal data stands in Person, which is stored apart so that erasing a
// person leaves the trail intact.
type Event struct {
	ID       string // UUIDv7
	TenantID string
	At       time.Time
	Type     string // "session.opened", "session.refreshed", "session.refused", "login.refused", …
	Reason   string // reason code of a refusal or of an end
	Subject  string
	Session  string // sid
	Client   string
	Trace    string
	Actor    Actor
	Detail   map[string]string // ids and numbers only
	Person   *Person           // nil when nothing personal is worth keeping
}

// Person is the personal part of an event.
type Person struct {
	Address string
	Agent   string
	Email   string
}

// Message is one outbox row: something that leaves after the commit. Sealed is the payload as delivery defines it, sealed before it
// reaches the store because it carries one-time tokens. delivery drains it.
type Message struct {
	ID        string
	TenantID  string
	Kind      string // "mail"; "none" is written for equal work and dropped on delivery
	Sealed    []byte
	NotBefore time.Time // machine's clock
}

// Revocation is one entry of the revocation feed.
type Revocation struct {
	TenantID string
	Kind     string // "session", "subject", "token", "key", "client"
	Target   string // sid, user id, jti, kid, client id
	Epoch    int64  // for "subject": tokens whose ep is below this are dead
	At       time.Time
	Reason   string
	Until    time.Time // the last affected token is dead by then; the entry may be forgotten
}

// OpaqueToken is one row of an access token that is not signed: its hash, and what it stands for. It travels with the change that brings
// it about, so that no crash leaves a spent grant without its token, or a token without its session.
type OpaqueToken struct {
	TenantID  string
	Hash      []byte
	ID        string // jti
	SessionID string // "" for a client's own
	ClientID  string
	Claims    []byte // the claims that a signed one would carry, as JSON
	ExpiresAt time.Time
}

// Record is what a state-changing verb writes beside its change, in the same transaction.
type Record struct {
	Events      []Event
	Messages    []Message
	Revocations []Revocation
	Tokens      []OpaqueToken
}

// Event starts an event with everything the call knows. The id is the caller's to set (secret.NewID).
func (c *Call) Event(id, kind string) Event {
	return Event{
		ID: id, TenantID: c.TenantID, At: c.At, Type: kind, Client: c.ClientID, Trace: c.Trace, Actor: c.Actor,
	}
}

// Personal is the personal part of an event for this call.
func (c *Call) Personal(email string) *Person {
	p := &Person{Agent: c.Agent, Email: email}
	if c.Address.IsValid() {
		p.Address = c.Address.String()
	}
	return p
}

// Place is the coarse location of the caller: IPv4 /24 or IPv6 /48 as text, "" when unknown.
func (c *Call) Place() string { return prefix(c.Address, 24, 48) }

// Network is the unit that limits count by: IPv4 /32 or IPv6 /64 as text.
func (c *Call) Network() string { return prefix(c.Address, 32, 64) }

func prefix(a netip.Addr, v4, v6 int) string {
	if !a.IsValid() {
		return ""
	}
	a = a.Unmap().WithZone("")
	bits := v6
	if a.Is4() {
		bits = v4
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return ""
	}
	return p.String()
}
