package sqlstore

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// Trail reads what the verbs have recorded.
type Trail struct{ e engine }

// Events reads the audit trail and the revocation feed.
func (s *Store) Events() Trail { return Trail{s.e} }

// TrailQuery asks for events of one tenant by exactly one of Trace, Session, Subject and Client. Plain refreshes are found by trace and by
// session only: a busy subject's would hide everything else.
type TrailQuery struct {
	TenantID string
	Trace    string
	Session  string
	Subject  string
	Client   string // what was done to this client itself
	Limit    int    // 0 means 100; the newest are given
}

const eventSelect = `SELECT e.tenant_id, e.id, e.at, e.type, e.reason, e.subject, e.session_id, e.client_id, e.trace, e.actor_kind,
	e.actor_id, e.detail, p.address, p.agent, p.email
	FROM event e LEFT JOIN event_person p ON p.event_id = e.id AND p.tenant_id || '' = $1 WHERE e.tenant_id = $1 AND `

// refreshSelect gives plain refreshes in the columns of eventSelect.
const refreshSelect = `SELECT tenant_id, id, at, '` + session.EventRefreshed + `', '', subject, session_id, client_id, trace, actor_kind,
	actor_id, NULL, NULL, NULL, NULL FROM event_refreshed WHERE tenant_id = $1 AND `

var (
	refreshesByTrace   = hot(both(refreshSelect + `trace = $2 ORDER BY at DESC, id DESC LIMIT $3`))
	refreshesBySession = hot(both(refreshSelect + `session_id = $2 ORDER BY id DESC LIMIT $3`))

	eventsByTrace   = hot(both(eventSelect + `e.trace = $2 AND e.trace <> '' ORDER BY e.at DESC, e.id DESC LIMIT $3`))
	eventsBySession = hot(both(eventSelect + `e.session_id = $2 AND e.session_id <> '' ORDER BY e.id DESC LIMIT $3`))
	eventsBySubject = hot(both(eventSelect + `e.subject = $2 AND e.subject <> '' ORDER BY e.id DESC LIMIT $3`))
	eventsByClient  = hot(both(eventSelect + `e.client_id = $2 AND e.type IN ('client.applied', 'client.removed') ORDER BY e.id DESC LIMIT $3`))
	feedText        = hot(both(`SELECT tenant_id, seq, kind, target, epoch, at, reason, until FROM revocation
		WHERE tenant_id = $1 AND seq > $2 ORDER BY seq LIMIT $3`))
)

// Find gives events, newest first, with their personal part where it is still kept.
func (t Trail) Find(ctx context.Context, tq TrailQuery) ([]audit.Event, error) {
	var texts []*stmt
	var key string
	switch {
	case tq.Trace != "":
		texts, key = []*stmt{eventsByTrace, refreshesByTrace}, tq.Trace
	case tq.Session != "":
		texts, key = []*stmt{eventsBySession, refreshesBySession}, tq.Session
	case tq.Subject != "":
		texts, key = []*stmt{eventsBySubject}, tq.Subject
	case tq.Client != "":
		texts, key = []*stmt{eventsByClient}, tq.Client
	default:
		return nil, fault.New(fault.Invalid, fault.ReasonInvalid, "name a trace, a session, a subject or a client")
	}
	limit := tq.Limit
	if limit == 0 {
		limit = 100
	}
	var out []audit.Event
	err := t.e.view(ctx, func(q queryer) error {
		out = nil
		for _, text := range texts {
			if err := q.each(text, in{tq.TenantID, key, int64(limit)}, func(scan scanner) error {
				e, err := scanEvent(scan)
				out = append(out, e)
				return err
			}); err != nil {
				return err
			}
		}
		return nil
	})
	if len(texts) > 1 {
		slices.SortStableFunc(out, newestFirst)
		out = out[:min(len(out), limit)]
	}
	return out, err
}

// newestFirst is the order of both tables: ids sort by time, but events of one trace may bear ids of another clock.
func newestFirst(a, b audit.Event) int {
	return cmp.Or(b.At.Compare(a.At), strings.Compare(b.ID, a.ID))
}

func scanEvent(scan scanner) (audit.Event, error) {
	var e audit.Event
	var at int64
	var detail, address, agent, email *string
	err := scan(&e.TenantID, &e.ID, &at, &e.Type, &e.Reason, &e.Subject, &e.Session, &e.Client, &e.Trace, &e.Actor.Kind, &e.Actor.ID,
		&detail, &address, &agent, &email)
	e.At = instant(at)
	if address != nil {
		e.Person = &audit.Person{Address: *address, Agent: *agent, Email: *email}
	}
	if err != nil || detail == nil {
		return e, err
	}
	return e, decode(*detail, &e.Detail)
}

// Numbered is a revocation with its place in the feed.
type Numbered struct {
	Seq int64
	audit.Revocation
}

// Revocations gives the feed of a tenant after a sequence number, in order.
func (t Trail) Revocations(ctx context.Context, tenantID string, after int64, limit int) ([]Numbered, error) {
	var out []Numbered
	err := t.e.read(ctx, func(q queryer) error {
		out = nil
		return q.each(feedText, in{tenantID, after, int64(limit)}, func(scan scanner) error {
			var n Numbered
			var at, until int64
			err := scan(&n.TenantID, &n.Seq, &n.Kind, &n.Target, &n.Epoch, &at, &n.Reason, &until)
			n.At, n.Until = instant(at), instant(until)
			out = append(out, n)
			return err
		})
	})
	return out, err
}

var (
	personRetire = hot(both(`DELETE FROM event_person WHERE tenant_id || '' = $1 AND event_id IN
		(SELECT event_id FROM event_person WHERE tenant_id = $1 AND event_id < $2 ORDER BY event_id LIMIT $3)`))
	eventRetire = hot(both(`DELETE FROM event WHERE tenant_id || '' = $1 AND id IN
		(SELECT id FROM event WHERE tenant_id = $1 AND id < $2 ORDER BY id LIMIT $3)`))
	refreshRetire = hot(both(`DELETE FROM event_refreshed WHERE tenant_id || '' = $1 AND id IN
		(SELECT id FROM event_refreshed WHERE tenant_id = $1 AND id < $2 ORDER BY id LIMIT $3)`))
	revocationRetire = hot(both(`DELETE FROM revocation WHERE tenant_id || '' = $1 AND until < $2`))
)

// Retire deletes, up to limit of each, events and personal parts older than the given instants (a zero one keeps all), and every feed entry
// that names only dead tokens, and gives how many rows went. Ids sort by time.
func (t Trail) Retire(ctx context.Context, tenantID string, events, persons, at time.Time, limit int) (n int, err error) {
	err = t.e.write(ctx, func(q queryer) error {
		n = 0
		for _, step := range []struct {
			text *stmt
			args []any
		}{
			{personRetire, in{tenantID, idBefore(persons), int64(limit)}}, {eventRetire, in{tenantID, idBefore(events), int64(limit)}},
			{refreshRetire, in{tenantID, idBefore(events), int64(limit)}},
			{revocationRetire, in{tenantID, micros(at)}},
		} {
			gone, err := q.exec(step.text, step.args...)
			if err != nil {
				return err
			}
			n += int(gone)
		}
		return nil
	})
	return n, err
}

// idBefore is the smallest UUIDv7 of an instant; "" for the zero time, which no id precedes.
func idBefore(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	var b [16]byte
	ms := uint64(at.UnixMilli())
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	return secret.FormatID(b)
}
