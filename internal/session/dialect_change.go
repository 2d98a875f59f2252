package session

import (
	"bytes"
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

// Payloads is what a backend keeps with a session; nil leaves one as it is.
type Payloads struct{ Access, Database []byte }

// Change asks for other payloads of a live session, and for an access token that says so when Making has a refresh token's H1.
type Change struct {
	Dialect  *Dialect
	TenantID string
	ID       string
	Payloads Payloads
	Making   Making // H1, ParentH1, AntiCSRF and Expires of the token that the new one takes the place of
}

// Changed is the session as it is now, and the token when one was asked for.
type Changed struct {
	Family Family
	Access Access
}

// Change changes what a backend keeps with a session. Access tokens that are out stay as they are. Refusals are Unauthenticated with the
// family's own reason. One read, one guarded write (or look, where nothing changes).
func (s *Service) Change(ctx context.Context, call *audit.Call, req Change) (Changed, error) {
	for range maxTries {
		out, done, err := s.tryChange(ctx, call, &req)
		if done || err != nil {
			return out, err
		}
	}
	return Changed{}, fault.New(fault.Unavailable, fault.ReasonBusy, "too many at once; please try again").After(time.Second)
}

func (s *Service) tryChange(ctx context.Context, call *audit.Call, req *Change) (out Changed, done bool, err error) {
	fam, err := s.Find(ctx, call, req.Dialect, req.TenantID, req.ID)
	if err != nil {
		return out, true, err
	}
	next := req.Payloads.into(fam)
	out.Family = next
	if req.Making.H1 != "" {
		m := s.making(&next, 0, call.At)
		m.H1, m.ParentH1, m.AntiCSRF, m.Expires = req.Making.H1, req.Making.ParentH1, req.Making.AntiCSRF, req.Making.Expires
		if out.Access, err = req.Dialect.Sign(ctx, m); err != nil {
			return out, true, err
		}
	}
	if samePayloads(&fam, &next) {
		live, err := s.store.Touch(ctx, fam, fam.LastSeen)
		return out, live, err
	}
	won, err := s.store.Swap(ctx, fam, next, one(familyEvent(call, EventChanged, &fam)))
	out.Family.Version++
	return out, won, err
}

func (p *Payloads) into(fam Family) Family {
	if p.Access != nil {
		fam.AccessPayload = p.Access
	}
	if p.Database != nil {
		fam.DatabasePayload = p.Database
	}
	return fam
}

func samePayloads(a, b *Family) bool {
	return bytes.Equal(a.AccessPayload, b.AccessPayload) && bytes.Equal(a.DatabasePayload, b.DatabasePayload)
}
