package endtoend

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// TestNetworkLimitIsExact: 64 callers behind one address, known through a listed proxy, guess at once: exactly the burst gets as far as a
// wrong password.
func TestNetworkLimitIsExact(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		o.Config = "listen: {trusted_proxies: [127.0.0.0/8]}\n" + twoClients
		networkLimit(t, server.Start(t, o))
	})
}

// TestNetworkLimitIsExactOverTwoNodes: the burst is one burst, whoever is asked.
func TestNetworkLimitIsExactOverTwoNodes(t *testing.T) {
	many(t, func(t *testing.T, o server.Options) {
		o.Config, o.Data = "listen: {trusted_proxies: [127.0.0.0/8]}\n"+twoClients, t.TempDir()
		networkLimit(t, server.Start(t, o), server.Start(t, o))
	})
}

func networkLimit(t *testing.T, nodes ...*server.Server) {
	t.Helper()
	ctx := t.Context()
	began := time.Now()
	status, err := drill.Together(64, func(i int) (int, error) {
		v := nodes[i%len(nodes)].Visitor().With("X-Forwarded-For", "203.0.113.7").With("X-Forwarded-Proto", "https")
		r, err := v.Post(ctx, "/login/password", map[string]string{"email": drill.Fresh("limit"), "password": "wrong", "client_id": "strict"})
		if err != nil {
			return 0, err
		}
		if r.Status == http.StatusTooManyRequests && r.Header.Get("Retry-After") == "" {
			t.Error("429 without Retry-After")
		}
		return r.Status, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	passed := 0
	for _, st := range status {
		switch st {
		case http.StatusUnauthorized:
			passed++
		case http.StatusTooManyRequests:
		default:
			t.Errorf("unexpected status %d", st)
		}
	}
	// 10 per minute: a burst of 10, then one every 6 s for as long as the calls took.
	if most := 10 + int(time.Since(began)/(6*time.Second)); passed < 10 || passed > most {
		t.Fatalf("%d guesses passed, the formula allows 10 to %d", passed, most)
	}
}

// TestForwardedHeadersOfStrangers: a peer that is not listed cannot choose its address, so it cannot escape its limit.
func TestForwardedHeadersOfStrangers(t *testing.T) {
	ctx := t.Context()
	s := server.Start(t, withStrictClient(server.Options{}))
	p := signUp(ctx, t, s, "forwarded")
	v := s.Visitor().With("X-Forwarded-For", "198.51.100.9").With("Forwarded", "for=198.51.100.9").With("X-Real-IP", "198.51.100.9")
	r, err := p.LogIn(ctx, v)
	must(t, "login with forged headers", r, err, 200)
	r, err = v.With("Authorization", "Bearer "+r.Text("access_token")).Get(ctx, "/sessions")
	must(t, "sessions", r, err, 200)
	if got := string(r.Body); !strings.Contains(got, "127.0.0.0/24") || strings.Contains(got, "198.51.100") {
		t.Fatal("a forged forwarded header changed the recorded place")
	}
}
