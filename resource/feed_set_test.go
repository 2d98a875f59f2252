package resource

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// TestSetAgainstAMap: whatever is added and forgotten, the set says what a map says.
func TestSetAgainstAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type key struct {
			k  target
			id string
		}
		s, model := newSet(), map[key]news{}
		id := rapid.OneOf(
			rapid.SampledFrom([]string{"a", "A", "0190d0c8-7c3e-7000-8000-00000000dead", "0190D0C8-7c3e-7000-8000-00000000dead", "0190d0c8-7c3e-7000-8000-00000000dea"}),
			rapid.StringN(1, 50, 200), rapid.Custom(func(t *rapid.T) string { return secret.NewID(time.Unix(rapid.Int64Range(0, 5).Draw(t, "at"), 0)) }))
		for range rapid.IntRange(1, 600).Draw(t, "acts") {
			n := news{
				kind: target(rapid.IntRange(0, int(targets)-1).Draw(t, "kind")), id: id.Draw(t, "id"), until: rapid.Int64Range(0, 100).Draw(t, "until"),
			}
			if n.kind == bySubject || n.kind == byClient {
				n.number = rapid.Int64Range(0, 5).Draw(t, "number")
			}
			s.add(n)
			k := key{n.kind, n.id}
			old := model[k]
			n.number, n.until = max(n.number, old.number), max(n.until, old.until)
			model[k] = n
		}
		now := rapid.Int64Range(0, 100).Draw(t, "now")
		s.forget(time.Unix(now, 0))
		for k, n := range model {
			number, ok := s.find(k.k, k.id)
			if !ok && n.until >= now || ok && number != n.number {
				t.Fatalf("%v %q: %d %v, want %+v", k.k, k.id, number, ok, n)
			}
			if _, ok := s.find((k.k+1)%targets, k.id+"x"); ok {
				t.Fatal("found what was never added")
			}
		}
	})
}

// TestSetComparesInFull: two ids of one hash are two ids.
func TestSetComparesInFull(t *testing.T) {
	tab := newTable(firstSlots)
	ref := tab.write(news{kind: bySession, id: "one"})
	tab.refs[7].Store(ref)
	tab.hashes[7].Store(7)
	if _, rec := tab.seek(7, bySession, "one"); rec == nil {
		t.Fatal("not found")
	}
	for _, other := range []struct {
		k  target
		id string
	}{{bySession, "two"}, {byToken, "one"}} {
		if slot, rec := tab.seek(7, other.k, other.id); rec != nil || slot != 8 {
			t.Errorf("%+v passes for another of its hash", other)
		}
	}
}

// TestSetIsSmall: at most 64 bytes an entry, by what the runtime says is in use.
func TestSetIsSmall(t *testing.T) {
	const n = 100_000
	for _, size := range []int{10_000, 49_152, 49_153, n} {
		s := newSet()
		before := heap()
		for i := range size {
			s.add(news{kind: target(i % 3), id: secret.NewID(time.Unix(int64(i), 0)), until: 1 << 31, number: int64(i)})
		}
		used := heap() - before
		entries, bytes := s.size()
		if entries != size || used > 64*int64(size) || bytes > 64*size {
			t.Errorf("%d entries take %.1f bytes each in the heap, %.1f by own account", entries, float64(used)/float64(size), float64(bytes)/float64(size))
		}
		t.Logf("%d entries: %.1f bytes each", size, float64(used)/float64(size))
		runtime.KeepAlive(s)
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestSetIsReadWhileItGrows: readers find what was there before, while a writer adds, forgets and builds anew.
func TestSetIsReadWhileItGrows(t *testing.T) {
	s := newSet()
	id := func(i int) string { return fmt.Sprintf("0190d0c8-7c3e-7000-8000-%012d", i) }
	for i := range 100 {
		s.add(news{kind: bySession, id: id(i), until: 1 << 31})
	}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if _, ok := s.find(bySession, id(i%100)); !ok {
					t.Error("lost an entry")
					return
				}
				if _, ok := s.find(bySubject, id(i%100)); ok {
					t.Error("found a stranger")
					return
				}
			}
		})
	}
	for i := range 20_000 {
		s.add(news{kind: byToken, id: id(i), until: int64(i)})
		if i%500 == 0 {
			s.forget(time.Unix(int64(i-50), 0))
		}
	}
	close(stop)
	readers.Wait()
}

