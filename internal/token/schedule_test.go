package token

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
)

var (
	start  = time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	policy = Policy{Statics: 1, Rotation: 168 * time.Hour, Publish: 310 * time.Second, Overlap: 65 * time.Minute}
)

func rotating(slot int64, from time.Duration) SigningKey {
	return SigningKey{KID: fmt.Sprint("d-", slot), Kind: Rotating, Alg: jose.ES256, Slot: slot, CreatedAt: start, SignsFrom: start.Add(from)}
}

func gist(p Plan) []string {
	var out []string
	for _, k := range p.Published {
		out = append(out, "publish "+k.KID)
	}
	for _, k := range p.Dead {
		out = append(out, "dead "+k.KID)
	}
	for _, w := range p.Missing {
		if w.Alg == jose.ES256 {
			out = append(out, fmt.Sprint("make ", w.Slot, " from ", w.SignsFrom.Sub(start)))
		}
	}
	if !p.Next.IsZero() {
		out = append(out, fmt.Sprint("next ", p.Next.Sub(start)))
	}
	return out
}

func TestSchedule(t *testing.T) {
	const week = 168 * time.Hour
	withdrawn := rotating(1, week)
	withdrawn.Withdrawn = start
	kept, briefly := rotating(0, 0), rotating(0, 0)
	kept.KeepUntil, briefly.KeepUntil = start.Add(10*week), start.Add(week)
	for name, c := range map[string]struct {
		keys []SigningKey
		at   time.Duration
		want []string
	}{
		"nothing yet":                  {nil, 0, []string{"make 0 from 0s"}},
		"first key":                    {[]SigningKey{rotating(0, 0)}, 0, []string{"publish d-0", "make 1 from 168h0m0s"}},
		"announced":                    {[]SigningKey{rotating(0, 0), rotating(1, week)}, time.Hour, []string{"publish d-1", "publish d-0", "next 168h0m0s"}},
		"the next signs":               {[]SigningKey{rotating(0, 0), rotating(1, week)}, week, []string{"publish d-1", "publish d-0", "make 2 from 336h0m0s", "next 169h5m0s"}},
		"last moment of the old":       {[]SigningKey{rotating(0, 0), rotating(1, week)}, week + 65*time.Minute - 1, []string{"publish d-1", "publish d-0", "make 2 from 336h0m0s", "next 169h5m0s"}},
		"the old leaves":               {[]SigningKey{rotating(0, 0), rotating(1, week)}, week + 65*time.Minute, []string{"publish d-1", "dead d-0", "make 2 from 336h0m0s"}},
		"kept for a long token":        {[]SigningKey{kept, rotating(1, week)}, 10*week - time.Second, []string{"publish d-1", "publish d-0", "make 2 from 1680h5m9s", "next 1680h0m0s"}},
		"its last moment is over":      {[]SigningKey{kept, rotating(1, week)}, 10 * week, []string{"publish d-1", "dead d-0", "make 2 from 1680h5m10s"}},
		"kept no longer than the rest": {[]SigningKey{briefly, rotating(1, week)}, week + time.Hour, []string{"publish d-1", "publish d-0", "make 2 from 336h0m0s", "next 169h5m0s"}},
		"after a jump":                 {[]SigningKey{rotating(0, 0), rotating(1, week)}, 10 * week, []string{"publish d-1", "dead d-0", "make 2 from 1680h5m10s"}},
		"clock behind":                 {[]SigningKey{rotating(0, time.Minute)}, 0, []string{"publish d-0", "make 1 from 168h1m0s"}},
		"next withdrawn":               {[]SigningKey{rotating(0, 0), withdrawn}, time.Hour, []string{"publish d-0", "make 1 from 168h0m0s"}},
		"current withdrawn":            {[]SigningKey{withdrawn, rotating(2, 2*week)}, week, []string{"publish d-2", "make 3 from 504h0m0s"}},
	} {
		if diff := cmp.Diff(c.want, gist(Schedule(c.keys, start.Add(c.at), policy))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestScheduleStatics(t *testing.T) {
	p := policy
	p.Statics = 3
	keys := []SigningKey{{KID: "s-1", Kind: Static, Alg: jose.RS256, Slot: 1}}
	var slots []int64
	for _, w := range Schedule(keys, start, p).Missing {
		if w.Kind == Static {
			slots = append(slots, w.Slot)
		}
	}
	if diff := cmp.Diff([]int64{0, 2}, slots); diff != "" {
		t.Error(diff)
	}
	p.Statics = 0
	if plan := Schedule(keys, start.Add(1e6*time.Hour), p); plan.Published[0].KID != "s-1" || len(plan.Dead) > 0 {
		t.Error("a static key left by itself")
	}
}

func TestUrgency(t *testing.T) {
	var got []string
	keys := []SigningKey{rotating(0, 0)}
	for _, w := range Schedule(keys, start, policy).Missing {
		got = append(got, fmt.Sprint(w.Kind, " ", w.Alg, " ", w.Slot))
	}
	want := []string{"rotating EdDSA 0", "rotating RS256 0", "static RS256 0", "rotating ES256 1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestScheduleHolds lets time run in steps, sometimes in jumps, over a worker that is sometimes late, and checks the promises at every step.
func TestScheduleHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Policy{
			Rotation: time.Duration(rapid.IntRange(1, 100_000).Draw(t, "rotation s")) * time.Second,
			Publish:  310 * time.Second, Overlap: time.Duration(rapid.IntRange(60, 7200).Draw(t, "overlap s")) * time.Second,
		}
		var keys []SigningKey
		signed := map[string]time.Time{} // kid → instant of its last signature
		began := map[string]time.Time{}
		at, jumped := start, false
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			plan := Schedule(keys, at, p)
			for _, k := range plan.Dead {
				if k.KeepUntil.After(at) {
					t.Fatalf("%s is dead at %v and to be kept until %v", k.KID, at, k.KeepUntil)
				}
				if last, ok := signed[k.KID]; ok && last.Add(p.Overlap).After(at) {
					t.Fatalf("%s is dead at %v, its last token lives until %v", k.KID, at, last.Add(p.Overlap))
				}
			}
			dead := func(k SigningKey) bool {
				return slices.ContainsFunc(plan.Dead, func(d SigningKey) bool { return d.KID == k.KID })
			}
			keys = slices.DeleteFunc(keys, dead)
			if rapid.Bool().Draw(t, "worker runs") || len(keys) == 0 {
				for _, w := range plan.Missing {
					keys = append(keys, SigningKey{KID: fmt.Sprint(w.Alg, w.Slot), Kind: w.Kind, Alg: w.Alg, Slot: w.Slot, CreatedAt: at, SignsFrom: w.SignsFrom})
				}
			}
			for _, alg := range jose.Algs() {
				l := lane(keys, alg)
				now := current(l, at)
				if now < 0 {
					t.Fatalf("nothing signs with %s", alg)
				}
				k := l[now]
				if rapid.IntRange(0, 9).Draw(t, "long token") == 0 {
					for i := range keys {
						if keys[i].KID == k.KID {
							keys[i].KeepUntil = latest(keys[i].KeepUntil, at.Add(time.Duration(rapid.IntRange(1, 1_000_000).Draw(t, "life s"))*time.Second))
						}
					}
				}
				if _, ok := began[k.KID]; !ok {
					began[k.KID] = at
					if k.Slot > 0 && !jumped && at.Sub(k.CreatedAt) < 300*time.Second {
						t.Fatalf("%s signs %v after its publication", k.KID, at.Sub(k.CreatedAt))
					}
				}
				for _, other := range l {
					if other.Slot > k.Slot && !other.SignsFrom.After(at) {
						t.Fatalf("both %s and %s sign", k.KID, other.KID)
					}
				}
				signed[k.KID] = at
			}
			jumped = rapid.IntRange(0, 9).Draw(t, "jump") == 0
			step := rapid.IntRange(1, 400).Draw(t, "step s")
			if jumped {
				step = rapid.IntRange(1, 1_000_000).Draw(t, "jump s")
			}
			at = at.Add(time.Duration(step) * time.Second)
		}
	})
}
