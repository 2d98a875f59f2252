package ephemeral_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/ephemeral"
)

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

func TestGCRA(t *testing.T) {
	ten := ephemeral.Limit{N: 10, Window: time.Minute}
	for _, c := range []struct {
		name  string
		tat   time.Duration // after noon
		limit ephemeral.Limit
		want  time.Duration
		ok    bool
		retry time.Duration
	}{
		{"new", -24 * time.Hour, ten, 6 * time.Second, true, 0},
		{"passed just now", 0, ten, 6 * time.Second, true, 0},
		{"second of a burst", 6 * time.Second, ten, 12 * time.Second, true, 0},
		{"last of a burst", 54 * time.Second, ten, time.Minute, true, 0},
		{"one too many", time.Minute, ten, time.Minute, false, 6 * time.Second},
		{"a microsecond too early", 54*time.Second + time.Microsecond, ten, 54*time.Second + time.Microsecond, false, time.Microsecond},
		{"far ahead", time.Hour, ten, time.Hour, false, 59*time.Minute + 6*time.Second},
		{"one in a window", 0, ephemeral.Limit{N: 1, Window: 30 * time.Second}, 30 * time.Second, true, 0},
		{"off", time.Hour, ephemeral.Limit{}, time.Hour, true, 0},
	} {
		got, ok, retry := ephemeral.GCRA(noon.Add(c.tat), noon, c.limit)
		if !got.Equal(noon.Add(c.want)) || ok != c.ok || retry != c.retry {
			t.Errorf("%s: got noon+%v %v %v, want noon+%v %v %v", c.name, got.Sub(noon), ok, retry, c.want, c.ok, c.retry)
		}
	}
}

func TestGCRAFromNothing(t *testing.T) {
	got, ok, _ := ephemeral.GCRA(time.Time{}, noon, ephemeral.Limit{N: 2, Window: time.Second})
	if !ok || !got.Equal(noon.Add(time.Second/2)) {
		t.Fatalf("got %v %v", got, ok)
	}
}

func TestParseLimit(t *testing.T) {
	for text, want := range map[string]ephemeral.Limit{
		"off": {}, "10/1m": {N: 10, Window: time.Minute}, "100/24h": {N: 100, Window: 24 * time.Hour},
		"1/30s": {N: 1, Window: 30 * time.Second}, "3/1h30m": {N: 3, Window: 90 * time.Minute}, "1/1us": {N: 1, Window: time.Microsecond},
		"7/1s": {N: 7, Window: time.Second}, "1000/8784h": {N: 1000, Window: ephemeral.MaxWindow},
	} {
		if got, err := ephemeral.ParseLimit(text); err != nil || got != want {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "10", "/", "10/", "/1m", "0/1m", "-1/1m", "+1/1m", "1.5/1m", "10/0s", "10/-1m", "10/+1m", "10/1", "10/1d", "10 /1m", "10/ 1m",
		"10/1m ", "OFF", "10/8785h", "10/1ns", "10/1m/1m", "2/1us", "99999999999/1h", "1000000/1500ms", "10\x00/1m", "１０/1m",
	} {
		if got, err := ephemeral.ParseLimit(text); !errors.Is(err, ephemeral.ErrLimit) || got != (ephemeral.Limit{}) {
			t.Errorf("%q: got %v, %v, want a refusal", text, got, err)
		}
	}
}

// FuzzParseLimit: what parses reads back as itself and lets exactly N through at once.
func FuzzParseLimit(f *testing.F) {
	for _, s := range []string{"off", "10/1m", "1/1us", "7/1s", "100000/1m", "3/1h30m", "-1/1m", "1/9223372036s", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := ephemeral.ParseLimit(text)
		if err != nil {
			if l != (ephemeral.Limit{}) {
				t.Fatalf("a refused text gave %v", l)
			}
			return
		}
		if again, err := ephemeral.ParseLimit(l.String()); err != nil || again != l {
			t.Fatalf("%q gave %v, which reads back as %v, %v", text, l, again, err)
		}
		if l.Off() != (text == "off") {
			t.Fatalf("%q is off", text)
		}
		if !l.Off() && burst(l) != l.N {
			t.Fatalf("%q lets %d through at once", text, burst(l))
		}
	})
}

// burst counts what passes at one instant, at most a thousand steps by hand.
func burst(l ephemeral.Limit) int {
	if l.N > 1000 {
		return int(l.Window / l.Interval())
	}
	n, tat, ok := -1, time.Time{}, true
	for ; ok; n++ {
		tat, ok, _ = ephemeral.GCRA(tat, noon, l)
	}
	return n
}
