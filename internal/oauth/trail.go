package oauth

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// The events of the front half.
const (
	EventRefused   = "oauth.refused"
	EventCode      = "oauth.code_issued"
	EventConsented = "oauth.consented"
	EventWithdrawn = "oauth.consent_withdrawn"
)

// Recorder writes events on their own: a refusal has no other change to travel with. session.Store is one.
type Recorder interface {
	Record(ctx context.Context, rec audit.Record) error
}

func event(call *audit.Call, kind, clientID string) audit.Event {
	e := call.Event(secret.NewID(call.At), kind)
	e.Client = clientID
	return e
}

func one(e audit.Event) audit.Record { return audit.Record{Events: []audit.Event{e}} }

// noted writes a refusal of a request to the trail and gives it back, so that its trace id leads somewhere. Only requests that name a known
// client are written: strangers must not be able to fill the trail with anything they like.
func (s *Service) noted(ctx context.Context, call *audit.Call, p *Params, err error) error {
	if s.cfg.Recorder == nil || s.cfg.Directory.Client(call.TenantID, p.ClientID) == nil {
		return err
	}
	e := event(call, EventRefused, p.ClientID)
	e.Reason, e.Person = string(fault.ReasonOf(err)), call.Personal("")
	if lost := s.cfg.Recorder.Record(ctx, one(e)); lost != nil {
		s.cfg.Log.WarnContext(ctx, "a refusal was not recorded", "trace_id", call.Trace, "error", lost.Error())
	}
	return err
}
