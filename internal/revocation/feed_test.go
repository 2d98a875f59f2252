package revocation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// table is a Store in memory.
type table struct {
	mu      sync.Mutex
	stream  string
	entries []Entry
	down    error
	heads   atomic.Int64
}

func (s *table) Head(context.Context, string) (Head, error) {
	s.heads.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	return Head{Stream: s.stream, Seq: int64(len(s.entries))}, s.down
}

func (s *table) Page(_ context.Context, span Span, limit int) (out []Entry, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.entries {
		if e.Seq > span.After && e.Seq <= span.UpTo && e.Until.After(span.At) && len(out) < limit {
			out = append(out, e)
		}
	}
	return out, s.down
}

func (s *table) Purge(context.Context, string, time.Time) (int, error) { return 0, nil }

func (s *table) revoke(n int, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		seq := int64(len(s.entries) + 1)
		s.entries = append(s.entries, Entry{Seq: seq, Revocation: audit.Revocation{Kind: "session", Target: fmt.Sprint("s", seq), Until: until}})
	}
}

func (s *table) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// plain "signs" by leaving the claims as they are.
type plain struct{ n atomic.Int64 }

func (p *plain) Sign(_ context.Context, _ *tenant.Tenant, _ token.Shape, _ time.Time, claims []byte) (string, error) {
	p.n.Add(1)
	return string(claims), nil
}

type fixed struct{ tenant.Store }

func (fixed) Version(context.Context) (int64, error) { return 1, nil }
func (fixed) Snapshot(context.Context) (tenant.Snapshot, error) {
	return tenant.Snapshot{Version: 1, Tenants: []tenant.Tenant{{ID: "t1", Slug: "main", Issuer: "https://login.example.com"}}}, nil
}

type world struct {
	*Feed
	t      *testing.T
	store  *table
	signer *plain
	tenant *tenant.Tenant
}

// inBubble tells a story in synthetic time.
func inBubble(t *testing.T, story func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, store: &table{stream: "one"}, signer: &plain{}}
		d := tenant.NewDirectory(fixed{}, time.Now)
		if err := d.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.tenant = d.ByID("t1")
		w.Feed = New(Config{Store: w.store, Signer: w.signer, Directory: d, Now: time.Now, Log: slog.New(slog.DiscardHandler), Followers: 200})
		story(t, w)
		w.Close()
		synctest.Wait()
	})
}

func (w *world) follow(stream string, after int64) *Follower {
	w.t.Helper()
	f, err := w.Follow(w.t.Context(), w.tenant, Head{Stream: stream, Seq: after})
	if err != nil {
		w.t.Fatal(err)
	}
	return f
}

func (w *world) next(f *Follower) claims {
	w.t.Helper()
	b, err := f.Next(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	var c claims
	if err := json.Unmarshal([]byte(b.Text), &c); err != nil {
		w.t.Fatal(err)
	}
	if c.From != b.From || c.To != b.To || len(c.Revoked) != b.Entries {
		w.t.Fatalf("%+v says %+v", b, c)
	}
	return c
}

func far() time.Time { return time.Now().Add(time.Hour) }

// TestFollow: a newcomer gets what is relevant, then news, then signs of life; one who was there goes on where he was.
func TestFollow(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.store.revoke(3, far())
		w.store.revoke(2, time.Now().Add(-time.Hour)) // long over
		f := w.follow("", 0)
		if c := w.next(f); c.From != 0 || c.To != 5 || c.Head != 5 || len(c.Revoked) != 3 || c.Stream != "one" {
			t.Errorf("snapshot: %+v", c)
		}
		began := time.Now()
		w.store.revoke(1, far())
		w.Wake()
		if c := w.next(f); c.From != 5 || c.To != 6 || c.Revoked[0].Target != "s6" || time.Since(began) != 0 {
			t.Errorf("news: %+v after %s", c, time.Since(began))
		}
		w.store.revoke(1, far()) // nobody is told
		if c := w.next(f); c.To != 7 || time.Since(began) > 250*time.Millisecond {
			t.Errorf("what nobody announced came after %s", time.Since(began))
		}
		for range 5 {
			before := time.Now()
			if c := w.next(f); c.From != 7 || c.To != 7 || time.Since(before) > 1100*time.Millisecond {
				t.Errorf("sign of life: %+v after %s", c, time.Since(before))
			}
		}
		f.Close()
		g := w.follow("one", 5)
		if c := w.next(g); c.From != 5 || c.To != 7 || len(c.Revoked) != 2 {
			t.Errorf("resumed: %+v", c)
		}
		for _, from := range []Head{{"two", 5}, {"one", 8}, {"", 7}} {
			h := w.follow(from.Stream, from.Seq)
			if c := w.next(h); c.From != 0 || c.To != 7 || len(c.Revoked) != 5 {
				t.Errorf("%+v: %+v", from, c)
			}
			h.Close()
		}
		g.Close()
		g.Close()
		if s := w.Stats(); s.Followers != 0 {
			t.Errorf("%+v", s)
		}
		synctest.Wait()
		asked := w.store.heads.Load()
		time.Sleep(time.Minute)
		if w.store.heads.Load() != asked {
			t.Error("a tenant that nobody follows is looked at")
		}
	})
}

