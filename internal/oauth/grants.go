package oauth

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// byRefresh is the refresh grant (RFC 6749 section 6): the session room's one engine in this dialect. The scope may be narrowed for this
// access token; the refresh token keeps what it has.
func (s *Service) byRefresh(ctx context.Context, call *audit.Call, t *tenant.Tenant, q *TokenRequest) (TokenAnswer, error) {
	if q.Refresh.IsZero() {
		return TokenAnswer{}, badRequest("refresh_token is missing")
	}
	tokens, err := s.cfg.Back.Sessions.Refresh(ctx, call, session.RefreshRequest{
		Tenant: t, Client: q.Client, Authenticated: q.Authenticated, Refresh: q.Refresh, Proof: q.Proof, Scope: q.Scope, Audience: q.Resource,
		Opaque: opaque(q.Client),
	})
	if err != nil {
		return TokenAnswer{}, asGrant(err)
	}
	return s.tokens(ctx, call, t, answered{client: q.Client, tokens: &tokens, hand: true})
}

// byClient is the client credentials grant (RFC 6749 section 4.4): the client's own token, with nobody behind it.
func (s *Service) byClient(ctx context.Context, call *audit.Call, t *tenant.Tenant, q *TokenRequest) (TokenAnswer, error) {
	if !q.Authenticated {
		return TokenAnswer{}, badClient()
	}
	scope, err := ownScope(q.Client, q.Scope)
	if err != nil {
		return TokenAnswer{}, err
	}
	eff := t.For(q.Client)
	audience, err := s.named(q, eff.Audience)
	if err != nil {
		return TokenAnswer{}, err
	}
	cl := fresh(call, t, q, eff.AccessLife)
	cl.Subject, cl.Audience, cl.Scope = q.Client.ID, audience, strings.Join(scope, " ")
	access, rows, err := s.issue(ctx, t, q.Client, &cl, call.At)
	if err != nil {
		return TokenAnswer{}, err
	}
	for _, row := range rows {
		if err := s.cfg.Back.Opaques.Put(ctx, row); err != nil {
			return TokenAnswer{}, err
		}
	}
	return TokenAnswer{AccessToken: access, TokenType: tokenType(q.Proof), ExpiresIn: eff.AccessLife, Scope: scope}, nil
}

// ownScope is what a client may have for itself: of its own scopes those asked for, or all of them. The scopes of OpenID Connect speak of
// persons, and there is none.
func ownScope(c *tenant.Client, asked []string) ([]string, error) {
	own := c.Settings.OAuth.Scopes
	if len(asked) == 0 {
		return own, nil
	}
	if !within(asked, own) {
		return nil, invalid(fault.ReasonOAuthScope, "this application may not ask for that scope")
	}
	return asked, nil
}

// named is the audience asked for by resource (RFC 8707) or audience (RFC 8693 section 2.1); own when none is.
func (s *Service) named(q *TokenRequest, own []string) ([]string, error) {
	asked := union(q.Resource, q.Audience)
	if len(asked) == 0 {
		return own, nil
	}
	o := &q.Client.Settings
	for _, a := range q.Audience {
		if !slices.Contains(o.OAuth.Resources, a) && !slices.Contains(o.Audience, a) && a != q.Client.ID {
			return nil, invalid(fault.ReasonOAuthTarget, "this application may not ask for tokens for that audience")
		}
	}
	if !resourcesFor(q.Client, q.Resource) {
		return nil, invalid(fault.ReasonOAuthTarget, "this application may not ask for tokens for that resource")
	}
	return asked, nil
}

// fresh are the claims that every token of ours begins with.
func fresh(call *audit.Call, t *tenant.Tenant, q *TokenRequest, life time.Duration) claims {
	issued := call.At.Truncate(time.Second)
	cl := claims{
		Issuer: t.Issuer, TenantID: t.ID, ClientID: q.Client.ID, IssuedAt: issued.Unix(), NotBefore: issued.Unix(), ExpiresAt: issued.Add(life).Unix(),
		ID: secret.NewID(call.At),
	}
	if q.Proof != "" {
		cl.Cnf = &confirmation{q.Proof}
	}
	return cl
}

// byPassword is the password grant (RFC 6749 section 4.3), which RFC 9700 section 2.4 forbids to new applications: only clients whose
// grant_types name it may use it. Limits, work and refusals are the login room's.
func (s *Service) byPassword(ctx context.Context, call *audit.Call, t *tenant.Tenant, q *TokenRequest) (TokenAnswer, error) {
	if q.Username == "" || q.Password.IsZero() {
		return TokenAnswer{}, badRequest("username or password is missing")
	}
	scope, ok := scopesFor(q.Client, q.Scope)
	if !ok {
		return TokenAnswer{}, invalid(fault.ReasonOAuthScope, "this application may not ask for that scope")
	}
	if !resourcesFor(q.Client, q.Resource) {
		return TokenAnswer{}, invalid(fault.ReasonOAuthTarget, "this application may not ask for tokens for that resource")
	}
	p, err := s.cfg.Back.Passwords.ProvePassword(ctx, call, t, q.Client, q.Username, q.Password)
	if err != nil {
		return TokenAnswer{}, asGrant(err)
	}
	req := s.opening(call, t, q, p.User, scope)
	req.AuthTime, req.AMR, req.ACR, req.Device, req.Audience = p.AuthTime, p.AMR, p.ACR, p.Device, q.Resource
	tokens, err := s.cfg.Back.Sessions.Open(ctx, call, req)
	if err != nil {
		return TokenAnswer{}, asGrant(err)
	}
	return s.tokens(ctx, call, t, answered{client: q.Client, tokens: &tokens, hand: offline(q.Client, scope)})
}
