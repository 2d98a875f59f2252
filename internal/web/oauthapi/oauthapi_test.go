package oauthapi

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/revocation"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/servicekey"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

type tenants struct{ tenant.Store }

func (tenants) Version(context.Context) (int64, error) { return 1, nil }
func (tenants) Snapshot(context.Context) (tenant.Snapshot, error) {
	return tenant.Snapshot{Version: 1, Tenants: []tenant.Tenant{{ID: "t-main", Slug: "main", Issuer: "https://login.example.com"}}}, nil
}

// bench is the face over a feed of a test's own.
type bench struct {
	t       *testing.T
	mu      sync.Mutex
	head    revocation.Head
	revoked bool // the key
	now     time.Time
	feed    *revocation.Feed
	server  *httptest.Server
}

func (b *bench) Head(context.Context, string) (revocation.Head, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.head, nil
}

func (b *bench) Page(_ context.Context, span revocation.Span, _ int) (out []revocation.Entry, err error) {
	for n := span.After + 1; n <= span.UpTo; n++ {
		out = append(out, revocation.Entry{Seq: n, Revocation: audit.Revocation{Kind: "session", Target: "s", Until: span.At.Add(time.Hour)}})
	}
	return out, nil
}

func (b *bench) Purge(context.Context, string, time.Time) (int, error) { return 0, nil }

func (b *bench) Sign(_ context.Context, _ *tenant.Tenant, _ token.Shape, _ time.Time, claims []byte) (string, error) {
	return string(claims), nil
}

func (b *bench) Check(_ context.Context, _ *audit.Call, _ string, presented secret.Text, scope string) (servicekey.Key, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if presented.Reveal() != "gk_right" || scope != servicekey.ScopeFeed || b.revoked {
		return servicekey.Key{}, fault.New(fault.Unauthenticated, fault.ReasonInternalKey, "no")
	}
	return servicekey.Key{ID: "k"}, nil
}

func (b *bench) set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

func (b *bench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, head: revocation.Head{Stream: "one", Seq: 2}, now: time.Now()}
	d := tenant.NewDirectory(tenants{}, time.Now)
	log := slog.New(slog.DiscardHandler)
	if err := d.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.feed = revocation.New(revocation.Config{
		Store: b, Signer: b, Directory: d, Now: time.Now, Log: log, Poll: 5 * time.Millisecond, Beat: 20 * time.Millisecond,
	})
	t.Cleanup(b.feed.Close)
	face, err := New(Config{Front: new(oauth.Service), SignOns: new(sso.Service), Feed: b.feed, ServiceKeys: b, Now: b.clock})
	if err != nil {
		t.Fatal(err)
	}
	hall, err := web.New(web.Config{Directory: d, Now: time.Now, Log: log, Dev: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := hall.Mount(face.Routes()); err != nil {
		t.Fatal(err)
	}
	b.server = httptest.NewServer(hall)
	t.Cleanup(b.server.Close)
	return b
}

func (b *bench) get(query string, heads ...string) *http.Response {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.server.URL+"/oauth2/revocations"+query, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("X-Internal-Api-Key", "gk_right")
	for _, h := range heads {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

type seen struct {
	From, To, Head int64
	Revoked        []any
}

func (b *bench) poll(query string) (out []seen) {
	b.t.Helper()
	res := b.get(query)
	var answer struct{ Batches []string }
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || res.StatusCode != 200 {
		b.t.Fatalf("%d %v", res.StatusCode, err)
	}
	for _, text := range answer.Batches {
		var s seen
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			b.t.Fatal(err)
		}
		out = append(out, s)
	}
	return out
}

// TestLongPoll: news are answered at once, and their absence with one sign of life at the end of the wait.
func TestLongPoll(t *testing.T) {
	b := newBench(t)
	if got := b.poll(""); len(got) != 1 || got[0].From != 0 || got[0].To != 2 || len(got[0].Revoked) != 2 {
		t.Errorf("a newcomer: %+v", got)
	}
	if got := b.poll("?stream=one&after=1"); len(got) != 1 || got[0].From != 1 || got[0].To != 2 {
		t.Errorf("one behind: %+v", got)
	}
	if got := b.poll("?stream=two&after=2"); len(got) != 1 || got[0].From != 0 {
		t.Errorf("another stream: %+v", got)
	}
	began := time.Now()
	if got := b.poll("?stream=one&after=2&wait_s=1"); len(got) != 1 || got[0].From != 2 || got[0].To != 2 || time.Since(began) < time.Second {
		t.Errorf("nothing new: %+v after %s", got, time.Since(began))
	}
	time.AfterFunc(50*time.Millisecond, func() { b.set(func() { b.head.Seq = 3 }) })
	began = time.Now()
	if got := b.poll("?stream=one&after=2"); len(got) != 1 || got[0].From != 2 || got[0].To != 3 || time.Since(began) > 5*time.Second {
		t.Errorf("news: %+v after %s", got, time.Since(began))
	}
}

// events reads events until the stream ends and gives how many of each there were.
func events(t *testing.T, res *http.Response, most int) map[string]int {
	t.Helper()
	count := map[string]int{}
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			if count[name]++; count[name] == most {
				break
			}
		}
	}
	return count
}

func TestStream(t *testing.T) {
	b := newBench(t)
	res := b.get("", "Accept: text/event-stream")
	if got := events(t, res, 10); got["batch"] != 10 || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("%v %v", got, res.Header)
	}
	again := b.get("", "Accept: text/event-stream")
	time.AfterFunc(50*time.Millisecond, b.feed.Close)
	if got := events(t, again, 1000); got["end"] != 1 {
		t.Errorf("a stop: %v", got)
	}
}

// TestRevokedKeyEndsItsStream: the key is looked at again while a stream lasts.
func TestRevokedKeyEndsItsStream(t *testing.T) {
	b := newBench(t)
	res := b.get("", "Accept: text/event-stream")
	b.set(func() { b.revoked, b.now = true, b.now.Add(checkEvery) })
	done := make(chan struct{})
	go func() { defer close(done); _, _ = io.Copy(io.Discard, res.Body) }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("the stream of a revoked key goes on")
	}
}

func TestWhoMayFollow(t *testing.T) {
	b := newBench(t)
	if res := b.get("", "X-Internal-Api-Key: gk_wrong"); res.StatusCode != 401 {
		t.Errorf("a wrong key: %d", res.StatusCode)
	}
	for _, query := range []string{"?after=x", "?after=-1", "?after=99999999999999999999", "?wait_s=256", "?stream=" + strings.Repeat("s", 65)} {
		if res := b.get(query); res.StatusCode != 400 {
			t.Errorf("%s: %d", query, res.StatusCode)
		}
	}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodHead, b.server.URL+"/oauth2/revocations", nil)
	r.Header.Set("X-Internal-Api-Key", "gk_right")
	r.Header.Set("Accept", "text/event-stream")
	res, err := http.DefaultClient.Do(r)
	if err != nil || res.StatusCode != 204 {
		t.Fatalf("HEAD: %v %v", res, err)
	}
	_ = res.Body.Close()
}
