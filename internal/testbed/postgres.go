package testbed

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
)

// Environment names the variable with the URL of a server to use, as a role that may create databases. Without it a server of our own is
// started, once per test process.
const Environment = "GATEHOUSE_TEST_POSTGRES"

var shared struct {
	once     sync.Once
	admin    string // URL of the server
	template string // name of the migrated database that others are cloned from
	err      error
	serial   atomic.Int64
}

// Postgres gives the URL of a fresh, migrated database, dropped when the test ends. It fails the test, and never skips it, when there is no
// PostgreSQL.
func Postgres(t testing.TB) string {
	t.Helper()
	shared.once.Do(func() { shared.admin, shared.template, shared.err = prepare() })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	name := fmt.Sprintf("gh_test_%d_%d_%d", os.Getpid(), time.Now().UnixNano(), shared.serial.Add(1))
	if err := command(shared.admin, `CREATE DATABASE `+name+` TEMPLATE `+shared.template); err != nil {
		t.Fatalf("create a test database: %v", err)
	}
	t.Cleanup(func() {
		if err := command(shared.admin, `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`); err != nil {
			t.Errorf("drop a test database: %v", err)
		}
	})
	return within(shared.admin, name)
}

// prepare finds or starts the shared server and sees to the template.
func prepare() (admin, template string, err error) {
	if admin = os.Getenv(Environment); admin == "" {
		s, err := start(false)
		if err != nil {
			return "", "", err
		}
		admin = s.URL()
	}
	template = "gh_template_" + schema()
	return admin, template, makeTemplate(admin, template)
}

// schema is a digest of the migrations, so that a template of another state is never cloned.
func schema() string {
	_, here, _, _ := runtime.Caller(0)
	dir := filepath.Join(filepath.Dir(here), "..", "sqlstore", "migrations", "postgres")
	files, _ := filepath.Glob(filepath.Join(dir, "*.sql"))
	h := sha256.New()
	for _, f := range files {
		b, _ := os.ReadFile(f)
		_, _ = h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// makeTemplate creates the template unless it is there. The advisory lock makes test processes that share a server take turns.
func makeTemplate(admin, name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := pgx.Connect(ctx, admin)
	if err != nil {
		return fmt.Errorf("reach PostgreSQL: %w", err)
	}
	defer func() { _ = c.Close(ctx) }()
	if _, err := c.Exec(ctx, `SELECT pg_advisory_lock(7193480113)`); err != nil {
		return err
	}
	var there bool
	if err := c.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)`, name).Scan(&there); err != nil || there {
		return err
	}
	// Renamed only when it is whole.
	for _, text := range []string{`DROP DATABASE IF EXISTS ` + name + `_new WITH (FORCE)`, `CREATE DATABASE ` + name + `_new`} {
		if _, err := c.Exec(ctx, text); err != nil {
			return err
		}
	}
	if err := migrate(ctx, within(admin, name+"_new")); err != nil {
		return err
	}
	_, err = c.Exec(ctx, `ALTER DATABASE `+name+`_new RENAME TO `+name)
	return err
}

func migrate(ctx context.Context, url string) error {
	s, err := sqlstore.Open(ctx, url, sqlstore.Config{})
	if err != nil {
		return err
	}
	err = s.Migrate(ctx)
	if closed := s.Close(); err == nil {
		err = closed
	}
	return err
}

func command(admin, text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := pgx.Connect(ctx, admin)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close(ctx) }()
	_, err = c.Exec(ctx, text)
	return err
}

// within gives the URL of another database on the same server.
func within(admin, database string) string {
	u, err := url.Parse(admin)
	if err != nil {
		return admin
	}
	u.Path = "/" + database
	return u.String()
}
