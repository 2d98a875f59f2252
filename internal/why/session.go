package why

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// maxParents bounds a walk up: sessions handed on from session to session.
const maxParents = 8

// Session explains the state of one session at an instant of its tenant's clock.
func (a *Asker) Session(ctx context.Context, tenantID, sid string, at time.Time) (Answer, error) {
	return a.session(ctx, tenantID, sid, at, maxParents)
}

// evidence is what is known of one session.
type evidence struct {
	session.Loaded
	at      time.Time
	events  []audit.Event // about it, its subject and its client, newest first
	clients bool          // the tenant has its client
}

func (a *Asker) session(ctx context.Context, tenantID, sid string, at time.Time, parents int) (Answer, error) {
	l, err := a.Sessions.Load(ctx, session.Ref{TenantID: tenantID, ID: sid})
	if fault.From(err) != nil && fault.From(err).Kind == fault.NotFound {
		return a.forgotten(ctx, tenantID, sid)
	}
	if err != nil {
		return Answer{}, err
	}
	e := evidence{Loaded: l, at: at, clients: a.Client(tenantID, l.Family.ClientID)}
	if e.events, err = a.about(ctx, &l.Family); err != nil {
		return Answer{}, err
	}
	out := e.explain()
	if parent := l.Family.ParentID; parent != "" && parents > 0 && l.Family.Revoked() {
		above, err := a.session(ctx, tenantID, parent, at, parents-1)
		if err != nil && !errors.Is(err, ErrNothing) {
			return out, err
		}
		if err == nil && above.Cause != Live && e.endedWith(&above) {
			out.Cause = ParentEnded
			out.Root = "the session it was handed on from ended, and it with it: " + above.Root
			out.Chain = append(above.Chain, out.Chain...)
		}
	}
	return out, nil
}

// endedWith reports whether the parent's end is this session's: same instant, and no event of its own.
func (e *evidence) endedWith(above *Answer) bool {
	return slices.ContainsFunc(above.Chain, func(s Step) bool { return s.At.Equal(e.Family.RevokedAt) })
}

