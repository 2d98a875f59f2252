package login

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// Types of event this room writes. A successful login is the session room's "session.opened".
const (
	eventLoginRefused   = "login.refused"
	eventSignupTried    = "signup.attempted"
	eventSignupResent   = "signup.resent"
	eventSignupProved   = "signup.proved"
	eventSignupRefused  = "signup.refused"
	eventVerifyRefused  = "verify.refused"
	eventResetAsked     = "reset.requested"
	eventResetDone      = "reset.done"
	eventPasswordSet    = "password.changed"
	eventResetRefused   = "reset.refused"
	eventChangeAsked    = "email_change.requested"
	eventChangeDone     = "email_change.done"
	eventProfileChanged = "user.updated"
	eventUserDeleted    = "user.deleted"
	eventMeRefused      = "me.refused"
	eventRehashed       = "password.rehashed"
	eventHandoffMade    = "handoff.created"
	eventHandoffClaimed = "handoff.claimed"
	eventHandoffConfirm = "handoff.confirmed"
	eventHandoffRefused = "handoff.refused"
)

// trail is what an event says beyond what the call knows. Ids only, but for email, which is stored apart as personal data.
type trail struct {
	kind    string
	tenant  *tenant.Tenant
	client  string
	subject string
	session string
	email   string
	reason  fault.Reason
	detail  map[string]string
}

func (t trail) event(call *audit.Call) audit.Event {
	e := call.Event(secret.NewID(call.Wall), t.kind)
	e.TenantID, e.Subject, e.Session, e.Reason, e.Detail = t.tenant.ID, t.subject, t.session, string(t.reason), t.detail
	if t.client != "" {
		e.Client = t.client
	}
	e.Person = call.Personal(t.email)
	return e
}

func (t trail) record(call *audit.Call, messages ...audit.Message) audit.Record {
	return audit.Record{Events: []audit.Event{t.event(call)}, Messages: messages}
}

// refused records why and gives the refusal back. A trail that cannot be written is logged and changes no answer.
func (s *Service) refused(ctx context.Context, call *audit.Call, about trail, refusal *fault.Error) error {
	about.reason = refusal.Reason
	if err := s.cfg.Recorder.Record(ctx, about.record(call)); err != nil {
		s.cfg.Log.ErrorContext(ctx, "a refusal could not be recorded", "error", err.Error(), "reason", refusal.Reason, "trace", call.Trace)
	}
	return refusal
}
