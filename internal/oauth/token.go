package oauth

import (
	"context"
	"net/url"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// ParseTokenRequest reads the form of the token endpoint. A parameter that is given twice, too long or of the wrong type is refused
// (RFC 6749 section 3.2).
func ParseTokenRequest(form url.Values) (TokenRequest, error) {
	r := reader{form: form}
	text := func(name string, most int) secret.Text { return secret.NewText(r.one(name, most)) }
	q := TokenRequest{
		GrantType: r.one("grant_type", maxParam), Code: text("code", maxParam), RedirectURI: r.one("redirect_uri", maxParam),
		Verifier: text("code_verifier", maxParam), Refresh: text("refresh_token", maxParam), DeviceCode: text("device_code", maxParam),
		Scope: r.words("scope"), Resource: r.many("resource"), Audience: r.many("audience"),
		SubjectToken: text("subject_token", maxIDToken), SubjectTokenType: r.one("subject_token_type", maxParam),
		ActorToken: text("actor_token", maxIDToken), ActorTokenType: r.one("actor_token_type", maxParam),
		RequestedTokenType: r.one("requested_token_type", maxParam),
		Username:           r.one("username", maxParam), Password: text("password", maxParam),
	}
	if len(r.unread) > 0 {
		return TokenRequest{}, badRequest(r.unread[0] + " is given twice, too long or of the wrong type")
	}
	return q, nil
}

// grant is one way to obtain a token.
type grant struct {
	Name  string
	Where string // RFC and section
	give  func(s *Service, ctx context.Context, call *audit.Call, t *tenant.Tenant, q *TokenRequest) (TokenAnswer, error)
}

func grants() []grant {
	return []grant{
		{tenant.GrantCode, "RFC 6749 section 4.1.3", (*Service).byCode},
		{tenant.GrantRefresh, "RFC 6749 section 6", (*Service).byRefresh},
		{tenant.GrantClientCredentials, "RFC 6749 section 4.4", (*Service).byClient},
		{tenant.GrantDevice, "RFC 8628 section 3.4", (*Service).byDevice},
		{tenant.GrantExchange, "RFC 8693 section 2.1", (*Service).byExchange},
		{tenant.GrantPassword, "RFC 6749 section 4.3", (*Service).byPassword},
	}
}

// tokenGrants is filled once; grants refer to methods that refer to it.
var tokenGrants = grants()

// Grants are the grant types that this server can give.
func (s *Service) Grants() []string {
	var out []string
	for _, g := range tokenGrants {
		if g.Name != tenant.GrantPassword || s.cfg.Back.Passwords != nil {
			out = append(out, g.Name)
		}
	}
	return out
}

// Token is the token endpoint (RFC 6749 section 3.2).
func (s *Service) Token(ctx context.Context, call *audit.Call, t *tenant.Tenant, q TokenRequest) (TokenAnswer, error) {
	if q.GrantType == "" {
		return TokenAnswer{}, badRequest("grant_type is missing")
	}
	i := slices.IndexFunc(tokenGrants, func(g grant) bool { return g.Name == q.GrantType })
	if i < 0 || !slices.Contains(s.Grants(), q.GrantType) {
		return TokenAnswer{}, invalid(fault.ReasonOAuthGrantType, "this grant type is not supported")
	}
	if q.Client == nil || !q.Authenticated && !q.Client.Public() {
		return TokenAnswer{}, badClient()
	}
	if !q.Client.MayGrant(q.GrantType) {
		return TokenAnswer{}, invalid(fault.ReasonOAuthUnauthorized, "this application may not use this grant type")
	}
	if q.Client.Settings.OAuth.DPoPRequired && q.Proof == "" {
		return TokenAnswer{}, invalid(fault.ReasonOAuthProof, "this application must bind its tokens to a key")
	}
	out, err := tokenGrants[i].give(s, ctx, call, t, &q)
	if err != nil {
		return TokenAnswer{}, s.notGranted(ctx, call, &q, err)
	}
	return out, nil
}

// quiet are refusals that say nothing about how a session was lost: they are not worth a line of the trail each.
var quiet = []fault.Reason{fault.ReasonOAuthPending, fault.ReasonOAuthSlowDown, fault.ReasonOAuthRequest, fault.ReasonOAuthScope, fault.ReasonOAuthTarget}

// notGranted writes a refusal to the trail, unless the session room has done so or it is a matter of form.
func (s *Service) notGranted(ctx context.Context, call *audit.Call, q *TokenRequest, err error) error {
	f := fault.From(err)
	if s.cfg.Recorder == nil || q.GrantType == tenant.GrantRefresh || f.Kind == fault.Internal || f.Kind == fault.Unavailable || slices.Contains(quiet, f.Reason) {
		return err
	}
	e := event(call, EventNotGranted, q.Client.ID)
	e.Reason, e.Person, e.Detail = string(f.Reason), call.Personal(""), map[string]string{"grant_type": q.GrantType}
	if lost := s.cfg.Recorder.Record(ctx, one(e)); lost != nil {
		s.cfg.Log.WarnContext(ctx, "a refusal was not recorded", "trace_id", call.Trace, "error", lost.Error())
	}
	return err
}

func badGrant(safe string) *fault.Error { return invalid(fault.ReasonOAuthGrant, safe) }

// asGrant turns what other rooms refuse into a kind that is told as invalid_grant, keeping the reason, and leaves alone what is not the
// grant's fault.
func asGrant(err error) error {
	switch f := fault.From(err); {
	case err == nil, f.Kind == fault.Internal, f.Kind == fault.Unavailable, f.Kind == fault.Limited:
		return err
	case f.Reason == fault.ReasonOAuthScope, f.Reason == fault.ReasonOAuthTarget, f.Reason == fault.ReasonOAuthProof, f.Reason == fault.ReasonOAuthGrant:
		return err
	default:
		return fault.Wrap(fault.Unauthenticated, f.Reason, f.Safe, err)
	}
}

// The events of the back half.
const (
	EventNotGranted = "oauth.not_granted"
	EventReplayed   = "oauth.code_replayed"
	EventExchanged  = "oauth.token_exchanged"
	EventRevoked    = "oauth.token_revoked"
	EventDevice     = "oauth.device_asked"
	EventDeviceSaid = "oauth.device_answered"
	EventInitial    = "oauth.initial_token"
	EventRegistered = "oauth.client_registered"
)
