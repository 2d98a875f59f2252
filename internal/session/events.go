package session

import (
	"strconv"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/delivery"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// The events of this room.
const (
	EventOpened     = "session.opened"
	EventRefreshed  = "session.refreshed"
	EventSuperseded = "session.superseded" // a late tab was served from the grace
	EventAdopted    = "session.family_adopted"
	EventRefused    = "session.refused"
	EventEnded      = "session.ended"
	EventConfirmed  = "session.confirmed" // a child access token showed that the pending refresh token arrived
	EventChanged    = "session.changed"   // a backend changed what it keeps with the session
)

// familyEvent starts an event about a family.
func familyEvent(call *audit.Call, kind string, fam *Family) audit.Event {
	e := call.Event(secret.NewID(call.At), kind)
	e.TenantID, e.Session, e.Subject, e.Client = fam.TenantID, fam.ID, fam.Subject, fam.ClientID
	return e
}

func one(e audit.Event) audit.Record { return audit.Record{Events: []audit.Event{e}} }

// reuseRecord is what the end of a stolen family leaves behind: the refusal with the view of whoever presented the old token, the end
// with the view of whoever opened the session, and a notice to the owner. Ids stand in Detail; what is personal stands in Person.
func (s *Service) reuseRecord(call *audit.Call, t *tenant.Tenant, c *tenant.Client, l *Loaded, f *facts) (audit.Record, error) {
	fam := &l.Family
	detail := map[string]string{
		"presented_generation": strconv.FormatUint(uint64(f.Generation), 10),
		"head_generation":      strconv.FormatUint(uint64(fam.Generation), 10),
		"presented_device":     call.Device,
		"family_device":        fam.Device,
	}
	refusal := familyEvent(call, EventRefused, fam)
	refusal.Reason, refusal.Detail, refusal.Person = string(fault.ReasonRefreshReused), detail, call.Personal(l.Holder.Email)
	ended := familyEvent(call, EventEnded, fam)
	ended.Reason, ended.Detail = string(fault.ReasonRefreshReused), detail
	ended.Person = &audit.Person{Address: fam.Place, Agent: fam.Agent, Email: l.Holder.Email}
	rec := audit.Record{Events: []audit.Event{refusal, ended}}
	if l.Holder.Email == "" {
		return rec, nil
	}
	notice, err := delivery.Message(s.ring, call, delivery.KindMail, delivery.Mail{
		To: l.Holder.Email, Template: delivery.TemplateRefreshReused, Locale: l.Holder.Locale, Client: clientName(t, c),
		Vars: map[string]string{
			"name": l.Holder.Name, "place": call.Place(), "device": call.Agent,
			"own_place": fam.Place, "own_device": fam.Agent, "when": call.At.UTC().Format("2006-01-02 15:04 UTC"),
		},
	})
	if err != nil {
		return audit.Record{}, err
	}
	rec.Messages = []audit.Message{notice}
	return rec, nil
}

func clientName(t *tenant.Tenant, c *tenant.Client) string {
	if c != nil && c.Name != "" {
		return c.Name
	}
	return t.Name
}
