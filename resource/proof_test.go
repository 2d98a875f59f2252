package resource

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
)

func thumbprint(t *testing.T, k *jose.PrivateKey) string {
	t.Helper()
	out, err := k.Public().Thumbprint()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// proofBy makes a right proof for GET https://api.example.com/things with a token, and changes it.
func proofBy(t *testing.T, k *jose.PrivateKey, at time.Time, raw string, changes claims) string {
	t.Helper()
	sum := sha256.Sum256([]byte(raw))
	c := claims{"jti": t.Name() + strconv.Itoa(int(proofs.Add(1))), "htm": "GET", "htu": "https://api.example.com/things", "iat": at.Unix(),
		"ath": base64.RawURLEncoding.EncodeToString(sum[:])}
	maps.Copy(c, changes)
	public, err := k.Public().JWK()
	if err != nil {
		t.Fatal(err)
	}
	head, _ := json.Marshal(map[string]any{"typ": "dpop+jwt", "alg": k.Alg(), "jwk": json.RawMessage(public)})
	body, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	input := base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(body)
	sig, err := k.Sign([]byte(input))
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(sig)
}

var proofs atomic.Int64

func proving(c *Config) { c.Proofs = &Proofs{Origin: "https://api.example.com"} }

func askedOf(w *world, scheme, raw string, proof ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "http://inside:8080/things?a=b", nil)
	r.Header.Set("Authorization", scheme+" "+raw)
	for _, p := range proof {
		r.Header.Add("DPoP", p)
	}
	out := httptest.NewRecorder()
	w.RequireUser()(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })).ServeHTTP(out, r)
	return out
}

func TestBoundTokensNeedTheirKey(t *testing.T) {
	w := newWorld(t, proving)
	own, other := key(t, "own", jose.ES256), key(t, "other", jose.ES256)
	raw := user(t, claims{"cnf": claims{"jkt": thumbprint(t, own)}})
	plain, now := user(t, nil), w.clock.now()
	right := func(c claims) string { return proofBy(t, own, now, raw, c) }
	once := right(nil)
	for _, c := range []struct {
		name, scheme, raw string
		proofs            []string
		status            int
		challenge         string
	}{
		{"right", "DPoP", raw, []string{once}, 204, ""},
		{"the same proof again", "DPoP", raw, []string{once}, 401, `DPoP realm=`},
		{"no proof", "DPoP", raw, nil, 401, `error="invalid_token"`},
		{"as a bearer token", "Bearer", raw, nil, 401, `DPoP realm=`},
		{"as a bearer token beside a proof", "Bearer", raw, []string{right(nil)}, 401, `DPoP realm=`},
		{"two proofs", "DPoP", raw, []string{right(nil), right(nil)}, 401, `DPoP realm=`},
		{"another key", "DPoP", raw, []string{proofBy(t, other, now, raw, nil)}, 401, `error="invalid_token"`},
		{"another method", "DPoP", raw, []string{right(claims{"htm": "POST"})}, 401, `error="invalid_dpop_proof"`},
		{"another path", "DPoP", raw, []string{right(claims{"htu": "https://api.example.com/other"})}, 401, `error="invalid_dpop_proof"`},
		{"another origin", "DPoP", raw, []string{right(claims{"htu": "http://inside:8080/things"})}, 401, `error="invalid_dpop_proof"`},
		{"default port and query", "DPoP", raw, []string{right(claims{"htu": "https://API.example.com:443/things?x=y"})}, 204, ""},
		{"old", "DPoP", raw, []string{right(claims{"iat": now.Unix() - 61})}, 401, `error="invalid_dpop_proof"`},
		{"from the future", "DPoP", raw, []string{right(claims{"iat": now.Unix() + 11})}, 401, `error="invalid_dpop_proof"`},
		{"of another token", "DPoP", raw, []string{proofBy(t, own, now, plain, nil)}, 401, `error="invalid_dpop_proof"`},
		{"rubbish", "DPoP", raw, []string{"a.b.c"}, 401, `algs="EdDSA ES256 RS256"`},
		{"unbound as bearer", "Bearer", plain, nil, 204, ""},
		{"unbound as bound", "DPoP", plain, []string{proofBy(t, own, now, plain, nil)}, 401, `DPoP realm=`},
	} {
		got := askedOf(w, c.scheme, c.raw, c.proofs...)
		if got.Code != c.status || !strings.Contains(got.Header().Get("WWW-Authenticate"), c.challenge) {
			t.Errorf("%s: %d %q, want %d %q", c.name, got.Code, got.Header().Get("WWW-Authenticate"), c.status, c.challenge)
		}
	}
	if _, err := w.Verify(t.Context(), raw); !errors.Is(err, &Error{Reason: ReasonProof}) {
		t.Errorf("Verify, which sees no proof, took a bound token: %v", err)
	}
}

