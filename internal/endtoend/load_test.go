package endtoend

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// The load: 200 refreshes a second over 40 families, at most 64 under way. Clients sign with ES256 (loadAlg): an RSA signature takes a
// hundred times as long, and it is not the processor that is put to the test.
const (
	loadRate     = 200
	loadFamilies = 40
	loadUnderWay = 64
	loadAlg      = "ES256"
)

var loadTenant = strings.Replace(eagerTenant, "auto_register: true", "auto_register: true, alg: "+loadAlg, 1)

// refreshLoad is people who refresh at nodes that come and go, and a verifier that keeps a JWKS as services do. It is open: a slow answer
// does not hold back the next call, and a family's calls may overlap, as those of tabs do.
type refreshLoad struct {
	*cluster
	clock    sync.RWMutex // held while the tenant's clock is moved: an answer from before says nothing about afterwards
	keys     atomic.Pointer[jose.JSONWebKeySet]
	families [loadFamilies]family
	person   *drill.Person

	mu        sync.Mutex
	seen      map[string]bool // keys that signed
	withdrawn map[string]bool // the command has begun: nodes may refuse tokens of it
	dead      map[string]bool // every node knows: none may sign with it

	count, checks, held atomic.Int64
	began               time.Time
	moving              time.Duration // nothing was offered for so long
	stop                context.CancelFunc
	all                 sync.WaitGroup
}

// family is the newest pair of one login.
type family struct {
	mu              sync.Mutex
	access, refresh string
}

func (f *family) pair() (access, refresh string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.access, f.refresh
}

// take keeps what a refresh gave, unless a call beside it was first.
func (f *family) take(used string, r *drill.Reply) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refresh == used {
		f.access, f.refresh = r.Text("access_token"), r.Text("refresh_token")
	}
}

// newRefreshLoad logs people in and begins when two keys of the lane are announced.
func newRefreshLoad(t *testing.T, c *cluster) *refreshLoad {
	t.Helper()
	l := &refreshLoad{cluster: c, seen: map[string]bool{}, withdrawn: map[string]bool{}, dead: map[string]bool{}}
	for i := 0; i < loadFamilies; {
		l.person = signUp(t.Context(), t, c.node(0), "load")
		for range 10 {
			l.families[i].access, l.families[i].refresh = bearer(t.Context(), t, l.person)
			i++
		}
	}
	l.announced(t)
	l.fetch(t.Context(), t)
	ctx, stop := context.WithCancel(t.Context())
	l.stop, l.began = stop, time.Now()
	l.all.Go(func() { l.keepFetching(ctx, t) })
	l.all.Go(func() { l.offer(ctx, t) })
	t.Cleanup(func() { l.stop(); l.all.Wait() })
	return l
}

// announced waits until the key after the one that signs is in every node's JWKS.
func (l *refreshLoad) announced(t *testing.T) {
	t.Helper()
	for i := range l.nodes {
		until(t, 60*time.Second, "the next key is announced", func() bool {
			return lane(jwks(t.Context(), t, l.node(i)), loadAlg) >= 2
		})
	}
}

// offer starts a refresh every 5 ms, or as many as are due, whatever became of those before.
func (l *refreshLoad) offer(ctx context.Context, t *testing.T) {
	tick := time.NewTicker(time.Second / loadRate)
	defer tick.Stop()
	room := make(chan struct{}, loadUnderWay)
	var due time.Duration // since before
	for n, before := 0, time.Now(); ctx.Err() == nil && !t.Failed(); {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		due = min(due+time.Since(before), time.Second)
		l.clock.RLock() // while a clock is moved nothing is offered, nor owed afterwards
		before = time.Now()
		l.clock.RUnlock()
		for ; due >= time.Second/loadRate; due -= time.Second / loadRate {
			select {
			case room <- struct{}{}:
			default:
				l.held.Add(1)
				continue
			}
			i := n % loadFamilies
			n++
			l.all.Go(func() {
				defer func() { <-room }()
				if err := l.turn(ctx, &l.families[i]); err != nil && ctx.Err() == nil {
					t.Errorf("family %d: %v", i, err)
				}
			})
		}
	}
}

// turn refreshes a family at some node and shows the new token to a verifier and, one time in four, to some node.
func (l *refreshLoad) turn(ctx context.Context, f *family) error {
	l.clock.RLock()
	defer l.clock.RUnlock()
	set, dead := *l.keys.Load(), l.marked(l.dead) // from before the token was signed
	got, err := l.renew(ctx, f)
	if err != nil {
		return err
	}
	l.count.Add(1)
	access := got.Text("access_token")
	kid := kidIn(access)
	l.mark(l.seen, kid)
	switch {
	case dead[kid]:
		return fmt.Errorf("key %s signs although every node knows that it is withdrawn", kid)
	case l.marked(l.withdrawn)[kid]:
		return nil // by a node that did not know yet
	}
	if err := verifies(set, access, loadAlg); err != nil {
		return fmt.Errorf("a fresh token of key %s: %w", kid, err)
	}
	if rand.IntN(4) > 0 {
		return nil
	}
	return l.accepted(ctx, access)
}

