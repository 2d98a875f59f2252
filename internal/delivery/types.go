// Package delivery drains what leaves after the commit: mail now, webhooks and back-channel logout later; and it owns the development
// mailbox. It does not decide what is sent: rows are written as plain data (audit.Message) by others.
package delivery

import (
	"context"
	"encoding/json"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// Mail is what a room asks to be sent. It travels sealed in audit.Message.
type Mail struct {
	To       string            `json:"to"`
	Template string            `json:"template"` // "verify", "exists", "reset", "reset_signup", "email_change", "email_changed", "reset_done", "refresh_reused", …
	Locale   string            `json:"locale"`
	Client   string            `json:"client"` // name shown
	Link     string            `json:"link,omitempty"`
	Code     string            `json:"code,omitempty"`
	Vars     map[string]string `json:"vars,omitempty"` // place, device, when, name
}

// Templates that the rooms use.
const (
	TemplateVerify        = "verify"         // sign-up attempt: prove the mailbox
	TemplateExists        = "exists"         // somebody registered an address that has an account
	TemplateReset         = "reset"          // forgotten password
	TemplateEmailChange   = "email_change"   // to the new address: prove it
	TemplateEmailChanged  = "email_changed"  // to the old address: notice
	TemplateResetDone     = "reset_done"     // notice: password was changed
	TemplateRefreshReused = "refresh_reused" // notice: a copied session was ended
	TemplateClosed        = "closed"         // somebody registered an address whose deleted account is not erased yet
	TemplateDeleted       = "deleted"        // notice: account will be erased
	TemplateHandoff       = "handoff"        // notice: a session was handed to another device
)

// KindMail is the audit.Message kind of a Mail; KindNone is written for equal work and dropped.
const (
	KindMail = "mail"
	KindNone = "none"
)

const sealContext = "outbox mail"

// Message seals m into an outbox row. kind is KindMail or KindNone.
func Message(ring *secret.Ring, call *audit.Call, kind string, m Mail) (audit.Message, error) {
	plain, err := json.Marshal(m)
	if err != nil {
		return audit.Message{}, err
	}
	sealed, err := ring.Seal(sealContext, nil, plain)
	if err != nil {
		return audit.Message{}, err
	}
	return audit.Message{ID: secret.NewID(call.Wall), TenantID: call.TenantID, Kind: kind, Sealed: sealed, NotBefore: call.Wall}, nil
}

func open(ring *secret.Ring, sealed []byte) (Mail, error) {
	var m Mail
	plain, err := ring.Open(sealContext, nil, sealed)
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(plain, &m)
}

// Store is the outbox and the development mailbox. Instants here are the machine's.
type Store interface {
	// Lease hands out up to n due messages to this caller alone until the lease ends.
	Lease(ctx context.Context, n int, wall time.Time, lease time.Duration) ([]Leased, error)
	// Hold lengthens a lease; a message that is gone is no error.
	Hold(ctx context.Context, id string, until time.Time) error
	// Done deletes a delivered (or dropped) message.
	Done(ctx context.Context, id string) error
	// Retry puts a message back until next, remembering how often it failed. It keeps no error text with personal data.
	Retry(ctx context.Context, id string, next time.Time) error
	// PutMail stores a rendered mail in a tenant's development mailbox and drops all but the newest 500.
	PutMail(ctx context.Context, m BoxMail) error
	// Mailbox lists mails, newest first; to "" means everybody.
	Mailbox(ctx context.Context, tenantID, to string, limit int) ([]BoxMail, error)
	// ClearMailbox empties a tenant's mailbox.
	ClearMailbox(ctx context.Context, tenantID string) error
	// Backlog counts waiting messages, for metrics.
	Backlog(ctx context.Context) (int, error)
}

// Leased is an outbox row in hand.
type Leased struct {
	Message  audit.Message
	Attempts int
}

// BoxMail is one mail of the development mailbox, as GET /dev/mailbox shows it.
type BoxMail struct {
	ID       string    `json:"id"`
	TenantID string    `json:"-"`
	To       string    `json:"to"`
	Subject  string    `json:"subject"`
	Text     string    `json:"text"`
	HTML     string    `json:"html"`
	Links    []string  `json:"links"`
	Codes    []string  `json:"codes"`
	At       time.Time `json:"at"`
}
