package session

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// OpenRequest asks for a new session of a user who has just been proved.
type OpenRequest struct {
	Tenant   *tenant.Tenant
	Client   *tenant.Client
	User     *user.User // with its registration for Client when there is one
	AuthTime time.Time  // call.At when zero
	AMR      []string   // RFC 8176 values, for example "pwd"
	ACR      string
	Scope    string
	Binding  string // proved DPoP thumbprint that the session is bound to: its refresh token and every access token
	Device   string // known-device id to remember, "" for none

	// Of the OAuth server.
	SSOID          string   // the sign-on session it is opened under; it ends with that one
	OrgID          string   // the organisation it is for
	Audience       []string // of its access tokens; the client's when empty
	AccessAudience []string // of the first access token alone (RFC 8707 section 2.2); Audience when empty
	AccessBinding  string   // proved DPoP thumbprint that the first access token alone is bound to; Binding when empty
	ClientAuth     bool     // the client was authenticated, and must be at every refresh, whatever its settings

	// Of a session handed off from another. It ends with its parent: the store refuses to open it beside a parent that has ended.
	ParentID       string
	AbsoluteExpiry time.Time // no later than this, whatever the client's policy; zero leaves it to the policy

	Messages []audit.Message // written in the transaction that opens the session
	Opaque   Opaque          // makes the access token; nil signs one
}

// Opaque makes an access token that is not signed: its text, and the row that stands for it, which is written in the transaction that opens
// or rotates the session. It touches nothing.
type Opaque func(c *token.AccessClaims) (secret.Text, audit.OpaqueToken, error)

// RefreshRequest presents a refresh token.
type RefreshRequest struct {
	Tenant        *tenant.Tenant
	Client        *tenant.Client
	Authenticated bool // this face authenticated the client
	Refresh       secret.Text
	Access        secret.Text // the access token sent beside it, may be empty or rubbish
	Proof         string      // thumbprint of a valid DPoP proof, "" for none; the access token is bound to it even where the session is not

	// What the access token is narrowed to; the family keeps what it has (RFC 6749 section 6, RFC 8707 section 2.2). Beyond it:
	// ReasonOAuthScope, ReasonOAuthTarget (Invalid), and nothing changes.
	Scope    []string
	Audience []string

	Opaque  Opaque          // makes the access token; nil signs one
	Dialect *DialectRefresh // nil for our own access tokens; else Client is found from the family
}

// Tokens answer an open or a refresh.
type Tokens struct {
	Access         secret.Text
	AccessClaims   token.AccessClaims
	Refresh        secret.Text
	RefreshExpires time.Time // the earlier of idle and absolute expiry
	Family         Family
	Holder         Holder
	Same           bool   // the same pair was handed back and nothing was written
	AntiCSRF       string // of a dialect, "" for none
}

// Commit stores a new family together with what it comes from. It has the meaning of Store.Open.
type Commit func(ctx context.Context, f Family, register *user.Registration, rec audit.Record) error

// Live is an authenticated caller: a valid access token whose session is live now.
type Live struct {
	Claims token.AccessClaims
	Loaded Loaded
}
