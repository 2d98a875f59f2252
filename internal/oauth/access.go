package oauth

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
	"github.com/gatehouse-auth/gatehouse/internal/token/kind"
)

// presented is an access token of ours that is good at this moment, whatever its form.
type presented struct {
	claims claims
	hash   []byte // of an opaque one
	loaded session.Loaded
}

func deadToken() *fault.Error {
	return fault.New(fault.Unauthenticated, fault.ReasonInvalidToken, "the token is not valid")
}

// access reads an access token and asks whether it is still good: signature or row, age, the session or client behind it, and for those that
// can end without their session, the feed. An ID token, a logout token, a service's token never pass: they are other kinds.
func (s *Service) access(ctx context.Context, call *audit.Call, t *tenant.Tenant, raw secret.Text) (presented, error) {
	p, err := s.read(ctx, call, t, raw)
	if err != nil {
		return presented{}, err
	}
	if p.claims.SessionID != "" {
		if p.loaded, err = s.cfg.Back.Sessions.Check(ctx, call, t, p.claims.access()); err != nil {
			return presented{}, err
		}
	}
	if s.cfg.Directory.Client(t.ID, p.claims.ClientID) == nil {
		return presented{}, fault.New(fault.Unauthenticated, fault.ReasonClientGone, "the application is no longer known here")
	}
	if p.hash == nil && (p.claims.SessionID == "" || p.claims.Act != nil) {
		revoked, err := s.cfg.Back.Opaques.RevokedToken(ctx, t.ID, p.claims.ID)
		if err != nil {
			return presented{}, err
		}
		if revoked {
			return presented{}, deadToken()
		}
	}
	return p, nil
}

// read is access without asking whether what stands behind the token is still there.
func (s *Service) read(ctx context.Context, call *audit.Call, t *tenant.Tenant, raw secret.Text) (presented, error) {
	text := raw.Reveal()
	if text == "" || len(text) > jose.DefaultMaxSize {
		return presented{}, deadToken()
	}
	if strings.HasPrefix(text, opaquePrefix) {
		return s.readOpaque(ctx, call, t, text)
	}
	usage := kind.User
	usage.Needs = kind.Client.Needs
	tok, err := s.cfg.Back.Signer.Read(t, token.Query{Usage: usage, Issuer: t.Issuer}, text, call.At)
	if err != nil {
		return presented{}, err
	}
	if !kind.User.Fits(tok) && !kind.Client.Fits(tok) {
		return presented{}, deadToken()
	}
	cl, ok := fromJWT(tok)
	if !ok || cl.TenantID != t.ID {
		return presented{}, deadToken()
	}
	return presented{claims: cl}, nil
}

func (s *Service) readOpaque(ctx context.Context, call *audit.Call, t *tenant.Tenant, text string) (presented, error) {
	hash := secret.Hash(text)
	o, err := s.cfg.Back.Opaques.Opaque(ctx, t.ID, hash)
	if fault.ReasonOf(err) == fault.ReasonNotFound {
		return presented{}, deadToken()
	}
	if err != nil {
		return presented{}, err
	}
	if !o.RevokedAt.IsZero() {
		return presented{}, deadToken()
	}
	if !call.At.Before(o.ExpiresAt) {
		return presented{}, fault.New(fault.Unauthenticated, fault.ReasonTokenExpired, "the token has expired")
	}
	p := presented{hash: hash}
	if err := json.Unmarshal(o.Claims, &p.claims); err != nil {
		return presented{}, fault.From(err)
	}
	return p, nil
}

func fromJWT(tok *jose.Token) (claims, bool) {
	k, ok := kind.Read(tok)
	if !ok {
		return claims{}, false
	}
	cl := claims{
		Issuer: tok.Issuer, TenantID: k.TenantID, Subject: tok.Subject, Audience: tok.Audience, ClientID: k.ClientID, ExpiresAt: tok.ExpiresAt.Unix(),
		ID: tok.ID, SessionID: k.SessionID, Roles: k.Roles, Scope: k.Scope, Email: k.Email, Username: k.PreferredUsername,
		ApplicationID: k.ApplicationID, AMR: k.AMR, ACR: k.ACR,
	}
	if !tok.IssuedAt.IsZero() {
		cl.IssuedAt = tok.IssuedAt.Unix()
	}
	if !tok.NotBefore.IsZero() {
		cl.NotBefore = tok.NotBefore.Unix()
	}
	if k.SessionID != "" {
		cl.Epoch = &k.Epoch
	}
	if k.Email != "" {
		cl.EmailVerified = &k.EmailVerified
	}
	if !k.AuthTime.IsZero() {
		cl.AuthTime = k.AuthTime.Unix()
	}
	if k.Thumbprint != "" {
		cl.Cnf = &confirmation{k.Thumbprint}
	}
	cl.Act, _ = tok.Claim("act")
	return cl, true
}

// concerns reports whether a token is any business of a client: it was given to it, is meant for it, or for an API that it speaks for. Everybody
// else learns nothing, not even that the token is one (RFC 7662 section 4).
func concerns(c *tenant.Client, cl *claims) bool {
	return cl.ClientID == c.ID || slices.ContainsFunc(cl.Audience, func(aud string) bool {
		return aud == c.ID || slices.Contains(c.Settings.OAuth.Introspects, aud)
	})
}
