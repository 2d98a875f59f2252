package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

//go:embed migrations
var migrations embed.FS

// newest is the version of the last migration in a folder.
func newest(dir string) int64 {
	files, _ := fs.ReadDir(migrations, "migrations/"+dir)
	var last int64
	for _, f := range files {
		number, _, _ := strings.Cut(f.Name(), "_")
		if n, err := strconv.ParseInt(number, 10, 64); err == nil {
			last = max(last, n)
		}
	}
	return last
}

var (
	versionText = both(`SELECT COALESCE(max(version_id), 0) FROM goose_db_version WHERE is_applied`)
	streamPut   = both(`INSERT INTO meta (name, value) VALUES ('stream_id', $1) ON CONFLICT (name) DO NOTHING`)
	streamGet   = both(`SELECT value FROM meta WHERE name = 'stream_id'`)
)

// Migrate brings the schema up to date. One query when nothing is to do. Several nodes may call it at once. A schema newer than this
// program is left alone: during a rolling upgrade the older node goes on.
func (s *Store) Migrate(ctx context.Context) error {
	dir := "sqlite"
	if s.e.kind() == postgresKind {
		dir = "postgres"
	}
	if !s.migrated(ctx, newest(dir)) {
		if err := s.e.migrate(ctx); err != nil {
			return failed(err)
		}
		err := s.e.write(ctx, func(q queryer) error { return q.later(streamPut, secret.Random(16)) })
		if err != nil {
			return err
		}
	}
	if !s.own { // a command may see the database from elsewhere
		return nil
	}
	return s.settle(ctx)
}

func (s *Store) migrated(ctx context.Context, want int64) bool {
	var have int64
	var stream string
	err := s.e.read(ctx, func(q queryer) error {
		if _, err := q.row(versionText, in{}, &have); err != nil || have < want {
			return err
		}
		_, err := q.row(streamGet, in{}, &stream)
		return err
	})
	return err == nil && have >= want && stream != ""
}

// StreamID names this database's revocation feed: followers of another one start anew.
func (s *Store) StreamID(ctx context.Context) (id string, err error) {
	err = s.e.read(ctx, func(q queryer) error {
		_, err := q.row(streamGet, in{}, &id)
		return err
	})
	return id, err
}

func up(ctx context.Context, dialect goose.Dialect, db *sql.DB, dir string, opts ...goose.ProviderOption) error {
	files, err := fs.Sub(migrations, "migrations/"+dir)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(dialect, db, files, opts...)
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

// migrate holds a session advisory lock, so that of several nodes one works and the others wait.
func (e *postgresEngine) migrate(ctx context.Context) error {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
	if err != nil {
		return err
	}
	db := stdlib.OpenDBFromPool(e.pool)
	defer func() { _ = db.Close() }()
	return up(ctx, goose.DialectPostgres, db, "postgres", goose.WithSessionLocker(locker))
}

// migrate works under the lock of the file. A command that finds it taken waits for its holder, a serving process that is migrating or
// another command, to finish.
func (e *sqliteEngine) migrate(ctx context.Context) error {
	if e.lock == nil {
		l, err := e.lockToMigrate(ctx)
		if l == nil || err != nil {
			return err
		}
		defer l.release()
	}
	return up(ctx, goose.DialectSQLite3, e.db, "sqlite")
}

// lockToMigrate gives nil without error when the holder of the lock has done the work.
func (e *sqliteEngine) lockToMigrate(ctx context.Context) (*fileLock, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		l, err := takeLock(e.path + ".lock")
		if err == nil || !errors.Is(err, errLocked) {
			return l, err
		}
		if (&Store{e: e}).migrated(ctx, newest("sqlite")) {
			return nil, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, errLocked
		}
	}
}
