package endtoend

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/testbed"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// TestRollingRestart: nodes are restarted one after the other under 200 refreshes a second, and the signing key is rotated on the way.
// No honest caller is refused, every token verifies with a JWKS that was fetched before it was signed, and keeps verifying.
func TestRollingRestart(t *testing.T) {
	chance(t) // nothing here is by chance but the nodes that are asked
	o := server.Options{Config: loadTenant, Store: testbed.Postgres(t), Data: t.TempDir()}
	l := newRefreshLoad(t, newCluster(t, 2, o))
	first, _ := l.families[0].pair()
	// Ten minutes before the key is due, tokens of the old key are handed out; ten minutes after it they still live.
	for range soak(1, 6) {
		for step, d := range []time.Duration{168*time.Hour - 10*time.Minute, 20 * time.Minute} {
			l.someGoBy(t)
			l.replace(t, step, o, orderly(t))
			l.someGoBy(t)
			l.move(t.Context(), t, d, func() {
				if step == 1 {
					l.allLive(t)
				}
			})
		}
	}
	l.someGoBy(t)
	l.end(t)
	if last, _ := l.families[0].pair(); kidIn(last) == kidIn(first) {
		t.Error("the signing key was not rotated")
	}
}

func orderly(t *testing.T) func(s *server.Server) {
	return func(s *server.Server) {
		if err := s.Stop(); err != nil {
			t.Errorf("an orderly stop: %v", err)
		}
	}
}

// allLive: tokens verify at every node and with every node's JWKS.
func (l *refreshLoad) allLive(t *testing.T) {
	t.Helper()
	for n := range l.nodes {
		s := l.node(n)
		set := jwks(t.Context(), t, s)
		for i := range l.families {
			token, _ := l.families[i].pair()
			got, err := s.Me(t.Context(), token)
			must(t, "an unexpired token after the rotation", got, err, 200)
			if err := verifies(set, token, loadAlg); err != nil {
				t.Errorf("an unexpired token after the rotation, with the JWKS of node %d: %v", n, err)
			}
		}
	}
}
