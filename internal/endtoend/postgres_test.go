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

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// longest is how long a call may take while the database is away: longer than the server waits for it, shorter than callers do.
const longest = 25 * time.Second

// caller makes one honest kind of call again and again.
type caller struct {
	name string
	call func(ctx context.Context) (*drill.Reply, error)
	free bool         // needs no database: never refused
	ok   atomic.Int64 // answers that were as ever
	away atomic.Int64 // answers "please try again"
}

// outage is a server whose database comes and goes under load.
type outage struct {
	callers []*caller
	strict  atomic.Bool // the database is there and has been for a while: nothing may be refused
}

// TestPostgresComesAndGoes: PostgreSQL is stopped, killed and started under load. Meanwhile callers are told to try again in a moment and
// nothing else; afterwards all is well without a restart of ours; and connections that died while nobody used them are not felt.
func TestPostgresComesAndGoes(t *testing.T) {
	rng := rand.New(rand.NewPCG(chance(t), 3))
	db := testbed.PrivatePostgres(t)
	s := server.Start(t, server.Options{Config: eagerTenant, Store: db.URL(), Data: t.TempDir()})
	o := &outage{callers: honest(t.Context(), t, s)}
	ends := []func(){db.Stop, db.Kill}
	for i := range soak(3, 20) {
		ctx, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for _, c := range o.callers {
			all.Go(func() { o.keepCalling(ctx, t, c) })
		}
		o.wait(t, "as ever", 3, (*caller).good)
		<-time.After(time.Duration(rng.IntN(300)) * time.Millisecond)
		o.strict.Store(false)
		ends[i%2]()
		o.wait(t, "please try again", 3, (*caller).bad)
		<-time.After(time.Duration(rng.IntN(500)) * time.Millisecond)
		do(t, db.Start())
		o.wait(t, "as ever after the outage", 3, (*caller).good)
		o.strict.Store(true)
		o.wait(t, "as ever, all of them", 3, (*caller).good)
		stop()
		all.Wait()
		db.Stop() // nobody looks
		do(t, db.Start())
		for _, c := range o.callers {
			r, err := c.call(t.Context())
			must(t, c.name+": the first call after a restart of the database", r, err, http.StatusOK)
		}
	}
	for _, c := range o.callers {
		t.Logf("%s: %d answers, %d times please try again", c.name, c.ok.Load(), c.away.Load())
	}
}

// honest are the calls. Each goes on from what it was told last.
func honest(ctx context.Context, t *testing.T, s *server.Server) []*caller {
	p := signUp(ctx, t, s, "outage")
	access, refresh := bearer(ctx, t, p)
	_, refresh2 := bearer(ctx, t, p)
	turn := func(newest string) func(context.Context) (*drill.Reply, error) {
		return func(ctx context.Context) (*drill.Reply, error) {
			r, err := s.Refresh(ctx, "", newest)
			if err == nil && r.Status == http.StatusOK {
				newest = r.Text("refresh_token")
			}
			return r, err
		}
	}
	return []*caller{
		{name: "refresh", call: turn(refresh)},
		{name: "another refresh", call: turn(refresh2)},
		{name: "me", call: func(ctx context.Context) (*drill.Reply, error) { return s.Me(ctx, access) }},
		{name: "login", call: func(ctx context.Context) (*drill.Reply, error) {
			return p.LogIn(ctx, s.Visitor().With("X-Token-Mode", "bearer"))
		}},
		{name: "ready", call: func(ctx context.Context) (*drill.Reply, error) { return s.Visitor().Get(ctx, "/health/ready") }},
		{name: "jwks", free: true, call: func(ctx context.Context) (*drill.Reply, error) {
			<-time.After(5 * time.Millisecond)
			return s.Visitor().Get(ctx, "/.well-known/jwks.json")
		}},
		{name: "forgot", call: func(ctx context.Context) (*drill.Reply, error) {
			r, err := s.Visitor().Post(ctx, "/password/forgot", map[string]string{"email": drill.Fresh("nobody")})
			if err == nil && r.Status == http.StatusAccepted {
				r.Status = http.StatusOK
			}
			return r, err
		}},
	}
}

func (o *outage) keepCalling(ctx context.Context, t *testing.T, c *caller) {
	for ctx.Err() == nil {
		strict, began := o.strict.Load(), time.Now()
		r, err := c.call(ctx)
		if ctx.Err() != nil {
			return
		}
		if err := c.count(r, err, strict && o.strict.Load(), time.Since(began)); err != nil {
			t.Errorf("%s: %v", c.name, err)
			return
		}
	}
}

func (c *caller) count(r *drill.Reply, err error, strict bool, took time.Duration) error {
	switch {
	case err != nil:
		return err
	case took > longest:
		return fmt.Errorf("took %v", took)
	case r.Status == http.StatusOK:
		c.ok.Add(1)
	case r.Status != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "":
		return fmt.Errorf("answered %s, Retry-After %q", r, r.Header.Get("Retry-After"))
	case strict || c.free:
		return fmt.Errorf("answered %s although the database is there", r)
	default:
		c.away.Add(1)
		<-time.After(10 * time.Millisecond)
	}
	return nil
}

func (c *caller) good() int64 { return c.ok.Load() }
func (c *caller) bad() int64 {
	if c.free {
		return c.ok.Load()
	}
	return c.away.Load()
}

// wait until each caller has had n more answers of a kind.
func (o *outage) wait(t *testing.T, what string, n int64, count func(*caller) int64) {
	t.Helper()
	before := map[*caller]int64{}
	for _, c := range o.callers {
		before[c] = count(c)
	}
	for _, c := range o.callers {
		until(t, 30*time.Second, c.name+": "+what, func() bool { return t.Failed() || count(c) >= before[c]+n })
	}
}

// TestPostgresHangs: the database keeps its connections and answers nothing. Callers are told so in time, and when it goes on, so do they.
func TestPostgresHangs(t *testing.T) {
	db := testbed.PrivatePostgres(t)
	s := server.Start(t, server.Options{Config: eagerTenant, Store: db.URL(), Data: t.TempDir()})
	o := &outage{callers: honest(t.Context(), t, s)}
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	for _, c := range o.callers {
		all.Go(func() { o.keepCalling(ctx, t, c) })
	}
	o.wait(t, "as ever", 3, (*caller).good)
	thaw := db.Freeze()
	t.Cleanup(thaw)
	o.wait(t, "please try again", 1, (*caller).bad)
	thaw()
	o.wait(t, "as ever after the outage", 3, (*caller).good)
	o.strict.Store(true)
	o.wait(t, "as ever, all of them", 3, (*caller).good)
}
