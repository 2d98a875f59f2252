package session

import (
	"cmp"
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// Open starts a session of a proved user: one signature, then one store verb, then the answer. A user who was disabled or whose epoch was
// raised since the proof is refused by the store (ReasonUserChanged), and so is a parent that has ended (ReasonSessionRevoked).
func (s *Service) Open(ctx context.Context, call *audit.Call, req OpenRequest) (Tokens, error) {
	return s.OpenWith(ctx, call, req, s.store.Open)
}

// OpenWith is Open with another store verb: one that spends, in the same transaction, what the session comes from.
func (s *Service) OpenWith(ctx context.Context, call *audit.Call, req OpenRequest, commit Commit) (Tokens, error) {
	eff := req.Tenant.For(req.Client)
	fam := newFamily(call, &req, &eff)
	refresh, err := mintToken(s.ring, fam.TenantID, fam.ID, fam.Generation)
	if err != nil {
		return Tokens{}, fault.From(err)
	}
	fam.Head = secret.RefreshHash(refresh)
	holder, register := holderOf(&req, call.At)
	claims := accessClaims(req.Tenant, req.Client, &fam, &holder, call.At)
	if len(req.AccessAudience) > 0 {
		claims.Audience = req.AccessAudience
	}
	claims.Thumbprint = cmp.Or(fam.Binding, req.AccessBinding)
	access, err := s.tokens.SignAccess(ctx, req.Tenant, eff.Alg, claims)
	if err != nil {
		return Tokens{}, err
	}
	event := familyEvent(call, EventOpened, &fam)
	event.Person = call.Personal(holder.Email)
	if fam.ParentID != "" {
		event.Detail = map[string]string{"parent": fam.ParentID}
	}
	rec := one(event)
	rec.Messages = req.Messages
	if err := commit(ctx, fam, register, rec); err != nil {
		return Tokens{}, err
	}
	return Tokens{
		Access: secret.NewText(access), AccessClaims: claims, Refresh: secret.NewText(refresh),
		RefreshExpires: RefreshExpires(&fam), Family: fam, Holder: holder,
	}, nil
}

func newFamily(call *audit.Call, req *OpenRequest, eff *tenant.Effective) Family {
	at, u := call.At, req.User
	authTime := req.AuthTime
	if authTime.IsZero() {
		authTime = at
	}
	absolute := at.Add(eff.RefreshMax)
	if !req.AbsoluteExpiry.IsZero() && req.AbsoluteExpiry.Before(absolute) {
		absolute = req.AbsoluteExpiry
	}
	idle := at.Add(eff.RefreshIdle)
	if absolute.Before(idle) {
		idle = absolute
	}
	return Family{
		TenantID: req.Tenant.ID, ID: secret.NewID(at), ClientID: req.Client.ID, ClientAuth: req.ClientAuth || req.Client.Settings.ClientAuth,
		OpenedBy: call.Face, Subject: u.ID, UserID: u.ID, Epoch: u.Epoch,
		HeadMinted: at, CreatedAt: at, LastSeen: at,
		IdleExpiry: idle, AbsoluteExpiry: absolute, ParentID: req.ParentID,
		Binding: req.Binding, Device: cmp.Or(req.Device, call.Device), Agent: call.Agent, Place: call.Place(),
		SSOID: req.SSOID, OrgID: req.OrgID, Audience: req.Audience, Scope: req.Scope, AuthTime: authTime, AMR: req.AMR, ACR: req.ACR, Version: 1,
	}
}

// holderOf is the holder as the store will show it from now on, and the registration to make when there is none yet.
func holderOf(req *OpenRequest, at time.Time) (Holder, *user.Registration) {
	u, email := req.User, req.User.PrimaryEmail()
	h := Holder{
		Present: true, Status: u.Status, Epoch: u.Epoch, Name: u.Name, Locale: u.Locale,
		Email: email.Value, Verified: email.Verified(), VerifiedAt: email.VerifiedAt, CreatedAt: u.CreatedAt,
		Registered: true, UserData: u.Data,
	}
	if u.Registration != nil {
		h.Roles, h.RegisterData = u.Registration.Roles, u.Registration.Data
		return h, nil
	}
	h.Roles = req.Client.Settings.DefaultRoles
	return h, &user.Registration{ClientID: req.Client.ID, Roles: h.Roles, CreatedAt: at}
}
