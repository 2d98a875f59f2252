package ephemeraltest

import (
	"context"
	"fmt"
	"maps"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gatehouse-auth/gatehouse/internal/ephemeral"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/race"
)

func charge(name, key string, n int, window time.Duration) ephemeral.Charge {
	return ephemeral.Charge{Name: name, Key: key, Limit: ephemeral.Limit{N: n, Window: window}}
}

// wantTake takes and checks: refused "" means that all pass.
func wantTake(t *testing.T, l ephemeral.Limiter, at time.Duration, refused string, retry time.Duration, charges ...ephemeral.Charge) {
	t.Helper()
	got, err := l.Take(context.Background(), charges, noon.Add(at))
	if want := (ephemeral.Verdict{Refused: refused, RetryAfter: retry}); err != nil || got != want {
		t.Fatalf("take at noon+%v: got %+v, %v, want %+v", at, got, err, want)
	}
}

func giveBackAt(t *testing.T, l ephemeral.Limiter, at time.Duration, charges ...ephemeral.Charge) {
	t.Helper()
	if err := l.GiveBack(context.Background(), charges, noon.Add(at)); err != nil {
		t.Fatalf("give back: %v", err)
	}
}

func burstAndRefill(t *testing.T, l ephemeral.Limiter) {
	c := charge("network", "a", 5, 5*time.Minute)
	for range 5 {
		wantTake(t, l, 0, "", 0, c)
	}
	wantTake(t, l, 0, "network", time.Minute, c)
	wantTake(t, l, time.Second, "network", 59*time.Second, c)
	wantTake(t, l, time.Minute-time.Microsecond, "network", time.Microsecond, c) // refusals cost nothing
	wantTake(t, l, time.Minute, "", 0, c)
	wantTake(t, l, time.Minute, "network", time.Minute, c)
	wantTake(t, l, 3*time.Minute, "", 0, c)
	wantTake(t, l, 3*time.Minute, "", 0, c)
	wantTake(t, l, 3*time.Minute, "network", time.Minute, c)
	for range 5 { // a long rest gives one burst, never two
		wantTake(t, l, 100*time.Hour, "", 0, c)
	}
	wantTake(t, l, 100*time.Hour, "network", time.Minute, c)
	third := charge("network", "thirds", 3, time.Second) // 333,333 µs: whole microseconds everywhere
	for range 3 {
		wantTake(t, l, 0, "", 0, third)
	}
	wantTake(t, l, 0, "network", 333332*time.Microsecond, third)
}

func off(t *testing.T, l ephemeral.Limiter) {
	one := charge("one", "a", 1, time.Minute)
	wantTake(t, l, 0, "", 0)
	for range 100 {
		wantTake(t, l, 0, "", 0, charge("off", "a", 0, 0))
	}
	wantTake(t, l, 0, "", 0, charge("off", "a", 0, 0), one)
	wantTake(t, l, 0, "one", time.Minute, charge("off", "a", 0, 0), one)
	giveBackAt(t, l, 0, charge("off", "a", 0, 0))
	giveBackAt(t, l, 0)
}

// namesAndKeysApart: two limits on the same key count apart, and so does one limit on two keys.
func namesAndKeysApart(t *testing.T, l ephemeral.Limiter) {
	wantTake(t, l, 0, "", 0, charge("password", "a", 1, time.Minute))
	wantTake(t, l, 0, "", 0, charge("mail", "a", 1, time.Hour))
	wantTake(t, l, 0, "", 0, charge("password", "A", 1, time.Minute))
	wantTake(t, l, 0, "", 0, charge("passworda", "", 1, time.Minute))
	wantTake(t, l, 0, "password", time.Minute, charge("password", "a", 1, time.Minute))
	wantTake(t, l, 0, "mail", time.Hour, charge("mail", "a", 1, time.Hour))
}

// allOrNothing: whichever charge refuses, the others have lost nothing.
func allOrNothing(t *testing.T, l ephemeral.Limiter) {
	tight, wide, last := charge("tight", "a", 1, time.Minute), charge("wide", "a", 2, time.Minute), charge("last", "a", 2, time.Minute)
	wantTake(t, l, 0, "", 0, tight, wide, last)
	for range 5 {
		wantTake(t, l, 0, "tight", time.Minute, wide, tight, last)
		wantTake(t, l, 0, "tight", time.Minute, wide, last, tight)
		wantTake(t, l, 0, "tight", time.Minute, tight, wide, last)
	}
	wantTake(t, l, 0, "", 0, wide, last)
	wantTake(t, l, 0, "wide", 30*time.Second, wide)
	wantTake(t, l, 0, "last", 30*time.Second, last)
}

