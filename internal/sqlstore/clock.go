package sqlstore

import (
	"context"
	"time"
)

var clockText = pair(
	`SELECT CAST(unixepoch('subsec') * 1000000 AS INTEGER)`,
	`SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)`)

// Clock asks the database what time it is, to the millisecond at least. A SQLite file's database is this process, and its clock this machine's.
func (s *Store) Clock(ctx context.Context) (time.Time, error) {
	var at int64
	err := s.e.read(ctx, func(q queryer) error {
		_, err := q.row(clockText, in{}, &at)
		return err
	})
	return instant(at), err
}
