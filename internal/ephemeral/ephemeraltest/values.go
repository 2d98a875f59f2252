// Package ephemeraltest is the suite that every backend of internal/ephemeral passes whole. It owns what the interfaces mean; it holds
// no backend. It is imported by tests only.
package ephemeraltest

import (
	"bytes"
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/ephemeral"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/race"
)

// callers is how many race for everything that only one may have.
const callers = race.Callers

// Open gives an empty backend.
type Open func(t *testing.T) (ephemeral.Values, ephemeral.Limiter)

// noon is an instant far from the machine's clock: whoever asks that clock fails.
var noon = time.Date(2035, 6, 1, 12, 0, 0, 123456000, time.UTC)

// Run runs the whole suite.
func Run(t *testing.T, open Open) {
	for _, c := range []struct {
		name string
		test func(*testing.T, ephemeral.Values)
	}{
		{"put and get", putAndGet}, {"empty is not absent", emptyIsNotAbsent}, {"any bytes", anyBytes}, {"expiry", expiry},
		{"swap", swap}, {"one swap wins", oneSwapWins}, {"spend", spend}, {"one spend wins", oneSpendWins},
		{"lease", lease}, {"one lease wins", oneLeaseWins}, {"sweep", sweep},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, _ := open(t)
			c.test(t, v)
		})
	}
	for _, c := range []struct {
		name string
		test func(*testing.T, ephemeral.Limiter)
	}{
		{"burst and refill", burstAndRefill}, {"off", off}, {"names and keys apart", namesAndKeysApart}, {"all or nothing", allOrNothing},
		{"longest wait", longestWait}, {"charged twice", chargedTwice}, {"give back", giveBack}, {"give back nothing", giveBackNothing},
		{"exact in parallel", exactInParallel}, {"all or nothing in parallel", allOrNothingInParallel},
		{"give back in parallel", giveBackInParallel}, {"random schedule", randomSchedule},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, l := open(t)
			c.test(t, l)
		})
	}
}

func put(t *testing.T, v ephemeral.Values, key, data string, at time.Time, life time.Duration) {
	t.Helper()
	if err := v.Put(context.Background(), key, []byte(data), at, life); err != nil {
		t.Fatalf("put %q: %v", key, err)
	}
}

// wantValue checks what Get gives; want nil means absent.
func wantValue(t *testing.T, v ephemeral.Values, key string, at time.Time, want []byte) {
	t.Helper()
	got, err := v.Get(context.Background(), key, at)
	if err != nil || !bytes.Equal(got, want) || (got == nil) != (want == nil) {
		t.Fatalf("get %q at noon+%v: got %#v, %v, want %#v", key, at.Sub(noon), got, err, want)
	}
}

func putAndGet(t *testing.T, v ephemeral.Values) {
	wantValue(t, v, "a", noon, nil)
	put(t, v, "a", "one", noon, time.Minute)
	put(t, v, "A", "other", noon, time.Minute)
	wantValue(t, v, "a", noon, []byte("one"))
	wantValue(t, v, "A", noon, []byte("other"))
	wantValue(t, v, "a ", noon, nil)
	put(t, v, "a", "two", noon, 2*time.Minute)
	wantValue(t, v, "a", noon.Add(time.Minute), []byte("two"))
	got, _ := v.Get(context.Background(), "a", noon)
	got[0] = 'X'
	wantValue(t, v, "a", noon, []byte("two"))
}

func emptyIsNotAbsent(t *testing.T, v ephemeral.Values) {
	for key, data := range map[string][]byte{"empty": {}, "nil": nil} {
		if err := v.Put(context.Background(), key, data, noon, time.Minute); err != nil {
			t.Fatal(err)
		}
		wantValue(t, v, key, noon, []byte{})
	}
	if won, err := v.Swap(context.Background(), "empty", []byte{}, []byte("x"), noon); err != nil || !won {
		t.Fatalf("swap from empty: %v, %v", won, err)
	}
	if won, err := v.Swap(context.Background(), "absent", []byte{}, []byte("x"), noon); err != nil || won {
		t.Fatalf("swap of an absent value: %v, %v", won, err)
	}
	got, err := v.Spend(context.Background(), "nil", noon)
	if err != nil || got == nil || len(got) != 0 {
		t.Fatalf("spend of an empty value: %#v, %v", got, err)
	}
}

func anyBytes(t *testing.T, v ephemeral.Values) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	put(t, v, "bytes", string(all), noon, time.Minute)
	wantValue(t, v, "bytes", noon, all)
	big := bytes.Repeat([]byte{0, 0xff}, 32<<10)
	put(t, v, "big", string(big), noon, time.Minute)
	wantValue(t, v, "big", noon, big)
}

// expiry is judged by the given instant alone, in both directions.
func expiry(t *testing.T, v ephemeral.Values) {
	put(t, v, "k", "v", noon, time.Minute)
	end := noon.Add(time.Minute)
	wantValue(t, v, "k", end.Add(-time.Microsecond), []byte("v"))
	wantValue(t, v, "k", end, nil)
	wantValue(t, v, "k", end.Add(1000*time.Hour), nil)
	wantValue(t, v, "k", noon, []byte("v"))
	ctx := context.Background()
	if won, err := v.Swap(ctx, "k", []byte("v"), []byte("w"), end); err != nil || won {
		t.Fatalf("swap of an expired value: %v, %v", won, err)
	}
	if got, err := v.Spend(ctx, "k", end); err != nil || got != nil {
		t.Fatalf("spend of an expired value: %q, %v", got, err)
	}
	old := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	put(t, v, "old", "v", old, time.Minute)
	wantValue(t, v, "old", old, []byte("v"))
	wantValue(t, v, "old", noon, nil)
}

