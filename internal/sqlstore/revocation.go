package sqlstore

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/revocation"
)

type revocations struct{ e engine }

// Revocations is the feed's store.
func (s *Store) Revocations() revocation.Store { return revocations{s.e} }

var (
	// One statement, so that stream and number are of one moment.
	feedHead = hot(both(`SELECT COALESCE((SELECT value FROM meta WHERE name = 'stream_id'), ''),
		COALESCE((SELECT seq FROM revocation_counter WHERE tenant_id = $1), 0)`))
	feedPage = hot(both(`SELECT seq, kind, target, epoch, at, reason, until FROM revocation
		WHERE tenant_id = $1 AND seq > $2 AND seq <= $3 AND until > $4 ORDER BY seq LIMIT $5`))
)

// Head names stream and newest entry. What is counted is committed: the counter's row and the entries are written together.
func (s revocations) Head(ctx context.Context, tenantID string) (h revocation.Head, err error) {
	err = s.e.read(ctx, func(q queryer) error {
		_, err := q.row(feedHead, in{tenantID}, &h.Stream, &h.Seq)
		return err
	})
	return h, err
}

// Page gives entries of a span in order.
func (s revocations) Page(ctx context.Context, span revocation.Span, limit int) (out []revocation.Entry, err error) {
	err = s.e.read(ctx, func(q queryer) error {
		out = nil
		return q.each(feedPage, in{span.TenantID, span.After, span.UpTo, micros(span.At), int64(limit)}, func(scan scanner) error {
			var e revocation.Entry
			var at, until int64
			err := scan(&e.Seq, &e.Kind, &e.Target, &e.Epoch, &at, &e.Reason, &until)
			e.TenantID, e.At, e.Until = span.TenantID, instant(at), instant(until)
			out = append(out, e)
			return err
		})
	})
	return out, err
}

// Purge deletes entries that name only dead tokens.
func (s revocations) Purge(ctx context.Context, tenantID string, at time.Time) (int, error) {
	return purge(ctx, s.e, revocationRetire, tenantID, micros(at))
}
