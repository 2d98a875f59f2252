package resource

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
)

// feedHost is an issuer's feed in the hands of a test: a transport that knows the feed, the keys and the question about a token.
type feedHost struct {
	t     testing.TB
	mu    sync.Mutex
	out   *io.PipeWriter // of the newest connection
	came  []string       // queries, oldest first
	next  chan struct{}  // one for each connection
	down  bool
	live  bool // the answer about a token
	asked atomic.Int32
}

func newFeedHost(t testing.TB) *feedHost {
	return &feedHost{t: t, next: make(chan struct{}, 100)}
}

func (h *feedHost) RoundTrip(r *http.Request) (*http.Response, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down {
		return nil, errors.New("connection refused")
	}
	answer := func(media string, body io.ReadCloser) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {media}}, Body: body, Request: r}, nil
	}
	switch r.URL.Path {
	case "/.well-known/jwks.json":
		jwk, err := feedKey(h.t).Public().JWK()
		if err != nil {
			return nil, err
		}
		return answer("application/json", io.NopCloser(strings.NewReader(string(jose.JWKS(jwk)))))
	case "/internal/token/verify":
		h.asked.Add(1)
		if r.Header.Get(keyHeader) != "gk_test" {
			return nil, errors.New("no key")
		}
		return answer("application/json", io.NopCloser(strings.NewReader(`{"active":`+strconv.FormatBool(h.live)+`}`)))
	case "/oauth2/revocations":
		h.came = append(h.came, r.URL.RawQuery)
		in, out := io.Pipe()
		h.out = out
		context.AfterFunc(r.Context(), func() { _ = out.CloseWithError(r.Context().Err()) })
		h.next <- struct{}{}
		return answer("text/event-stream", in)
	}
	return nil, errors.New("no such path")
}

func (h *feedHost) set(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
}

// say sends batches on the newest connection.
func (h *feedHost) say(batches ...string) {
	h.mu.Lock()
	out := h.out
	h.mu.Unlock()
	for _, b := range batches {
		_, _ = io.WriteString(out, "id: 1\nevent: batch\ndata: "+b+"\n\n")
	}
}

func feedKey(t testing.TB) *jose.PrivateKey { return key(t, "d-1-feed", jose.ES256) }

// piece is the claims of a batch; change them at will.
func piece(at time.Time, stream string, from, to, head int64, revoked ...map[string]any) map[string]any {
	if revoked == nil {
		revoked = []map[string]any{}
	}
	return map[string]any{
		"iss": issuer, "tid": "t1", "iat": at.Unix(), "exp": at.Unix() + 30, "stream": stream, "from": from, "to": to, "head": head, "revoked": revoked,
	}
}

func ends(kind, id string) map[string]any {
	return map[string]any{"seq": 1, "kind": kind, "target": id, "at": start.Unix(), "until": start.Unix() + 86400, "reason": "test", "epoch": 2}
}