func swap(t *testing.T, v ephemeral.Values) {
	ctx := context.Background()
	put(t, v, "k", "a", noon, time.Minute)
	for _, c := range []struct {
		old, new string
		want     bool
	}{{"b", "c", false}, {"", "c", false}, {"a", "b", true}, {"a", "c", false}, {"b", "b", true}, {"b", "d", true}} {
		if won, err := v.Swap(ctx, "k", []byte(c.old), []byte(c.new), noon.Add(time.Second)); err != nil || won != c.want {
			t.Fatalf("swap %q by %q: got %v, %v, want %v", c.old, c.new, won, err, c.want)
		}
	}
	wantValue(t, v, "k", noon.Add(time.Minute-time.Microsecond), []byte("d"))
	wantValue(t, v, "k", noon.Add(time.Minute), nil) // a swap extends nothing
}

func oneSwapWins(t *testing.T, v ephemeral.Values) {
	put(t, v, "k", "start", noon, time.Minute)
	won := race.Winners(t, func(i int) (bool, error) {
		return v.Swap(context.Background(), "k", []byte("start"), []byte("by "+strconv.Itoa(i)), noon)
	})
	if won != 1 {
		t.Fatalf("%d of %d swaps won", won, callers)
	}
}

func spend(t *testing.T, v ephemeral.Values) {
	put(t, v, "k", "v", noon, time.Minute)
	for _, want := range []string{"v", ""} {
		if got, err := v.Spend(context.Background(), "k", noon); err != nil || string(got) != want || (got == nil) != (want == "") {
			t.Fatalf("got %#v, %v, want %q", got, err, want)
		}
	}
	wantValue(t, v, "k", noon, nil)
	put(t, v, "k", "again", noon, time.Minute)
	wantValue(t, v, "k", noon, []byte("again"))
}

func oneSpendWins(t *testing.T, v ephemeral.Values) {
	for round := range 5 {
		key := "k" + strconv.Itoa(round)
		put(t, v, key, "v", noon, time.Minute)
		won := race.Winners(t, func(int) (bool, error) {
			got, err := v.Spend(context.Background(), key, noon)
			return got != nil, err
		})
		if won != 1 {
			t.Fatalf("%d of %d callers spent one value", won, callers)
		}
	}
}

func lease(t *testing.T, v ephemeral.Values) {
	for i, c := range []struct {
		owner string
		at    time.Duration
		want  bool
	}{
		{"a", 0, true}, {"b", 0, false}, {"b", 59 * time.Second, false}, {"a", 30 * time.Second, true}, // renewed to 90 s
		{"b", 60 * time.Second, false}, {"b", 90*time.Second - time.Microsecond, false}, {"b", 90 * time.Second, true},
		{"a", 91 * time.Second, false}, {"A", 92 * time.Second, false}, {"b", 149 * time.Second, true}, {"a", 300 * time.Second, true},
	} {
		if got, err := v.Lease(context.Background(), "work", c.owner, noon.Add(c.at), time.Minute); err != nil || got != c.want {
			t.Fatalf("step %d, %q at noon+%v: got %v, %v, want %v", i, c.owner, c.at, got, err, c.want)
		}
	}
	if got, err := v.Lease(context.Background(), "other work", "b", noon.Add(300*time.Second), time.Minute); err != nil || !got {
		t.Fatalf("another key: %v, %v", got, err)
	}
}

func oneLeaseWins(t *testing.T, v ephemeral.Values) {
	for round := range 5 { // the second round and on take over an expired lease
		at := noon.Add(time.Duration(round) * time.Minute)
		won := race.Winners(t, func(i int) (bool, error) {
			return v.Lease(context.Background(), "work", "node "+strconv.Itoa(i), at, time.Minute)
		})
		if won != 1 {
			t.Fatalf("round %d: %d of %d owners hold one lease", round, won, callers)
		}
	}
}

func sweep(t *testing.T, v ephemeral.Values) {
	for i := range 10 {
		put(t, v, strconv.Itoa(i), "v", noon, time.Duration(i+1)*time.Minute)
	}
	for _, c := range []struct {
		at   time.Duration
		want int
	}{{0, 0}, {4*time.Minute + 1*time.Second, 4}, {4*time.Minute + 2*time.Second, 0}, {time.Hour, 6}, {time.Hour, 0}} {
		if got, err := v.Sweep(context.Background(), noon.Add(c.at)); err != nil || got != c.want {
			t.Fatalf("sweep at noon+%v: got %d, %v, want %d", c.at, got, err, c.want)
		}
		if c.want == 4 {
			wantValue(t, v, "3", noon, nil) // swept, so not even an early instant finds it
			wantValue(t, v, "4", noon, []byte("v"))
		}
	}
}
