package endtoend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// balancer is what stands before several nodes: it sends every request to one of them at random, and to another when that one is not there.
type balancer struct {
	mu    sync.Mutex
	nodes []*server.Server
	lost  sync.Map // path → true: an answer was lost, so the call may have been carried out before
}

func (b *balancer) pick() *server.Server {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.nodes[rand.IntN(len(b.nodes))]
}

func (b *balancer) replace(i int, s *server.Server) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.nodes[i] = s
}

// RoundTrip implements http.RoundTripper.
func (b *balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	var err error
	for range 100 {
		node := b.pick()
		try := r.Clone(r.Context())
		try.URL.Host = strings.TrimPrefix(node.URL, "http://")
		if try.Body, err = r.GetBody(); err != nil {
			return nil, err
		}
		var res *http.Response
		if res, err = node.HTTP.Transport.RoundTrip(try); err == nil {
			body, readErr := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if err = readErr; err == nil {
				res.Body = io.NopCloser(strings.NewReader(string(body)))
				return res, nil
			}
		}
		if r.Context().Err() != nil {
			return nil, err
		}
		b.lost.Store(r.URL.Path, true)
		pause(5 * time.Millisecond)
	}
	return nil, err
}

// pause is how long a client waits before it tries again; no test's outcome hangs on it.
func pause(d time.Duration) { <-time.After(d) }

// target is the balancer as drills see it.
func (b *balancer) target() *drill.Target {
	t := b.nodes[0].Target
	t.HTTP = &http.Client{
		Timeout: 30 * time.Second, Transport: b,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &t
}

// TestStorySpreadOverTwoNodes: people sign up, log in, refresh and log out through whichever node answers, while nodes are killed and replaced.
// Nobody honest is refused, and no session is lost.
func TestStorySpreadOverTwoNodes(t *testing.T) {
	many(t, func(t *testing.T, o server.Options) {
		o.Data, o.Config = t.TempDir(), oneIssuer
		b := &balancer{nodes: []*server.Server{server.Start(t, o), server.Start(t, o)}}
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		rng := rand.New(rand.NewPCG(seed, 3))
		crowd := newCrowd(b.target(), b, 6)
		stop := crowd.run(t)
		for range 4 { // at least two lives of a node, each ended in the middle of something
			crowd.waitFor(t, 6+rng.IntN(6))
			i := rng.IntN(2)
			b.nodes[i].Kill()
			b.replace(i, server.Start(t, o))
			leasesLapse(t, o.Store) // of mail that the dead node had in hand
		}
		crowd.waitFor(t, 6)
		stop()
		kept := crowd.end(t)
		b.nodes[0].MustAdvance(t.Context(), 16*time.Minute)
		for _, refresh := range kept {
			r, err := b.target().Refresh(t.Context(), "", refresh)
			must(t, "a session that lived through it", r, err, 200)
		}
		t.Logf("%d sessions lived through it", len(kept))
	})
}

// crowd is people who walk through the whole story, again and again.
type crowd struct {
	target *drill.Target
	b      *balancer // nil when nothing is killed
	people int
	all    sync.WaitGroup

	mu     sync.Mutex
	walked int
	kept   []string // refresh tokens of sessions left open
	err    error
}

func newCrowd(target *drill.Target, b *balancer, people int) *crowd {
	return &crowd{target: target, b: b, people: people}
}

// run lets everybody walk until the function it gives is called; walks under way then come to their end.
func (c *crowd) run(t *testing.T) (stop func()) {
	ctx, stop := context.WithCancel(t.Context())
	for range c.people {
		c.all.Go(func() {
			for ctx.Err() == nil && c.failed() == nil {
				kept, err := c.walk(context.WithoutCancel(t.Context()))
				c.mu.Lock()
				c.walked++
				if err != nil {
					c.err = errors.Join(c.err, err)
				} else {
					c.kept = append(c.kept, kept)
				}
				c.mu.Unlock()
			}
		})
	}
	return stop
}

func (c *crowd) failed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// waitFor waits until n more walks have ended.
func (c *crowd) waitFor(t *testing.T, n int) {
	t.Helper()
	c.mu.Lock()
	until := c.walked + n
	c.mu.Unlock()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		c.mu.Lock()
		walked, err := c.walked, c.err
		c.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		if walked >= until {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("nobody gets through the story any more")
		}
	}
}

func (c *crowd) end(t *testing.T) []string {
	t.Helper()
	c.all.Wait()
	if c.err != nil {
		t.Fatal(c.err)
	}
	return c.kept
}

// walk is one person's story; it gives the refresh token of a session left open.
func (c *crowd) walk(ctx context.Context) (string, error) {
	p, err := c.join(ctx)
	if err != nil {
		return "", err
	}
	_, kept, err := p.Bearer(ctx)
	if err != nil {
		return "", err
	}
	access, refresh, err := p.Bearer(ctx)
	if err != nil {
		return "", err
	}
	if r, err := c.target.Me(ctx, access); err != nil || r.Status != 200 || r.Text("email") != p.Email {
		return "", fmt.Errorf("me: %v %w", r, err)
	}
	for range 3 {
		r, err := c.target.Refresh(ctx, "", refresh)
		if err != nil || r.Status != 200 {
			return "", fmt.Errorf("refresh: %v %w", r, err)
		}
		refresh = r.Text("refresh_token")
	}
	if r, err := c.target.Logout(ctx, access); err != nil || r.Status != 200 {
		return "", fmt.Errorf("logout: %v %w", r, err)
	}
	if r, err := c.target.Refresh(ctx, "", refresh); err != nil || r.Text("reason") != "session_revoked" {
		return "", fmt.Errorf("refresh after logout: %v %w", r, err)
	}
	r, err := c.target.Refresh(ctx, "", kept)
	if err != nil || r.Status != 200 {
		return "", fmt.Errorf("refresh of the other session: %v %w", r, err)
	}
	return r.Text("refresh_token"), nil
}

// join signs somebody up. When the answer to the proof was lost in a kill, the link may be used already.
func (c *crowd) join(ctx context.Context) (*drill.Person, error) {
	p := &drill.Person{Email: drill.Fresh("crowd"), Password: drill.Password, Visitor: c.target.Visitor()}
	r, err := p.LogIn(ctx, p.Visitor)
	if err != nil || r.Text("reason") != "email_unverified" {
		return nil, fmt.Errorf("first login: %v %w", r, err)
	}
	link, err := c.target.Link(ctx, p.Email, 1)
	if err != nil {
		return nil, err
	}
	if r, err = p.Post(ctx, link, map[string]string{"password": p.Password}); err != nil {
		return nil, err
	}
	if r.Status == http.StatusGone && c.b != nil {
		if _, lost := c.b.lost.Load(link); lost {
			return p, nil
		}
	}
	if r.Status >= 400 {
		return nil, fmt.Errorf("proof: %s", r)
	}
	return p, nil
}
