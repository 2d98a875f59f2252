package sqlstore

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/delivery"
)

type outbox struct{ e engine }

// Outbox is the delivery room's store.
func (s *Store) Outbox() delivery.Store { return outbox{s.e} }

var (
	// Rows that another caller is leasing at this moment are passed over, not waited for.
	outboxLease = hot(pair(
		`UPDATE outbox SET not_before = $3 WHERE (id, tenant_id) IN
			(SELECT id, tenant_id FROM outbox WHERE not_before <= $1 ORDER BY not_before, id LIMIT $2)
			RETURNING id, tenant_id, kind, sealed, attempts`,
		`WITH due AS (SELECT id, tenant_id FROM outbox WHERE not_before <= $1 ORDER BY not_before LIMIT $2 FOR UPDATE SKIP LOCKED)
			UPDATE outbox o SET not_before = $3 FROM due WHERE o.id = due.id AND o.tenant_id = due.tenant_id
			RETURNING o.id, o.tenant_id, o.kind, o.sealed, o.attempts`))
	outboxWaits = hot(both(`SELECT 1 FROM outbox WHERE not_before <= $1 LIMIT 1`))
	outboxHold  = hot(both(`UPDATE outbox SET not_before = $2 WHERE id = $1 AND not_before < $2`))
	outboxDone  = hot(both(`DELETE FROM outbox WHERE id = $1`))
	outboxRetry = hot(both(`UPDATE outbox SET not_before = $2, attempts = attempts + 1 WHERE id = $1`))
	outboxCount = both(`SELECT count(*) FROM outbox`) // for metrics; the outbox is nearly empty

	mailPut = both(`INSERT INTO mailbox (tenant_id, id, recipient, typed_to, subject, body_text, body_html, links, codes, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`)
	mailTrim = hot(both(`DELETE FROM mailbox WHERE tenant_id = $1 AND seq <=
		(SELECT seq FROM mailbox WHERE tenant_id = $1 ORDER BY seq DESC LIMIT 1 OFFSET 500)`))
	mailList = hot(both(`SELECT id, tenant_id, typed_to, subject, body_text, body_html, links, codes, at FROM mailbox
		WHERE tenant_id = $1 AND ($2 = '' OR recipient = $2) ORDER BY seq DESC LIMIT $3`))
	mailClear = hot(both(`DELETE FROM mailbox WHERE tenant_id = $1`))
)

// Lease hands out due messages, oldest first. It looks before it writes: the outbox is polled, and mostly empty.
func (s outbox) Lease(ctx context.Context, n int, wall time.Time, lease time.Duration) ([]delivery.Leased, error) {
	var waits bool
	err := s.e.read(ctx, func(q queryer) (err error) {
		var one int64
		waits, err = q.row(outboxWaits, in{micros(wall)}, &one)
		return err
	})
	if err != nil || !waits {
		return nil, err
	}
	var out []delivery.Leased
	err = s.e.write(ctx, func(q queryer) error {
		out = nil
		return q.each(outboxLease, in{micros(wall), int64(n), micros(wall.Add(lease))}, func(scan scanner) error {
			var l delivery.Leased
			var attempts int64
			err := scan(&l.Message.ID, &l.Message.TenantID, &l.Message.Kind, &l.Message.Sealed, &attempts)
			l.Attempts, l.Message.NotBefore = int(attempts), instant(micros(wall.Add(lease)))
			out = append(out, l)
			return err
		})
	})
	slices.SortFunc(out, func(a, b delivery.Leased) int { return strings.Compare(a.Message.ID, b.Message.ID) })
	return out, err
}

// Hold lengthens a lease.
func (s outbox) Hold(ctx context.Context, id string, until time.Time) error {
	return s.e.write(ctx, func(q queryer) error { return q.later(outboxHold, id, micros(until)) })
}

// Done deletes a message; one that is gone already is no error.
func (s outbox) Done(ctx context.Context, id string) error {
	return s.e.write(ctx, func(q queryer) error { return q.later(outboxDone, id) })
}

// Retry puts a message back.
func (s outbox) Retry(ctx context.Context, id string, next time.Time) error {
	return s.e.write(ctx, func(q queryer) error { return q.later(outboxRetry, id, micros(next)) })
}

// PutMail stores a mail in the development mailbox.
func (s outbox) PutMail(ctx context.Context, m delivery.BoxMail) error {
	return s.e.write(ctx, func(q queryer) error {
		err := q.later(mailPut, m.TenantID, m.ID, strings.ToLower(m.To), m.To, m.Subject, m.Text, m.HTML, list(m.Links), list(m.Codes),
			micros(m.At))
		if err != nil {
			return err
		}
		return q.later(mailTrim, m.TenantID)
	})
}

// Mailbox lists mails in the reverse order of arrival. Recipients compare without case.
func (s outbox) Mailbox(ctx context.Context, tenantID, to string, limit int) ([]delivery.BoxMail, error) {
	var out []delivery.BoxMail
	err := s.e.read(ctx, func(q queryer) error {
		out = nil
		return q.each(mailList, in{tenantID, strings.ToLower(to), int64(limit)}, func(scan scanner) error {
			m, err := scanMail(scan)
			out = append(out, m)
			return err
		})
	})
	return out, err
}

func scanMail(scan scanner) (delivery.BoxMail, error) {
	var m delivery.BoxMail
	var links, codes string
	var at int64
	if err := scan(&m.ID, &m.TenantID, &m.To, &m.Subject, &m.Text, &m.HTML, &links, &codes, &at); err != nil {
		return m, err
	}
	m.At = instant(at)
	var err error
	if m.Links, err = listOf(links); err != nil {
		return m, err
	}
	m.Codes, err = listOf(codes)
	return m, err
}

// ClearMailbox empties a tenant's mailbox.
func (s outbox) ClearMailbox(ctx context.Context, tenantID string) error {
	return s.e.write(ctx, func(q queryer) error { return q.later(mailClear, tenantID) })
}

// Backlog counts waiting messages.
func (s outbox) Backlog(ctx context.Context) (n int, err error) {
	err = s.e.read(ctx, func(q queryer) error {
		var count int64
		_, err := q.row(outboxCount, in{}, &count)
		n = int(count)
		return err
	})
	return n, err
}
