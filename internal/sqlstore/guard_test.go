package sqlstore_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// Each pair is held open between its write and its commit: the other must wait, and then see what was committed.

// stop is an act that must end sessions, whole and as the part that touches the user's row.
type stop struct {
	name string
	half string
	act  func(ctx context.Context, s *sqlstore.Store, userID string) error
}

var stops = []stop{
	{
		"disable", sqlstore.Prepare(`UPDATE app_user SET status = 'disabled' WHERE tenant_id = $1 AND id = $2`),
		func(ctx context.Context, s *sqlstore.Store, userID string) error {
			return s.Users().SetStatus(ctx, tenantID, userID, user.Disabled, t0, audit.Record{})
		},
	},
	{
		"delete", sqlstore.Prepare(`UPDATE app_user SET status = 'deleted' WHERE tenant_id = $1 AND id = $2`),
		func(ctx context.Context, s *sqlstore.Store, userID string) error {
			return s.Users().Delete(ctx, tenantID, userID, t0, t0.Add(time.Hour), audit.Record{})
		},
	},
	{
		"epoch", sqlstore.Prepare(`UPDATE app_user SET epoch = epoch + 1 WHERE tenant_id = $1 AND id = $2`),
		func(ctx context.Context, s *sqlstore.Store, userID string) error {
			_, err := s.Users().RaiseEpoch(ctx, tenantID, userID, "test", t0, audit.Record{})
			return err
		},
	},
}

var locksWaiting = sqlstore.Prepare(`SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database OR l.database IS NULL
	WHERE d.datname = current_database() AND NOT l.granted AND l.pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())`)

// held runs half in a write that stays open, starts other, waits until other waits for it, lets half commit, and gives other's error.
func held(t *testing.T, s *sqlstore.Store, half func(tx sqlstore.Tx) error, other func() error) error {
	t.Helper()
	inside, release := make(chan struct{}), make(chan struct{})
	first, second := make(chan error, 1), make(chan error, 1)
	entered := sync.OnceFunc(func() { close(inside) }) // a write may run again
	go func() {
		first <- s.Write(t.Context(), func(tx sqlstore.Tx) error {
			defer entered()
			if err := half(tx); err != nil {
				return err
			}
			entered()
			<-release
			return nil
		})
	}()
	<-inside
	letGo := sync.OnceFunc(func() { close(release) })
	defer letGo() // a test that fails must not leave the write open: closing the store would wait for it
	go func() { second <- other() }()
	until(t, func() bool { return waiting(t, s) || len(second) > 0 })
	if len(second) > 0 {
		t.Error("the other did not wait")
	}
	letGo()
	if err := <-first; err != nil {
		t.Fatalf("the held half: %v", err)
	}
	return <-second
}

func waiting(t *testing.T, s *sqlstore.Store) bool {
	t.Helper()
	if st := s.Stats(); st.Engine == "sqlite" {
		return st.Waiting > 0
	}
	var n int64
	err := s.Read(t.Context(), func(tx sqlstore.Tx) error {
		_, err := tx.Row(locksWaiting, nil, &n)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n > 0
}

// until polls a condition.
func until(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("never came true")
		}
	}
}

func TestOpenWaitsForAnActThatStopsSessions(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) {
		seed(t, s)
		for _, st := range stops {
			userID := enrol(t, s, st.name+"@example.com")
			err := held(t, s, func(tx sqlstore.Tx) error {
				_, err := tx.Exec(st.half, tenantID, userID)
				return err
			}, func() error { return s.Sessions().Open(t.Context(), family(userID), nil, event("opened")) })
			if fault.ReasonOf(err) != fault.ReasonUserChanged {
				t.Errorf("%s: open slipped past: %v", st.name, err)
			}
			if list := live(t, s, userID); len(list) != 0 {
				t.Errorf("%s: %d live sessions", st.name, len(list))
			}
		}
	})
}

