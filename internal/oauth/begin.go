package oauth

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/weak"
)

// RequestURIPrefix is how a pushed request is named (RFC 9126 section 2.2).
const RequestURIPrefix = "urn:ietf:params:oauth:request_uri:"

// RedirectError is a refusal that the client is told by redirect: its redirect URI is known to be its own.
type RedirectError struct {
	Reply Reply
	Cause *fault.Error
}

// Error is for logs.
func (e *RedirectError) Error() string { return e.Cause.Error() }

// Unwrap gives the refusal.
func (e *RedirectError) Unwrap() error { return e.Cause }

// examine runs the checks. The error is a *fault.Error to be shown, or a *RedirectError.
func (s *Service) examine(a *asking) error {
	for _, c := range checks {
		e := c.fails(s, a)
		switch {
		case e == nil:
		case c.Page:
			return e
		default:
			return &RedirectError{Reply: refusal(a.tenant, a.p, a.target, e), Cause: e}
		}
	}
	return nil
}

// refusal is the error response (RFC 6749 section 4.1.2.1). Reasons of this room are the RFCs' own codes; a person who is not registered has
// none of its own.
func refusal(t *tenant.Tenant, p *Params, target string, e *fault.Error) Reply {
	code := e.Reason
	if code == fault.ReasonNotRegistered {
		code = fault.ReasonOAuthDenied
	}
	return respond(t, p, target, url.Values{"error": {string(code)}, "error_description": {e.Safe}})
}

// respond adds what every response carries: state, and the issuer, which is what stops mix-up (RFC 9207 section 2). The issuer is the
// configured one, whatever host the browser asked for.
func respond(t *tenant.Tenant, p *Params, target string, params url.Values) Reply {
	if p.State != "" {
		params.Set("state", p.State)
	}
	if !weak.Off("response-iss") {
		params.Set("iss", t.Issuer)
	}
	mode := p.ResponseMode
	if mode == "" {
		mode = ModeQuery
	}
	return Reply{RedirectURI: target, Mode: mode, Params: params}
}

// Push stores an authorization request of an authenticated client (RFC 9126) and gives the name under which the browser may take it up,
// once. It is kept in the store, so it works exactly once on every node and with Redis down.
func (s *Service) Push(ctx context.Context, call *audit.Call, t *tenant.Tenant, c *tenant.Client, p Params) (string, time.Duration, error) {
	if p.ClientID == "" {
		p.ClientID = c.ID
	}
	if p.ClientID != c.ID {
		return "", 0, badRequest("client_id is not the client that is authenticated")
	}
	if err := s.limitPush(ctx, call, t, c); err != nil {
		return "", 0, err
	}
	a := asking{tenant: t, at: call.At, p: &p, pushing: true}
	if err := s.examine(&a); err != nil {
		e := fault.From(err)
		if e.Reason == fault.ReasonOAuthRedirectURI {
			e = badRequest(e.Safe)
		}
		return "", 0, e
	}
	p.Pushed = true
	r := Request{TenantID: t.ID, ID: secret.Random(32), Params: p, CreatedAt: call.At, ExpiresAt: call.At.Add(PushedLife), Version: 1}
	if err := s.cfg.Requests.Begin(ctx, r); err != nil {
		return "", 0, err
	}
	return RequestURIPrefix + r.ID, PushedLife, nil
}

// Begin takes up an authorization request in the browser of the call, which must have its cookie. A *RedirectError may be told to the
// client; any other error is shown on a page and never redirects.
func (s *Service) Begin(ctx context.Context, call *audit.Call, t *tenant.Tenant, p Params) (Request, error) {
	if call.Browser == "" {
		return Request{}, badRequest("this browser keeps no cookies, and signing on needs one")
	}
	if err := s.limitBegin(ctx, call, t); err != nil {
		return Request{}, err
	}
	if p.RequestURI != "" || slices.Contains(p.Unread, "request_uri") {
		return s.takeUp(ctx, call, t, &p)
	}
	p.Pushed = false
	a := asking{tenant: t, at: call.At, p: &p}
	if err := s.examine(&a); err != nil {
		return Request{}, s.noted(ctx, call, &p, err)
	}
	r := Request{
		TenantID: t.ID, ID: secret.Random(24), Browser: call.Browser, Params: p, CreatedAt: call.At, ExpiresAt: call.At.Add(RequestLife), Version: 1,
	}
	return r, s.cfg.Requests.Begin(ctx, r)
}

func badRequestURI() *fault.Error {
	return invalid(fault.ReasonOAuthRequestURI, "this request is used, expired or unknown; go back to the application and start again")
}

// takeUp binds a pushed request to the browser. Of any number that try, the one whose swap is taken goes on.
func (s *Service) takeUp(ctx context.Context, call *audit.Call, t *tenant.Tenant, p *Params) (Request, error) {
	id, ok := strings.CutPrefix(p.RequestURI, RequestURIPrefix)
	if !ok || id == "" || p.ClientID == "" {
		return Request{}, badRequestURI()
	}
	from, err := s.cfg.Requests.Request(ctx, t.ID, id, call.At)
	if fault.ReasonOf(err) == fault.ReasonNotFound || fault.From(err) != nil && fault.From(err).Kind == fault.Invalid {
		return Request{}, badRequestURI()
	}
	if err != nil {
		return Request{}, err
	}
	if from.Browser != "" || !from.Params.Pushed || from.Params.ClientID != p.ClientID || !from.DoneAt.IsZero() {
		return Request{}, badRequestURI()
	}
	to := from
	a := asking{tenant: t, at: call.At, p: &to.Params} // the client's settings may have changed since
	if err := s.examine(&a); err != nil {
		return Request{}, s.noted(ctx, call, &to.Params, err)
	}
	to.Browser, to.ExpiresAt = call.Browser, call.At.Add(RequestLife)
	won, err := s.cfg.Requests.Step(ctx, from, to, audit.Record{})
	if err != nil {
		return Request{}, err
	}
	if !won {
		return Request{}, badRequestURI()
	}
	to.Version = from.Version + 1
	return to, nil
}
