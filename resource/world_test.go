package resource

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
)

const (
	issuer   = "https://login.example.com"
	audience = "forum"
	keysURL  = issuer + "/.well-known/jwks.json"
)

var start = time.Unix(1_800_000_000, 0).UTC()

var made sync.Map // kid and alg → *jose.PrivateKey

// key gives the same key for the same kid and algorithm in the whole run.
func key(t testing.TB, kid, alg string) *jose.PrivateKey {
	t.Helper()
	if k, ok := made.Load(kid + alg); ok {
		return k.(*jose.PrivateKey)
	}
	k, err := jose.Generate(kid, alg)
	if err != nil {
		t.Fatal(err)
	}
	kept, _ := made.LoadOrStore(kid+alg, k)
	return kept.(*jose.PrivateKey)
}

type clock struct{ moved atomic.Int64 }

func (c *clock) now() time.Time          { return start.Add(time.Duration(c.moved.Load())) }
func (c *clock) advance(d time.Duration) { c.moved.Add(int64(d)) }

// keyHost is the issuer's end of the wire: a transport that knows one URL and fails the test for every other.
type keyHost struct {
	t       testing.TB
	mu      sync.Mutex
	keys    []*jose.PrivateKey
	down    error
	status  int
	header  http.Header
	body    string        // instead of the keys
	hold    chan struct{} // a fetch waits for it
	fetches atomic.Int32
}

func (h *keyHost) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.String() != keysURL || r.Method != http.MethodGet {
		h.t.Errorf("%s %s: an attacker's URL was asked", r.Method, r.URL)
		return nil, errors.New("no such host")
	}
	h.fetches.Add(1)
	h.mu.Lock()
	hold := h.hold
	h.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down != nil {
		return nil, h.down
	}
	body := h.body
	if body == "" {
		body = string(jwksOf(h.t, h.keys...))
	}
	status := h.status
	if status == 0 {
		status = http.StatusOK
	}
	header := h.header.Clone()
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func (h *keyHost) set(change func(*keyHost)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change(h)
}

func jwksOf(t testing.TB, keys ...*jose.PrivateKey) []byte {
	t.Helper()
	var all [][]byte
	for _, k := range keys {
		b, err := k.Public().JWK()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	return jose.JWKS(all...)
}

// world is a verifier with its issuer and its clock.
type world struct {
	*Verifier
	t     testing.TB
	clock *clock
	host  *keyHost
}

func newWorld(t testing.TB, change func(*Config)) *world {
	t.Helper()
	w := &world{t: t, clock: &clock{}, host: &keyHost{t: t, keys: []*jose.PrivateKey{
		key(t, "d-1", jose.ES256), key(t, "d-rsa", jose.RS256), key(t, "s-1", jose.RS256)}}}
	cfg := Config{Issuer: issuer, Audience: audience, JWKSURL: keysURL, HTTP: &http.Client{Transport: w.host}, Now: w.clock.now}
	if change != nil {
		change(&cfg)
	}
	v, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.Verifier = v
	return w
}

type claims map[string]any

func (c claims) with(more claims) claims {
	out := maps.Clone(c)
	for k, v := range more {
		if v == nil {
			delete(out, k)
		} else {
			out[k] = v
		}
	}
	return out
}

// userClaims are what the server writes for a user.
func userClaims() claims {
	sec := start.Unix()
	return claims{
		"iss": issuer, "tid": "t1", "sub": "u1", "aud": audience, "client_id": "web", "exp": sec + 900, "iat": sec, "nbf": sec, "jti": "j1",
		"sid": "s1", "ep": 3, "roles": []string{"member", "admin"}, "scope": "read write", "email": "ada@example.com", "email_verified": true,
		"auth_time": sec - 60, "amr": []string{"pwd"}, "acr": "1", "plan": map[string]any{"name": "gold", "seats": 3},
	}
}

// serviceClaims are what the server writes for a service.
func serviceClaims() claims {
	sec := start.Unix()
	return claims{"iss": issuer, "aud": audience, "exp": sec + 86400, "iat": sec, "jti": "m1", "source": "microservice", "region": "eu"}
}

func sign(t testing.TB, k *jose.PrivateKey, typ string, c claims) string {
	t.Helper()
	raw, err := jose.Sign(k, typ, c)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func user(t testing.TB, more claims) string {
	t.Helper()
	return sign(t, key(t, "d-1", jose.ES256), "at+jwt", userClaims().with(more))
}

func service(t testing.TB, more claims) string {
	t.Helper()
	return sign(t, key(t, "s-1", jose.RS256), "JWT", serviceClaims().with(more))
}

func (w *world) accepts(raw string) *Token {
	w.t.Helper()
	tok, err := w.Verify(context.Background(), raw)
	if err != nil {
		w.t.Fatalf("refused: %v", err)
	}
	return tok
}

func (w *world) refuses(what, raw string, reasons ...string) {
	w.t.Helper()
	_, err := w.Verify(context.Background(), raw)
	got := reasonOf(err)
	for _, r := range reasons {
		if got == r {
			return
		}
	}
	w.t.Errorf("%s: got %v, want %v", what, err, reasons)
}

func reasonOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

// encode is one segment of a token made by hand.
func encode(v any) string {
	text, ok := v.(string)
	if !ok {
		b, _ := json.Marshal(v)
		text = string(b)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// until polls a condition.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 10 s", what)
		}
	}
}