func signed(t testing.TB, claims map[string]any) string {
	t.Helper()
	raw, err := jose.Sign(feedKey(t), "revocations+jwt", claims)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func testFeed(t testing.TB, h *feedHost, change ...func(*FeedConfig)) *Feed {
	t.Helper()
	cfg := FeedConfig{
		Issuer: issuer, HTTP: &http.Client{Transport: h}, APIKey: func() string { return "gk_test" }, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return start },
	}
	for _, c := range change {
		c(&cfg)
	}
	f, err := NewFeed(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestBatchesAreChecked: whoever stands between cannot make, change, mix, leave out or repeat a batch.
func TestBatchesAreChecked(t *testing.T) {
	good := func() map[string]any { return piece(start, "s", 10, 11, 11, ends("session", "x")) }
	with := func(name string, v any) map[string]any {
		c := good()
		if c[name] = v; v == nil {
			delete(c, name)
		}
		return c
	}
	other := key(t, "d-2-other", jose.ES256)
	foreign, _ := jose.Sign(other, "revocations+jwt", good())
	asToken, _ := jose.Sign(feedKey(t), "JWT", good())
	for name, c := range map[string]struct {
		raw  string
		want string // part of the error; "" is accepted
	}{
		"good":            {signed(t, good()), ""},
		"another key":     {foreign, "unknown key"},
		"another typ":     {asToken, "type"},
		"another issuer":  {signed(t, with("iss", "https://evil.example.com")), "issuer"},
		"old":             {signed(t, piece(start.Add(-61*time.Second), "s", 10, 11, 11)), "expired"},
		"of tomorrow":     {signed(t, piece(start.Add(31*time.Second), "s", 10, 11, 11)), "not valid yet"},
		"no iat":          {signed(t, with("iat", nil)), "wrong form"},
		"no stream":       {signed(t, with("stream", nil)), "wrong form"},
		"no list":         {signed(t, with("revoked", nil)), "wrong form"},
		"list as text":    {signed(t, with("revoked", "x")), "wrong form"},
		"a subject":       {signed(t, with("sub", "u")), "wrong form"},
		"backwards":       {signed(t, piece(start, "s", 11, 10, 11)), "wrong form"},
		"beyond its head": {signed(t, piece(start, "s", 10, 12, 11)), "wrong form"},
		"negative":        {signed(t, piece(start, "s", -1, 12, 12)), "wrong form"},
		"a gap":           {signed(t, piece(start, "s", 11, 12, 12)), "gap"},
		"again":           {signed(t, piece(start, "s", 9, 10, 10)), "gap"},
		"another stream":  {signed(t, piece(start, "z", 10, 11, 11)), "gap"},
		"no target":       {signed(t, piece(start, "s", 10, 11, 11, ends("session", ""))), "wrong form"},
		"a long target":   {signed(t, piece(start, "s", 10, 11, 11, ends("session", strings.Repeat("x", maxTarget+1)))), "wrong form"},
		"a new kind":      {signed(t, piece(start, "s", 10, 11, 11, ends("planet", "x"))), ""},
		"rubbish":         {"x.y.z", "JWS"},
	} {
		f := testFeed(t, newFeedHost(t))
		in := &intake{feed: f, at: place{stream: "s", last: 10}, begun: true}
		whole, err := f.news(t.Context(), in, c.raw)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) || whole != (err == nil) || f.live() != (err == nil) {
			t.Errorf("%s: %v %v, live %v", name, whole, err, f.live())
		}
		if _, found := f.set.Load().find(bySession, "x"); found != (name == "good") {
			t.Errorf("%s: taken in is %v", name, found)
		}
	}
}

// TestWithdrawnKeySignsNothing: who has stolen a signing key must not be able to go on with the feed after its withdrawal.
func TestWithdrawnKeySignsNothing(t *testing.T) {
	f := testFeed(t, newFeedHost(t))
	in := &intake{feed: f, at: place{stream: "s"}, begun: true}
	if _, err := f.news(t.Context(), in, signed(t, piece(start, "s", 0, 1, 1, ends("key", feedKey(t).KID())))); err != nil {
		t.Fatal(err)
	}
	if _, err := f.news(t.Context(), in, signed(t, piece(start, "s", 1, 2, 2))); err == nil || !strings.Contains(err.Error(), "withdrawn") {
		t.Errorf("%v", err)
	}
}

// TestSnapshots: of another stream the snapshot takes the place of what was known, when it is whole; of the same stream it only adds.
func TestSnapshots(t *testing.T) {
	f := testFeed(t, newFeedHost(t))
	has := func(id string) bool { _, ok := f.set.Load().find(bySession, id); return ok }
	take := func(in *intake, c map[string]any, want bool) {
		t.Helper()
		if whole, err := f.news(t.Context(), in, signed(t, c)); err != nil || whole != want {
			t.Fatalf("%v %v", whole, err)
		}
	}
	in := &intake{feed: f}
	take(in, piece(start, "s", 0, 5, 9, ends("session", "a")), false)
	if has("a") || f.live() {
		t.Error("half a snapshot is in use")
	}
	take(in, piece(start, "s", 5, 9, 9, ends("session", "b")), true)
	if !has("a") || !has("b") || !f.live() || f.place != (place{"s", 9}) {
		t.Errorf("%+v", f.place)
	}
	in = &intake{feed: f, at: f.place}
	take(in, piece(start, "s", 0, 3, 3), true)
	if !has("a") || f.place != (place{"s", 3}) {
		t.Error("a snapshot of the same stream brought something back to life")
	}
	in = &intake{feed: f, at: f.place}
	take(in, piece(start, "z", 0, 4, 9, ends("session", "c")), false)
	if !has("a") || has("c") {
		t.Error("half a snapshot took the place of what was known")
	}
	in = &intake{feed: f, at: f.place} // it broke off: from the beginning
	take(in, piece(start, "z", 0, 9, 9, ends("session", "d")), true)
	if has("a") || has("c") || !has("d") {
		t.Error("the new stream is mixed with the old one")
	}
	if _, err := f.news(t.Context(), in, signed(t, piece(start, "z", 0, 9, 9))); !errors.Is(err, errGap) {
		t.Errorf("a second snapshot in one connection: %v", err)
	}
}

// bubble runs a feed in a bubble of synthetic time.
func bubble(t *testing.T, mode Mode, story func(t *testing.T, h *feedHost, f *Feed)) {
	t.Helper()
	feedKey(t)
	synctest.Test(t, func(t *testing.T) {
		h := newFeedHost(t)
		began := time.Now()
		f := testFeed(t, h, func(c *FeedConfig) {
			c.Lost = mode
			c.Now = func() time.Time { return start.Add(time.Since(began)) }
		})
		ctx, stop := context.WithCancel(t.Context())
		var run sync.WaitGroup
		run.Go(func() { _ = f.Run(ctx) })
		story(t, h, f)
		stop()
		run.Wait()
	})
}

func (h *feedHost) beat(f *Feed, stream string, at int64) {
	h.say(signed(h.t, piece(f.cfg.Now(), stream, at, at, at)))
	synctest.Wait()
}

// TestModes: a feed that falls silent brings its mode after five seconds, and comes back by itself.
func TestModes(t *testing.T) {
	tok := goodToken()
	for mode, want := range map[Mode]string{ModeRefuse: ReasonFeedLost, ModeIntrospect: "", ModeAcceptAndLog: ""} {
		bubble(t, mode, func(t *testing.T, h *feedHost, f *Feed) {
			h.set(func() { h.live = true })
			reason := func() string {
				var e *Error
				errors.As(f.admit(t.Context(), tok, "raw"), &e)
				if e == nil {
					return ""
				}
				return e.Reason
			}
			<-h.next
			if got := reason(); got != want {
				t.Errorf("%s before the first snapshot: %q", mode, got)
			}
			h.say(signed(t, piece(f.cfg.Now(), "s", 0, 7, 7)))
			if err := f.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			for range 20 {
				time.Sleep(time.Second)
				h.beat(f, "s", 7)
				if !f.live() {
					t.Fatalf("%s: lost under signs of life", mode)
				}
			}
			before := h.asked.Load()
			if got := reason(); got != "" || h.asked.Load() != before {
				t.Errorf("%s while live: %q", mode, got)
			}
			time.Sleep(lostAfter - time.Millisecond)
			if !f.live() {
				t.Errorf("%s: lost too early", mode)
			}
			time.Sleep(2 * time.Millisecond)
			if got := reason(); f.live() || got != want {
				t.Errorf("%s after five silent seconds: %q", mode, got)
			}
			<-h.next // the silent connection was left
			synctest.Wait()
			h.say(signed(t, piece(f.cfg.Now(), "s", 7, 8, 8, ends("session", tok.SessionID))))
			synctest.Wait()
			if got := reason(); !f.live() || got != ReasonRevoked {
				t.Errorf("%s when it is back: %q", mode, got)
			}
			if q := h.came[len(h.came)-1]; q != "after=7&stream=s" {
				t.Errorf("it came back with %q", q)
			}
			s := f.Stats()
			if s.Losses != 1 || s.Sequence != 8 || s.Entries != 1 || s.Mode != mode || !s.Live {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestHeldBack: signs of life that somebody keeps back for longer and longer prove less and less.
func TestHeldBack(t *testing.T) {
	bubble(t, ModeRefuse, func(t *testing.T, h *feedHost, f *Feed) {
		<-h.next
		h.say(signed(t, piece(f.cfg.Now(), "s", 0, 0, 0)))
		synctest.Wait()
		for delay := time.Duration(0); delay <= 4*time.Second; delay += 500 * time.Millisecond {
			late := signed(t, piece(f.cfg.Now().Add(-delay), "s", 0, 0, 0))
			h.say(late)
			synctest.Wait()
			if left := time.Duration(f.deadline.Load()) - time.Since(f.base); left > lostAfter-delay+time.Second {
				t.Errorf("held back by %s it proves %s", delay, left)
			}
		}
		h.say(signed(t, piece(f.cfg.Now().Add(-6*time.Second), "s", 0, 0, 0)))
		<-h.next // a connection that is held back is left
		time.Sleep(lostAfter)
		if f.live() {
			t.Error("live by what was held back")
		}
	})
}

// TestIssuerAway: an issuer that cannot be reached is tried again and again, with pauses, and a goodbye is no fault.
func TestIssuerAway(t *testing.T) {
	bubble(t, ModeIntrospect, func(t *testing.T, h *feedHost, f *Feed) {
		<-h.next
		h.say(signed(t, piece(f.cfg.Now(), "s", 0, 3, 3)))
		synctest.Wait()
		h.mu.Lock()
		h.down = true
		out := h.out
		h.mu.Unlock()
		_, _ = io.WriteString(out, "event: end\ndata: {}\n\n")
		time.Sleep(time.Minute)
		tries := f.Stats().Reconnects
		if tries < 20 || tries > 200 {
			t.Errorf("%d tries in a minute", tries)
		}
		if err := f.admit(t.Context(), goodToken(), "raw"); !errors.Is(err, errFeedLost) {
			t.Errorf("nobody can be asked: %v", err)
		}
		h.set(func() { h.down = false })
		<-h.next
		h.say(signed(t, piece(f.cfg.Now(), "s", 3, 3, 3)))
		synctest.Wait()
		if !f.live() {
			t.Error("not back")
		}
	})
}

// TestIntrospectionIsBounded: of one token the issuer is asked once a second, however many requests bring it.
func TestIntrospectionIsBounded(t *testing.T) {
	bubble(t, ModeIntrospect, func(t *testing.T, h *feedHost, f *Feed) {
		<-h.next
		tok := goodToken()
		ask := func(n int) (refused int) {
			var all sync.WaitGroup
			var count atomic.Int32
			for range n {
				all.Go(func() {
					if f.admit(t.Context(), tok, "raw") != nil {
						count.Add(1)
					}
				})
			}
			all.Wait()
			return int(count.Load())
		}
		if n := ask(64); n != 64 || h.asked.Load() != 1 {
			t.Errorf("%d refused, %d asked", n, h.asked.Load())
		}
		h.set(func() { h.live = true })
		time.Sleep(askKept)
		if n := ask(64); n != 0 || h.asked.Load() != 2 {
			t.Errorf("%d refused, %d asked", n, h.asked.Load())
		}
	})
}

func TestFeedConfig(t *testing.T) {
	good := FeedConfig{Issuer: issuer, HTTP: http.DefaultClient, APIKey: func() string { return "" }}
	for name, c := range map[string]struct {
		change func(*FeedConfig)
		ok     bool
	}{
		"good":         {func(*FeedConfig) {}, true},
		"no issuer":    {func(c *FeedConfig) { c.Issuer = "" }, false},
		"no client":    {func(c *FeedConfig) { c.HTTP = nil }, false},
		"no key":       {func(c *FeedConfig) { c.APIKey = nil }, false},
		"no mode":      {func(c *FeedConfig) { c.Lost = 9 }, false},
		"text issuer":  {func(c *FeedConfig) { c.Issuer = "example" }, false},
		"plain http":   {func(c *FeedConfig) { c.URL = "http://login.example.com/oauth2/revocations" }, false},
		"allowed http": {func(c *FeedConfig) { c.URL, c.AllowHTTP = "http://login.example.com/oauth2/revocations", true }, true},
		"loopback":     {func(c *FeedConfig) { c.URL = "http://127.0.0.1:1/oauth2/revocations" }, true},
		"bad keys":     {func(c *FeedConfig) { c.Keys = []byte("{}") }, false},
	} {
		cfg := good
		cfg.HTTP = &http.Client{Transport: newFeedHost(t)}
		if name == "no client" {
			cfg.HTTP = nil
		}
		c.change(&cfg)
		if _, err := NewFeed(cfg); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzEvents(f *testing.F) {
	f.Add("id: 1\nevent: batch\ndata: x.y.z\n\n: comment\n\nevent: end\ndata: {}\n\n")
	f.Add("data:a\r\ndata:b\r\n\r\n")
	f.Add(strings.Repeat("data: "+strings.Repeat("x", 1000)+"\n", 2000))
	f.Fuzz(func(t *testing.T, text string) {
		r := bufio.NewReaderSize(strings.NewReader(text), 64)
		for range 100 {
			data, err := nextEvent(r)
			if err != nil {
				return
			}
			if len(data) > maxBatch || strings.ContainsAny(data, "\n") {
				t.Fatal("an event beyond its bounds")
			}
		}
	})
}

// FuzzBatch: nothing that is signed, however odd, takes the follower down.
func FuzzBatch(f *testing.F) {
	f.Add(`{"stream":"s","from":0,"to":1,"head":1,"revoked":[{"kind":"session","target":"x","until":1e3}]}`)
	f.Add(`{"stream":"s","from":0,"to":9223372036854775807,"head":9223372036854775807,"revoked":[{"kind":"client","target":"x","at":-1,"until":-9223372036854775808}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		claims := piece(start, "s", 0, 1, 1)
		var odd map[string]any
		if json.Unmarshal([]byte(body), &odd) != nil {
			return
		}
		maps.Copy(claims, odd)
		raw, err := jose.Sign(feedKey(t), "revocations+jwt", claims)
		if err != nil {
			return
		}
		feed := testFeed(t, newFeedHost(t))
		_, _ = feed.news(t.Context(), &intake{feed: feed}, raw)
		_ = feed.admit(t.Context(), goodToken(), "raw")
		feed.set.Load().forget(start)
	})
}
