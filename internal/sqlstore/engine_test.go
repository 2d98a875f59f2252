package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
)

var (
	putNode   = sqlstore.Prepare(`INSERT INTO node (id, version, seen_at) VALUES ($1, 1, 1)`)
	countNode = sqlstore.Prepare(`SELECT count(*) FROM node WHERE id LIKE $1`)
)

func nodes(t testing.TB, s *sqlstore.Store, like string) int64 {
	t.Helper()
	var n int64
	err := s.Read(context.WithoutCancel(t.Context()), func(tx sqlstore.Tx) error {
		_, err := tx.Row(countNode, []any{like}, &n)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func put(tx sqlstore.Tx, id string) error {
	_, err := tx.Exec(putNode, id)
	return err
}

// hold occupies SQLite's writer until the returned function is called.
func hold(t *testing.T, s *sqlstore.Store) (release func()) {
	t.Helper()
	inside, free, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	entered := sync.OnceFunc(func() { close(inside) }) // a write may run again
	go func() {
		done <- s.Write(context.WithoutCancel(t.Context()), func(sqlstore.Tx) error {
			entered()
			<-free
			return nil
		})
	}()
	<-inside
	return func() {
		close(free)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestWritesThatWaitShareOneCommit(t *testing.T) {
	s := testbed.OpenSQLite(t).Store
	release := hold(t, s)
	before := s.Stats()
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			err := s.Write(t.Context(), func(tx sqlstore.Tx) error {
				if err := put(tx, fmt.Sprintf("n%d", i)); err != nil {
					return err
				}
				switch i % 4 {
				case 1:
					return errors.New("a job that fails after its write")
				case 2:
					return put(tx, fmt.Sprintf("n%d", i)) // the same key again
				case 3:
					if i%8 == 3 {
						panic("a job that panics after its write")
					}
				}
				return nil
			})
			if fails := i%4 == 1 || i%4 == 2 || i%8 == 3; fails != (err != nil) {
				t.Errorf("job %d: %v", i, err)
			}
		})
	}
	until(t, func() bool { return s.Stats().Waiting == 60 })
	release()
	wg.Wait()
	after := s.Stats()
	if n := nodes(t, s, "n%"); n != 15+7 {
		t.Errorf("%d rows, want those of the 22 jobs that succeeded", n)
	}
	if groups := after.Groups - before.Groups; groups > 3 {
		t.Errorf("61 writes took %d commits", groups)
	}
}

func TestFailedWriteLeavesNoTrace(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) {
		err := s.Write(t.Context(), func(tx sqlstore.Tx) error {
			if err := put(tx, "a"); err != nil {
				return err
			}
			return put(tx, "a")
		})
		if f := fault.From(err); f.Kind != fault.Conflict || f.Reason != fault.ReasonConflict {
			t.Errorf("a duplicate is %v", err)
		}
		if n := nodes(t, s, "a"); n != 0 {
			t.Errorf("%d rows", n)
		}
		if err := s.Write(t.Context(), func(tx sqlstore.Tx) error { return put(tx, "b") }); err != nil {
			t.Errorf("the next write: %v", err)
		}
	})
}

func TestCancelledWriteThatHasNotBegunIsDropped(t *testing.T) {
	s := testbed.OpenSQLite(t).Store
	release := hold(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	answer := make(chan error, 1)
	go func() { answer <- s.Write(ctx, func(tx sqlstore.Tx) error { return put(tx, "dropped") }) }()
	until(t, func() bool { return s.Stats().Waiting == 1 })
	cancel()
	if err := <-answer; !errors.Is(err, context.Canceled) || fault.From(err).Kind != fault.Unavailable {
		t.Errorf("got %v", err)
	}
	release()
	if err := s.Write(t.Context(), func(tx sqlstore.Tx) error { return put(tx, "next") }); err != nil {
		t.Fatal(err)
	}
	if n := nodes(t, s, "dropped"); n != 0 {
		t.Error("a dropped write was done")
	}
}

func TestCancelledWriteThatHasBegunTellsTheTruth(t *testing.T) {
	s := testbed.OpenSQLite(t).Store
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Write(ctx, func(tx sqlstore.Tx) error {
		cancel()
		return put(tx, "begun")
	})
	if err != nil || nodes(t, s, "begun") != 1 {
		t.Errorf("got %v and %d rows", err, nodes(t, s, "begun"))
	}
}

func TestConnectionsSurviveCancelledCallers(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) {
		var wg sync.WaitGroup
		for i := range 100 {
			ctx, cancel := context.WithCancel(t.Context())
			wg.Go(func() {
				_ = s.Write(ctx, func(tx sqlstore.Tx) error { return put(tx, fmt.Sprintf("c%d", i)) })
			})
			wg.Go(cancel)
		}
		wg.Wait()
		if err := s.Write(t.Context(), func(tx sqlstore.Tx) error { return put(tx, "after") }); err != nil {
			t.Error(err)
		}
	})
}

