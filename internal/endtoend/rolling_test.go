package endtoend

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// The load of a rolling restart: 20 families, each refreshed ten times a second.
const (
	rollingFamilies = 20
	rollingEvery    = 100 * time.Millisecond
)

// rolling is a load of refreshes over nodes that come and go, and a verifier that keeps a JWKS as services do.
type rolling struct {
	*cluster
	clock sync.RWMutex // held while the tenant's clock is moved: an answer from before says nothing about afterwards
	keys  atomic.Pointer[jose.JSONWebKeySet]
	pairs [rollingFamilies][2]string
	count atomic.Int64
}

// TestRollingRestart: nodes are restarted one after the other under 200 refreshes a second, and the signing key is rotated on the way.
// No honest caller is refused, every token verifies with a JWKS that was fetched before it was signed, and keeps verifying.
func TestRollingRestart(t *testing.T) {
	chance(t) // nothing here is by chance but the nodes that are asked
	o := server.Options{Config: eagerTenant, Store: testbed.Postgres(t), Data: t.TempDir()}
	r := &rolling{cluster: newCluster(t, 2, o)}
	p := signUp(t.Context(), t, r.node(0), "rolling")
	for i := range r.pairs {
		r.pairs[i][0], r.pairs[i][1] = bearer(t.Context(), t, p)
	}
	until(t, 60*time.Second, "the next key is announced", func() bool { return rotating(jwks(t.Context(), t, r.node(0))) >= 2 })
	r.fetch(t.Context(), t)
	first := kidOf(t, r.pairs[0][0])
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	began := time.Now()
	var all sync.WaitGroup
	all.Go(func() { r.keepFetching(ctx, t) })
	for i := range r.pairs {
		all.Go(func() { r.keepRefreshing(ctx, t, i) })
	}
	// Ten minutes before the key is due, tokens of the old key are handed out; ten minutes after it they still live.
	for round := range soak(1, 6) {
		for step, d := range []time.Duration{168*time.Hour - 10*time.Minute, 20 * time.Minute} {
			r.someGoBy(t)
			r.replace(t, step, o, func(s *server.Server) {
				if err := s.Stop(); err != nil {
					t.Errorf("round %d: an orderly stop: %v", round, err)
				}
			})
			r.someGoBy(t)
			r.move(ctx, t, d, step == 1)
		}
	}
	r.someGoBy(t)
	stop()
	all.Wait()
	if kidOf(t, r.pairs[0][0]) == first {
		t.Error("the signing key was not rotated")
	}
	t.Logf("%d refreshes, %.0f a second; %d calls to a node that was not there, %d cut off", r.count.Load(),
		float64(r.count.Load())/time.Since(began).Seconds(), r.refused.Load(), r.cut.Load())
}

// someGoBy waits until the load went on.
func (r *rolling) someGoBy(t *testing.T) {
	t.Helper()
	before := r.count.Load()
	until(t, 60*time.Second, "the load goes on", func() bool { return t.Failed() || r.count.Load() > before+4*rollingFamilies })
}

func (r *rolling) keepRefreshing(ctx context.Context, t *testing.T, i int) {
	tick := time.NewTicker(rollingEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := r.turn(ctx, i); err != nil && ctx.Err() == nil {
			t.Errorf("family %d: %v", i, err)
			return
		}
	}
}

// turn refreshes a family at some node and shows the new token to a verifier and to some node.
func (r *rolling) turn(ctx context.Context, i int) error {
	r.clock.RLock()
	defer r.clock.RUnlock()
	set := *r.keys.Load() // from before the token was signed
	got, err := r.refresh(ctx, r.pairs[i][1])
	if err != nil || got.Status != http.StatusOK {
		return fmt.Errorf("an honest refresh: %v %w", got, err)
	}
	r.pairs[i] = [2]string{got.Text("access_token"), got.Text("refresh_token")}
	r.count.Add(1)
	if err := verifies(set, r.pairs[i][0], "RS256"); err != nil {
		return fmt.Errorf("a fresh token: %w", err)
	}
	if rand.IntN(4) > 0 {
		return nil
	}
	return r.accepted(ctx, r.pairs[i][0])
}

// accepted asks some node who the token is.
func (r *rolling) accepted(ctx context.Context, token string) error {
	got, err := r.call(ctx, func(s *server.Server) (*drill.Reply, error) { return s.Me(ctx, token) })
	if err != nil || got.Status != http.StatusOK {
		return fmt.Errorf("an unexpired token at a node: %v %w", got, err)
	}
	return nil
}

// move advances the tenant's clock between two calls of the load. Where tokens live on, they must verify afterwards at every node and with
// every node's JWKS.
func (r *rolling) move(ctx context.Context, t *testing.T, d time.Duration, live bool) {
	t.Helper()
	r.clock.Lock()
	defer r.clock.Unlock()
	r.node(0).MustAdvance(ctx, d)
	r.fetch(ctx, t)
	for i := range 2 * len(r.pairs) {
		token, s := r.pairs[i/2][0], r.node(i)
		if !live {
			break
		}
		got, err := s.Me(ctx, token)
		must(t, "an unexpired token after the rotation", got, err, 200)
		if err := verifies(jwks(ctx, t, s), token, "RS256"); err != nil {
			t.Errorf("an unexpired token after the rotation, with the JWKS of node %d: %v", i%2, err)
		}
	}
}

// keepFetching fetches the JWKS anew several times a second; what it finds must hold every key that signs.
func (r *rolling) keepFetching(ctx context.Context, t *testing.T) {
	tick := time.NewTicker(150 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.clock.RLock()
			r.fetch(ctx, t)
			r.clock.RUnlock()
		}
	}
}

func (r *rolling) fetch(ctx context.Context, t *testing.T) {
	t.Helper()
	got, err := r.call(ctx, func(s *server.Server) (*drill.Reply, error) { return s.Visitor().Get(ctx, "/.well-known/jwks.json") })
	if ctx.Err() != nil {
		return
	}
	set, err := keySet(got, err)
	if err != nil || len(kids(set, "d-")) == 0 || len(kids(set, "s-")) == 0 {
		t.Errorf("the JWKS: %v, keys %d", err, len(set.Keys))
		return
	}
	r.keys.Store(&set)
}
