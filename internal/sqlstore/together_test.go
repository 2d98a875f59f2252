package sqlstore_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
)

// opened gives n sessions of one user.
func opened(t *testing.T, s *sqlstore.Store, n int) []session.Family {
	t.Helper()
	userID := enrol(t, s, "ada@example.com")
	out := make([]session.Family, n)
	for i := range out {
		out[i] = family(userID)
		if err := s.Sessions().Open(t.Context(), out[i], nil, event("opened")); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// rotated is the next state of a family and the one line of the trail that a refresh writes.
func rotated(f *session.Family, eventID string) (session.Family, audit.Record) {
	to := *f
	pending := session.Hash(secret.Bytes(32))
	to.Head, to.Pending, to.Generation = session.Hash(secret.Bytes(32)), &pending, f.Generation+1
	return to, audit.Record{Events: []audit.Event{{
		TenantID: tenantID, ID: eventID, At: t0, Type: session.EventRefreshed, Session: f.ID, Subject: f.Subject, Trace: secret.Random(12),
	}}}
}

func rotate(ctx context.Context, s *sqlstore.Store, f *session.Family) (bool, error) {
	to, rec := rotated(f, secret.NewID(t0))
	ok, err := s.Sessions().Swap(ctx, *f, to, rec)
	if ok {
		to.Version++
		*f = to
	}
	return ok, err
}

// asStored compares every family with its row, and the number of lines of its trail with its swaps: neither is ever without the other.
func asStored(t *testing.T, s *sqlstore.Store, families []session.Family) {
	t.Helper()
	for i := range families {
		f := &families[i]
		l, err := s.Sessions().Load(t.Context(), session.Ref{TenantID: tenantID, ID: f.ID})
		if err != nil || l.Family.Version != f.Version || l.Family.Head != f.Head || l.Family.ID != f.ID {
			t.Errorf("session %d: version %d with another head or id, want %d, %v", i, l.Family.Version, f.Version, err)
		}
		events, err := s.Events().Find(t.Context(), sqlstore.TrailQuery{TenantID: tenantID, Session: f.ID, Limit: 1 << 20})
		n := int64(0)
		for _, e := range events {
			if e.Type == session.EventRefreshed {
				n++
			}
		}
		if err != nil || n != f.Version-1 {
			t.Errorf("session %d: %d swaps left %d lines, %v", i, f.Version-1, n, err)
		}
	}
}

// TestManyAtOnce: each caller gets the answer to his own question, whoever shared his statement.
func TestManyAtOnce(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) {
		seed(t, s)
		families := opened(t, s, 100)
		before := s.Stats()
		var all sync.WaitGroup
		for i := range families {
			all.Go(func() {
				for range 8 {
					l, err := s.Sessions().Load(t.Context(), session.Ref{TenantID: tenantID, ID: families[i].ID})
					if err != nil || l.Family.ID != families[i].ID || l.Family.Version != families[i].Version || !l.Holder.Present {
						t.Errorf("loaded %s, version %d, for %s, version %d: %v", l.Family.ID, l.Family.Version, families[i].ID, families[i].Version, err)
						return
					}
					if ok, err := rotate(t.Context(), s, &families[i]); err != nil || !ok {
						t.Errorf("a swap without a rival: %v, %v", ok, err)
						return
					}
					_, err = s.Sessions().Load(t.Context(), session.Ref{TenantID: tenantID, ID: secret.NewID(t0)})
					if fault.ReasonOf(err) != fault.ReasonNotFound {
						t.Errorf("an unknown session: %v", err)
					}
				}
			})
		}
		all.Wait()
		asStored(t, s, families)
		if after := s.Stats(); after.Writes-before.Writes != 800 || after.Groups-before.Groups >= 800 {
			t.Errorf("%d writes in %d commits", after.Writes-before.Writes, after.Groups-before.Groups)
		}
	})
}

// TestOneRowOfMany: all callers saw the same version, one swaps it.
func TestOneRowOfMany(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) {
		seed(t, s)
		families := opened(t, s, 8)
		for range 8 {
			seen := append([]session.Family(nil), families...)
			won := make([]int, len(families))
			var mu sync.Mutex
			var all sync.WaitGroup
			for i := range 64 {
				all.Go(func() {
					f := seen[i%len(seen)]
					ok, err := rotate(t.Context(), s, &f)
					if err != nil {
						t.Error(err)
					}
					if ok {
						mu.Lock()
						defer mu.Unlock()
						families[i%len(seen)] = f
						won[i%len(seen)]++
					}
				})
			}
			all.Wait()
			for i, n := range won {
				if n != 1 {
					t.Fatalf("session %d was swapped by %d callers", i, n)
				}
			}
		}
		asStored(t, s, families)
	})
}

