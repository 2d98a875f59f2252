package ephemeral_test

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/ephemeral"
	"github.com/gatehouse-auth/gatehouse/internal/ephemeral/ephemeraltest"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/race"
)

func openRedis(t *testing.T, url string) *ephemeral.Redis {
	t.Helper()
	r, err := ephemeral.OpenRedis(t.Context(), ephemeral.RedisConfig{URL: url, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { r.Run(ctx); close(done) }()
	t.Cleanup(func() { stop(); <-done; r.Close() })
	return r
}

func TestRedis(t *testing.T) {
	ephemeraltest.Run(t, func(t *testing.T) (ephemeral.Values, ephemeral.Limiter) {
		r := openRedis(t, testbed.Redis(t))
		return r, r
	})
}

// TestTwoNodesOnRedis: what one node puts the other spends; of 64 callers over both one spends it, and one gets a lease (as of a proof of
// possession, which is leased to nobody twice).
func TestTwoNodesOnRedis(t *testing.T) {
	url := testbed.Redis(t)
	a, b := openRedis(t, url), openRedis(t, url)
	ctx := t.Context()
	if err := a.Put(ctx, "k", []byte("v"), noon, time.Minute); err != nil {
		t.Fatal(err)
	}
	if got, err := b.Spend(ctx, "k", noon); err != nil || string(got) != "v" {
		t.Fatalf("the other node spends %q, %v", got, err)
	}
	if got, err := a.Spend(ctx, "k", noon); err != nil || got != nil {
		t.Fatalf("spent twice: %q, %v", got, err)
	}
	nodes := []*ephemeral.Redis{a, b}
	for round := range 5 {
		key := "k" + strconv.Itoa(round)
		if err := a.Put(ctx, key, []byte("v"), noon, time.Minute); err != nil {
			t.Fatal(err)
		}
		spent := race.Winners(t, func(i int) (bool, error) {
			got, err := nodes[i%2].Spend(ctx, key, noon)
			return got != nil, err
		})
		leased := race.Winners(t, func(i int) (bool, error) {
			return nodes[i%2].Lease(ctx, "lease of "+key, "caller "+strconv.Itoa(i), noon, time.Minute)
		})
		if spent != 1 || leased != 1 {
			t.Fatalf("%d spent one value, %d hold one lease", spent, leased)
		}
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(15 * time.Second); !is(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not in 15 s: %s", what)
		}
	}
}

func wantUnavailable(t *testing.T, err error) {
	t.Helper()
	if f := fault.From(err); f == nil || f.Kind != fault.Unavailable || f.RetryAfter <= 0 {
		t.Fatalf("got %v, want Unavailable with a time to come back", err)
	}
}

// TestRedisGoesAndComesBack: while it is gone calls fail at once, and afterwards all is well without anybody's doing.
func TestRedisGoesAndComesBack(t *testing.T) {
	server := testbed.PrivateRedis(t)
	r := openRedis(t, server.URL())
	ctx := t.Context()
	for name, end := range map[string]func(){"killed": server.Kill, "stopped": server.Stop} {
		end()
		wantUnavailable(t, r.Put(ctx, "k", nil, noon, time.Minute))
		began := time.Now()
		for range 1000 {
			_, err := r.Take(ctx, []ephemeral.Charge{{Name: "n", Key: "k", Limit: ephemeral.Limit{N: 1, Window: time.Second}}}, noon)
			wantUnavailable(t, err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("%s: 1000 calls to a dead Redis took %v", name, took)
		}
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "redis is up again", r.Up)
		if err := r.Put(ctx, "k", nil, noon, time.Minute); err != nil {
			t.Fatalf("%s and started again: %v", name, err)
		}
	}
}

// TestFrozenRedis: one that hangs with its connections open costs a caller one patience, not each.
func TestFrozenRedis(t *testing.T) {
	server := testbed.PrivateRedis(t)
	r := openRedis(t, server.URL())
	server.Freeze()
	defer server.Thaw()
	began := time.Now()
	for range 100 {
		_, err := r.Get(t.Context(), "k", noon)
		wantUnavailable(t, err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("100 calls to a frozen Redis took %v", took)
	}
	server.Thaw()
	eventually(t, "redis is up again", r.Up)
}

// TestSpentStaysSpentThroughARestart: a Redis that comes back with yesterday's snapshot holds a code that was spent since; nobody may spend it
// again. What a node that slept through the restart believes makes no difference.
func TestSpentStaysSpentThroughARestart(t *testing.T) {
	server := testbed.PrivateRedis(t, "--save", "3600 1")
	a, b := openRedis(t, server.URL()), openRedis(t, server.URL())
	ctx := t.Context()
	if err := a.Put(ctx, "code", []byte("v"), noon, time.Minute); err != nil {
		t.Fatal(err)
	}
	server.Stop() // saves
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	for _, node := range []*ephemeral.Redis{a, b} {
		eventually(t, "redis is up again", func() bool {
			got, err := node.Spend(ctx, "code", noon)
			if got != nil {
				t.Fatal("a value of before the restart was spent")
			}
			return err == nil
		})
	}
}

// TestRedisThatEvicts is refused at the start; one that begins to evict later is reported.
func TestRedisThatEvicts(t *testing.T) {
	server := testbed.PrivateRedis(t, "--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru")
	_, err := ephemeral.OpenRedis(t.Context(), ephemeral.RedisConfig{URL: server.URL(), Log: slog.New(slog.DiscardHandler)})
	if !errors.Is(err, ephemeral.ErrEvicts) || !strings.Contains(err.Error(), "noeviction") {
		t.Fatalf("a Redis that may evict: %v", err)
	}
	openRedis(t, testbed.PrivateRedis(t, "--maxmemory", "64mb", "--maxmemory-policy", "noeviction").URL())
}

// TestRedisAbsentAtTheStart: a node may start before its Redis.
func TestRedisAbsentAtTheStart(t *testing.T) {
	server := testbed.PrivateRedis(t)
	server.Kill()
	r := openRedis(t, server.URL())
	_, err := r.Get(t.Context(), "k", noon)
	wantUnavailable(t, err)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "redis is up", r.Up)
	if err := r.Put(t.Context(), "k", nil, noon, time.Minute); err != nil {
		t.Fatal(err)
	}
}

// TestFallback: limits go on being counted while Redis is down.
func TestFallback(t *testing.T) {
	server := testbed.PrivateRedis(t)
	f := &ephemeral.Fallback{First: openRedis(t, server.URL()), Second: ephemeral.NewMemory()}
	charge := []ephemeral.Charge{{Name: "n", Key: "k", Limit: ephemeral.Limit{N: 2, Window: time.Minute}}}
	take := func(want string) {
		t.Helper()
		if v, err := f.Take(t.Context(), charge, noon); err != nil || v.Refused != want {
			t.Fatalf("got %+v, %v, want %q", v, err, want)
		}
	}
	take("")
	take("")
	take("n")
	server.Kill()
	take("")
	take("")
	take("n")
	if err := f.GiveBack(t.Context(), charge, noon); err != nil {
		t.Fatal(err)
	}
	take("")
	take("n")
	if f.Switched() != 6 {
		t.Errorf("%d calls switched", f.Switched())
	}
}

func TestRedisURL(t *testing.T) {
	for url, good := range map[string]bool{
		"redis://h": true, "redis://h:6380": true, "rediss://user:pw@h:6380/3": true, "redis://:pw@[::1]:6379": true, "redis://h/": true,
		"": false, "http://h": false, "redis:h": false, "redis://": false, "redis://h:x": false, "redis://h:0": false, "redis://h/x": false,
		"rediss://h?skip_verify=true": false, "redis://h#f": false, "redis://user@h": false, "redis://h/-1": false, "unix:///tmp/s": false,
	} {
		err := ephemeral.ValidateRedisURL(url)
		if (err == nil) != good {
			t.Errorf("%q: %v", url, err)
		}
		if err != nil && strings.Contains(err.Error(), "pw@") {
			t.Errorf("%q: the error shows the password", url)
		}
	}
}
