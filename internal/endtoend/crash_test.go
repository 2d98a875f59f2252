package endtoend

import (
	"context"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// eagerTenant rotates at every refresh, and its issuer outlives the port. Its limit for one account from one place is wide: a login that is
// cut off between its charge and its end keeps the charge, and the people of these tests are cut off again and again.
const eagerTenant = `
tenants:
- id: 0198c000-0000-7000-8000-000000000001
  slug: main
  name: Example
  issuer: example
  test: true
  default_client: demo
  lives: {refresh_min_rotation_s: 0, access_s: 3600}
  limits: {password_network_account: 100/5m}
  clients:
  - {id: demo, name: Demo, auto_register: true}
`

// soak gives the number of rounds: few in every run of the tests, many in a long one.
func soak(short, long int) int {
	if os.Getenv("GATEHOUSE_TEST_SOAK") != "" {
		return long
	}
	return short
}

// chance gives a seed, printed, so that what a test did by chance can be done again.
func chance(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return seed
}

// ledger is what people have been told so far.
type ledger struct {
	pairs     [][2]string // of each holder: the newest pair that was handed out
	newcomers []*newcomer // on their way
	mu        sync.Mutex
	residents []*newcomer // logged in at least once
	logins    [][2]string // handed out since the last check
	rotated   atomic.Int64
	entered   atomic.Int64
}

// TestKillUnderLoad: the server is killed at random moments while families rotate, people sign up and log in as fast as they can.
// Whatever was acknowledged holds afterwards: pairs work, users exist, proofs stay spent, mails come, and nobody is logged out.
func TestKillUnderLoad(t *testing.T) {
	kills := soak(8, 50)
	engines(t, func(t *testing.T, o server.Options) {
		ctx := t.Context()
		rng := rand.New(rand.NewPCG(chance(t), 1))
		o.Config, o.Data = eagerTenant, t.TempDir()
		s := server.Start(t, o)
		p := signUp(ctx, t, s, "crash")
		c := &ledger{pairs: make([][2]string, 6), newcomers: []*newcomer{arrive(s), arrive(s)}}
		for i := range c.pairs {
			c.pairs[i][0], c.pairs[i][1] = bearer(ctx, t, p)
		}
		c.residents = []*newcomer{{v: p.Visitor, email: p.Email, step: loggedIn}}
		for range kills {
			c.untilKilled(t, s, time.Duration(rng.IntN(500))*time.Millisecond)
			s = server.Start(t, o)
			c.nothingIsLost(ctx, t, s, o)
			if rng.IntN(2) == 0 {
				s.MustAdvance(ctx, 61*time.Second)
			}
		}
		for _, n := range c.residents {
			r, err := n.logIn(ctx, s)
			must(t, "a login after the last kill", r, err, 200)
		}
		rotated, entered := c.rotated.Load(), c.entered.Load()
		if rotated < int64(kills*len(c.pairs)) || entered < int64(kills) || len(c.residents) <= kills/2 {
			t.Fatalf("%d rotations, %d logins, %d people: the server was not under load", rotated, entered, len(c.residents))
		}
		t.Logf("%d kills under %d rotations, %d logins, %d sign-ups", kills, rotated, entered, len(c.residents)-1)
	})
}

// untilKilled puts the server under load, waits until something happens and then for as long as chance says, and kills it.
func (c *ledger) untilKilled(t *testing.T, s *server.Server, after time.Duration) {
	t.Helper()
	var all sync.WaitGroup
	rotated, entered := c.rotated.Load(), c.entered.Load()
	for i := range c.pairs {
		all.Go(func() { c.rotate(t, s, &c.pairs[i]) })
	}
	for i := range c.newcomers {
		all.Go(func() { c.signUps(t, s, &c.newcomers[i]) })
	}
	for range 2 {
		all.Go(func() { c.comeIn(t, s) })
	}
	until(t, 30*time.Second, "the server is under load", func() bool {
		return c.rotated.Load() >= rotated+int64(len(c.pairs)) && c.entered.Load() > entered
	})
	<-time.After(after)
	s.Kill()
	all.Wait()
}

// rotate refreshes a family until the kill.
func (c *ledger) rotate(t *testing.T, s *server.Server, pair *[2]string) {
	for ; ; c.rotated.Add(1) {
		r, err := s.Refresh(t.Context(), "", pair[1])
		if err != nil {
			return
		}
		if r.Status != 200 {
			t.Errorf("an honest refresh under load: %s", r)
			return
		}
		*pair = [2]string{r.Text("access_token"), r.Text("refresh_token")}
	}
}

// signUps takes one newcomer after the other as far as it goes.
func (c *ledger) signUps(t *testing.T, s *server.Server, n **newcomer) {
	for {
		answered, err := (*n).next(t.Context(), s)
		if err != nil {
			t.Error(err)
			return
		}
		if !answered {
			return
		}
		if (*n).step >= loggedIn {
			c.settled(*n)
			*n = arrive(s)
		}
	}
}

func (c *ledger) settled(n *newcomer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.residents = append(c.residents, n)
	c.logins = append(c.logins, n.pair)
}

// comeIn logs residents in, again and again.
func (c *ledger) comeIn(t *testing.T, s *server.Server) {
	for {
		c.mu.Lock()
		n := c.residents[rand.IntN(len(c.residents))]
		c.mu.Unlock()
		r, err := n.logIn(t.Context(), s)
		if err != nil {
			return
		}
		if r.Status != 200 {
			t.Errorf("an honest login under load: %s", r)
			return
		}
		c.entered.Add(1)
		c.mu.Lock()
		c.logins = append(c.logins, [2]string{r.Text("access_token"), r.Text("refresh_token")})
		c.mu.Unlock()
	}
}

// nothingIsLost holds the server to everything it has said.
func (c *ledger) nothingIsLost(ctx context.Context, t *testing.T, s *server.Server, o server.Options) {
	t.Helper()
	for i := range c.pairs {
		c.pairs[i] = stillGood(ctx, t, s, c.pairs[i])
	}
	for _, pair := range c.logins {
		stillGood(ctx, t, s, pair)
	}
	c.logins = nil
	if o.Store != "" { // one process alone knows at its start that nobody has a message in hand
		leasesLapse(t, o.Store)
	}
	for i, n := range c.newcomers {
		until(t, 30*time.Second, "somebody who was on the way arrives after the kill", func() bool {
			answered, err := n.next(ctx, s)
			if err != nil || !answered {
				t.Fatalf("a sign-up after the kill: answered %v, %v", answered, err)
			}
			return n.step >= loggedIn
		})
		c.settled(n)
		c.newcomers[i] = arrive(s)
	}
	for _, n := range c.residents[max(0, len(c.residents)-6):] {
		if n.link != "" {
			r, err := n.prove(ctx, s)
			must(t, "a link that was used before the kill", r, err, 410)
		}
	}
	store := beside(t, s, o)
	until(t, 30*time.Second, "the outbox is drained", func() bool {
		n, err := store.Outbox().Backlog(ctx)
		return err == nil && n == 0
	})
	do(t, store.Close()) // or the file is never as after a power cut
}

func stillGood(ctx context.Context, t *testing.T, s *server.Server, pair [2]string) [2]string {
	t.Helper()
	r, err := s.Me(ctx, pair[0])
	must(t, "an acknowledged access token after the kill", r, err, 200)
	r, err = s.Refresh(ctx, "", pair[1])
	must(t, "an acknowledged refresh token after the kill", r, err, 200)
	return [2]string{r.Text("access_token"), r.Text("refresh_token")}
}

// leasesLapse plays the half minute after which a message that a dead process had in hand is anybody's.
func leasesLapse(t *testing.T, url string) {
	t.Helper()
	store, err := sqlstore.Open(t.Context(), url, sqlstore.Config{})
	do(t, err)
	defer func() { do(t, store.Close()) }()
	_, err = store.Outbox().Lease(t.Context(), 1000, time.Now().Add(3*time.Minute), -3*time.Minute)
	do(t, err)
}
