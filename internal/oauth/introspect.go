package oauth

import (
	"context"
	"encoding/json"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/weak"
)

// Introspect says what a token is worth to an authenticated client (RFC 7662). Whatever is dead, unknown or no business of this client is
// the same to it: not active.
func (s *Service) Introspect(ctx context.Context, call *audit.Call, t *tenant.Tenant, c *tenant.Client, raw secret.Text) (Introspection, error) {
	if raw.IsZero() {
		return Introspection{}, badRequest("token is missing")
	}
	p, err := s.access(ctx, call, t, raw)
	if err == nil {
		if !concerns(c, &p.claims) && !weak.Off("introspection-concern") {
			return Introspection{}, nil
		}
		return introspected(&p.claims), nil
	}
	if !tokensFault(err) {
		return Introspection{}, err
	}
	l, live, err := s.cfg.Back.Sessions.Known(ctx, call, t, raw)
	if err != nil {
		if fault.From(err).Kind == fault.NotFound {
			return Introspection{}, nil
		}
		return Introspection{}, err
	}
	if !live || l.Family.ClientID != c.ID { // a refresh token is its own client's business alone
		return Introspection{}, nil
	}
	return refreshIntrospected(t, &l), nil
}

// tokensFault reports whether an error says something about the token, and nothing about us.
func tokensFault(err error) bool {
	k := fault.From(err).Kind
	return k == fault.Unauthenticated || k == fault.Invalid || k == fault.NotFound
}

func introspected(cl *claims) Introspection {
	out := Introspection{
		Active: true, Scope: cl.Scope, ClientID: cl.ClientID, Username: cl.Username, TokenType: tokenType(cl.thumbprint()), ExpiresAt: cl.ExpiresAt,
		IssuedAt: cl.IssuedAt, NotBefore: cl.NotBefore, Subject: cl.Subject, Audience: cl.Audience, Issuer: cl.Issuer, ID: cl.ID, TenantID: cl.TenantID,
		SessionID: cl.SessionID, Epoch: cl.Epoch, Roles: cl.Roles, AuthTime: cl.AuthTime, AMR: cl.AMR, ACR: cl.ACR, Act: cl.Act,
	}
	out.Cnf = cnfOf(cl.thumbprint())
	return out
}

func cnfOf(thumbprint string) json.RawMessage {
	if thumbprint == "" {
		return nil
	}
	raw, _ := json.Marshal(confirmation{thumbprint}) // a string always encodes
	return raw
}

func refreshIntrospected(t *tenant.Tenant, l *session.Loaded) Introspection {
	f := &l.Family
	out := Introspection{
		Active: true, Scope: f.Scope, ClientID: f.ClientID, TokenType: "refresh_token", IssuedAt: f.CreatedAt.Unix(), Subject: f.Subject,
		Issuer: t.Issuer, TenantID: t.ID, SessionID: f.ID, AMR: f.AMR, ACR: f.ACR, Cnf: cnfOf(f.Binding),
	}
	for _, limit := range []time.Time{f.IdleExpiry, f.AbsoluteExpiry} {
		if !limit.IsZero() && (out.ExpiresAt == 0 || limit.Unix() < out.ExpiresAt) {
			out.ExpiresAt = limit.Unix()
		}
	}
	if !f.AuthTime.IsZero() {
		out.AuthTime = f.AuthTime.Unix()
	}
	return out
}
