package session

import (
	"context"
	"crypto/subtle"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// ConfirmRequest shows a valid access token of a dialect.
type ConfirmRequest struct {
	Dialect  *Dialect
	Tenant   *tenant.Tenant
	ID       string // of the family it names
	Subject  string
	H1       string // of the refresh token it came with
	ParentH1 string // of the one it was got for, "" when it needs no confirmation
	Payload  []byte // its own claims
	// Same tells whether two payloads are the same claims.
	Same func(a, b []byte) bool
}

// Confirmed answers. Access is zero when the presented token goes on as it is.
type Confirmed struct {
	Access Access
	Family Family
}

// Confirm is the use of an access token where the store is looked at: the session must be live, and the first use of a child of the pending
// refresh token shows that its holder has it (rule 5b). Then, and when the stored claims differ, there is a new access token that needs no
// confirmation. Refusals are Unauthenticated with the family's own reason. One read, and one guarded write when something is confirmed.
func (s *Service) Confirm(ctx context.Context, call *audit.Call, req ConfirmRequest) (Confirmed, error) {
	for range maxTries {
		out, done, err := s.tryConfirm(ctx, call, &req)
		if done || err != nil {
			return out, err
		}
	}
	return Confirmed{}, fault.New(fault.Unavailable, fault.ReasonBusy, "too many at once; please try again").After(time.Second)
}

func (s *Service) tryConfirm(ctx context.Context, call *audit.Call, req *ConfirmRequest) (out Confirmed, done bool, err error) {
	l, client, err := s.findDialect(ctx, call, req.Dialect, req.Tenant.ID, req.ID)
	if err == nil && l.Family.Subject != req.Subject {
		err = refused(fault.ReasonSessionRevoked)
	}
	if err != nil {
		return out, true, err
	}
	fam := &l.Family
	out.Family = *fam
	eff := req.Tenant.For(client)
	next, promoted := confirmedBy(fam, req, call.At, eff.RefreshIdle)
	fresh := promoted || req.ParentH1 != "" && isHash(&fam.Head, req.H1)
	if !fresh && req.Same(fam.AccessPayload, req.Payload) {
		return out, true, nil
	}
	m := s.making(fam, eff.AccessLife, call.At)
	m.H1 = req.H1
	if out.Access, err = req.Dialect.Sign(ctx, m); err != nil {
		return out, true, err
	}
	if !promoted {
		live, err := s.store.Touch(ctx, *fam, fam.LastSeen)
		return out, live, err
	}
	out.Family = next
	done, err = s.store.Swap(ctx, *fam, next, one(familyEvent(call, EventConfirmed, fam)))
	return out, done, err
}

// confirmedBy is rule 5b, for a token that names both the head and the pending token. The idle limit moves as with any first use.
func confirmedBy(fam *Family, req *ConfirmRequest, at time.Time, idle time.Duration) (Family, bool) {
	if req.ParentH1 == "" || fam.Pending == nil || !isHash(&fam.Head, req.ParentH1) || !isHash(fam.Pending, req.H1) {
		return *fam, false
	}
	next, ok := ConfirmedByChild(*fam, at)
	return seen(next, true, at, &policy{Idle: idle}), ok
}

func isHash(hash *Hash, h1 string) bool {
	got := secret.HashH1(h1)
	return subtle.ConstantTimeCompare(hash[:], got[:]) == 1
}

// findDialect reads a live session of the tenant. NotFound never comes out: what is not there is refused like what has ended.
func (s *Service) findDialect(ctx context.Context, call *audit.Call, d *Dialect, tenantID, id string) (Loaded, *tenant.Client, error) {
	l, err := s.store.Load(ctx, Ref{TenantID: tenantID, ID: id})
	if notFound(err) {
		err = refused(fault.ReasonSessionRevoked)
	}
	if err != nil {
		return Loaded{}, nil, err
	}
	client := d.Client(l.Family.ClientID)
	if reason := deadBecause(&l, client == nil, call.At); reason != "" {
		return Loaded{}, nil, refused(reason)
	}
	return l, client, nil
}

// Find gives a live session of a tenant by its id.
func (s *Service) Find(ctx context.Context, call *audit.Call, d *Dialect, tenantID, id string) (Family, error) {
	if _, ok := secret.ParseID(id); !ok {
		return Family{}, refused(fault.ReasonSessionRevoked)
	}
	l, _, err := s.findDialect(ctx, call, d, tenantID, id)
	return l.Family, err
}
