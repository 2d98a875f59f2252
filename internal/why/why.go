// Package why owns the answer to "why was I logged out?": from the trail and the stored session it finds the one cause, and says it with
// what led to it in plain words. It does not own the trail, and it changes nothing.
package why

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// Cause is a stable name of why a session was lost or a request refused.
type Cause string

// The causes.
const (
	Live            Cause = "live" // nothing is wrong with it
	LoggedOut       Cause = "logged_out"
	LoggedOutAll    Cause = "logged_out_everywhere"
	EndedByOwner    Cause = "ended_by_owner"
	Reused          Cause = "refresh_reused"
	Idle            Cause = "idle_expiry"
	TooOld          Cause = "absolute_expiry"
	UserDisabled    Cause = "user_disabled"
	UserDeleted     Cause = "user_deleted"
	PasswordReset   Cause = "password_reset"
	PasswordChanged Cause = "password_changed"
	AddressProved   Cause = "address_proved_by_owner"
	EpochRaised     Cause = "epoch_raised"
	ClientRemoved   Cause = "client_removed"
	NotRegistered   Cause = "registration_gone"
	ByOperator      Cause = "revoked_by_operator"
	ParentEnded     Cause = "parent_ended"
	WrongClient     Cause = "wrong_client"
	BindingMismatch Cause = "binding_mismatch"
	Superseded      Cause = "superseded"
	MadeUp          Cause = "token_made_up"
	Foreign         Cause = "token_of_another_server"
	Purged          Cause = "session_forgotten"
	StoreBehind     Cause = "store_behind"
	Limited         Cause = "rate_limited"
	LoginRefused    Cause = "login_refused"
	Other           Cause = "other"
)

// Step is one link of the chain, the root cause first.
type Step struct {
	At    time.Time `json:"at"`
	Text  string    `json:"text"`
	Event string    `json:"event,omitempty"` // id in the trail
	Trace string    `json:"trace,omitempty"`
}

// Answer is what is said.
type Answer struct {
	Cause   Cause  `json:"cause"`
	Root    string `json:"root"` // the cause in plain words
	Subject string `json:"subject,omitempty"`
	Session string `json:"session,omitempty"`
	Chain   []Step `json:"chain"`
}

// Query asks the trail for the newest events of one tenant by exactly one of Trace, Session, Subject and Client; Client gives what was
// done to the client itself.
type Query struct {
	TenantID, Trace, Session, Subject, Client string
}

// Trail reads events, newest first.
type Trail interface {
	Find(ctx context.Context, q Query) ([]audit.Event, error)
}

// Sessions reads a stored session; session.Store is one.
type Sessions interface {
	Load(ctx context.Context, ref session.Ref) (session.Loaded, error)
}

// Asker finds causes.
type Asker struct {
	Trail    Trail
	Sessions Sessions
	Client   func(tenantID, clientID string) bool // whether the tenant has the client
}

// ErrNothing says that neither the trail nor the store knows what was asked about.
var ErrNothing = errors.New("nothing is known under this id; trails are kept for a while only")

// Trace explains the refusal that was answered with a trace id.
func (a *Asker) Trace(ctx context.Context, tenantID, trace string, at time.Time) (Answer, error) {
	events, err := a.Trail.Find(ctx, Query{TenantID: tenantID, Trace: trace})
	if err != nil {
		return Answer{}, err
	}
	i := slices.IndexFunc(events, func(e audit.Event) bool { return e.Reason != "" })
	if i < 0 {
		i = 0
	}
	if len(events) == 0 {
		return Answer{}, ErrNothing
	}
	return a.refusal(ctx, &events[i], at)
}

// refusal explains one event: by itself where the request was at fault, else by what happened to its session.
func (a *Asker) refusal(ctx context.Context, e *audit.Event, at time.Time) (Answer, error) {
	own := Answer{Cause: ofRequest(e), Subject: e.Subject, Session: e.Session}
	if own.Cause == "" && e.Session != "" {
		out, err := a.Session(ctx, e.TenantID, e.Session, at)
		if err == nil {
			out.Chain = append(out.Chain, step(e))
		}
		return out, err
	}
	if own.Cause == "" {
		own.Cause = Other
	}
	own.Root, own.Chain = words(own.Cause, e), []Step{step(e)}
	if e.Session == "" || own.Cause != Purged {
		return own, nil
	}
	// The row is gone; its own end may still stand in the trail.
	ended, err := a.Trail.Find(ctx, Query{TenantID: e.TenantID, Session: e.Session})
	for i := len(ended) - 1; i >= 0; i-- {
		if ended[i].Type != session.EventRefreshed && ended[i].ID != e.ID {
			own.Chain = slices.Insert(own.Chain, len(own.Chain)-1, step(&ended[i]))
		}
	}
	return own, err
}

// ofRequest is the cause of refusals that say nothing about the session they name; "" for all others.
func ofRequest(e *audit.Event) Cause {
	switch fault.Reason(e.Reason) {
	case fault.ReasonWrongClient:
		return WrongClient
	case fault.ReasonBindingMismatch:
		return BindingMismatch
	case fault.ReasonSuperseded:
		return Superseded
	case fault.ReasonLimited:
		return Limited
	case fault.ReasonNotRegistered:
		return NotRegistered
	case fault.ReasonRefreshUnknown:
		switch e.Detail["token"] {
		case "purged":
			return Purged
		case "ahead":
			return StoreBehind
		case "forged":
			return Foreign
		}
		return MadeUp
	}
	if e.Type == "login.refused" {
		return LoginRefused
	}
	return ""
}

// Subject explains the newest loss of a user: of what ended or was refused, and of sessions that ran out in silence, whatever is latest.
func (a *Asker) Subject(ctx context.Context, tenantID, subject string, at time.Time) (Answer, error) {
	events, err := a.Trail.Find(ctx, Query{TenantID: tenantID, Subject: subject})
	if err != nil {
		return Answer{}, err
	}
	seen := map[string]bool{}
	live := Answer{Cause: Live, Subject: subject, Root: "no session of this user was lost, as far as the trail goes back"}
	for i := range events {
		e := &events[i]
		if e.Reason != "" && ofRequest(e) != "" {
			return a.refusal(ctx, e, at)
		}
		if e.Session == "" || seen[e.Session] {
			continue
		}
		seen[e.Session] = true
		out, err := a.Session(ctx, tenantID, e.Session, at)
		switch {
		case errors.Is(err, ErrNothing):
		case err != nil:
			return out, err
		case out.Cause != Live:
			return out, nil
		default:
			live.Chain = append(live.Chain, out.Chain...)
		}
	}
	if len(events) == 0 {
		return Answer{}, ErrNothing
	}
	return live, nil
}
