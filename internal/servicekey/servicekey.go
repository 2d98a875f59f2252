// Package servicekey owns the keys by which a company's own services call the internal endpoints: making them, checking them, their
// scopes and when they were last used. It does not own the endpoints, and a key is no user: it never stands in a token.
package servicekey

import (
	"context"
	"encoding/hex"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// The scopes. A key may do what its scopes name and nothing else.
const (
	ScopeVerify = "tokens:verify"        // ask whether a token is good
	ScopeUsers  = "users:read"           // read a user
	ScopeRevoke = "sessions:revoke"      // end sessions
	ScopeFeed   = "revocations:read"     // follow the revocation feed
	ScopeMint   = "service-tokens:write" // make and revoke tokens of services: as mighty as any service that heeds them
	ScopeMinted = "service-tokens:read"  // list tokens of services

	// Of the SuperTokens-shaped API, whose libraries hold one key for everything.
	ScopeSuper     = "supertokens"      // every call on the tenant
	ScopeSuperApps = "supertokens:apps" // make further apps (tenants), and every call on those made so
)

// Scopes lists every scope.
func Scopes() []string { return append(InternalScopes(), SuperScopes()...) }

// InternalScopes lists the scopes of the /internal endpoints.
func InternalScopes() []string {
	return []string{ScopeVerify, ScopeUsers, ScopeRevoke, ScopeFeed, ScopeMint, ScopeMinted}
}

// SuperScopes lists the scopes of the SuperTokens-shaped API.
func SuperScopes() []string { return []string{ScopeSuper, ScopeSuperApps} }

const (
	prefix      = "gk_" // so that secret scanners know one
	superPrefix = "gk-"

	maxName  = 64  // characters
	maxKey   = 128 // bytes of a presented key; more is no key
	usedStep = time.Minute
)

// The events of this room.
const (
	EventCreated = "internal_key.created"
	EventRevoked = "internal_key.revoked"
)

// Key is an internal API key of one tenant. The key itself is shown once, when it is made; only its hash is kept.
type Key struct {
	TenantID  string
	ID        string // UUIDv7
	Name      string // for people; several keys may share one while they take turns
	Hash      []byte
	Scopes    []string
	CreatedAt time.Time
	LastUsed  time.Time // coarse: at most once a minute; zero when never
	RevokedAt time.Time // zero while it works
}

// Live reports whether the key works.
func (k *Key) Live() bool { return k.RevokedAt.IsZero() }

// Store keeps keys. Every verb is one transaction.
type Store interface {
	// Add inserts a key; Conflict when its hash is there already.
	Add(ctx context.Context, k Key, rec audit.Record) error
	// List gives a tenant's keys, revoked ones included, oldest first.
	List(ctx context.Context, tenantID string) ([]Key, error)
	// ByHash reads the key with that hash, revoked or not, from the primary; NotFound when there is none.
	ByHash(ctx context.Context, tenantID string, hash []byte) (Key, error)
	// Revoke marks a key; NotFound when there is none. A second time changes nothing and is no error.
	Revoke(ctx context.Context, tenantID, id string, at time.Time, rec audit.Record) error
	// Used notes a use at the instant unless one not before since is noted already.
	Used(ctx context.Context, tenantID, id string, at, since time.Time) error
}

// Draw gives the text of a new key.
func Draw() string { return prefix + secret.Random(32) }

// DrawSuper gives the text of a new key that SuperTokens' own tools take too: at least 20 characters of [A-Za-z0-9=-].
func DrawSuper() string { return superPrefix + hex.EncodeToString(secret.Bytes(32)) }

// New makes a key of a tenant at the instant at (the tenant's clock). text is the key itself. Errors name the field: name or scope.
func New(tenantID, name string, scopes []string, at time.Time) (k Key, text secret.Text, err error) {
	text = secret.NewText(Draw())
	if slices.Contains(scopes, ScopeSuper) || slices.Contains(scopes, ScopeSuperApps) {
		text = secret.NewText(DrawSuper())
	}
	k, err = Of(tenantID, name, scopes, at, text)
	return k, text, err
}

// Of makes the row of a key that is known already (the development server keeps one in a file).
func Of(tenantID, name string, scopes []string, at time.Time, text secret.Text) (Key, error) {
	name = strings.TrimSpace(name)
	if name == "" || utf8.RuneCountInString(name) > maxName || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return Key{}, invalid("name", "must be one line of 1 to 64 characters")
	}
	if len(scopes) == 0 {
		return Key{}, invalid("scope", "is missing; there are "+strings.Join(Scopes(), ", "))
	}
	for _, s := range scopes {
		if !slices.Contains(Scopes(), s) {
			return Key{}, invalid("scope", "is not one of "+strings.Join(Scopes(), ", "))
		}
	}
	scopes = slices.Compact(slices.Sorted(slices.Values(scopes)))
	return Key{TenantID: tenantID, ID: secret.NewID(at), Name: name, Hash: secret.Hash(text.Reveal()), Scopes: scopes, CreatedAt: at}, nil
}

// Trail is what a change of the key with that id leaves behind.
func Trail(call *audit.Call, kind, id string) audit.Record {
	e := call.Event(secret.NewID(call.At), kind)
	e.Detail = map[string]string{"key": id}
	return audit.Record{Events: []audit.Event{e}}
}

func invalid(field, message string) error {
	return fault.New(fault.Invalid, fault.ReasonInvalid, "the field "+field+" "+message).WithFields(fault.Field{Name: field, Message: message})
}

// Service checks presented keys.
type Service struct {
	store Store
	log   *slog.Logger
}

// NewService makes one.
func NewService(store Store, log *slog.Logger) *Service {
	if log == nil {
		log = slog.Default()
	}
	return &Service{store: store, log: log}
}

// Check gives the key that was presented, if it may do what scope names. It reads the store each time, so a key that a command made or
// revoked a moment ago is known at once. A missing, wrong, revoked or foreign key is refused alike after equal work (one hash, one
// look-up by it; what that takes depends on no secret): ReasonInternalKey (401); one without the scope: ReasonScope (403).
func (s *Service) Check(ctx context.Context, call *audit.Call, tenantID string, presented secret.Text, scope string) (Key, error) {
	text := presented.Reveal()
	if len(text) > maxKey {
		text = ""
	}
	k, err := s.store.ByHash(ctx, tenantID, secret.Hash(text))
	if err != nil && fault.From(err).Kind != fault.NotFound {
		return Key{}, fault.From(err)
	}
	if err != nil || text == "" || !k.Live() {
		return Key{}, fault.New(fault.Unauthenticated, fault.ReasonInternalKey, "this needs a valid X-Internal-Api-Key")
	}
	if !slices.Contains(k.Scopes, scope) {
		return Key{}, fault.New(fault.Forbidden, fault.ReasonScope, "this key lacks the scope "+scope)
	}
	if call.At.Sub(k.LastUsed) >= usedStep {
		if err := s.store.Used(ctx, tenantID, k.ID, call.At, call.At.Add(-usedStep)); err != nil {
			s.log.WarnContext(ctx, "the use of an internal key could not be noted", "error", err.Error(), "trace", call.Trace)
		}
	}
	return k, nil
}