// TestALockedRowHoldsNobodyUp: one session is being ended by a verb that has not committed. Its own swap waits and is refused; those of all
// others go on.
func TestALockedRowHoldsNobodyUp(t *testing.T) {
	s := testbed.Open(t, testbed.Postgres(t), sqlstore.Config{})
	seed(t, s)
	families := opened(t, s, 33)
	ending, others := families[0], families[1:]
	inside, release := make(chan struct{}), make(chan struct{})
	letGo := sync.OnceFunc(func() { close(release) })
	defer letGo()
	ended, refused := make(chan error, 1), make(chan error, 4)
	go func() {
		ended <- s.Write(t.Context(), func(tx sqlstore.Tx) error {
			err := tx.HalfEnd(tenantID, ending.ID, t0)
			close(inside)
			<-release
			return err
		})
	}()
	<-inside
	for range cap(refused) {
		go func() {
			f := ending
			ok, err := rotate(t.Context(), s, &f)
			if ok {
				err = fmt.Errorf("a session that had ended was swapped")
			}
			refused <- err
		}()
	}
	var all sync.WaitGroup
	for i := range others {
		all.Go(func() {
			for range 4 {
				if ok, err := rotate(t.Context(), s, &others[i]); err != nil || !ok {
					t.Errorf("session %d: %v, %v", i, ok, err)
				}
			}
		})
	}
	all.Wait()
	if len(refused) > 0 {
		t.Error("the swap of the row that is locked did not wait")
	}
	letGo()
	for range cap(refused) {
		if err := <-refused; err != nil {
			t.Error(err)
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	asStored(t, s, others)
}

// TestAFaultIsItsOwn: one caller's record cannot be written. Nobody who went along feels it.
func TestAFaultIsItsOwn(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) {
		seed(t, s)
		families := opened(t, s, 32)
		taken := secret.NewID(t0)
		to, rec := rotated(&families[0], taken)
		if ok, err := s.Sessions().Swap(t.Context(), families[0], to, rec); err != nil || !ok {
			t.Fatal(ok, err)
		}
		to.Version++
		families[0] = to
		var all sync.WaitGroup
		for i := range families {
			all.Go(func() {
				if i%8 == 0 {
					next, rec := rotated(&families[i], taken)
					if ok, err := s.Sessions().Swap(t.Context(), families[i], next, rec); ok || fault.From(err).Kind != fault.Conflict {
						t.Errorf("an event with the id of another: %v, %v", ok, err)
					}
					return
				}
				if ok, err := rotate(t.Context(), s, &families[i]); err != nil || !ok {
					t.Errorf("session %d: %v, %v", i, ok, err)
				}
			})
		}
		all.Wait()
		asStored(t, s, families)
	})
}

// TestGroupsOnDyingConnections: connections die under groups again and again. A caller hears that he does not know, or the truth; a swap and
// its line of the trail are there together or not at all.
func TestGroupsOnDyingConnections(t *testing.T) {
	url := testbed.Postgres(t)
	s := testbed.Open(t, url, sqlstore.Config{MaxConns: 4})
	killAll := axe(t, testbed.Open(t, url, sqlstore.Config{MaxConns: 1}))
	seed(t, s)
	families := opened(t, s, 24)
	first := session.Ref{TenantID: tenantID, ID: families[0].ID}
	done := make(chan struct{})
	var all sync.WaitGroup
	for i := range families {
		all.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				ok, err := rotate(t.Context(), s, &families[i])
				if err != nil && fault.From(err).Kind != fault.Unavailable || err == nil && !ok {
					t.Errorf("session %d: %v, %v", i, ok, err)
					return
				}
				for err != nil { // whether it happened is not known: look
					var l session.Loaded
					if l, err = s.Sessions().Load(t.Context(), session.Ref{TenantID: tenantID, ID: families[i].ID}); err == nil {
						families[i] = l.Family
					}
				}
			}
		})
	}
	for range 5 {
		killAll()
		l, _ := s.Sessions().Load(t.Context(), first)
		until(t, func() bool { // somebody got on since
			now, err := s.Sessions().Load(t.Context(), first)
			return err == nil && now.Family.Version > l.Family.Version
		})
	}
	close(done)
	all.Wait()
	asStored(t, s, families)
}

// TestWhoeverGoesHasNoPart: a caller whose context ends while others are on the way leaves nothing behind.
func TestWhoeverGoesHasNoPart(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	waiting, err := sqlstore.Withdrawn(ctx)
	if waiting != 0 || fault.From(err).Kind != fault.Unavailable {
		t.Errorf("%d wait, %v", waiting, err)
	}
}
