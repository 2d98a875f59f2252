package resource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
)

// Bounds of fetching keys.
const (
	askAgain     = time.Second     // a kid nobody knows, which strangers may invent, causes at most one fetch in this time
	retryAfter   = 5 * time.Second // after a failed refresh that nobody waits for
	fetchTimeout = 5 * time.Second
	maxJWKS      = 256 << 10 // bytes
	maxHops      = 3         // redirects, all on one host

	freshDefault = 5 * time.Minute // without max-age
	freshLeast   = 10 * time.Second
	freshMost    = time.Hour // a withdrawn key must not live on because somebody said max-age=1y
)

// keySet is what is known of the issuer's keys, replaced whole.
type keySet struct {
	keys   jose.Keys
	pinned bool      // never fetched
	until  time.Time // fresh until then
	dead   time.Time // not used from then on
}

// keyring holds the newest set and fetches newer ones, one fetch at a time. A caller waits for a fetch only when no known key can serve it.
type keyring struct {
	url    string
	client *http.Client
	now    func() time.Time
	stale  time.Duration
	set    atomic.Pointer[keySet]

	mu     sync.Mutex
	flight chan struct{} // of the running fetch, closed at its end
	tried  time.Time     // when the last fetch began
	failed error         // of the last finished fetch
}

func newKeyring(cfg Config) (*keyring, error) {
	k := &keyring{url: cfg.JWKSURL, client: narrowed(cfg.HTTP), now: cfg.Now, stale: cfg.StaleFor}
	if len(cfg.Keys) > 0 {
		keys, err := parseKeys(cfg.Keys)
		if err != nil {
			return nil, err
		}
		k.set.Store(&keySet{keys: keys, pinned: cfg.JWKSURL == "", dead: cfg.Now().Add(cfg.StaleFor)})
	}
	if cfg.JWKSURL != "" {
		k.start(cfg.Now(), 0)
	}
	return k, nil
}

// narrowed is the caller's client without cookies, and with redirects on one host only: an open redirect there must not bring keys.
func narrowed(c *http.Client) *http.Client {
	if c == nil {
		c = http.DefaultClient
	}
	out := *c
	out.Jar = nil
	out.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if first := via[0].URL; len(via) > maxHops || req.URL.Scheme != first.Scheme || req.URL.Host != first.Host {
			return errors.New("the key set redirects elsewhere")
		}
		return nil
	}
	return &out
}

// current is the newest usable set, nil when there is none. It never waits: a set that is no longer fresh is refreshed meanwhile.
func (k *keyring) current(now time.Time) *keySet {
	set := k.set.Load()
	if set == nil || set.pinned {
		return set
	}
	if !now.Before(set.dead) {
		return nil
	}
	if !now.Before(set.until) {
		k.start(now, retryAfter)
	}
	return set
}

// usable is current, or the end of a fetch when there is nothing to use.
func (k *keyring) usable(ctx context.Context, now time.Time) (*keySet, error) {
	if set := k.current(now); set != nil {
		return set, nil
	}
	if err := k.fetched(ctx, now); err != nil {
		return nil, err
	}
	if set := k.current(now); set != nil {
		return set, nil
	}
	return nil, errors.New("no keys yet")
}

// newer is a set that came after seen, for a token whose kid is not in seen; nil when there is none.
func (k *keyring) newer(ctx context.Context, now time.Time, seen *keySet) (*keySet, error) {
	if seen.pinned {
		return nil, nil
	}
	if set := k.set.Load(); set != seen {
		return set, nil
	}
	if err := k.fetched(ctx, now); err != nil {
		return nil, err
	}
	if set := k.set.Load(); set != seen {
		return set, nil
	}
	return nil, nil
}

// fetched waits for a fetch, the running one or a new one, and gives its error; the last one's when the next is not due yet.
func (k *keyring) fetched(ctx context.Context, now time.Time) error {
	if flight := k.start(now, askAgain); flight != nil {
		select {
		case <-flight:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.failed
}

// start begins a fetch unless one is running, which it gives, or the last one began less than every ago: then it gives nil.
func (k *keyring) start(now time.Time, every time.Duration) <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.flight != nil {
		return k.flight
	}
	if since := now.Sub(k.tried); !k.tried.IsZero() && since >= 0 && since < every { // a clock that was set back delays nothing
		return nil
	}
	k.tried, k.flight = now, make(chan struct{})
	go k.run(k.flight)
	return k.flight
}

// run is one fetch. It belongs to no request, so that a caller who leaves does not end it for the others.
func (k *keyring) run(flight chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	set, err := k.fetch(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil {
		k.set.Store(set)
	}
	k.failed, k.flight = err, nil
	close(flight)
}

func (k *keyring) fetch(ctx context.Context) (*keySet, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	res, err := k.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the key set was answered %d", res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxJWKS+1))
	if err != nil {
		return nil, err
	}
	keys, err := jose.ParseJWKS(body) // refuses what is too large
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 { // a server that is just starting: the keys we have are better than none
		return nil, errors.New("the key set holds no usable key")
	}
	k.keep(keys)
	now, life := k.now(), freshFor(res.Header)
	return &keySet{keys: keys, until: now.Add(life), dead: now.Add(max(life, k.stale))}, nil
}

// keep puts the keys we have in the place of equal new ones, so that "the same key" is one comparison of pointers.
func (k *keyring) keep(keys jose.Keys) {
	old := k.set.Load()
	if old == nil {
		return
	}
	for kid, key := range keys {
		if had := old.keys[kid]; had != nil && had.Equal(key) {
			keys[kid] = had
		}
	}
}

// freshFor reads max-age (RFC 9111 section 5.2.2.1) less Age, within our bounds.
func freshFor(h http.Header) time.Duration {
	life := freshDefault
	for directive := range strings.SplitSeq(strings.ToLower(strings.Join(h.Values("Cache-Control"), ",")), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch name {
		case "no-store", "no-cache":
			return freshLeast
		case "max-age":
			if n, err := strconv.ParseInt(strings.Trim(value, `"`), 10, 32); err == nil {
				life = time.Duration(n) * time.Second
			}
		}
	}
	if n, err := strconv.ParseInt(h.Get("Age"), 10, 32); err == nil && n > 0 {
		life -= time.Duration(n) * time.Second
	}
	return min(max(life, freshLeast), freshMost)
}
