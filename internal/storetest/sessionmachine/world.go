// Package sessionmachine owns the tests that every session.Store must pass with the real refresh engine in front of it: a state machine
// with honest holders, thieves, operators and a moving clock, and many parallel callers with lost replies. It also has Memory, a strict
// store for the engine's own tests. It does not own the suites of single store verbs.
package sessionmachine

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// Users are the acts on users that must stop refreshes; user.Store has them.
type Users interface {
	SetStatus(ctx context.Context, tenantID, userID string, to user.Status, at time.Time, rec audit.Record) error
	RaiseEpoch(ctx context.Context, tenantID, userID, reason string, at time.Time, rec audit.Record) (int64, error)
}

// World is a backend under test.
type World struct {
	Store  session.Store
	Nodes  []session.Store // the same database seen by other processes; Parallel uses them too
	Users  Users
	Tenant *tenant.Tenant // stored
	Client *tenant.Client // stored
	// NewUser stores an active user of Tenant, registered with Client, and gives it as stored.
	NewUser func(ctx context.Context, at time.Time) (*user.User, error)
}

// Start is the instant at which every test's clock begins.
var Start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// NewRing makes a ring of fresh keys with fixed ids, so that another ring has the same ids and other keys.
func NewRing() *secret.Ring {
	return secret.NewRing(
		secret.RingKey{ID: 1, Purpose: secret.PurposeSeal, Key: secret.Bytes(32), Active: true},
		secret.RingKey{ID: 2, Purpose: secret.PurposeMAC, Key: secret.Bytes(32), Active: true},
	)
}

// NewService puts the engine in front of a store, with a cheap signer. The engine's alarms are not shown.
func NewService(store session.Store, ring *secret.Ring) *session.Service {
	return session.New(store, Signer{}, ring, session.Config{Log: slog.New(slog.DiscardHandler)})
}

// Call is a request at an instant.
func Call(w *World, at time.Time) *audit.Call {
	return &audit.Call{
		At: at, Wall: at, TenantID: w.Tenant.ID, ClientID: w.Client.ID, Face: "test", Trace: "trace", Agent: "agent",
		Actor: audit.Actor{Kind: "anonymous"},
	}
}

// Signer signs nothing: its tokens are their claims. It stands in for token.Service where the signature is not what is tested.
type Signer struct{}

// SignAccess writes the claims as text.
func (Signer) SignAccess(_ context.Context, _ *tenant.Tenant, _ string, c token.AccessClaims) (string, error) {
	plain, err := json.Marshal(c)
	return "at." + base64.RawURLEncoding.EncodeToString(plain), err
}

// VerifyAccess reads the claims of a token that is valid at the instant.
func (s Signer) VerifyAccess(t *tenant.Tenant, raw string, at time.Time) (token.AccessClaims, error) {
	c, err := s.VerifyAccessAnyAge(t, raw)
	if err == nil && !at.Before(c.ExpiresAt) {
		err = fault.New(fault.Unauthenticated, fault.ReasonTokenExpired, "expired")
	}
	return c, err
}

// VerifyAccessAnyAge reads the claims of a token of the tenant.
func (Signer) VerifyAccessAnyAge(t *tenant.Tenant, raw string) (token.AccessClaims, error) {
	var c token.AccessClaims
	bad := fault.New(fault.Unauthenticated, fault.ReasonInvalidToken, "invalid")
	if len(raw) < 3 || raw[:3] != "at." {
		return c, bad
	}
	plain, err := base64.RawURLEncoding.DecodeString(raw[3:])
	if err != nil || json.Unmarshal(plain, &c) != nil || c.TenantID != t.ID {
		return c, bad
	}
	return c, nil
}