// longestWait: of several refusals the one with the longest wait is told.
func longestWait(t *testing.T, l ephemeral.Limiter) {
	short, long := charge("short", "a", 1, time.Minute), charge("long", "a", 1, time.Hour)
	wantTake(t, l, 0, "", 0, short, long)
	wantTake(t, l, 0, "long", time.Hour, short, long)
	wantTake(t, l, 0, "long", time.Hour, long, short)
}

// chargedTwice: the same limit twice in one call is two units, or none.
func chargedTwice(t *testing.T, l ephemeral.Limiter) {
	c := charge("n", "a", 3, 3*time.Minute)
	wantTake(t, l, 0, "", 0, c, c)
	wantTake(t, l, 0, "n", time.Minute, c, c)
	wantTake(t, l, 0, "", 0, c)
	wantTake(t, l, 0, "n", time.Minute, c)
}

func giveBack(t *testing.T, l ephemeral.Limiter) {
	a, b := charge("a", "k", 2, time.Minute), charge("b", "k", 3, time.Minute)
	wantTake(t, l, 0, "", 0, a, b)
	wantTake(t, l, 0, "", 0, a, b)
	giveBackAt(t, l, 0, a, b)
	wantTake(t, l, 0, "", 0, a, b)
	wantTake(t, l, 0, "a", 30*time.Second, a, b)
	giveBackAt(t, l, time.Second, a)
	wantTake(t, l, time.Second, "", 0, a, b)
	wantTake(t, l, time.Second, "a", 29*time.Second, a)
	wantTake(t, l, time.Second, "b", 19*time.Second, b)
}

// giveBackNothing: giving back what was never taken, or has long come back by itself, never adds to a burst.
func giveBackNothing(t *testing.T, l ephemeral.Limiter) {
	c, d := charge("c", "k", 2, time.Minute), charge("d", "k", 2, time.Minute)
	giveBackAt(t, l, 0, c)
	wantTake(t, l, 0, "", 0, d)
	for range 5 {
		giveBackAt(t, l, time.Hour, d)
		giveBackAt(t, l, time.Hour, c)
	}
	for _, x := range []ephemeral.Charge{c, d} {
		wantTake(t, l, time.Hour, "", 0, x)
		wantTake(t, l, time.Hour, "", 0, x)
		wantTake(t, l, time.Hour, x.Name, 30*time.Second, x)
	}
}

// exactInParallel: of 64 callers at one instant exactly N pass, and a window later N again.
func exactInParallel(t *testing.T, l ephemeral.Limiter) {
	for _, n := range []int{1, 10, 37} {
		c := charge(fmt.Sprint("n", n), "k", n, time.Minute)
		for round := range 3 {
			at := noon.Add(time.Duration(round) * time.Minute)
			passed := race.Winners(t, func(int) (bool, error) {
				v, err := l.Take(context.Background(), []ephemeral.Charge{c}, at)
				return err == nil && v.Refused == "", err
			})
			if passed != n {
				t.Fatalf("round %d: %d of %d passed a limit of %d", round, passed, callers, n)
			}
		}
	}
}

// allOrNothingInParallel: callers charge two limits in either order; a backend that locks as it goes stands still here, and one that
// leaves half a Take behind loses units of the wide limit.
func allOrNothingInParallel(t *testing.T, l ephemeral.Limiter) {
	tight, wide := charge("tight", "k", 7, time.Minute), charge("wide", "k", 20, time.Minute)
	passed := race.Winners(t, func(i int) (bool, error) {
		charges := []ephemeral.Charge{tight, wide}
		if i%2 == 1 {
			charges = []ephemeral.Charge{wide, tight}
		}
		v, err := l.Take(context.Background(), charges, noon)
		return err == nil && v.Refused == "", err
	})
	if passed != 7 {
		t.Fatalf("%d passed a limit of 7", passed)
	}
	left := race.Winners(t, func(int) (bool, error) {
		v, err := l.Take(context.Background(), []ephemeral.Charge{wide}, noon)
		return err == nil && v.Refused == "", err
	})
	if left != 13 {
		t.Fatalf("%d of the 13 units left passed", left)
	}
}

