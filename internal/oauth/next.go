package oauth

import (
	"context"
	"net/url"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/weak"
)

// over is what a page of a request says that cannot go on: answered, expired, unknown, or begun in another browser, all alike.
func over() *fault.Error {
	return fault.New(fault.Gone, fault.ReasonOAuthUnanswerable, "this sign-on is over; go back to the application and start again")
}

// mine reads a request under way that belongs to this browser: it has the cookie that began it, or is signed on with the session that a
// step of it made. Anybody else is sent away: an attacker's request finished by a victim would sign the victim on to the attacker's account,
// and a victim's request finished by an attacker would be worse (RFC 9700 section 4.7).
func (s *Service) mine(ctx context.Context, call *audit.Call, t *tenant.Tenant, id string, live *sso.Live) (Request, error) {
	if id == "" || len(id) > 128 {
		return Request{}, over()
	}
	r, err := s.cfg.Requests.Request(ctx, t.ID, id, call.At)
	if e := fault.From(err); e != nil {
		if e.Kind == fault.NotFound || e.Kind == fault.Invalid {
			return Request{}, over()
		}
		return Request{}, err
	}
	began := r.Browser != "" && r.Browser == call.Browser
	made := r.Browser != "" && r.SSOID != "" && live != nil && live.Session.ID == r.SSOID
	if !r.DoneAt.IsZero() || !began && !made && !weak.Off("browser-bound") {
		return Request{}, over()
	}
	return r, nil
}

// Peek gives a request under way and its client to a page that shows it.
func (s *Service) Peek(ctx context.Context, call *audit.Call, t *tenant.Tenant, id string, live *sso.Live) (Request, *tenant.Client, error) {
	r, err := s.mine(ctx, call, t, id, live)
	if err != nil {
		return Request{}, nil, err
	}
	client, _, err := s.answerable(t, &r)
	return r, client, err
}

// answerable gives the client and where its answer goes, both as they are registered now.
func (s *Service) answerable(t *tenant.Tenant, r *Request) (*tenant.Client, string, error) {
	client := s.cfg.Directory.Client(t.ID, r.Params.ClientID)
	if client == nil {
		return nil, "", invalid(fault.ReasonUnknownClient, "this application is no longer known here")
	}
	target, ok := matchRedirect(client.Settings.RedirectURIs, r.Params.RedirectURI)
	if !ok {
		return nil, "", invalid(fault.ReasonOAuthRedirectURI, "redirect_uri is no longer registered for this application")
	}
	return client, target, nil
}

// Next decides from the stored request and the sign-on session of the browser what comes next, and makes the answer when nothing more is
// needed. Of any number of calls that find a request ready, one gets its reply.
func (s *Service) Next(ctx context.Context, call *audit.Call, t *tenant.Tenant, id string, live *sso.Live) (Step, error) {
	f, target, err := s.gather(ctx, call, t, id, live)
	if err != nil {
		return Step{}, err
	}
	v := decide(&f)
	if v.step != StepReply {
		return f.step(v), nil
	}
	return s.answer(ctx, call, t, target, &f, v)
}

// Look is Next for a page: it says what the request needs and answers nothing, so that opening or reloading a page spends no code. A
// StepReply has no Reply.
func (s *Service) Look(ctx context.Context, call *audit.Call, t *tenant.Tenant, id string, live *sso.Live) (Step, error) {
	f, _, err := s.gather(ctx, call, t, id, live)
	if err != nil {
		return Step{}, err
	}
	return f.step(decide(&f)), nil
}

func (f *facts) step(v verdict) Step {
	return Step{Kind: v.step, Request: f.request, Client: f.client, Ask: v.ask}
}

// gather reads what the dispatcher decides from, and where the answer would go.
func (s *Service) gather(ctx context.Context, call *audit.Call, t *tenant.Tenant, id string, live *sso.Live) (f facts, target string, err error) {
	r, err := s.mine(ctx, call, t, id, live)
	if err != nil {
		return f, "", err
	}
	client, target, err := s.answerable(t, &r)
	if err != nil {
		return f, "", err
	}
	f = facts{request: r, client: client, live: live, acrs: s.cfg.ACRs, at: call.At}
	if hint, ok := s.hint(t, r.Params.IDTokenHint, call.At); ok {
		f.hint = hint.subject
	}
	if live == nil {
		return f, target, nil
	}
	if f.stranger, err = s.stranger(ctx, t, client, live.User.ID); err != nil {
		return f, "", err
	}
	f.remembered, err = s.remembered(ctx, t, client, live)
	return f, target, err
}

