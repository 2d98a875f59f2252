package oauth

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// TypeAccessToken is the one type of token that is exchanged (RFC 8693 section 3).
const TypeAccessToken = "urn:ietf:params:oauth:token-type:access_token"

// maxActors bounds how often one token may be handed on.
const maxActors = 8

// byExchange is token exchange (RFC 8693) by delegation: a service behind an application gets a token about the same person, for its own calls
// to the next one. The act claim always says who acts. Only our own access tokens are taken, live ones, and only from a client that they
// concern: else any client could turn any stolen token into one for its own audience.
func (s *Service) byExchange(ctx context.Context, call *audit.Call, t *tenant.Tenant, q *TokenRequest) (TokenAnswer, error) {
	if !q.Authenticated {
		return TokenAnswer{}, badClient()
	}
	if err := checkExchange(q); err != nil {
		return TokenAnswer{}, err
	}
	subject, err := s.exchangeable(ctx, call, t, q, q.SubjectToken)
	if err != nil {
		return TokenAnswer{}, err
	}
	act, err := s.actor(ctx, call, t, q, subject.Act)
	if err != nil {
		return TokenAnswer{}, err
	}
	scope := slices.DeleteFunc(subject.scopes(), func(sc string) bool { return sc == ScopeOffline })
	if len(q.Scope) > 0 {
		if !within(q.Scope, scope) {
			return TokenAnswer{}, invalid(fault.ReasonOAuthScope, "the scope is wider than the subject token's")
		}
		scope = q.Scope
	}
	eff := t.For(q.Client)
	audience, err := s.named(q, eff.Audience)
	if err != nil {
		return TokenAnswer{}, err
	}
	cl := fresh(call, t, q, eff.AccessLife)
	cl.Subject, cl.Audience, cl.Scope, cl.Act = subject.Subject, audience, strings.Join(scope, " "), act
	cl.SessionID, cl.Epoch, cl.Roles, cl.AuthTime, cl.AMR, cl.ACR = subject.SessionID, subject.Epoch, subject.Roles, subject.AuthTime, subject.AMR, subject.ACR
	cl.ExpiresAt = min(cl.ExpiresAt, subject.ExpiresAt) // it never outlives what it came from
	access, rows, err := s.issue(ctx, t, q.Client, &cl, call.At)
	if err != nil {
		return TokenAnswer{}, err
	}
	e := event(call, EventExchanged, q.Client.ID)
	e.Subject, e.Session, e.Detail = cl.Subject, cl.SessionID, map[string]string{"from": subject.ID, "jti": cl.ID}
	if err := s.cfg.Recorder.Record(ctx, audit.Record{Events: []audit.Event{e}, Tokens: rows}); err != nil {
		return TokenAnswer{}, err
	}
	return TokenAnswer{
		AccessToken: access, TokenType: tokenType(q.Proof), ExpiresIn: secondsUntil(cl.ExpiresAt, call.At), Scope: scope, IssuedTokenType: TypeAccessToken,
	}, nil
}

// checkExchange is RFC 8693 section 2.1 and 2.2.2.
func checkExchange(q *TokenRequest) error {
	switch {
	case q.SubjectToken.IsZero() || q.SubjectTokenType == "":
		return badRequest("subject_token or subject_token_type is missing")
	case q.SubjectTokenType != TypeAccessToken:
		return badRequest("subject_token_type must be that of an access token")
	case q.ActorToken.IsZero() != (q.ActorTokenType == ""):
		return badRequest("actor_token and actor_token_type belong together")
	case q.ActorTokenType != "" && q.ActorTokenType != TypeAccessToken:
		return badRequest("actor_token_type must be that of an access token")
	case q.RequestedTokenType != "" && q.RequestedTokenType != TypeAccessToken:
		return badRequest("requested_token_type must be that of an access token")
	}
	return nil
}

// exchangeable reads a token that this client may exchange. What is wrong with it is invalid_request (RFC 8693 section 2.2.2).
func (s *Service) exchangeable(ctx context.Context, call *audit.Call, t *tenant.Tenant, q *TokenRequest, raw secret.Text) (*claims, error) {
	p, err := s.access(ctx, call, t, raw)
	if err != nil {
		if tokensFault(err) {
			return nil, badRequest("a token is not valid, or not this application's to exchange")
		}
		return nil, err
	}
	addressed := concerns(q.Client, &p.claims) ||
		slices.ContainsFunc(p.claims.Audience, func(aud string) bool { return slices.Contains(q.Client.Settings.Audience, aud) })
	if !addressed || p.claims.thumbprint() != "" && p.claims.thumbprint() != q.Proof { // a bound token is its key's alone
		return nil, badRequest("a token is not valid, or not this application's to exchange")
	}
	return &p.claims, s.mayHandle(ctx, t, q.Client, &p.claims)
}

// mayHandle keeps people out of an application that requires a registration by this road too: none enters it in the hands of another
// application. A token that policy does not accept is invalid_request (RFC 8693 section 2.2.2).
func (s *Service) mayHandle(ctx context.Context, t *tenant.Tenant, c *tenant.Client, cl *claims) error {
	if cl.SessionID == "" {
		return nil
	}
	stranger, err := s.stranger(ctx, t, c, cl.Subject)
	if err == nil && stranger {
		err = invalid(fault.ReasonNotRegistered, "the person of the token is not registered with this application")
	}
	return err
}

// acting is the act claim (RFC 8693 section 4.1), the newest actor outermost.
type acting struct {
	Subject  string          `json:"sub"`
	ClientID string          `json:"client_id,omitempty"`
	Act      json.RawMessage `json:"act,omitempty"`
}

// actor is who acts: whoever the actor token names, which must be this client's own, or the client itself.
func (s *Service) actor(ctx context.Context, call *audit.Call, t *tenant.Tenant, q *TokenRequest, before json.RawMessage) (json.RawMessage, error) {
	a := acting{Subject: q.Client.ID, Act: before}
	if !q.ActorToken.IsZero() {
		cl, err := s.exchangeable(ctx, call, t, q, q.ActorToken)
		if err != nil {
			return nil, err
		}
		if cl.ClientID != q.Client.ID {
			return nil, badRequest("the actor token is another application's")
		}
		if a.Subject = cl.Subject; cl.SessionID != "" {
			a.ClientID = cl.ClientID
		}
	}
	depth := 1
	for inner := before; inner != nil; depth++ {
		var x acting
		if depth >= maxActors || json.Unmarshal(inner, &x) != nil {
			return nil, badRequest("the token was handed on too often")
		}
		inner = x.Act
	}
	return json.Marshal(a)
}
