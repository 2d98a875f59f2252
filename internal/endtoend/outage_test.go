package endtoend

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// patient is a client that does what a 503 asks for: it comes back. A 503 that does not say when is counted apart.
type patient struct {
	*balancer
	busy, mute atomic.Int64
}

// RoundTrip implements http.RoundTripper.
func (p *patient) RoundTrip(r *http.Request) (*http.Response, error) {
	for {
		again := r.Clone(r.Context())
		var err error
		if again.Body, err = r.GetBody(); err != nil {
			return nil, err
		}
		res, err := p.balancer.RoundTrip(again)
		if err != nil {
			return nil, err
		}
		if res.StatusCode != http.StatusServiceUnavailable {
			return res, nil
		}
		body, _ := io.ReadAll(res.Body)
		res.Body = io.NopCloser(bytes.NewReader(body))
		p.busy.Add(1)
		if res.Header.Get("Retry-After") == "" || r.Context().Err() != nil {
			p.mute.Add(1)
			return res, nil //nolint:nilerr // an answer is an answer, also when the asker has gone
		}
		p.lost.Store(r.URL.Path, true) // it may have been carried out, and only its answer failed
		pause(50 * time.Millisecond)
	}
}

func (p *patient) target() *drill.Target {
	t := p.balancer.target()
	t.HTTP.Transport = p
	t.Patience = 20 * time.Second // mail waits for the database too
	return t
}

func metric(t *testing.T, s *server.Server, line string) bool {
	t.Helper()
	r, err := s.Visitor().Get(t.Context(), s.AdminURL+"/metrics")
	must(t, "metrics", r, err, 200)
	return strings.Contains(string(r.Body), "\n"+line+"\n")
}

func sessionsLive(t *testing.T, p *patient, kept []string) {
	t.Helper()
	for _, refresh := range kept {
		r, err := p.target().Refresh(t.Context(), "", refresh)
		must(t, "a session that lived through it", r, err, 200)
	}
	t.Logf("%d sessions lived through it; 503 was answered %d times", len(kept), p.busy.Load())
}

// TestRedisStopsAndStartsUnderLoad: sign-ups, proofs, logins, refreshes and logouts go on without it, none is refused, none answers 503; and
// when it is back it is used again without a restart of ours.
func TestRedisStopsAndStartsUnderLoad(t *testing.T) {
	redis := testbed.PrivateRedis(t)
	o := server.Options{Store: testbed.Postgres(t), Redis: redis.URL(), Data: t.TempDir(), Config: oneIssuer}
	p := &patient{balancer: &balancer{nodes: []*server.Server{server.Start(t, o), server.Start(t, o)}}}
	crowd := newCrowd(p.target(), p.balancer, 4)
	stop := crowd.run(t)
	crowd.waitFor(t, 3)
	for _, outage := range []struct{ end, back func() }{
		{redis.Kill, func() { restart(t, redis) }}, {redis.Stop, func() { restart(t, redis) }}, {redis.Freeze, redis.Thaw},
	} {
		outage.end()
		for _, s := range p.nodes {
			until(t, 30*time.Second, "the node notices", func() bool { return metric(t, s, "gatehouse_ephemeral_redis_up 0") })
			r, err := s.Visitor().Get(t.Context(), "/health/ready")
			must(t, "readiness without Redis", r, err, 200)
		}
		crowd.waitFor(t, 8)
		outage.back()
		for _, s := range p.nodes {
			until(t, 30*time.Second, "Redis is used again", func() bool { return metric(t, s, "gatehouse_ephemeral_redis_up 1") })
		}
		crowd.waitFor(t, 4)
	}
	stop()
	kept := crowd.end(t)
	if n := p.busy.Load(); n > 0 {
		t.Errorf("503 was answered %d times, and every call here can do without Redis", n)
	}
	sessionsLive(t, p, kept)
}

func restart(t *testing.T, s interface{ Start() error }) {
	t.Helper()
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
}

// TestPostgresBesideRedisStopsAndStarts: with Redis still there, 503 with Retry-After at most while PostgreSQL is gone, and then all is well
// without a restart of ours. Without Redis: TestPostgresComesAndGoes.
func TestPostgresBesideRedisStopsAndStarts(t *testing.T) {
	postgresOutages(t, testbed.Redis(t))
}

func postgresOutages(t *testing.T, redis string) {
	t.Helper()
	pg := testbed.PrivatePostgres(t)
	o := server.Options{Store: pg.URL(), Redis: redis, Data: t.TempDir(), Config: oneIssuer}
	p := &patient{balancer: &balancer{nodes: []*server.Server{server.Start(t, o), server.Start(t, o)}}}
	crowd := newCrowd(p.target(), p.balancer, 4)
	stop := crowd.run(t)
	crowd.waitFor(t, 3)
	for _, end := range []func(){pg.Kill, pg.Stop} {
		before := p.busy.Load()
		end()
		until(t, 30*time.Second, "somebody is told to come back", func() bool { return p.busy.Load() > before+10 })
		for _, s := range p.nodes {
			r, err := s.Visitor().Get(t.Context(), "/health/ready")
			must(t, "readiness without PostgreSQL", r, err, 503)
		}
		restart(t, pg)
		leasesLapse(t, pg.URL()) // of a lease whose answer was lost
		crowd.waitFor(t, 8)
		for _, s := range p.nodes {
			r, err := s.Visitor().Get(t.Context(), "/health/ready")
			must(t, "readiness", r, err, 200)
		}
	}
	stop()
	kept := crowd.end(t)
	if n := p.mute.Load(); n > 0 {
		t.Errorf("%d answers of 503 did not say when to come back", n)
	}
	sessionsLive(t, p, kept)
}