// stranger reports whether the client lets in only who is registered with it, and this person is not.
func (s *Service) stranger(ctx context.Context, t *tenant.Tenant, c *tenant.Client, userID string) (bool, error) {
	if !c.Settings.RequireRegistration {
		return false, nil
	}
	u, err := s.cfg.Back.Users.Get(ctx, t.ID, userID, c.ID)
	if fault.ReasonOf(err) == fault.ReasonNotFound {
		return true, nil
	}
	return err == nil && u.Registration == nil, err
}

func (s *Service) remembered(ctx context.Context, t *tenant.Tenant, c *tenant.Client, live *sso.Live) (Consent, error) {
	all, err := s.cfg.Requests.Consents(ctx, t.ID, live.User.ID, c.ID)
	if err != nil || len(all) == 0 {
		return Consent{}, err
	}
	return all[0], nil
}

// answer ends the request with a code or a refusal.
func (s *Service) answer(ctx context.Context, call *audit.Call, t *tenant.Tenant, target string, f *facts, v verdict) (Step, error) {
	step := Step{Kind: StepReply, Request: f.request, Client: f.client}
	var reply Reply
	var err error
	if v.refusal == nil {
		reply, err = s.allow(ctx, call, t, target, f, v.granted)
		if fault.ReasonOf(err) != fault.ReasonUserChanged {
			step.Reply = &reply
			return step, err
		}
		// Disabled or signed off since it was looked at: nobody is signed on, then.
		if !f.prompts(PromptNone) {
			return Step{Kind: StepLogin, Request: f.request, Client: f.client}, nil
		}
		v = failing(fault.ReasonOAuthLogin, "nobody is signed on any more")
	}
	reply, err = s.deny(ctx, call, t, target, f, v.refusal)
	step.Reply = &reply
	return step, err
}

// allow ends the request with a code.
func (s *Service) allow(ctx context.Context, call *audit.Call, t *tenant.Tenant, target string, f *facts, granted []string) (Reply, error) {
	text, code := newCode(call, f, granted)
	e := event(call, EventCode, f.client.ID)
	e.Subject, e.Detail = f.live.User.ID, map[string]string{"sso": f.live.Session.ID}
	rec := one(e)
	consent := f.consented(granted)
	if consent != nil {
		e := event(call, EventConsented, f.client.ID)
		e.Subject = f.live.User.ID
		rec.Events = append(rec.Events, e)
	}
	won, err := s.cfg.Requests.Finish(ctx, f.request, &code, consent, call.At, rec)
	if err == nil && !won {
		err = over()
	}
	if err != nil {
		return Reply{}, err
	}
	return respond(t, &f.request.Params, target, url.Values{"code": {text}}), nil
}

// deny ends the request with an error response.
func (s *Service) deny(ctx context.Context, call *audit.Call, t *tenant.Tenant, target string, f *facts, why *fault.Error) (Reply, error) {
	e := event(call, EventRefused, f.client.ID)
	e.Reason, e.Person = string(why.Reason), call.Personal("")
	if f.live != nil {
		e.Subject = f.live.User.ID
	}
	won, err := s.cfg.Requests.Finish(ctx, f.request, nil, nil, call.At, one(e))
	if err == nil && !won {
		err = over()
	}
	if err != nil {
		return Reply{}, err
	}
	return refusal(t, &f.request.Params, target, why), nil
}

// newCode makes an authorization code. Only its hash is stored (RFC 6749 section 10.5: short life, single use).
func newCode(call *audit.Call, f *facts, granted []string) (string, Code) {
	text := secret.Random(32)
	p, n := &f.request.Params, &f.live.Session
	return text, Code{
		TenantID: f.request.TenantID, Hash: secret.Hash(text), ClientID: f.client.ID, RedirectURI: p.RedirectURI,
		Challenge: p.CodeChallenge, Nonce: p.Nonce, DPoPKey: p.DPoPKey, UserID: f.live.User.ID, Epoch: n.Epoch, SSOID: n.ID,
		Scope: granted, Resource: p.Resource, AuthTime: n.AuthTime, AMR: n.AMR, ACR: n.ACR,
		OfflineAsked: slices.Contains(granted, ScopeOffline), CreatedAt: call.At, ExpiresAt: call.At.Add(CodeLife),
	}
}
