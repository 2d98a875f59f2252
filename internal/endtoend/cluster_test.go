package endtoend

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// cluster is some nodes on one store, and clients that take any of them and try the next when one does not answer, as a balancer does.
type cluster struct {
	mu      sync.RWMutex
	nodes   []*server.Server
	refused atomic.Int64 // calls to a node that was not there
	cut     atomic.Int64 // calls that were cut off
}

func newCluster(t *testing.T, n int, o server.Options) *cluster {
	t.Helper()
	c := &cluster{}
	for range n {
		c.nodes = append(c.nodes, server.Start(t, o))
	}
	return c
}

func (c *cluster) node(i int) *server.Server {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.nodes[i%len(c.nodes)]
}

// replace ends node i in the given way and puts a new process in its place.
func (c *cluster) replace(t *testing.T, i int, o server.Options, end func(s *server.Server)) {
	t.Helper()
	end(c.node(i))
	s := server.Start(t, o)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[i%len(c.nodes)] = s
}

// call asks a node by chance, and others for as long as there is no answer.
func (c *cluster) call(ctx context.Context, ask func(s *server.Server) (*drill.Reply, error)) (*drill.Reply, error) {
	first := rand.IntN(len(c.nodes))
	for try := 0; ; try++ {
		r, err := ask(c.node(first + try))
		if err == nil || try == 50 || ctx.Err() != nil {
			return r, err
		}
		if errors.Is(err, syscall.ECONNREFUSED) {
			c.refused.Add(1)
		} else {
			c.cut.Add(1)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(try) * 10 * time.Millisecond):
		}
	}
}

func (c *cluster) refresh(ctx context.Context, refresh string) (*drill.Reply, error) {
	return c.call(ctx, func(s *server.Server) (*drill.Reply, error) { return s.Refresh(ctx, "", refresh) })
}

// TestStoryOverTwoNodes: sign-up, proof, login, refresh and logout of many people, each call at a node by chance, while one node after the
// other is killed. Nobody honest is refused.
func TestStoryOverTwoNodes(t *testing.T) {
	rng := rand.New(rand.NewPCG(chance(t), 2))
	o := server.Options{Config: eagerTenant, Store: testbed.Postgres(t), Data: t.TempDir()}
	c := newCluster(t, 2, o)
	p := signUp(t.Context(), t, c.node(0), "cluster")
	var people, rotations atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var all sync.WaitGroup
	for range 4 {
		_, refresh := bearer(ctx, t, p)
		all.Go(func() { c.keepRefreshing(ctx, t, refresh, &rotations) })
		all.Go(func() { c.keepArriving(ctx, t, &people) })
	}
	kills := soak(4, 25)
	for range kills {
		before, turned := people.Load(), rotations.Load()
		until(t, 60*time.Second, "people arrive and families rotate", func() bool {
			return t.Failed() || people.Load() > before && rotations.Load() > turned+8
		})
		<-time.After(time.Duration(rng.IntN(400)) * time.Millisecond)
		c.replace(t, rng.IntN(2), o, (*server.Server).Kill)
		leasesLapse(t, o.Store)
	}
	stop()
	all.Wait()
	t.Logf("%d kills, %d whole stories, %d rotations, %d calls to a node that was not there, %d cut off", kills, people.Load(), rotations.Load(),
		c.refused.Load(), c.cut.Load())
}

// keepRefreshing turns one family over until the context ends.
func (c *cluster) keepRefreshing(ctx context.Context, t *testing.T, refresh string, count *atomic.Int64) {
	for ctx.Err() == nil {
		r, err := c.refresh(ctx, refresh)
		if ctx.Err() != nil {
			return
		}
		if err != nil || r.Status != http.StatusOK {
			t.Errorf("an honest refresh: %v %v", r, err)
			return
		}
		refresh = r.Text("refresh_token")
		count.Add(1)
	}
}

// keepArriving takes newcomers through the whole story until the context ends.
func (c *cluster) keepArriving(ctx context.Context, t *testing.T, count *atomic.Int64) {
	for ctx.Err() == nil {
		n := arrive(c.node(0))
		for first := rand.IntN(2); n.step < loggedOutAgain && ctx.Err() == nil; first = rand.IntN(2) {
			for try := 0; ctx.Err() == nil; try++ {
				answered, err := n.next(ctx, c.node(first+try))
				if err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
				if answered {
					break
				}
				c.cut.Add(1)
			}
		}
		if ctx.Err() != nil {
			return
		}
		r, err := c.refresh(ctx, n.pair[1])
		if ctx.Err() == nil && (err != nil || r.Text("reason") != "session_revoked") {
			t.Errorf("a refresh after the logout: %v %v", r, err)
			return
		}
		count.Add(1)
	}
}
