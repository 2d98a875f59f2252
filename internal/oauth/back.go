package oauth

import (
	"context"
	"encoding/json"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/ephemeral"
	"github.com/gatehouse-auth/gatehouse/internal/fetch"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// Back is what the token endpoint and its neighbours work with.
type Back struct {
	Devices       Devices
	Opaques       Opaques
	Registrations Registrations
	Users         Users
	Sessions      Sessions
	Signer        Signer
	Values        ephemeral.Values // ids of client assertions
	Limits        ephemeral.Limiter
	Keys          Fetcher   // of jwks_uri
	Passwords     Passwords // nil: nobody may use the password grant
	Ring          *secret.Ring
	ProofAlgs     []string // signatures of DPoP proofs that are understood; none: proofs are not
	// Changed is called after a registration changed the clients, so that this node knows of it before it answers. May be nil.
	Changed func(ctx context.Context) error
}

// Users reads people. user.Store is one.
type Users interface {
	Get(ctx context.Context, tenantID, userID, clientID string) (user.User, error)
}

// Sessions is the one engine of sessions and refresh tokens. *session.Service is one.
type Sessions interface {
	Open(ctx context.Context, call *audit.Call, req session.OpenRequest) (session.Tokens, error)
	OpenWith(ctx context.Context, call *audit.Call, req session.OpenRequest, commit session.Commit) (session.Tokens, error)
	Refresh(ctx context.Context, call *audit.Call, req session.RefreshRequest) (session.Tokens, error)
	Check(ctx context.Context, call *audit.Call, t *tenant.Tenant, claims *token.AccessClaims) (session.Loaded, error)
	Known(ctx context.Context, call *audit.Call, t *tenant.Tenant, refresh secret.Text) (session.Loaded, bool, error)
	Revoke(ctx context.Context, call *audit.Call, m session.Match, reason string) ([]session.Ended, error)
}

// Signer signs what is no user's access token, and checks what is one. *token.Service is one.
type Signer interface {
	TokenReader
	Sign(ctx context.Context, t *tenant.Tenant, shape token.Shape, at time.Time, claims []byte) (string, error)
	VerifyAccess(t *tenant.Tenant, raw string, at time.Time) (token.AccessClaims, error)
}

// Fetcher gets the keys that clients publish. *fetch.Fetcher is one.
type Fetcher interface {
	Do(ctx context.Context, q fetch.Request) (fetch.Response, error)
}

// Passwords proves a person by name and password, for clients that are marked to use the password grant.
type Passwords interface {
	ProvePassword(ctx context.Context, call *audit.Call, t *tenant.Tenant, c *tenant.Client, name string, password secret.Text) (Person, error)
}

// Person is somebody who has just been proved.
type Person struct {
	User     *user.User // with the registration for the client, when there is one
	AuthTime time.Time
	AMR      []string
	ACR      string
	Device   string
}

// TokenRequest is a request to the token endpoint by a client that was authenticated as it must be.
type TokenRequest struct {
	Client        *tenant.Client
	Authenticated bool
	Proof         string // thumbprint of a valid DPoP proof, "" for none

	GrantType   string
	Code        secret.Text
	RedirectURI string
	Verifier    secret.Text // PKCE
	Refresh     secret.Text
	DeviceCode  secret.Text
	Scope       []string
	Resource    []string // RFC 8707
	Audience    []string // RFC 8693; at client credentials the same as Resource, for names that are no URI

	SubjectToken       secret.Text
	SubjectTokenType   string
	ActorToken         secret.Text
	ActorTokenType     string
	RequestedTokenType string

	Username string
	Password secret.Text
}

// TokenAnswer is a successful response (RFC 6749 section 5.1). Empty fields are left out.
type TokenAnswer struct {
	AccessToken     secret.Text
	TokenType       string // "Bearer" or "DPoP"
	ExpiresIn       time.Duration
	RefreshToken    secret.Text
	IDToken         secret.Text
	Scope           []string
	IssuedTokenType string // RFC 8693 section 2.2.1
}

// Introspection is the answer of RFC 7662 section 2.2. Everything but Active is absent unless it is true.
type Introspection struct {
	Active    bool            `json:"active"`
	Scope     string          `json:"scope,omitempty"`
	ClientID  string          `json:"client_id,omitempty"`
	Username  string          `json:"username,omitempty"`
	TokenType string          `json:"token_type,omitempty"`
	ExpiresAt int64           `json:"exp,omitempty"`
	IssuedAt  int64           `json:"iat,omitempty"`
	NotBefore int64           `json:"nbf,omitempty"`
	Subject   string          `json:"sub,omitempty"`
	Audience  []string        `json:"aud,omitempty"`
	Issuer    string          `json:"iss,omitempty"`
	ID        string          `json:"jti,omitempty"`
	TenantID  string          `json:"tid,omitempty"`
	SessionID string          `json:"sid,omitempty"`
	Epoch     *int64          `json:"ep,omitempty"`
	Roles     []string        `json:"roles,omitempty"`
	AuthTime  int64           `json:"auth_time,omitempty"`
	AMR       []string        `json:"amr,omitempty"`
	ACR       string          `json:"acr,omitempty"`
	Act       json.RawMessage `json:"act,omitempty"`
	Cnf       json.RawMessage `json:"cnf,omitempty"`
}

// DeviceAnswer is the response of RFC 8628 section 3.2.
type DeviceAnswer struct {
	DeviceCode secret.Text
	UserCode   string // as people read it: XXXX-XXXX
	Page       string // where they type it
	Complete   string // the same with the code in it
	Life       time.Duration
	Interval   time.Duration
}

// InitialToken lets whoever holds it register clients (RFC 7591 section 3). Only its hash is kept.
type InitialToken struct {
	TenantID  string
	ID        string
	Name      string // for people
	Hash      []byte
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
	Left      int64     // how many clients it may still register, -1 for any number
	LastUsed  time.Time
	RevokedAt time.Time
}

// Live reports whether the token may be used at the instant.
func (i *InitialToken) Live(at time.Time) bool {
	return i.RevokedAt.IsZero() && i.Left != 0 && (i.ExpiresAt.IsZero() || at.Before(i.ExpiresAt))
}

// Registered is what is kept of a client beside itself: who may change it (RFC 7592), and by which token it came.
type Registered struct {
	TenantID  string
	ClientID  string
	Hash      []byte // of the registration access token
	InitialID string
	CreatedAt time.Time
}

// Registrations keeps initial access tokens and registered clients. Every verb is one transaction.
type Registrations interface {
	// AddInitial inserts a token; Conflict when its id or hash is taken.
	AddInitial(ctx context.Context, i InitialToken, rec audit.Record) error
	// Initials lists a tenant's, oldest first.
	Initials(ctx context.Context, tenantID string) ([]InitialToken, error)
	// RevokeInitial marks one; NotFound when there is none.
	RevokeInitial(ctx context.Context, tenantID, id string, at time.Time, rec audit.Record) error
	// Register spends one use of the live token of that hash and stores client and registration; ReasonInvalidToken (Unauthenticated)
	// when there is no such token at the instant, and nothing is written.
	Register(ctx context.Context, initial []byte, c tenant.Client, r Registered, rec audit.Record) error
	// Registered reads what is kept of a client; NotFound for one that was not registered, or is removed.
	Registered(ctx context.Context, tenantID, clientID string) (Registered, error)
	// Change replaces the client; NotFound when it is removed.
	Change(ctx context.Context, c tenant.Client, rec audit.Record) error
	// Remove marks the client removed, ends its sessions and forgets the registration; NotFound when there is none.
	Remove(ctx context.Context, tenantID, clientID string, at time.Time, rec audit.Record) error
}
