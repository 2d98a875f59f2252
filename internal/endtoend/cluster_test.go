package endtoend

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
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
