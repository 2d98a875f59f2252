package resource

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
)

func (w *world) warm() {
	w.t.Helper()
	if err := w.Warm(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) fetches(want int32) {
	w.t.Helper()
	if got := w.host.fetches.Load(); got != want {
		w.t.Errorf("%d fetches, want %d", got, want)
	}
}

// landed waits for the end of the n-th fetch.
func (w *world) landed(n int32) {
	w.t.Helper()
	until(w.t, "the fetch", func() bool {
		w.keys.mu.Lock()
		defer w.keys.mu.Unlock()
		return w.host.fetches.Load() == n && w.keys.flight == nil
	})
}

func TestOneFetchForMany(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.CacheSize = -1 })
	hold := make(chan struct{})
	w.warm()
	w.host.set(func(h *keyHost) { h.hold, h.keys = hold, append(h.keys, key(t, "d-2", jose.ES256)) })
	w.clock.advance(time.Second)
	raw := sign(t, key(t, "d-2", jose.ES256), "at+jwt", userClaims())
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			if _, err := w.Verify(context.Background(), raw); err != nil {
				t.Error(err)
			}
		})
	}
	until(t, "the fetch", func() bool { return w.host.fetches.Load() == 2 })
	w.accepts(user(t, nil)) // known keys do not wait
	close(hold)
	wg.Wait()
	w.fetches(2)
}

func TestMadeUpKidsFetchOnceASecond(t *testing.T) {
	w := newWorld(t, nil)
	w.warm()
	w.clock.advance(time.Second)
	for i := range 200 {
		w.refuses("made up", sign(t, foreignKey(t, fmt.Sprint("x", i)), "at+jwt", userClaims()), ReasonUnknownKey)
	}
	w.fetches(2)
	w.clock.advance(999 * time.Millisecond)
	w.refuses("made up", sign(t, foreignKey(t, "y"), "at+jwt", userClaims()), ReasonUnknownKey)
	w.fetches(2)
	w.clock.advance(time.Millisecond)
	w.refuses("made up", sign(t, foreignKey(t, "z"), "at+jwt", userClaims()), ReasonUnknownKey)
	w.fetches(3)
}

func TestWithdrawnKey(t *testing.T) {
	w := newWorld(t, nil)
	w.warm()
	old := user(t, nil)
	w.accepts(old)
	kept := service(t, nil)
	w.accepts(kept)
	entry := w.cache.get(digestOf(kept))
	w.host.set(func(h *keyHost) { h.keys = []*jose.PrivateKey{key(t, "s-1", jose.RS256), key(t, "d-2", jose.ES256)} })
	w.clock.advance(time.Second)
	w.accepts(sign(t, key(t, "d-2", jose.ES256), "at+jwt", userClaims())) // the set is fetched again
	w.refuses("remembered, its key withdrawn", old, ReasonUnknownKey)
	fetches := w.host.fetches.Load()
	w.accepts(kept)
	if w.cache.get(digestOf(kept)) != entry {
		t.Error("a token was forgotten although its key is unchanged")
	}
	w.fetches(fetches)

	// The same kid with another key: the issuer's fault, but never the old token's pass.
	swapped := foreignKey(t, "d-2")
	w.host.set(func(h *keyHost) { h.keys = []*jose.PrivateKey{swapped} })
	w.clock.advance(time.Second)
	w.refuses("unknown", sign(t, foreignKey(t, "x"), "at+jwt", userClaims()), ReasonUnknownKey)
	w.refuses("remembered, its key replaced", sign(t, key(t, "d-2", jose.ES256), "at+jwt", userClaims()), ReasonInvalid)
}

func TestStaleKeysServeWhileTheIssuerIsDown(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.StaleFor = time.Hour })
	w.warm()
	long := claims{"exp": start.Add(48 * time.Hour).Unix()}
	w.accepts(user(t, long))
	w.host.set(func(h *keyHost) { h.header = http.Header{"Cache-Control": {"public, max-age=60"}} })
	w.clock.advance(freshDefault - 1)
	w.accepts(user(t, long))
	w.fetches(1)
	w.clock.advance(1)
	w.accepts(user(t, long)) // stale: refreshed meanwhile
	w.landed(2)
	w.clock.advance(59 * time.Second)
	w.accepts(user(t, long))
	w.fetches(2)
	w.host.set(func(h *keyHost) { h.down = errors.New("connection refused") })
	w.clock.advance(time.Second)
	w.accepts(user(t, long))
	w.landed(3)
	w.accepts(user(t, long))
	w.fetches(3) // not again at once
	w.clock.advance(retryAfter)
	w.accepts(user(t, long))
	w.landed(4)
	_, err := w.Verify(t.Context(), sign(t, foreignKey(t, "new"), "at+jwt", userClaims()))
	if e := asError(err); e.Status != http.StatusServiceUnavailable || e.Challenge("x") != "" {
		t.Errorf("a new key while the issuer is down: %v", err)
	}
	w.clock.advance(time.Hour)
	w.refuses("keys too old to trust", user(t, long), ReasonUnavailable)
	w.host.set(func(h *keyHost) { h.down = nil })
	w.clock.advance(time.Second)
	w.accepts(user(t, long))
}

