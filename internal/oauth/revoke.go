package oauth

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// EndedByRevocation is the reason of sessions that their client revoked.
const EndedByRevocation = "revoked_by_client"

// Revoke ends what a token of this client stands for (RFC 7009). A refresh token, or the access token of a person's session, ends the session;
// a client's own token, or one it got by exchange, ends alone. A token that is dead, unknown or another client's changes nothing, and the
// answer is the same (section 2.2).
func (s *Service) Revoke(ctx context.Context, call *audit.Call, t *tenant.Tenant, c *tenant.Client, authenticated bool, raw secret.Text) error {
	if raw.IsZero() {
		return badRequest("token is missing")
	}
	p, err := s.read(ctx, call, t, raw)
	switch {
	case err == nil:
		if p.claims.ClientID != c.ID {
			return nil
		}
		return s.revokeAccess(ctx, call, t, c, &p)
	case !tokensFault(err):
		return err
	}
	l, _, err := s.cfg.Back.Sessions.Known(ctx, call, t, raw)
	if err != nil {
		if fault.From(err).Kind == fault.NotFound {
			return nil
		}
		return err
	}
	if l.Family.ClientID != c.ID || l.Family.ClientAuth && !authenticated {
		return nil
	}
	return s.endSession(ctx, call, t, l.Family.ID)
}

func (s *Service) endSession(ctx context.Context, call *audit.Call, t *tenant.Tenant, sid string) error {
	_, err := s.cfg.Back.Sessions.Revoke(ctx, call, session.Match{TenantID: t.ID, ID: sid}, EndedByRevocation)
	return err
}

func (s *Service) revokeAccess(ctx context.Context, call *audit.Call, t *tenant.Tenant, c *tenant.Client, p *presented) error {
	cl := &p.claims
	e := event(call, EventRevoked, c.ID)
	e.Session, e.Subject, e.Detail = cl.SessionID, cl.Subject, map[string]string{"jti": cl.ID}
	rec := one(e)
	if p.hash != nil {
		if err := s.cfg.Back.Opaques.RevokeOpaque(ctx, t.ID, p.hash, call.At, rec); err != nil {
			return err
		}
	}
	switch {
	case cl.SessionID != "" && cl.Act == nil:
		return s.endSession(ctx, call, t, cl.SessionID)
	case p.hash != nil:
		return nil
	}
	rec.Revocations = []audit.Revocation{{
		TenantID: t.ID, Kind: "token", Target: cl.ID, At: call.At, Reason: EndedByRevocation, Until: time.Unix(cl.ExpiresAt, 0).UTC(),
	}}
	return s.cfg.Recorder.Record(ctx, rec)
}
