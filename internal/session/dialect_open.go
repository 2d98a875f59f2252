package session

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/token"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// OpenDialect starts a session on a backend's word. A subject that is one of our users is held to the same guard as in Open, and registered
// with the client when they are not yet; any other text is a subject that nothing guards.
func (s *Service) OpenDialect(ctx context.Context, call *audit.Call, req OpenDialectRequest) (Tokens, error) {
	fam, holder, register := s.dialectFamily(call, &req)
	refresh, err := mintToken(s.ring, fam.TenantID, fam.ID, fam.Generation)
	if err != nil {
		return Tokens{}, fault.From(err)
	}
	fam.Head = secret.RefreshHash(refresh)
	eff := req.Tenant.For(req.Client)
	m := s.making(&fam, eff.AccessLife, call.At)
	m.H1 = secret.H1(refresh)
	access, err := req.Dialect.Sign(ctx, m)
	if err != nil {
		return Tokens{}, err
	}
	if err := s.store.Open(ctx, fam, register, one(familyEvent(call, EventOpened, &fam))); err != nil {
		return Tokens{}, err
	}
	out := Tokens{
		Access: access.Token, AccessClaims: token.AccessClaims{IssuedAt: access.IssuedAt, ExpiresAt: access.Expires},
		Refresh: secret.NewText(refresh), RefreshExpires: RefreshExpires(&fam), Family: fam, Holder: holder, AntiCSRF: m.AntiCSRF,
	}
	return out, nil
}

// dialectFamily is the new family. Agent and place stay empty: the backend's would say nothing about whose session it is.
func (s *Service) dialectFamily(call *audit.Call, req *OpenDialectRequest) (Family, Holder, *user.Registration) {
	var holder Holder
	var register *user.Registration
	base := OpenRequest{Tenant: req.Tenant, Client: req.Client, User: req.User}
	if req.User != nil {
		holder, register = holderOf(&base, call.At)
	} else {
		base.User = &user.User{}
	}
	eff := req.Tenant.For(req.Client)
	fam := newFamily(call, &base, &eff)
	fam.OpenedBy, fam.Subject, fam.OrgID, fam.StaticKey = req.Dialect.Name, req.Subject, req.OrgID, req.StaticKey
	fam.AccessPayload, fam.DatabasePayload = req.AccessPayload, req.DatabasePayload
	fam.Agent, fam.Place, fam.Device = "", "", ""
	if req.AntiCSRF {
		s.withAntiCSRF(&fam)
	}
	return fam, holder, register
}