// giveBackInParallel: as many units come back as were given back.
func giveBackInParallel(t *testing.T, l ephemeral.Limiter) {
	a, b := charge("a", "k", 40, time.Hour), charge("b", "k", 50, time.Hour)
	var back atomic.Int64
	passed := race.Winners(t, func(i int) (bool, error) {
		charges := []ephemeral.Charge{a, b}
		if i%2 == 1 {
			charges = []ephemeral.Charge{b, a}
		}
		v, err := l.Take(context.Background(), charges, noon)
		if err != nil || v.Refused != "" {
			return false, err
		}
		if i%3 == 0 {
			back.Add(1)
			err = l.GiveBack(context.Background(), charges, noon)
		}
		return true, err
	})
	spent := passed - int(back.Load())
	left := race.Winners(t, func(int) (bool, error) {
		v, err := l.Take(context.Background(), []ephemeral.Charge{a}, noon)
		return err == nil && v.Refused == "", err
	})
	if spent+left != 40 {
		t.Fatalf("%d passed, %d given back, then %d of 40 passed", passed, back.Load(), left)
	}
}

// randomSchedule compares the backend with the formula written out in whole microseconds, over instants that mostly grow and sometimes
// step back, as several nodes' clocks do.
func randomSchedule(t *testing.T, l ephemeral.Limiter) {
	var run atomic.Int64 // every example its own keys
	rapid.Check(t, func(r *rapid.T) {
		prefix := fmt.Sprint("run", run.Add(1), " ")
		var limits []ephemeral.Charge
		for i := range rapid.IntRange(1, 3).Draw(r, "limits") {
			window := time.Duration(rapid.IntRange(1000, 10_000_000).Draw(r, "window")) * time.Microsecond
			limits = append(limits, charge(fmt.Sprint("l", i), prefix+fmt.Sprint(i), rapid.IntRange(1, 6).Draw(r, "n"), window))
		}
		m := model{}
		at := noon
		for range rapid.IntRange(1, 25).Draw(r, "steps") {
			at = at.Add(time.Duration(rapid.IntRange(-100_000, 3_000_000).Draw(r, "step")) * time.Microsecond)
			charges := rapid.Permutation(limits).Draw(r, "charges")
			charges = charges[:rapid.IntRange(1, len(charges)).Draw(r, "how many")]
			if rapid.IntRange(0, 4).Draw(r, "verb") == 0 {
				m.giveBack(charges)
				if err := l.GiveBack(context.Background(), charges, at); err != nil {
					r.Fatalf("give back: %v", err)
				}
				continue
			}
			wait, waits := m.take(charges, at)
			got, err := l.Take(context.Background(), charges, at)
			if err != nil || got.RetryAfter != wait || waits[got.Refused] != wait {
				r.Fatalf("at noon+%v: got %+v, %v, want one of %v", at.Sub(noon), got, err, waits)
			}
		}
	})
}

// model keeps arrival times in microseconds, by limit name.
type model map[string]int64

// take gives the longest wait, 0 when everything passes, and every refused limit's own.
func (m model) take(charges []ephemeral.Charge, at time.Time) (longest time.Duration, waits map[string]time.Duration) {
	next, now := model{}, at.UnixMicro()
	waits = map[string]time.Duration{}
	for _, c := range charges {
		window := c.Limit.Window.Microseconds()
		next[c.Name] = max(m[c.Name], now) + window/int64(c.Limit.N)
		if early := next[c.Name] - now - window; early > 0 {
			waits[c.Name] = time.Duration(early) * time.Microsecond
			longest = max(longest, waits[c.Name])
		}
	}
	if longest == 0 {
		maps.Copy(m, next)
	}
	return longest, waits
}

func (m model) giveBack(charges []ephemeral.Charge) {
	for _, c := range charges {
		if _, ok := m[c.Name]; ok {
			m[c.Name] -= c.Limit.Window.Microseconds() / int64(c.Limit.N)
		}
	}
}
