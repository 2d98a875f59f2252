package credential

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

var at = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)

func pepper(id uint32, active bool) secret.RingKey {
	return secret.RingKey{ID: id, Purpose: secret.PurposePepper, Key: []byte(strings.Repeat(string(rune('a'+id)), 32)), Active: active}
}

// cheap is argon2id at its cheapest: these tests are about what surrounds it.
func cheap() Config {
	return Config{MemoryKiB: 64, Passes: 1, Lanes: 1, Parallel: 2, Queue: 256, Wait: 20 * time.Second}
}

func text(s string) secret.Text { return secret.NewText(s) }

func TestHashThenVerify(t *testing.T) {
	p := NewPasswords(secret.NewRing(pepper(1, true)), cheap())
	ctx := context.Background()
	pw, err := p.Hash(ctx, text("Zoe\u0308 is here"), at)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(pw.PHC, "$argon2id$v=19$m=64,t=1,p=1$") || pw.PepperID != 1 || !pw.CreatedAt.Equal(at) || pw.ID == "" || pw.UserID != "" {
		t.Fatalf("stored form %+v", pw)
	}
	for typed, want := range map[string]bool{
		"Zoe\u0308 is here": true,
		"Zo\u00eb is here":  true, // the same text from another keyboard
		"zo\u00eb is here":  false,
		"Zo\u00eb is here ": false,
		"":                  false,
	} {
		ok, rehash, err := p.Verify(ctx, text(typed), pw)
		if ok != want || rehash || err != nil {
			t.Errorf("Verify(%q) = %t, rehash %t, %v; want %t", typed, ok, rehash, err, want)
		}
	}
	other, _ := p.Hash(ctx, text("Zo\u00eb is here"), at)
	if other.PHC == pw.PHC {
		t.Error("two hashes of one password are equal: no salt")
	}
}

func TestDefaultsAreStated(t *testing.T) {
	p := NewPasswords(secret.NewRing(pepper(1, true)), Config{})
	pw, err := p.Hash(context.Background(), text("any password"), at)
	if err != nil || !strings.HasPrefix(pw.PHC, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("%q, %v", pw.PHC, err)
	}
}

func TestDumpWithoutPepperIsUseless(t *testing.T) {
	ctx := context.Background()
	pw, _ := NewPasswords(secret.NewRing(pepper(1, true)), cheap()).Hash(ctx, text("a password"), at)
	thief := NewPasswords(secret.NewRing(secret.RingKey{ID: 1, Purpose: secret.PurposePepper, Key: make([]byte, 32), Active: true}), cheap())
	if ok, _, _ := thief.Verify(ctx, text("a password"), pw); ok {
		t.Fatal("the right password was confirmed without the pepper key")
	}
	gone := NewPasswords(secret.NewRing(pepper(2, true)), cheap())
	ok, _, err := gone.Verify(ctx, text("a password"), pw)
	if ok || fault.ReasonOf(err) != fault.ReasonInternal || gone.Stats().Verified != 1 {
		t.Fatalf("missing pepper key: %t, %v, %+v; want an internal error after the work", ok, err, gone.Stats())
	}
}

func TestRehashIsDue(t *testing.T) {
	ctx := context.Background()
	old, _ := NewPasswords(secret.NewRing(pepper(1, true)), cheap()).Hash(ctx, text("a password"), at)
	stronger := cheap()
	stronger.Passes = 2
	imported := phc{params: cheap().params(), salt: make([]byte, 16), sum: make([]byte, 32)}
	imported.sum = mustDerive(t, "a password", imported)
	for name, c := range map[string]struct {
		ring   *secret.Ring
		cfg    Config
		stored Password
		want   bool
	}{
		"unchanged":      {secret.NewRing(pepper(1, true)), cheap(), old, false},
		"more passes":    {secret.NewRing(pepper(1, true)), stronger, old, true},
		"fewer now":      {secret.NewRing(pepper(1, true)), func() Config { c := cheap(); c.MemoryKiB = 32; return c }(), old, false},
		"pepper rotated": {secret.NewRing(pepper(1, false), pepper(2, true)), cheap(), old, true},
		"imported":       {secret.NewRing(pepper(1, true)), cheap(), Password{PHC: imported.String()}, true},
	} {
		p := NewPasswords(c.ring, c.cfg)
		ok, rehash, err := p.Verify(ctx, text("a password"), c.stored)
		if !ok || rehash != c.want || err != nil {
			t.Errorf("%s: ok %t, rehash %t, %v; want rehash %t", name, ok, rehash, err, c.want)
		}
		if _, rehash, _ := p.Verify(ctx, text("wrong"), c.stored); rehash {
			t.Errorf("%s: a wrong password asks for a rehash", name)
		}
	}
}

func mustDerive(t *testing.T, pw string, h phc) []byte {
	t.Helper()
	sum, err := NewPasswords(secret.NewRing(), cheap()).derive(context.Background(), []byte(pw), h)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// TestDecoyTakesTheSameWay holds Verify and Decoy to one queue: with the only slot taken, both are sent away.
func TestDecoyTakesTheSameWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := cheap()
		cfg.Parallel, cfg.Queue, cfg.Wait = 1, 1, time.Second
		p := NewPasswords(secret.NewRing(pepper(1, true)), cfg)
		ctx := context.Background()
		pw, _ := p.Hash(ctx, text("a password"), at)
		if err := p.Decoy(ctx, text("a password")); err != nil {
			t.Fatal(err)
		}
		leave, _ := p.queue.enter(ctx)
		start := time.Now()
		_, _, errVerify := p.Verify(ctx, text("a password"), pw)
		errDecoy := p.Decoy(ctx, text("a password"))
		_, errHash := p.Hash(ctx, text("a password"), at)
		leave()
		for _, err := range []error{errVerify, errDecoy, errHash} {
			f := fault.From(err)
			if f == nil || f.Kind != fault.Unavailable || f.Reason != fault.ReasonBusy || f.RetryAfter < time.Second || f.RetryAfter > 2*time.Second {
				t.Fatalf("busy is %+v", f)
			}
		}
		if waited := time.Since(start); waited != 3*time.Second {
			t.Fatalf("waited %s, want each exactly its second", waited)
		}
		want := Stats{Hashed: 1, Decoys: 1, Refused: 3}
		if got := p.Stats(); got != want {
			t.Fatalf("stats %+v, want %+v", got, want)
		}
	})
}

func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(2, 5, time.Minute)
		ctx, cancel := context.WithCancel(context.Background())
		var first []func()
		for range 2 {
			leave, err := q.enter(ctx)
			if err != nil {
				t.Fatal(err)
			}
			first = append(first, leave)
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		entered, refused := 0, 0
		for range 9 {
			wg.Go(func() {
				leave, err := q.enter(ctx)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					refused++
					return
				}
				entered++
				leave()
			})
		}
		synctest.Wait()
		if refused != 4 || q.waiting.Load() != 5 {
			t.Fatalf("%d refused at once and %d wait; want 4 and 5", refused, q.waiting.Load())
		}
		first[0]()
		wg.Wait()
		first[1]()
		if entered != 5 || q.waiting.Load() != 0 || len(q.slots) != 0 {
			t.Fatalf("%d entered, %d wait, %d run; want 5, 0, 0", entered, q.waiting.Load(), len(q.slots))
		}
		cancel()
		if _, err := q.enter(ctx); err == nil {
			t.Fatal("a caller who has gone is given a turn")
		}
	})
}
