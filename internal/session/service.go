package session

import (
	"context"
	"log/slog"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// sameLeft is how much life an access token must have left for a refresh to hand the same pair back.
const sameLeft = 60 * time.Second

// maxTries bounds load-decide-swap. Every loser of a swap loses to somebody who went on, so more than a few tries means a broken store.
const maxTries = 16

// AccessTokens signs and checks access tokens; token.Service does.
type AccessTokens interface {
	SignAccess(ctx context.Context, t *tenant.Tenant, alg string, c token.AccessClaims) (string, error)
	VerifyAccess(t *tenant.Tenant, raw string, at time.Time) (token.AccessClaims, error)
	VerifyAccessAnyAge(t *tenant.Tenant, raw string) (token.AccessClaims, error)
}

// Config of the room.
type Config struct {
	// Restored says that the store was restored from a snapshot, so families may be behind tokens already handed out; such tokens are
	// then adopted and not refused.
	Restored bool
	// Foreign says that a client is somebody else's application, which people let in by consent: its tokens are for the APIs they name and
	// never for a person's own account here (Authenticate refuses them). nil says it of none.
	Foreign func(tenantID, clientID string) bool
	Log     *slog.Logger
}

// Service opens, rotates, checks and revokes sessions. Safe for concurrent use.
type Service struct {
	store  Store
	tokens AccessTokens
	ring   *secret.Ring
	cfg    Config
}

// New makes the service.
func New(store Store, tokens AccessTokens, ring *secret.Ring, cfg Config) *Service {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	return &Service{store: store, tokens: tokens, ring: ring, cfg: cfg}
}

// policyFor is what the rule needs of the client's settings.
func (s *Service) policyFor(e *tenant.Effective, c *tenant.Client) policy {
	p := policy{Grace: e.Grace, MinRotation: e.MinRotation, Idle: e.RefreshIdle, Restored: s.cfg.Restored}
	p.Reusable = c != nil && c.Settings.Reusable
	return p
}

// refused is a refusal of a token: 401 in our own dialect.
func refused(reason fault.Reason) error {
	return fault.New(fault.Unauthenticated, reason, safeText(reason))
}

func safeText(reason fault.Reason) string {
	switch reason {
	case fault.ReasonSessionExpired:
		return "your session has expired; please log in again"
	case fault.ReasonSessionRevoked:
		return "your session has ended; please log in again"
	case fault.ReasonRefreshReused:
		return "this session was used from two places and has been ended; please log in again"
	case fault.ReasonUserDisabled:
		return "this account is not active"
	case fault.ReasonClientGone:
		return "this application is no longer available to you"
	case fault.ReasonSuperseded:
		return "a newer refresh token is in use"
	case fault.ReasonMissingToken:
		return "a token is required"
	default:
		return "the token was not accepted"
	}
}

func notFound(err error) bool {
	return err != nil && fault.From(err).Kind == fault.NotFound
}