func TestBadAnswersChangeNothing(t *testing.T) {
	private := `{"keys":[{"kty":"oct","kid":"d-1","k":"AA"}]}`
	for what, change := range map[string]func(*keyHost){
		"error":       func(h *keyHost) { h.status = 500 },
		"gone":        func(h *keyHost) { h.status = 404 },
		"empty":       func(h *keyHost) { h.body = `{"keys":[]}` },
		"page":        func(h *keyHost) { h.body = `<html>` },
		"private":     func(h *keyHost) { h.body = private },
		"too large":   func(h *keyHost) { h.body = `{"keys":[],"x":"` + strings.Repeat("x", maxJWKS) + `"}` },
		"endless":     func(h *keyHost) { h.body = strings.Repeat(" ", 8<<20) },
		"duplicate":   func(h *keyHost) { h.body = `{"keys":[],"keys":[]}` },
		"unreachable": func(h *keyHost) { h.down = errors.New("no route") },
	} {
		w := newWorld(t, nil)
		w.warm()
		w.host.set(change)
		w.clock.advance(freshMost)
		w.accepts(user(t, claims{"exp": start.Add(2 * time.Hour).Unix()}))
		_, err := w.keys.newer(t.Context(), w.clock.now(), w.keys.set.Load())
		if err == nil {
			t.Errorf("%s: was taken", what)
		}
		w.accepts(user(t, claims{"exp": start.Add(3 * time.Hour).Unix()}))
	}
}

func TestColdStart(t *testing.T) {
	host := &keyHost{t: t, keys: []*jose.PrivateKey{key(t, "d-1", jose.ES256)}, hold: make(chan struct{})}
	c := &clock{}
	v, err := New(Config{Issuer: issuer, Audience: audience, JWKSURL: keysURL, HTTP: &http.Client{Transport: host}, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.Verify(ctx, user(t, nil)); reasonOf(err) != ReasonUnavailable { // waits no longer than its caller
		t.Errorf("%v", err)
	}
	close(host.hold)
	if _, err := v.Verify(t.Context(), user(t, nil)); err != nil {
		t.Error(err)
	}
	if n := host.fetches.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

// With Keys and JWKSURL the verifier starts with what it has, even when the issuer is down.
func TestWarmStart(t *testing.T) {
	host := &keyHost{t: t, down: errors.New("down")}
	v, err := New(Config{Issuer: issuer, Audience: audience, JWKSURL: keysURL, HTTP: &http.Client{Transport: host}, Now: (&clock{}).now,
		Keys: jwksOf(t, key(t, "d-1", jose.ES256))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), user(t, nil)); err != nil {
		t.Error(err)
	}
}

func TestFreshFor(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"": freshDefault, "max-age=300": 300 * time.Second, "public, Max-Age=120, must-revalidate": 120 * time.Second, "max-age=0": freshLeast,
		"no-store": freshLeast, "no-cache, max-age=500": freshLeast, "max-age=99999999": freshMost, "max-age=x": freshDefault, "max-age=-5": freshLeast,
		"s-maxage=5": freshDefault,
	} {
		if got := freshFor(http.Header{"Cache-Control": {text}}); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	if got := freshFor(http.Header{"Cache-Control": {"max-age=300"}, "Age": {"100"}}); got != 200*time.Second {
		t.Errorf("with Age: %v", got)
	}
}

func TestRedirects(t *testing.T) {
	body := jwksOf(t, key(t, "d-1", jose.ES256))
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Error("the other host was asked")
		_, _ = w.Write(body)
	}))
	defer evil.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("/here", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/jwks", http.StatusFound) })
	mux.HandleFunc("/jwks", func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(body) })
	mux.HandleFunc("/there", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, evil.URL, http.StatusFound) })
	mux.HandleFunc("/round", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/round", http.StatusFound) })
	good := httptest.NewServer(mux)
	defer good.Close()
	for path, want := range map[string]bool{"/jwks": true, "/here": true, "/there": false, "/round": false} {
		v, err := New(Config{Issuer: issuer, Audience: audience, JWKSURL: good.URL + path, Now: (&clock{}).now})
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Warm(t.Context()); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
}
