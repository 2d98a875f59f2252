package sqlstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// The feed's stream is named anew when a serving process finds the database in another place than it was last served from: a restored copy
// has forgotten revocations that followers have heard of, and will give their numbers again to others. What cannot be seen from here (a
// copy written over the open file's content) is caught by followers that are ahead, and by Renew.
var (
	streamRenew = both(`UPDATE meta SET value = $1 WHERE name = 'stream_id'`)
	placeGet    = both(`SELECT value FROM meta WHERE name = 'stream_place'`)
	placePut    = both(`INSERT INTO meta (name, value) VALUES ('stream_place', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value`)
	// A promoted replica or a recovery to a point in time begins a new timeline; a dump is read into another system or database.
	placePostgres = pair(`SELECT ''`, `SELECT s.system_identifier::text || '/' || c.timeline_id::text || '/' || d.oid::text
		FROM pg_control_system() s, pg_control_checkpoint() c, pg_database d WHERE d.datname = current_database()`)
	placeLess = pair(`SELECT ''`, `SELECT '/' || oid::text FROM pg_database WHERE datname = current_database()`)
)

// RenewStream makes every follower of the revocation feed take what is relevant anew. Whoever restores a backup by other means than by
// putting a file or a database in place calls it.
func (s *Store) RenewStream(ctx context.Context) error {
	return s.e.write(ctx, func(q queryer) error { return q.later(streamRenew, secret.Random(16)) })
}

// settle compares where the database is with where it was last served, and names the stream anew when they differ.
func (s *Store) settle(ctx context.Context) error {
	now, err := s.place(ctx)
	if err != nil || now == "" {
		return err
	}
	var before string
	err = s.e.read(ctx, func(q queryer) error {
		_, err := q.row(placeGet, in{}, &before)
		return err
	})
	if err != nil || before == now {
		return err
	}
	return s.e.write(ctx, func(q queryer) error {
		if before != "" {
			if err := q.later(streamRenew, secret.Random(16)); err != nil {
				return err
			}
		}
		return q.later(placePut, now)
	})
}

// place names the database's home: its system, timeline and id on PostgreSQL, device and inode of a SQLite file. "" when nobody knows.
func (s *Store) place(ctx context.Context) (at string, err error) {
	if e, ok := s.bare.(*sqliteEngine); ok {
		return filePlace(e.path), nil
	}
	ask := func(text *stmt) error {
		return s.e.read(ctx, func(q queryer) error {
			_, err := q.row(text, in{}, &at)
			return err
		})
	}
	if err = ask(placePostgres); err != nil && fault.From(err).Kind != fault.Unavailable { // the role may not look at the control file
		err = ask(placeLess)
	}
	return at, err
}
