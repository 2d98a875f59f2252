package sqlstore_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
)

// callers runs b.N turns on n goroutines, each with its own number.
func callers(b *testing.B, n int, turn func(caller int) error) {
	b.Helper()
	turns := make(chan struct{}, b.N)
	for range b.N {
		turns <- struct{}{}
	}
	close(turns)
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for c := range n {
		wg.Go(func() {
			for range turns {
				if err := turn(c); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
}

// happened is an event of this moment: its id stands at the end of the table, as ids do outside of tests.
func happened(kind string) audit.Record {
	rec := event(kind)
	e := &rec.Events[0]
	e.ID, e.Trace, e.Session, e.Subject = secret.NewID(time.Now()), secret.Random(12), tenantID, tenantID
	return rec
}

func onBoth(b *testing.B, fn func(b *testing.B, s *sqlstore.Store, families []session.Family, n int)) {
	for _, open := range []func(testing.TB) testbed.Backend{testbed.OpenSQLite, testbed.OpenPostgres} {
		bed := open(b)
		seed(b, bed.Store)
		for _, n := range []int{1, 16, 64} {
			families := make([]session.Family, n)
			for i := range families {
				f := family(enrol(b, bed.Store, secret.Digits(18)+"@example.com"))
				f.SealedPending, f.Agent = secret.Bytes(150), "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"
				if err := bed.Store.Sessions().Open(b.Context(), f, nil, event("opened")); err != nil {
					b.Fatal(err)
				}
				families[i] = f
			}
			b.Run(fmt.Sprintf("%s/%d", bed.Name, n), func(b *testing.B) {
				before := bed.Store.Stats()
				fn(b, bed.Store, families, n)
				if after := bed.Store.Stats(); after.Groups > before.Groups {
					b.ReportMetric(float64(after.Writes-before.Writes)/float64(after.Groups-before.Groups), "writes/commit")
				}
			})
		}
	}
}

func BenchmarkSwap(b *testing.B) {
	onBoth(b, func(b *testing.B, s *sqlstore.Store, families []session.Family, n int) {
		callers(b, n, func(c int) error {
			f := &families[c]
			to := *f
			to.Head = session.Hash(secret.Bytes(32))
			pending := session.Hash(secret.Bytes(32))
			to.Pending, to.Generation = &pending, f.Generation+1
			ok, err := s.Sessions().Swap(b.Context(), *f, to, happened("refreshed"))
			if err == nil && !ok {
				err = fmt.Errorf("a swap without a rival was lost")
			}
			to.Version++
			*f = to
			return err
		})
	})
}

func BenchmarkLoad(b *testing.B) {
	onBoth(b, func(b *testing.B, s *sqlstore.Store, families []session.Family, n int) {
		callers(b, n, func(c int) error {
			_, err := s.Sessions().Load(b.Context(), session.Ref{TenantID: tenantID, ID: families[c].ID})
			return err
		})
	})
}

func BenchmarkOpen(b *testing.B) {
	onBoth(b, func(b *testing.B, s *sqlstore.Store, families []session.Family, n int) {
		callers(b, n, func(c int) error {
			f := families[c]
			f.ID, f.Head = secret.NewID(time.Now()), session.Hash(secret.Bytes(32))
			return s.Sessions().Open(b.Context(), f, nil, happened("opened"))
		})
	})
}