func TestABoundTokenNeverPassesAsACookie(t *testing.T) {
	w := newWorld(t, func(c *Config) { proving(c); c.Cookie = "session" })
	r := httptest.NewRequest(http.MethodGet, "https://api.example.com/things", nil)
	r.AddCookie(&http.Cookie{Name: "session", Value: user(t, claims{"cnf": claims{"jkt": thumbprint(t, key(t, "own", jose.ES256))}})})
	out := httptest.NewRecorder()
	w.RequireUser()(http.NotFoundHandler()).ServeHTTP(out, r)
	if out.Code != http.StatusUnauthorized {
		t.Errorf("answered %d", out.Code)
	}
}

// TestProofRace: of 64 requests with one proof exactly one passes.
func TestProofRace(t *testing.T) {
	w := newWorld(t, proving)
	own := key(t, "own", jose.ES256)
	raw := user(t, claims{"cnf": claims{"jkt": thumbprint(t, own)}})
	proof := proofBy(t, own, w.clock.now(), raw, nil)
	var passed atomic.Int64
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			if askedOf(w, "DPoP", raw, proof).Code == http.StatusNoContent {
				passed.Add(1)
			}
		})
	}
	all.Wait()
	if n := passed.Load(); n != 1 {
		t.Errorf("%d passed", n)
	}
}

func TestProofMemoryIsTheCallers(t *testing.T) {
	own := key(t, "own", jose.ES256)
	for name, c := range map[string]struct {
		first  bool
		err    error
		status int
	}{"new": {true, nil, 204}, "seen elsewhere": {false, nil, 401}, "down": {true, errors.New("down"), 503}} {
		w := newWorld(t, func(cfg *Config) {
			proving(cfg)
			cfg.Proofs.Once = func(context.Context, string, time.Duration) (bool, error) { return c.first, c.err }
		})
		raw := user(t, claims{"cnf": claims{"jkt": thumbprint(t, own)}})
		if got := askedOf(w, "DPoP", raw, proofBy(t, own, w.clock.now(), raw, nil)); got.Code != c.status {
			t.Errorf("%s: %d, want %d", name, got.Code, c.status)
		}
	}
}

func TestProofsOrigin(t *testing.T) {
	for _, bad := range []string{"", "api.example.com", "https://", "https://api.example.com/path", "https://u@api.example.com", "ftp://a"} {
		if (&Proofs{Origin: bad}).valid() {
			t.Errorf("%q", bad)
		}
	}
}

func TestSeenForgetsWhatIsTooOld(t *testing.T) {
	s, now := &seen{}, start
	if !s.first("a", now) || s.first("a", now.Add(proofKept)) {
		t.Error("a proof that is still good is forgotten")
	}
	s.first("b", now.Add(proofKept+time.Second))
	if s.first("a", now.Add(proofKept+2*time.Second)) {
		t.Error("a generation was dropped too early")
	}
	s.first("c", now.Add(3*proofKept))
	if s.first("c", now.Add(3*proofKept)) || len(s.old)+len(s.new) > 2 {
		t.Errorf("%d and %d are kept", len(s.old), len(s.new))
	}
}
