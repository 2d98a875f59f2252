// Package sqlstore keeps everything that must survive, in SQLite or PostgreSQL: it implements the Store interface of every room with one
// set of queries over one schema. It owns connections, transactions, migrations and the mapping of database errors to faults. It does
// not own decisions: rooms decide from loaded values and hand in the change.
package sqlstore

import (
	"context"
	"log/slog"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

// Config tunes a store. The zero value is right for commands.
type Config struct {
	Own      bool         // take the SQLite lock file: exactly one serving process per database file
	MaxConns int          // PostgreSQL connections, or SQLite readers; 0 chooses by the number of cores
	Log      *slog.Logger // nil means slog.Default()
	// Span is told of every visit to the database ("read", "view", "write", "once") and gives what to call at its end, or nil. A nil
	// Span costs nothing.
	Span func(ctx context.Context, kind string) (end func(error))
	// Revoked is called after each commit that wrote to the revocation feed; it must not block. nil is nobody.
	Revoked func()
	// Tell is asked what to send when sessions end; nil sends nothing. Ends of sign-on sessions bring their own (sso.End).
	Tell Tell
	// Rehearse is for tests: what is written runs twice, the first time undone.
	Rehearse bool
}

// Store is an open database.
type Store struct {
	e    engine
	bare engine // without those who watch
	own  bool
}

// Open opens the database that url names: "sqlite:path" or "postgres://…". It creates a missing SQLite file, but no schema: Migrate does.
// With Own it refuses a SQLite file that another process serves.
func Open(ctx context.Context, url string, cfg Config) (*Store, error) {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	var e engine
	var err error
	switch scheme, _, _ := strings.Cut(url, ":"); scheme {
	case "sqlite":
		e, err = openSQLite(strings.TrimPrefix(url, "sqlite:"), cfg)
	case "postgres", "postgresql":
		e, err = openPostgres(ctx, url, cfg)
	default:
		err = fault.New(fault.Invalid, fault.ReasonInvalid, "the store's URL must begin with sqlite: or postgres://")
	}
	if err != nil {
		return nil, err
	}
	s := &Store{own: cfg.Own, bare: e}
	if cfg.Rehearse {
		e = rehearsing{e}
	}
	if cfg.Revoked != nil {
		e = announcing{engine: e, revoked: cfg.Revoked}
	}
	if cfg.Span != nil {
		e = spanned{engine: e, begin: cfg.Span}
	}
	if cfg.Tell != nil { // outermost: writeEnded looks for it
		e = telling{engine: e, tell: cfg.Tell}
	}
	s.e = e
	return s, nil
}

// Close ends all work that has begun and closes every connection. Later verbs fail as Unavailable.
func (s *Store) Close() error { return s.e.close() }

// Ping asks the database for a sign of life.
func (s *Store) Ping(ctx context.Context) error {
	return s.e.read(ctx, func(q queryer) error {
		var one int64
		_, err := q.row(pingText, in{}, &one)
		return err
	})
}

var pingText = both(`SELECT 1`)

// Stats are figures about connections and queues, for metrics.
type Stats struct {
	Engine  string // "sqlite" or "postgres"
	Open    int    // connections open
	Busy    int    // connections in use
	Max     int    // connections allowed
	Waiting int    // SQLite: writes waiting for the writer
	Writes  int64  // SQLite: writes answered; PostgreSQL: those of a kind that may share a commit
	Groups  int64  // their commits; Writes divided by Groups is the mean size of a group
	Waits   int64  // PostgreSQL: times a caller had to wait for a connection
	Retries int64  // PostgreSQL: transactions run again after a serialization failure or deadlock
}

// Stats gives the figures of this moment.
func (s *Store) Stats() Stats { return s.e.stats() }