// TestOneSignatureForAll: a hundred followers cost as many signatures as one.
func TestOneSignatureForAll(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		w.store.revoke(1200, far())
		var all []*Follower
		for range 100 {
			f := w.follow("", 0)
			for _, want := range []int64{500, 1000, 1200} {
				if c := w.next(f); c.To != want || c.Head != 1200 {
					t.Fatalf("%d to %d of %d", c.From, c.To, c.Head)
				}
			}
			all = append(all, f)
		}
		if n := w.signer.n.Load(); n != 3 {
			t.Errorf("%d signatures for the snapshot", n)
		}
		w.store.revoke(2, far())
		w.Wake()
		for _, f := range all {
			if c := w.next(f); c.From != 1200 || c.To != 1202 {
				t.Fatalf("%d to %d", c.From, c.To)
			}
		}
		if n := w.signer.n.Load(); n != 4 {
			t.Errorf("%d signatures", n)
		}
	})
}

// TestSilenceSaysNothing: while the store cannot be read, there is no sign of life.
func TestSilenceSaysNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		f := w.follow("", 0)
		w.next(f)
		w.store.set(func() { w.store.down = errors.New("gone") })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if b, err := f.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%+v %v", b, err)
		}
		w.store.set(func() { w.store.down = nil })
		w.next(f)
		w.store.set(func() { w.store.down = errors.New("gone") })
		synctest.Wait()
		g, err := w.Follow(t.Context(), w.tenant, Head{Stream: "two"})
		if err == nil {
			t.Errorf("a snapshot that cannot be read: %+v", g)
		}
	})
}

// TestEnds: a stream that is named anew, one that goes back, a stop, and a reader who does not read end a follower.
func TestEnds(t *testing.T) {
	for name, act := range map[string]func(w *world){
		"named anew": func(w *world) { w.store.set(func() { w.store.stream = "two" }) },
		"went back":  func(w *world) { w.store.set(func() { w.store.entries = w.store.entries[:1] }) },
		"stop":       func(w *world) { w.Close() },
	} {
		inBubble(t, func(t *testing.T, w *world) {
			w.store.revoke(3, far())
			f := w.follow("", 0)
			w.next(f)
			act(w)
			time.Sleep(time.Second)
			var err error
			for err == nil { // what was signed before
				_, err = f.Next(t.Context())
			}
			if !errors.Is(err, ErrEnded) {
				t.Errorf("%s: %v", name, err)
			}
			f.Close()
			again, err := w.Follow(t.Context(), w.tenant, Head{Stream: "one", Seq: 3})
			if name == "stop" {
				if fault.ReasonOf(err) != fault.ReasonBusy {
					t.Errorf("after the stop: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c := w.next(again); c.From != 0 {
				t.Errorf("%s: goes on at %d", name, c.From)
			}
		})
	}
	inBubble(t, func(t *testing.T, w *world) {
		f := w.follow("", 0)
		w.next(f)
		time.Sleep(time.Duration(maxBehind+10) * 2 * time.Second)
		if _, err := f.Next(t.Context()); !errors.Is(err, ErrEnded) || w.Stats().Dropped != 1 {
			t.Errorf("a sleeper: %v", err)
		}
	})
}

func TestFollowersAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world) {
		for range 200 {
			w.follow("", 0)
		}
		if _, err := w.Follow(t.Context(), w.tenant, Head{}); fault.ReasonOf(err) != fault.ReasonBusy {
			t.Errorf("%v", err)
		}
		if n := w.Stats().Followers; n != 200 {
			t.Errorf("%d", n)
		}
	})
}
