package sso

import (
	"cmp"
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/weak"
)

// The events of this room.
const (
	EventOpened = "sso.opened"
	EventProved = "sso.proved" // the person of a live sign-on session was proved again
	EventEnded  = "sso.ended"
)

// Open signs a proved person on in this browser and gives the new secret of its cookie. old is the cookie that the browser brought along:
// a live session of the same user goes on under a new secret, so that whoever planted or copied the old one holds nothing (session
// fixation); another user's is ended, or that person's applications would stay open behind the new one's back.
func (s *Service) Open(ctx context.Context, call *audit.Call, t *tenant.Tenant, p Proof, old secret.Text) (secret.Text, Session, error) {
	for range maxTries {
		have, err := s.brought(ctx, call, t, old)
		if err != nil {
			return secret.Text{}, Session{}, err
		}
		if have == nil || have.User.ID != p.User.ID {
			if err := s.leave(ctx, call, t, have); err != nil {
				return secret.Text{}, Session{}, err
			}
			return s.open(ctx, call, t, &p, old)
		}
		cookie, next := proved(call, t, &have.Session, &p)
		ok, err := s.store.Prove(ctx, have.Session, next, record(call, EventProved, &next))
		if err != nil {
			return secret.Text{}, Session{}, err
		}
		if ok {
			next.Version++
			return cookie, next, nil
		}
	}
	return secret.Text{}, Session{}, fault.New(fault.Conflict, fault.ReasonConflict, "please try again")
}

// brought is the live session of the cookie the browser came with, nil when there is none.
func (s *Service) brought(ctx context.Context, call *audit.Call, t *tenant.Tenant, old secret.Text) (*Live, error) {
	if old.IsZero() {
		return nil, nil
	}
	live, err := s.look(ctx, call, t, old)
	if e := fault.From(err); e != nil {
		if e.Kind == fault.Unauthenticated {
			return nil, nil
		}
		return nil, err
	}
	return &live, nil
}

// leave ends the session of somebody else.
func (s *Service) leave(ctx context.Context, call *audit.Call, t *tenant.Tenant, have *Live) error {
	if have == nil {
		return nil
	}
	_, err := s.End(ctx, call, t, Match{TenantID: t.ID, ID: have.Session.ID}, EndedBySwitch)
	return err
}

func (s *Service) open(ctx context.Context, call *audit.Call, t *tenant.Tenant, p *Proof, old secret.Text) (secret.Text, Session, error) {
	cookie := newSecret(old)
	idle, absolute := limits(t, call.At)
	n := Session{
		TenantID: t.ID, ID: secret.NewID(call.At), Hash: secret.Hash(cookie.Reveal()), UserID: p.User.ID, Epoch: p.User.Epoch,
		CreatedAt: call.At, LastSeen: call.At, IdleExpiry: idle, AbsoluteExpiry: absolute, AMR: p.AMR, ACR: p.ACR,
		AuthTime: p.AuthTime, Agent: call.Agent, Place: call.Place(), Device: cmp.Or(p.Device, call.Device), Version: 1,
	}
	if n.AuthTime.IsZero() {
		n.AuthTime = call.At
	}
	if err := s.store.Open(ctx, n, record(call, EventOpened, &n)); err != nil {
		return secret.Text{}, Session{}, err
	}
	return cookie, n, nil
}

// newSecret never is what the browser brought along.
func newSecret(old secret.Text) secret.Text {
	if weak.Off("fresh-ids") && !old.IsZero() {
		return old
	}
	return secret.NewText(secret.Random(32))
}

// proved is the session after a new proof of its user, under a new secret.
func proved(call *audit.Call, t *tenant.Tenant, have *Session, p *Proof) (secret.Text, Session) {
	cookie := newSecret(secret.Text{})
	n := *have
	n.Hash, n.Epoch, n.LastSeen, n.AMR, n.ACR = secret.Hash(cookie.Reveal()), p.User.Epoch, call.At, p.AMR, p.ACR
	n.IdleExpiry, n.AbsoluteExpiry = limits(t, call.At)
	n.AuthTime, n.Agent, n.Place, n.Device = p.AuthTime, call.Agent, call.Place(), cmp.Or(p.Device, call.Device)
	if n.AuthTime.IsZero() {
		n.AuthTime = call.At
	}
	return cookie, n
}

// End ends the sign-on sessions that match, with every session opened under them; the store tells their applications in the same transaction.
// It gives the families that ended. Ending what is not there is no error.
func (s *Service) End(ctx context.Context, call *audit.Call, t *tenant.Tenant, m Match, reason string) ([]session.Ended, error) {
	m.TenantID = t.ID
	e := End{Match: m, At: call.At, Reason: reason}
	event := call.Event(secret.NewID(call.At), EventEnded)
	event.TenantID, event.Subject, event.Reason, event.Person = t.ID, m.UserID, reason, call.Personal("")
	if m.ID != "" {
		event.Detail = map[string]string{"sso": m.ID}
	}
	return s.store.Revoke(ctx, e, audit.Record{Events: []audit.Event{event}})
}

func record(call *audit.Call, kind string, n *Session) audit.Record {
	e := call.Event(secret.NewID(call.At), kind)
	e.TenantID, e.Subject, e.Detail, e.Person = n.TenantID, n.UserID, map[string]string{"sso": n.ID}, call.Personal("")
	return audit.Record{Events: []audit.Event{e}}
}
