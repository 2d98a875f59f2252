// Package testbed gives tests their databases: a SQLite file, or a database of its own on a PostgreSQL server that is started when none is
// named. It is imported by tests only. It does not own what is tested against them.
package testbed

import (
	"path/filepath"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
)

// Backend is an open, migrated, empty store.
type Backend struct {
	Name  string // "sqlite" or "postgres"
	URL   string
	Store *sqlstore.Store
}

// SQLite gives the URL of a database file that does not exist yet.
func SQLite(t testing.TB) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "gatehouse.db")
}

// Stores gives one fresh store of each kind.
func Stores(t testing.TB) []Backend {
	t.Helper()
	return []Backend{OpenSQLite(t), OpenPostgres(t)}
}

// OpenSQLite gives a fresh SQLite store.
func OpenSQLite(t testing.TB) Backend {
	t.Helper()
	return open(t, "sqlite", SQLite(t))
}

// OpenPostgres gives a fresh PostgreSQL store.
func OpenPostgres(t testing.TB) Backend {
	t.Helper()
	return open(t, "postgres", Postgres(t))
}

func open(t testing.TB, name, url string) Backend {
	t.Helper()
	return Backend{Name: name, URL: url, Store: Open(t, url, sqlstore.Config{})}
}

// Open opens and migrates a store that is closed when the test ends.
func Open(t testing.TB, url string, cfg sqlstore.Config) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), url, cfg)
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatalf("migrate: %v", err)
	}
	return s
}

// Each runs fn as a subtest on every kind of store.
func Each(t *testing.T, fn func(t *testing.T, s *sqlstore.Store)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { fn(t, OpenSQLite(t).Store) })
	t.Run("postgres", func(t *testing.T) { fn(t, OpenPostgres(t).Store) })
}
