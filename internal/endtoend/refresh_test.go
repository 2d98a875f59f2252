package endtoend

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

const (
	parallel = 64
	lossRate = 0.2
)

func TestParallelRefreshThroughOneProcessOnSQLite(t *testing.T) {
	s := server.Start(t, server.Options{})
	eachDialect(t, func(t *testing.T, d dialect) { parallelRefresh(t, d, s) })
}

func TestParallelRefreshThroughTwoProcesses(t *testing.T) {
	many(t, func(t *testing.T, o server.Options) {
		o.Data = t.TempDir()
		a, b := server.Start(t, o), server.Start(t, o)
		eachDialect(t, func(t *testing.T, d dialect) { parallelRefresh(t, d, a, b) })
	})
}

// parallelRefresh: 64 callers share a family's newest token and refresh at once, round after round; every fifth reply is lost. Nobody
// honest is refused, each round has one successor, and at the end every token that was ever left behind is caught as theft.
func parallelRefresh(t *testing.T, d dialect, nodes ...*server.Server) {
	ctx := t.Context()
	rng := rand.New(rand.NewPCG(chance(t), 1))
	p := signUp(ctx, t, nodes[0], "parallel")
	_, newest := d.open(ctx, t, nodes[0], p)
	var left []string
	dropped, rounds, began := 0, soak(25, 200), time.Now()
	for round := range rounds {
		nodes[0].MustAdvance(ctx, 61*time.Second)
		lost := make([]bool, parallel)
		for i := range lost {
			if lost[i] = rng.Float64() < lossRate; lost[i] {
				dropped++
			}
		}
		got, err := drill.Together(parallel, func(i int) (string, error) {
			r, err := d.refresh(ctx, nodes[i%len(nodes)], newest)
			if err == nil && r.Status != 200 {
				err = fmt.Errorf("round %d, caller %d: honest refresh answered %s", round, i, r)
			}
			if err != nil || lost[i] {
				return "", err
			}
			return r.Text("refresh_token"), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		left, newest = append(left, newest), oneSuccessor(t, round, got, newest)
	}
	everyReplayIsCaught(t, d, nodes, left, newest)
	t.Logf("%d rounds of %d parallel refreshes through %d processes, %d replies dropped, in %v: nobody refused, one successor a round, every replay caught",
		rounds, parallel, len(nodes), dropped, time.Since(began).Round(time.Second))
}

func oneSuccessor(t *testing.T, round int, got []string, before string) string {
	t.Helper()
	successor := ""
	for _, g := range got {
		switch {
		case g == "":
		case successor == "":
			successor = g
		case g != successor:
			t.Fatalf("round %d: two live successors", round)
		}
	}
	if successor == "" || successor == before {
		t.Fatalf("round %d: no successor reached anybody", round)
	}
	return successor
}

func everyReplayIsCaught(t *testing.T, d dialect, nodes []*server.Server, left []string, newest string) {
	t.Helper()
	ctx := t.Context()
	r, err := d.refresh(ctx, nodes[0], newest)
	must(t, "the newest token", r, err, 200)
	nodes[0].MustAdvance(ctx, 61*time.Second)
	d.refuses(t, nodes[0], "a replay outside the grace", left[rand.IntN(len(left)-1)], "refresh_reused")
	for i, old := range append(left, newest) {
		r, err := d.refresh(ctx, nodes[i%len(nodes)], old)
		if must(t, "any token of the ended family", r, err, d.refused); i < 3 && r.Text("reason") == "" {
			t.Fatal("no reason")
		}
	}
}