func TestUUIDForm(t *testing.T) {
	for s, want := range map[string]bool{
		"0190d0c8-7c3e-7000-8000-00000000dead": true, "0190D0c8-7c3e-7000-8000-00000000dead": false, "0190d0c8-7c3e-7000-8000-00000000dea": false,
		"0190d0c8-7c3e-7000-8000-00000000de-d": false, "0190d0c8x7c3e-7000-8000-00000000dead": false, strings.Repeat("0", 36): false, "": false,
	} {
		if _, ok := uuid(s); ok != want {
			t.Errorf("%q: %v", s, ok)
		}
	}
}

func liveFeed(t testing.TB, n int) *Feed {
	f := &Feed{base: time.Now()}
	f.set.Store(newSet())
	for i := range n {
		f.set.Load().add(news{kind: bySession, id: secret.NewID(time.Unix(int64(i), 0)), until: 1 << 31})
	}
	f.deadline.Store(int64(time.Hour))
	return f
}

func goodToken() *Token {
	at := time.Unix(1_800_000_000, 0)
	return &Token{
		Kind: KindUser, Subject: secret.NewID(at), SessionID: secret.NewID(at), ID: secret.NewID(at), KeyID: "d-1800000000000-abcdefgh", ClientID: "demo",
		Epoch: 1, IssuedAt: at,
	}
}

// TestAdmitAllocatesNothing: it is called for every token of every request.
func TestAdmitAllocatesNothing(t *testing.T) {
	f, tok := liveFeed(t, 1000), goodToken()
	if n := testing.AllocsPerRun(1000, func() { _ = f.admit(t.Context(), tok, "raw") }); n > 0 {
		t.Errorf("%.1f allocations", n)
	}
	if err := (*Feed)(nil).admit(t.Context(), tok, "raw"); err != nil {
		t.Errorf("no feed: %v", err)
	}
}

func BenchmarkAdmit(b *testing.B) {
	f, tok := liveFeed(b, 100_000), goodToken()
	b.ReportAllocs()
	for b.Loop() {
		if err := f.admit(context.Background(), tok, "raw"); err != nil {
			b.Fatal(err)
		}
	}
}

// TestRevokedBy: what each kind of entry reaches, and what not.
func TestRevokedBy(t *testing.T) {
	tok := goodToken()
	for name, c := range map[string]struct {
		n    news
		dead bool
	}{
		"its session":       {news{kind: bySession, id: tok.SessionID}, true},
		"another session":   {news{kind: bySession, id: tok.ID + "x"}, false},
		"its subject":       {news{kind: bySubject, id: tok.Subject, number: 2}, true},
		"its own epoch":     {news{kind: bySubject, id: tok.Subject, number: 1}, false},
		"its jti":           {news{kind: byToken, id: tok.ID}, true},
		"its key":           {news{kind: byKey, id: tok.KeyID}, true},
		"its client":        {news{kind: byClient, id: tok.ClientID, number: tok.IssuedAt.Unix()}, true},
		"its client before": {news{kind: byClient, id: tok.ClientID, number: tok.IssuedAt.Unix() - 1}, false},
		"a jti as session":  {news{kind: bySession, id: "demo"}, false},
	} {
		f := liveFeed(t, 0)
		f.set.Load().add(c.n)
		if err := f.admit(t.Context(), tok, "raw"); (err != nil) != c.dead {
			t.Errorf("%s: %v", name, err)
		}
	}
	f := liveFeed(t, 0)
	f.set.Load().add(news{kind: bySubject, id: tok.Subject, number: 5})
	tok.Epoch = 0
	if err := f.admit(t.Context(), tok, "raw"); err != nil {
		t.Errorf("a token without epoch: %v", err)
	}
}
