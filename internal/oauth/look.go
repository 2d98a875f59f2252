package oauth

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// Look is Next for a page: it says what the request needs and answers nothing, so that opening or reloading a page spends no code. A
// StepReply has no Reply.
func (s *Service) Look(ctx context.Context, call *audit.Call, t *tenant.Tenant, id string, live *sso.Live) (Step, error) {
	r, err := s.mine(ctx, call, t, id, live)
	if err != nil {
		return Step{}, err
	}
	client, _, err := s.answerable(t, &r)
	if err != nil {
		return Step{}, err
	}
	f := facts{request: r, client: client, live: live, acrs: s.cfg.ACRs, at: call.At}
	if hint, ok := s.hint(t, r.Params.IDTokenHint, call.At); ok {
		f.hint = hint.subject
	}
	if f.remembered, err = s.remembered(ctx, t, client, live); err != nil {
		return Step{}, err
	}
	v := decide(&f)
	return Step{Kind: v.step, Request: r, Client: client, Ask: v.ask}, nil
}