func TestTextThatOneEngineCannotKeepIsRefusedByBoth(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) {
		for _, id := range []string{"nul\x00", "latin\xe9", "\xed\xa0\x80"} {
			err := s.Write(t.Context(), func(tx sqlstore.Tx) error { return put(tx, id) })
			if fault.From(err).Kind != fault.Invalid {
				t.Errorf("%q: %v", id, err)
			}
		}
	})
}

func TestOneProcessServesAFile(t *testing.T) {
	url := testbed.SQLite(t)
	first := testbed.Open(t, url, sqlstore.Config{Own: true})
	if _, err := sqlstore.Open(t.Context(), url, sqlstore.Config{Own: true}); fault.From(err).Kind != fault.Conflict {
		t.Fatalf("a second owner: %v", err)
	}
	beside := testbed.Open(t, url, sqlstore.Config{}) // a command
	if err := beside.Write(t.Context(), func(tx sqlstore.Tx) error { return put(tx, "beside") }); err != nil {
		t.Fatal(err)
	}
	if nodes(t, first, "beside") != 1 {
		t.Error("the owner does not see what a command wrote")
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := sqlstore.Open(t.Context(), url, sqlstore.Config{Own: true})
	if err != nil {
		t.Fatalf("after the owner has gone: %v", err)
	}
	_ = again.Close()
}

func TestClosedStoreSaysUnavailable(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.Ping(t.Context()); fault.From(err).Kind != fault.Unavailable {
			t.Errorf("read: %v", err)
		}
		if err := s.Sessions().Record(t.Context(), event("late")); fault.From(err).Kind != fault.Unavailable {
			t.Errorf("write: %v", err)
		}
	})
}

func TestNodesMigrateAtOnce(t *testing.T) {
	private := testbed.PrivatePostgres(t)
	for _, url := range []string{testbed.SQLite(t), private.URL()} {
		var wg sync.WaitGroup
		ids := make([]string, 5)
		for i := range ids {
			s, err := sqlstore.Open(t.Context(), url, sqlstore.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			wg.Go(func() {
				if err := s.Migrate(t.Context()); err != nil {
					t.Errorf("%s: %v", url, err)
				}
				ids[i], _ = s.StreamID(t.Context())
			})
		}
		wg.Wait()
		for _, id := range ids {
			if id == "" || id != ids[0] {
				t.Errorf("%s: stream ids %q", url, ids)
			}
		}
	}
}

func TestPathsWithSpecialCharacters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?c#d%41.db")
	s := testbed.Open(t, "sqlite:"+path, sqlstore.Config{})
	if err := s.Tenants().Put(t.Context(), nil, nil, audit.Record{}); err != nil {
		t.Fatal(err)
	}
}

func TestUnreachableServer(t *testing.T) {
	s, err := sqlstore.Open(t.Context(), "postgres://u:very-secret@127.0.0.1:1/none?sslmode=disable", sqlstore.Config{})
	if err == nil {
		err = s.Ping(t.Context())
	}
	f := fault.From(err)
	if f.Kind != fault.Unavailable || f.RetryAfter == 0 || strings.Contains(err.Error(), "very-secret") {
		t.Errorf("got %v", err)
	}
}