// renew refreshes with the newest token. On a slow machine a call may be overtaken by two generations, as no call of a client that waits for
// its answer is; the rule refuses it without harm (superseded), and it is made again with what the overtakers brought.
func (l *refreshLoad) renew(ctx context.Context, f *family) (*drill.Reply, error) {
	for {
		_, used := f.pair()
		got, err := l.refresh(ctx, used)
		if err == nil && got.Status == http.StatusOK {
			f.take(used, got)
			return got, nil
		}
		if _, newest := f.pair(); err != nil || got.Text("reason") != "superseded" || newest == used {
			return nil, fmt.Errorf("an honest refresh: %v %w", got, err)
		}
	}
}

// accepted asks some node who the token is.
func (l *refreshLoad) accepted(ctx context.Context, token string) error {
	got, err := l.call(ctx, func(s *server.Server) (*drill.Reply, error) { return s.Me(ctx, token) })
	kid := kidIn(token)
	if err == nil && got.Text("reason") == "invalid_token" && l.marked(l.withdrawn)[kid] {
		return nil
	}
	if err != nil || got.Status != http.StatusOK {
		return fmt.Errorf("an unexpired token of key %s at a node: %v %w", kid, got, err)
	}
	l.checks.Add(1)
	return nil
}

func (l *refreshLoad) mark(in map[string]bool, kid string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	in[kid] = true
}

func (l *refreshLoad) marked(in map[string]bool) map[string]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(map[string]bool, len(in))
	for kid := range in {
		out[kid] = true
	}
	return out
}

// move advances the tenant's clock between two calls of the load.
func (l *refreshLoad) move(ctx context.Context, t *testing.T, d time.Duration, then func()) {
	t.Helper()
	l.clock.Lock()
	defer l.clock.Unlock()
	began := time.Now()
	l.node(0).MustAdvance(ctx, d)
	l.fetch(ctx, t)
	then()
	l.moving += time.Since(began)
}

// keepFetching fetches the JWKS anew several times a second; what it finds must hold every key that signs.
func (l *refreshLoad) keepFetching(ctx context.Context, t *testing.T) {
	tick := time.NewTicker(150 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			l.clock.RLock()
			l.fetch(ctx, t)
			l.clock.RUnlock()
		}
	}
}

func (l *refreshLoad) fetch(ctx context.Context, t *testing.T) {
	t.Helper()
	got, err := l.call(ctx, func(s *server.Server) (*drill.Reply, error) { return s.Visitor().Get(ctx, "/.well-known/jwks.json") })
	if ctx.Err() != nil {
		return
	}
	set, err := keySet(got, err)
	if err != nil || lane(set, loadAlg) == 0 || len(kids(set, "s-")) == 0 {
		t.Errorf("the JWKS: %v, keys %d", err, len(set.Keys))
		return
	}
	l.keys.Store(&set)
}

// someGoBy waits until the load went on.
func (l *refreshLoad) someGoBy(t *testing.T) {
	t.Helper()
	before := l.count.Load()
	until(t, 60*time.Second, "the load goes on", func() bool { return t.Failed() || l.count.Load() > before+2*loadRate })
	if t.Failed() {
		t.FailNow()
	}
}

// goOn lets the load run for a while.
func (l *refreshLoad) goOn(t *testing.T, d time.Duration) {
	t.Helper()
	from := time.Now()
	until(t, d+time.Minute, "time goes by", func() bool { return t.Failed() || time.Since(from) >= d })
	if t.Failed() {
		t.FailNow()
	}
}

// end stops the load and tells of it.
func (l *refreshLoad) end(t *testing.T) {
	t.Helper()
	took := time.Since(l.began) - l.moving
	l.stop()
	l.all.Wait()
	n := float64(l.count.Load())
	t.Logf("%.0f refreshes, %.0f a second of %d offered; %d offers held back because %d were under way; %d tokens shown to nodes; "+
		"%d signing keys; %d calls to a node that was not there, %d cut off",
		n, n/took.Seconds(), loadRate, l.held.Load(), loadUnderWay, l.checks.Load(), len(l.seen), l.refused.Load(), l.cut.Load())
	if n == 0 {
		t.Error("no load")
	}
}
