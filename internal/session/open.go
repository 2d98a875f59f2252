package session

import (
	"cmp"
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// Open starts a session of a proved user: one signature, then one store verb, then the answer. A user who was disabled or whose epoch was
// raised since the proof is refused by the store (ReasonUserChanged), and so is a parent that has ended (ReasonSessionRevoked). Where the
// client requires a registration, who has none is refused (ReasonNotRegistered); elsewhere they are registered by this.
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
	holder, register, err := admitted(&req, call.At)
	if err != nil {
		return Tokens{}, err
	}
	claims := accessClaims(req.Tenant, req.Client, &fam, &holder, call.At)
	if len(req.AccessAudience) > 0 {
		claims.Audience = req.AccessAudience
	}
	claims.Thumbprint = cmp.Or(fam.Binding, req.AccessBinding)
	rec := openRecord(call, &req, &fam, holder.Email)
	access, err := s.makeAccess(ctx, &req, eff.Alg, &claims, &rec)
	if err != nil {
		return Tokens{}, err
	}
	if err := commit(ctx, fam, register, rec); err != nil {
		return Tokens{}, err
	}
	return Tokens{
		Access: access, AccessClaims: claims, Refresh: secret.NewText(refresh),
		RefreshExpires: RefreshExpires(&fam), Family: fam, Holder: holder,
	}, nil
}

// makeAccess signs the access token, or has the caller make one that travels with the open.
func (s *Service) makeAccess(ctx context.Context, req *OpenRequest, alg string, claims *token.AccessClaims, rec *audit.Record) (secret.Text, error) {
	if req.Opaque != nil {
		text, row, err := req.Opaque(claims)
		rec.Tokens = []audit.OpaqueToken{row}
		return text, err
	}
	text, err := s.tokens.SignAccess(ctx, req.Tenant, alg, *claims)
	return secret.NewText(text), err
}

func openRecord(call *audit.Call, req *OpenRequest, fam *Family, email string) audit.Record {
	event := familyEvent(call, EventOpened, fam)
	event.Person = call.Personal(email)
	if fam.ParentID != "" {
		event.Detail = map[string]string{"parent": fam.ParentID}
	}
	rec := one(event)
	rec.Messages = req.Messages
	return rec
}

// NotRegistered is the refusal of a client that lets in only people who are registered with it.
func NotRegistered() *fault.Error {
	return fault.New(fault.Forbidden, fault.ReasonNotRegistered, "this account is not registered with this application")
}

// admitted is who may enter: anybody, and then who was not registered is by this, or only who is registered already, which the store looks at
// once more (Registration.Held). It is asked here, where every road of our own leads to a session.
func admitted(req *OpenRequest, at time.Time) (Holder, *user.Registration, error) {
	holder, register := holderOf(req, at)
	if !req.Client.Settings.RequireRegistration {
		return holder, register, nil
	}
	if register != nil {
		return Holder{}, nil, NotRegistered()
	}
	return holder, &user.Registration{ClientID: req.Client.ID, Held: true}, nil
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