// about gathers the events that may explain a session.
func (a *Asker) about(ctx context.Context, f *session.Family) ([]audit.Event, error) {
	var all []audit.Event
	for _, q := range []Query{
		{TenantID: f.TenantID, Session: f.ID}, {TenantID: f.TenantID, Subject: f.Subject}, {TenantID: f.TenantID, Client: f.ClientID},
	} {
		if q.Session == "" && q.Subject == "" && q.Client == "" {
			continue
		}
		found, err := a.Trail.Find(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, e := range found {
			if !slices.ContainsFunc(all, func(o audit.Event) bool { return o.ID == e.ID }) {
				all = append(all, e)
			}
		}
	}
	return all, nil
}

// forgotten explains a session whose row is gone, from the trail alone.
func (a *Asker) forgotten(ctx context.Context, tenantID, sid string) (Answer, error) {
	events, err := a.Trail.Find(ctx, Query{TenantID: tenantID, Session: sid})
	if err != nil {
		return Answer{}, err
	}
	if len(events) == 0 {
		return Answer{}, ErrNothing
	}
	out := Answer{Cause: Purged, Session: sid, Subject: events[len(events)-1].Subject}
	for i := len(events) - 1; i >= 0; i-- {
		out.Chain = append(out.Chain, step(&events[i]))
	}
	out.Root = words(Purged, nil)
	return out, nil
}

// explain is the rule, as a pure function of the evidence.
func (e *evidence) explain() Answer {
	f := &e.Family
	out := Answer{Subject: f.Subject, Session: f.ID, Chain: []Step{{At: f.CreatedAt, Text: "the session was opened at " + orSome(f.OpenedBy, "an unknown face") + " for client " + f.ClientID}}}
	cause, event := e.cause()
	out.Cause, out.Root = cause, words(cause, event)
	switch {
	case event != nil:
		out.Chain = append(out.Chain, step(event))
		if f.Revoked() && !event.At.Equal(f.RevokedAt) {
			out.Chain = append(out.Chain, Step{At: f.RevokedAt, Text: "the session ended: " + f.RevokedReason})
		}
	case f.Revoked():
		out.Chain = append(out.Chain, Step{At: f.RevokedAt, Text: "the session ended: " + f.RevokedReason})
	case cause == Idle:
		out.Root += " on " + f.IdleExpiry.UTC().Format(time.RFC3339) + ", last seen " + f.LastSeen.UTC().Format(time.RFC3339)
		out.Chain = append(out.Chain, Step{At: f.IdleExpiry, Text: "unused for too long"})
	case cause == TooOld:
		out.Chain = append(out.Chain, Step{At: f.AbsoluteExpiry, Text: "its longest life was over"})
	}
	return out
}

// cause finds the one cause and the event behind it, nil where none was written. What ended the session counts, not what happened since.
func (e *evidence) cause() (Cause, *audit.Event) {
	f, ours := &e.Family, e.Family.UserID != ""
	switch {
	case f.Revoked():
		return e.revoked()
	case ours && (!e.Holder.Present || e.Holder.Status == user.Deleted):
		return UserDeleted, e.last("user.deleted", f.RevokedAt)
	case ours && e.Holder.Status == user.Disabled:
		return UserDisabled, e.last("user.disabled", f.RevokedAt)
	case !e.clients:
		return ClientRemoved, e.last("client.removed", f.RevokedAt)
	case ours && e.Holder.Epoch != f.Epoch:
		return EpochRaised, nil
	case ours && !e.Holder.Registered:
		return NotRegistered, nil
	case passed(f.AbsoluteExpiry, e.at) && !f.AbsoluteExpiry.After(f.IdleExpiry):
		return TooOld, nil
	case passed(f.IdleExpiry, e.at):
		return Idle, nil
	}
	return Live, nil
}

// revoked names why a session was ended. A stored reason leads to the event of the same instant.
func (e *evidence) revoked() (Cause, *audit.Event) {
	f := &e.Family
	switch f.RevokedReason {
	case session.EndedByLogout:
		event := e.last(session.EventEnded, f.RevokedAt)
		if event != nil && event.Detail["all"] != "" && event.Session != f.ID {
			return LoggedOutAll, event
		}
		return LoggedOut, event
	case "ended_by_owner":
		return EndedByOwner, e.last(session.EventEnded, f.RevokedAt)
	case string(fault.ReasonRefreshReused):
		return Reused, e.last(session.EventEnded, f.RevokedAt)
	case string(fault.ReasonUserDisabled):
		return UserDisabled, e.last("user.disabled", f.RevokedAt)
	case "user_deleted":
		return UserDeleted, cmp.Or(e.last("user.deleted", f.RevokedAt), e.last("account.removed", f.RevokedAt))
	case "password_reset":
		return PasswordReset, cmp.Or(e.last("reset.done", f.RevokedAt), e.last("recipe_token.reset", f.RevokedAt))
	case "password_changed":
		return PasswordChanged, cmp.Or(e.last("password.changed", f.RevokedAt), e.last("account.changed", f.RevokedAt), e.last("account.imported", f.RevokedAt))
	case "address_proved_by_owner":
		return AddressProved, e.last("signup.proved", f.RevokedAt)
	case string(fault.ReasonClientGone):
		return ClientRemoved, e.last("client.removed", f.RevokedAt)
	case "registration_removed":
		return NotRegistered, e.last("user.unregistered", f.RevokedAt)
	case "revoked_by_operator":
		return ByOperator, e.last(session.EventEnded, f.RevokedAt)
	}
	if e.Holder.Epoch != f.Epoch {
		return EpochRaised, e.at0(f.RevokedAt)
	}
	return Other, e.at0(f.RevokedAt)
}

// last is the event of a type at an instant; at the zero instant the newest.
func (e *evidence) last(kind string, at time.Time) *audit.Event {
	for i := range e.events {
		if e.events[i].Type == kind && (at.IsZero() || e.events[i].At.Equal(at)) {
			return &e.events[i]
		}
	}
	return nil
}

// at0 is any event of an instant.
func (e *evidence) at0(at time.Time) *audit.Event {
	for i := range e.events {
		if e.events[i].At.Equal(at) {
			return &e.events[i]
		}
	}
	return nil
}

func passed(limit, at time.Time) bool { return !limit.IsZero() && !at.Before(limit) }

func orSome(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
