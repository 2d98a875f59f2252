package sqlstore_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
)

var (
	killOthers = sqlstore.Prepare(`SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'gatehouse'`)
	addNodeNamed = sqlstore.Prepare(`INSERT INTO node (id, version, seen_at) VALUES ($1, 1, 1)`)
	nodesNamed   = sqlstore.Prepare(`SELECT count(*) FROM node WHERE id = $1`)
)

// axe ends every connection of the database but its own, as a restart of the server does.
func axe(t *testing.T, s *sqlstore.Store) func() {
	t.Helper()
	return func() {
		var n int64
		err := s.Read(context.Background(), func(tx sqlstore.Tx) error {
			_, err := tx.Row(killOthers, nil, &n)
			return err
		})
		if err != nil || n == 0 {
			t.Errorf("%d connections ended, %v", n, err)
		}
	}
}

// fill opens every connection of the pool.
func fill(t *testing.T, s *sqlstore.Store) {
	t.Helper()
	var together, all sync.WaitGroup
	n := s.Stats().Max
	together.Add(n)
	for range n {
		all.Go(func() {
			err := s.Read(t.Context(), func(sqlstore.Tx) error {
				together.Done()
				together.Wait()
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// TestDeadConnectionsAreNotFelt: every connection of the pool has died since its last use. Whoever uses one next must not notice, be it a
// read, a transaction or a single statement that commits by itself.
func TestDeadConnectionsAreNotFelt(t *testing.T) {
	url := testbed.Postgres(t)
	s := testbed.Open(t, url, sqlstore.Config{MaxConns: 6})
	killAll := axe(t, testbed.Open(t, url, sqlstore.Config{MaxConns: 1}))
	seed(t, s)
	userID := enrol(t, s, "ada@example.com")
	for round := range 5 {
		fill(t, s)
		killAll()
		var all sync.WaitGroup
		for i := range 6 {
			all.Go(func() {
				var err error
				switch i % 3 {
				case 0:
					err = s.Ping(t.Context())
				case 1:
					err = s.Sessions().Open(t.Context(), family(userID), nil, event("opened"))
				default:
					err = s.Write(t.Context(), func(tx sqlstore.Tx) error { return put(tx, fmt.Sprintf("dead %d %d", round, i)) })
				}
				if err != nil {
					t.Errorf("round %d, verb %d on a dead connection: %v", round, i%3, err)
				}
			})
		}
		all.Wait()
	}
	list, err := s.Sessions().List(t.Context(), session.ListQuery{TenantID: tenantID, Subject: userID, At: t0, Limit: 100})
	if err != nil || len(list) != 10 {
		t.Errorf("10 sessions were opened, %d are there, %v", len(list), err)
	}
}

// TestTransactionCutInHalf: the connection dies between two statements of a transaction. The verb runs again as a whole, once.
func TestTransactionCutInHalf(t *testing.T) {
	url := testbed.Postgres(t)
	s := testbed.Open(t, url, sqlstore.Config{MaxConns: 2})
	killAll := axe(t, testbed.Open(t, url, sqlstore.Config{MaxConns: 1}))
	tries := 0
	err := s.Write(t.Context(), func(tx sqlstore.Tx) error {
		if _, err := tx.Exec(addNodeNamed, "half"); err != nil {
			return err
		}
		if tries++; tries == 1 {
			killAll()
		}
		_, err := tx.Exec(addNodeNamed, "other half")
		return err
	})
	if err != nil || tries != 2 {
		t.Fatalf("after %d tries: %v", tries, err)
	}
	for _, id := range []string{"half", "other half"} {
		var n int64
		err := s.Read(t.Context(), func(tx sqlstore.Tx) error {
			_, err := tx.Row(nodesNamed, []any{id}, &n)
			return err
		})
		if err != nil || n != 1 {
			t.Errorf("%q is there %d times, %v", id, n, err)
		}
	}
}

// TestReadCutInHalf: what a read had gathered before its connection died must not be there twice.
func TestReadCutInHalf(t *testing.T) {
	url := testbed.Postgres(t)
	s := testbed.Open(t, url, sqlstore.Config{MaxConns: 2})
	killAll := axe(t, testbed.Open(t, url, sqlstore.Config{MaxConns: 1}))
	seed(t, s)
	tries := 0
	var snapshot int64
	err := s.Read(t.Context(), func(tx sqlstore.Tx) error {
		if tries++; tries == 1 {
			killAll()
		}
		_, err := tx.Row(nodesNamed, []any{"nobody"}, &snapshot)
		return err
	})
	if err != nil || tries != 2 {
		t.Fatalf("after %d tries: %v", tries, err)
	}
}
