package resource

import (
	"strconv"
	"sync"
	"testing"
	"time"
)

func TestCacheIsBounded(t *testing.T) {
	c := newCache(64)
	for i := range 10_000 {
		var d digest
		d[0], d[1], d[2] = byte(i), byte(i>>8), byte(i>>16)
		c.put(d, &entry{})
		if c.get(d) == nil {
			t.Fatal("a new entry is not there")
		}
	}
	n := 0
	for i := range c.shards {
		n += len(c.shards[i].young) + len(c.shards[i].old)
	}
	if n > 64 {
		t.Errorf("%d entries", n)
	}
}

// What is asked for stays, however much comes and goes.
func TestCacheKeepsWhatIsUsed(t *testing.T) {
	c := newCache(8 * shards)
	hot := digest{0, 1}
	c.put(hot, &entry{})
	for i := range 1000 {
		c.put(digest{0, 2, byte(i), byte(i >> 8)}, &entry{})
		if c.get(hot) == nil {
			t.Fatal("forgotten")
		}
	}
	c.drop(hot)
	if c.get(hot) != nil {
		t.Error("still there")
	}
}

func TestRememberedTokensExpire(t *testing.T) {
	w := newWorld(t, nil)
	raw := user(t, nil)
	w.accepts(raw)
	w.clock.advance(15*time.Minute + 2*time.Second - time.Nanosecond)
	w.accepts(raw)
	w.clock.advance(time.Nanosecond)
	w.refuses("expired", raw, ReasonExpired)
	w.clock.advance(-time.Hour)
	w.refuses("before its time", raw, ReasonEarly)
}

func TestManyAtOnce(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.CacheSize = 32 })
	var raws []string
	for i := range 50 {
		raws = append(raws, user(t, claims{"jti": "j" + strconv.Itoa(i)}))
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 200 {
				if _, err := w.Verify(t.Context(), raws[i%len(raws)]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