func TestActThatStopsSessionsWaitsForOpen(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) {
		seed(t, s)
		for _, st := range stops {
			userID := enrol(t, s, st.name+"@example.com")
			f := family(userID)
			err := held(t, s, func(tx sqlstore.Tx) error { return tx.HalfOpen(f) }, func() error { return st.act(t.Context(), s, userID) })
			if err != nil {
				t.Fatalf("%s: %v", st.name, err)
			}
			got, err := s.Sessions().Load(t.Context(), session.Ref{TenantID: tenantID, ID: f.ID})
			if err != nil || !got.Family.Revoked() || got.Family.Version != 2 {
				t.Errorf("%s: the session that was being opened lives on: %+v, %v", st.name, got.Family, err)
			}
			feed, err := s.Events().Revocations(t.Context(), tenantID, 0, 100)
			if err != nil || len(feed) == 0 || feed[len(feed)-1].Target != f.ID {
				t.Errorf("%s: not in the feed: %v, %v", st.name, feed, err)
			}
		}
	})
}

// TestChildAgainstTheEndOfItsParent: a session handed off while its parent is being ended, by id or with all of its owner's, in both orders.
func TestChildAgainstTheEndOfItsParent(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) {
		seed(t, s)
		u := enrol(t, s, "a@example.com")
		for _, by := range []func(parent string) session.Match{
			func(parent string) session.Match { return session.Match{TenantID: tenantID, ID: parent} },
			func(string) session.Match { return session.Match{TenantID: tenantID, UserID: u} },
		} {
			open := func(parent string) session.Family {
				f := family(u)
				f.ParentID = parent
				if err := s.Sessions().Open(t.Context(), f, nil, audit.Record{}); err != nil {
					t.Fatal(err)
				}
				return f
			}
			parent := open("")
			child := family(u)
			child.ParentID = parent.ID
			err := held(t, s, func(tx sqlstore.Tx) error { return tx.HalfEnd(tenantID, parent.ID, t0) },
				func() error { return s.Sessions().Open(t.Context(), child, nil, event("handed-off")) })
			if fault.ReasonOf(err) != fault.ReasonSessionRevoked {
				t.Errorf("the open of a child slipped past the end of its parent: %v", err)
			}

			parent = open("")
			middle := open(parent.ID)
			child = family(u)
			child.ParentID, child.UserID, child.Subject = middle.ID, "", "someone"
			var ended []session.Ended
			err = held(t, s, func(tx sqlstore.Tx) error { return tx.HalfOpen(child) }, func() (err error) {
				ended, err = s.Sessions().Revoke(t.Context(), by(parent.ID), t0, "test", event("ended"))
				return err
			})
			if err != nil || len(ended) != 3 {
				t.Errorf("ended %v, %v, want parent, child and the grandchild that was being opened", ended, err)
			}
			if got, err := s.Sessions().Load(t.Context(), session.Ref{TenantID: tenantID, ID: child.ID}); err != nil || !got.Family.Revoked() {
				t.Errorf("a grandchild outlives its line: %v", err)
			}
		}
	})
}

