package sqlstore

import (
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

const (
	eventColumns   = `tenant_id, id, at, type, reason, subject, session_id, client_id, trace, actor_kind, actor_id, detail`
	refreshColumns = `tenant_id, id, at, subject, session_id, client_id, trace, actor_kind, actor_id`
	personColumns  = `tenant_id, event_id, address, agent, email`
	outboxColumns  = `id, tenant_id, kind, sealed, not_before`
)

var (
	eventPut   = hot(both(`INSERT INTO event (` + eventColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`))
	refreshPut = hot(both(`INSERT INTO event_refreshed (` + refreshColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`))
	personPut  = hot(both(`INSERT INTO event_person (` + personColumns + `) VALUES ($1, $2, $3, $4, $5)`))
	outboxPut  = hot(both(`INSERT INTO outbox (` + outboxColumns + `) VALUES ($1, $2, $3, $4, $5)`))

	revocationNext = hot(both(`INSERT INTO revocation_counter (tenant_id, seq) VALUES ($1, $2)
		ON CONFLICT (tenant_id) DO UPDATE SET seq = revocation_counter.seq + excluded.seq RETURNING seq`))
	revocationPut = hot(both(`INSERT INTO revocation (tenant_id, seq, kind, target, epoch, at, reason, until)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`))
)

// writeRecord writes rec inside a verb. It comes last: the counter of revocations stays locked from here to the commit.
func writeRecord(q queryer, rec audit.Record) error {
	for i := range rec.Events {
		if err := writeEvent(q, &rec.Events[i]); err != nil {
			return err
		}
	}
	for i := range rec.Messages {
		if err := q.later(outboxPut, messageArgs(&rec.Messages[i])...); err != nil {
			return err
		}
	}
	for i := range rec.Tokens {
		if err := putOpaque(q, &rec.Tokens[i]); err != nil {
			return err
		}
	}
	return writeRevocations(q, rec.Revocations)
}

func writeEvent(q queryer, e *audit.Event) error {
	if plainRefresh(e) {
		return q.later(refreshPut, refreshArgs(e)...)
	}
	args, err := eventArgs(e)
	if err != nil {
		return err
	}
	if err := q.later(eventPut, args...); err != nil || e.Person == nil {
		return err
	}
	return q.later(personPut, personArgs(e)...)
}

// plainRefresh reports whether an event belongs into the table of refreshes, which has no room for more than those say.
func plainRefresh(e *audit.Event) bool {
	return e.Type == session.EventRefreshed && e.Reason == "" && e.Person == nil && len(e.Detail) == 0
}

func refreshArgs(e *audit.Event) []any {
	identify(e)
	return []any{e.TenantID, e.ID, micros(e.At), e.Subject, e.Session, e.Client, e.Trace, e.Actor.Kind, e.Actor.ID}
}

func identify(e *audit.Event) {
	if e.ID == "" {
		e.ID = secret.NewID(e.At)
	}
}

func eventArgs(e *audit.Event) ([]any, error) {
	identify(e)
	var detail any
	if len(e.Detail) > 0 {
		text, err := encode(e.Detail)
		if err != nil {
			return nil, err
		}
		detail = text
	}
	return []any{
		e.TenantID, e.ID, micros(e.At), e.Type, e.Reason, e.Subject, e.Session, e.Client, e.Trace, e.Actor.Kind, e.Actor.ID, detail,
	}, nil
}

func personArgs(e *audit.Event) []any {
	return []any{e.TenantID, e.ID, e.Person.Address, e.Person.Agent, e.Person.Email}
}

func messageArgs(m *audit.Message) []any {
	return []any{m.ID, m.TenantID, m.Kind, bytesOrNull(m.Sealed), micros(m.NotBefore)}
}

// writeRevocations numbers revocations without gaps. The row of the tenant's counter is locked until the commit, so numbers are given in
// the order of commits and a follower never passes one that appears later. Tenants are taken in order, so that two verbs cannot deadlock.
func writeRevocations(q queryer, revs []audit.Revocation) error {
	if len(revs) == 0 {
		return nil
	}
	revs = slices.Clone(revs)
	slices.SortStableFunc(revs, func(a, b audit.Revocation) int { return strings.Compare(a.TenantID, b.TenantID) })
	for len(revs) > 0 {
		n := slices.IndexFunc(revs, func(r audit.Revocation) bool { return r.TenantID != revs[0].TenantID })
		if n < 0 {
			n = len(revs)
		}
		if err := numberRevocations(q, revs[:n]); err != nil {
			return err
		}
		revs = revs[n:]
	}
	return nil
}

func numberRevocations(q queryer, revs []audit.Revocation) error {
	var last int64
	if _, err := q.row(revocationNext, in{revs[0].TenantID, int64(len(revs))}, &last); err != nil {
		return err
	}
	for i, r := range revs {
		seq := last - int64(len(revs)) + int64(i) + 1
		err := q.later(revocationPut, r.TenantID, seq, r.Kind, r.Target, r.Epoch, micros(r.At), r.Reason, micros(r.Until))
		if err != nil {
			return err
		}
	}
	return nil
}

// affectedFor bounds how long a token of an ended session can live when nobody says better.
const affectedFor = 24 * time.Hour

// sessionRevocation is the feed's entry for a session that ended at the given instant.
func sessionRevocation(tenantID, sid, reason string, at, absolute time.Time) audit.Revocation {
	until := at.Add(affectedFor)
	if !absolute.IsZero() && absolute.Before(until) {
		until = absolute
	}
	return audit.Revocation{TenantID: tenantID, Kind: "session", Target: sid, At: at, Reason: reason, Until: until}
}
