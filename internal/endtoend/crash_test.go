package endtoend

import (
	"os"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// eagerTenant rotates at every refresh, and its issuer outlives the port.
const eagerTenant = `
tenants:
- id: 0198c000-0000-7000-8000-000000000001
  slug: main
  name: Example
  issuer: example
  test: true
  default_client: demo
  lives: {refresh_min_rotation_s: 0}
  clients:
  - {id: demo, name: Demo, auto_register: true}
`

// TestKillUnderRefreshLoad: the server is killed again and again while families rotate as fast as they can. Whatever pair a holder was
// given works afterwards, and nobody is logged out.
func TestKillUnderRefreshLoad(t *testing.T) {
	kills := 3
	if os.Getenv("GATEHOUSE_TEST_SOAK") != "" {
		kills = 50
	}
	engines(t, func(t *testing.T, o server.Options) {
		ctx := t.Context()
		o.Config, o.Data = eagerTenant, t.TempDir()
		s := server.Start(t, o)
		p := signUp(ctx, t, s, "crash")
		pairs := make([][2]string, 8)
		for i := range pairs {
			pairs[i][0], pairs[i][1] = bearer(ctx, t, p)
		}
		rotated := 0
		for range kills {
			rotated += untilKilled(t, s, pairs)
			s = server.Start(t, o)
			for i, pair := range pairs {
				r, err := s.Me(ctx, pair[0])
				must(t, "an acknowledged access token after kill -9", r, err, 200)
				r, err = s.Refresh(ctx, "", pair[1])
				must(t, "an acknowledged refresh token after kill -9", r, err, 200)
				pairs[i] = [2]string{r.Text("access_token"), r.Text("refresh_token")}
			}
		}
		if rotated < kills*len(pairs) {
			t.Fatalf("only %d rotations: the server was not under load", rotated)
		}
		t.Logf("%d rotations, %d kills", rotated, kills)
	})
}

// untilKilled refreshes every family in a loop and kills the server meanwhile; pairs then holds what each holder has received.
func untilKilled(t *testing.T, s *server.Server, pairs [][2]string) int {
	t.Helper()
	var all sync.WaitGroup
	counts := make([]int, len(pairs))
	enough := make(chan struct{}, len(pairs))
	for i := range pairs {
		all.Go(func() {
			defer func() { enough <- struct{}{} }()
			for began := time.Now(); ; counts[i]++ {
				r, err := s.Refresh(t.Context(), "", pairs[i][1])
				if err != nil {
					return // the kill
				}
				if r.Status != 200 {
					t.Errorf("an honest refresh under load: %s", r)
					return
				}
				pairs[i] = [2]string{r.Text("access_token"), r.Text("refresh_token")}
				if counts[i] == 4 || time.Since(began) > 20*time.Second {
					enough <- struct{}{}
				}
			}
		})
	}
	for range pairs {
		<-enough
	}
	s.Kill()
	go func() { // what the loops say at their end
		for range enough {
		}
	}()
	all.Wait()
	close(enough)
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return sum
}