func TestSwapAgainstRevoke(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) {
		seed(t, s)
		userID := enrol(t, s, "a@example.com")
		open := func() session.Family {
			f := family(userID)
			if err := s.Sessions().Open(t.Context(), f, nil, audit.Record{}); err != nil {
				t.Fatal(err)
			}
			return f
		}
		t.Run("revoke first", func(t *testing.T) {
			f, won := open(), true
			err := held(t, s, func(tx sqlstore.Tx) error { return tx.HalfRevoke(tenantID, userID, t0) }, func() (err error) {
				won, err = s.Sessions().Swap(t.Context(), f, f, event("swapped-late"))
				return err
			})
			if err != nil || won {
				t.Errorf("a swap won after a revoke: %v, %v", won, err)
			}
			if found, err := s.Events().Find(t.Context(), sqlstore.TrailQuery{TenantID: tenantID, Trace: "trace-swapped-late"}); err != nil || len(found) != 0 {
				t.Errorf("a lost swap left %v, %v", found, err)
			}
		})
		t.Run("swap first", func(t *testing.T) {
			f := open()
			to := f
			to.Generation = 1
			err := held(t, s, func(tx sqlstore.Tx) error {
				_, err := tx.HalfSwap(f, to)
				return err
			}, func() error {
				_, err := s.Sessions().Revoke(t.Context(), session.Match{TenantID: tenantID, ID: f.ID}, t0, "test", audit.Record{})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.Sessions().Load(t.Context(), session.Ref{TenantID: tenantID, ID: f.ID})
			if err != nil || !got.Family.Revoked() || got.Family.Generation != 1 || got.Family.Version != 3 {
				t.Errorf("after both: %+v, %v", got.Family, err)
			}
			if won, err := s.Sessions().Swap(t.Context(), got.Family, got.Family, audit.Record{}); err != nil || won {
				t.Errorf("a revoked family was swapped: %v, %v", won, err)
			}
		})
	})
}

// TestSwapAgainstEveryStop: a refresh and each act that ends a user's sessions, in both orders. Never both.
func TestSwapAgainstEveryStop(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) {
		seed(t, s)
		for _, st := range stops {
			userID := enrol(t, s, st.name+"@example.com")
			open := func() session.Family {
				f := family(userID)
				f.Epoch = epochOf(t, s, userID)
				if err := s.Sessions().Open(t.Context(), f, nil, audit.Record{}); err != nil {
					t.Fatal(err)
				}
				return f
			}
			whole := func(tx sqlstore.Tx) error {
				if _, err := tx.Exec(st.half, tenantID, userID); err != nil {
					return err
				}
				return tx.HalfRevoke(tenantID, userID, t0)
			}
			f, first := open(), open()
			err := held(t, s, func(tx sqlstore.Tx) error { _, err := tx.HalfSwap(first, first); return err },
				func() error { return st.act(t.Context(), s, userID) })
			if err != nil {
				t.Fatalf("%s after a swap: %v", st.name, err)
			}
			for _, f := range []session.Family{f, first} {
				if got, err := s.Sessions().Load(t.Context(), session.Ref{TenantID: tenantID, ID: f.ID}); err != nil || !got.Family.Revoked() {
					t.Errorf("%s: a session outlives it, %v", st.name, err)
				}
			}

			userID = enrol(t, s, "again-"+st.name+"@example.com")
			f, touched := open(), open()
			won := true
			if err := held(t, s, whole, func() (err error) {
				won, err = s.Sessions().Swap(t.Context(), f, f, event("late-"+st.name))
				return err
			}); err != nil || won {
				t.Errorf("%s: a swap won after it: %v, %v", st.name, won, err)
			}
			if seen, err := s.Sessions().Touch(t.Context(), touched, t0.Add(time.Hour)); err != nil || seen {
				t.Errorf("%s: a hand-out was allowed after it: %v, %v", st.name, seen, err)
			}
			if found, err := s.Events().Find(t.Context(), sqlstore.TrailQuery{TenantID: tenantID, Trace: "trace-late-" + st.name}); err != nil || len(found) != 0 {
				t.Errorf("%s: a lost swap left %v, %v", st.name, found, err)
			}
		}
	})
}

func epochOf(t *testing.T, s *sqlstore.Store, userID string) int64 {
	t.Helper()
	u, err := s.Users().Get(t.Context(), tenantID, userID, "")
	if err != nil {
		t.Fatal(err)
	}
	return u.Epoch
}

func live(t *testing.T, s *sqlstore.Store, userID string) []session.Family {
	t.Helper()
	list, err := s.Sessions().List(t.Context(), session.ListQuery{TenantID: tenantID, Subject: userID, At: t0, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return list
}
