package login

import (
	"encoding/json"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// PasswordRequest is a password login.
type PasswordRequest struct {
	Tenant   *tenant.Tenant
	Client   *tenant.Client // nil only for Prove: the person signs on at the issuer itself
	Email    string         // as typed
	Password secret.Text
	Locale   string // language of the mail when the login signs up; may be empty
	Binding  string // thumbprint of the proved key that the session is bound to, "" for none

	hosted bool // on a page of ours, which has a way to sign up: a login there never makes an attempt
}

// PasswordResult is a successful login. DeviceCookie is the known-device statement for this browser to keep.
type PasswordResult struct {
	Tokens       session.Tokens
	DeviceCookie secret.Text
}

// RegisterRequest is a sign-up.
type RegisterRequest struct {
	Tenant   *tenant.Tenant
	Client   *tenant.Client
	Email    string
	Password secret.Text
	Name     string
	Locale   string
	ReturnTo string // where a proof in the same browser leads on to: the id of an authorization request, opaque here; may be empty
}

// MailRequest asks for a mail to an address: the proof of a sign-up again, or a reset.
type MailRequest struct {
	Tenant   *tenant.Tenant
	Client   *tenant.Client
	Email    string
	Locale   string
	ReturnTo string // as in RegisterRequest
}

// VerifyRequest spends a mailed token that proves a mailbox. Password is the one chosen at sign-up (or, for a change of address, the
// account's); NewPassword replaces what was planted. Neither is needed in the browser that asked.
type VerifyRequest struct {
	Tenant      *tenant.Tenant
	Token       secret.Text
	Password    secret.Text
	NewPassword secret.Text
}

// ResetRequest spends a mailed reset token.
type ResetRequest struct {
	Tenant   *tenant.Tenant
	Token    secret.Text
	Password secret.Text
}

// Proved says whose mailbox was proved, and where the client wants the person sent.
type Proved struct {
	UserID      string
	ClientID    string
	RedirectURL string // as the client is configured, "" for none; never taken from a request
	ReturnTo    string // as in RegisterRequest; "" unless it was this browser that asked for the mail
}

// PendingKind says what a mailed token would do.
type PendingKind string

// The kinds.
const (
	PendingSignup      PendingKind = "signup"
	PendingReset       PendingKind = "reset"
	PendingEmailChange PendingKind = "email_change"
)

// Pending is what the inert page behind a mailed link shows.
type Pending struct {
	Kind        PendingKind
	Email       string
	ClientID    string
	SameBrowser bool   // the button is enough; else a password must be typed
	ReturnTo    string // as in RegisterRequest; "" in another browser
}

// MeChange is what a person changes about themselves; nil fields stay.
type MeChange struct {
	Name   *string
	Locale *string
	Data   *json.RawMessage
	Email  *string
}
