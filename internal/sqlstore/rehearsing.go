package sqlstore

import (
	"context"
	"errors"
)

// rehearsing runs what is written twice and undoes the first time, as a deadlock or the failure of a neighbour in the group may: suites that
// pass on it show that their verbs bear it.
type rehearsing struct{ engine }

var errRehearsed = errors.New("a rehearsal")

func (r rehearsing) write(ctx context.Context, fn func(q queryer) error) error {
	_ = r.engine.write(ctx, func(q queryer) error {
		_ = fn(q)
		return errRehearsed
	})
	return r.engine.write(ctx, fn)
}
