// Package servicetoken owns the tokens by which one service shows itself to another: making them, signing claims that a caller of another
// dialect made, the list of all that were made, and their revocation. A signed token is shown once and never kept. It does not own the
// keys that sign, the feed that tells verifiers of a revocation, nor what a service may do with its token.
package servicetoken

import (
	"context"
	"encoding/json"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
	"github.com/gatehouse-auth/gatehouse/internal/token/kind"
)

// How long tokens live.
const (
	DefaultLife = 24 * time.Hour
	MaxLife     = 3_153_600_000 * time.Second // a hundred years of 365 days: what SuperTokens' libraries ask for
	MaxSeconds  = int64(MaxLife / time.Second)
	// KeptExpired is how long an expired token stays in the list, for those who ask what it was.
	KeptExpired = 30 * 24 * time.Hour
)

// DefaultSource is the value of the claim source, by which services know each other's tokens.
const DefaultSource = "microservice"

// The events of this room.
const (
	EventCreated = "service_token.created"
	EventVended  = "service_token.vended"
	EventRevoked = "service_token.revoked"
)

const revokedReason = "service_token_revoked"

// Token is what is kept of a token.
type Token struct {
	TenantID  string
	ID        string // UUIDv7 of the row
	JTI       string // of the token; equal to ID unless a caller of Vend chose it, and then perhaps not the only one of its kind
	Name      string // of the service; "" for a vended token
	Issuer    string // iss: the tenant's, or the one that a caller of Vend wrote
	Claims    json.RawMessage
	Audience  []string
	Key       token.Kind
	KID       string
	CreatedAt time.Time
	ExpiresAt time.Time
	RevokedAt time.Time // zero while it is good
	Face      string    // which face made it
	Maker     audit.Actor
}

// State says good, expired or revoked at an instant.
func (t *Token) State(at time.Time) string {
	switch {
	case !t.RevokedAt.IsZero():
		return "revoked"
	case !at.Before(t.ExpiresAt):
		return "expired"
	}
	return "good"
}

// Vended reports whether a caller made the claims.
func (t *Token) Vended() bool { return t.Name == "" }

// Query asks for a page of a tenant's tokens, newest first; After is the id of the last one seen.
type Query struct {
	TenantID string
	After    string
	Limit    int
}

// Store keeps what is known of tokens. Every verb is one transaction.
type Store interface {
	// Add inserts a token. Where it is signed by a rotating key, that key stays published until the token expires. Conflict when the key
	// is withdrawn or gone: such a token would be dead at birth.
	Add(ctx context.Context, t Token, rec audit.Record) error
	// List gives a page, revoked and expired ones included.
	List(ctx context.Context, q Query) ([]Token, error)
	// Find gives the tokens whose row id or jti is name, revoked ones first; none is no error.
	Find(ctx context.Context, tenantID, name string) ([]Token, error)
	// Revoke marks the tokens of these row ids and gives how many it marked. When all were revoked before, nothing is written.
	Revoke(ctx context.Context, tenantID string, ids []string, at time.Time, rec audit.Record) (int, error)
	// Purge deletes up to limit tokens that expired before the instant.
	Purge(ctx context.Context, tenantID string, before time.Time, limit int) (int, error)
}

// Signer signs and reads tokens; token.Service does.
type Signer interface {
	SignBy(ctx context.Context, t *tenant.Tenant, shape token.Shape, at time.Time, claims []byte) (token.Signed, error)
	Read(t *tenant.Tenant, q token.Query, raw string, at time.Time) (*jose.Token, error)
	Kept(tenantID string, at time.Time) int
}

// Tenants lists every tenant; tenant.Directory does.
type Tenants interface {
	All() []*tenant.Tenant
}

// Service makes, lists and revokes tokens. Safe for concurrent use.
type Service struct {
	store   Store
	signer  Signer
	tenants Tenants
}

// New makes the service.
func New(store Store, signer Signer, tenants Tenants) *Service {
	return &Service{store: store, signer: signer, tenants: tenants}
}

// Issued is a token just made. Text is the signed token: shown this once.
type Issued struct {
	Token Token
	Text  secret.Text
}

// usage is what a token of this room looks like to whoever reads it: a JWT that cannot be a user's or a session's. Vended ones need not
// carry source.
var usage = kind.Usage{Name: "service", Types: kind.Service.Types, Bars: []string{"sid", "ep", "tty", "sessionHandle"}, Static: true}
