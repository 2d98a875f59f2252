package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secretref"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
)

// openDev is a development server in this process, without listeners and workers.
func openDev(t *testing.T, environ ...string) *building {
	t.Helper()
	cfg, err := loadConfig(t.Context(), sources{Dev: true, Environ: environ}, secretref.New())
	if err != nil {
		t.Fatal(err)
	}
	b, err := open(t.Context(), site{cfg: cfg, dev: true, data: t.TempDir(), url: "http://localhost:8080", log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return b
}

// TestReadinessWatchesTheClock: a node whose clock is wrong takes itself out of service, and comes back when it is right.
func TestReadinessWatchesTheClock(t *testing.T) {
	for _, url := range []string{"sqlite:gatehouse.db", testbed.Postgres(t)} {
		b := openDev(t, "GATEHOUSE_STORE__URL="+url)
		admin := b.admin("127.0.0.1:1")
		for _, c := range []struct {
			off  time.Duration
			want int
		}{{0, 200}, {time.Second, 200}, {3 * time.Second, 503}, {-3 * time.Second, 503}, {24 * time.Hour, 503}, {0, 200}} {
			b.now = func() time.Time { return time.Now().Add(c.off) }
			for name, h := range map[string]http.Handler{"admin": admin, "public": b.hall} {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost:8080/health/ready", nil))
				if w.Code != c.want {
					t.Errorf("%s, clock off by %v: %d, want %d", name, c.off, w.Code, c.want)
				}
			}
		}
	}
}

// labels gives every series of our own without its value.
func labels(t *testing.T, b *building) map[string]bool {
	t.Helper()
	got, err := b.metrics().Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, f := range got {
		for _, m := range f.GetMetric() {
			series := f.GetName()
			for _, l := range m.GetLabel() {
				series += fmt.Sprintf(" %s=%q", l.GetName(), l.GetValue())
			}
			if strings.HasPrefix(series, "gatehouse_") {
				out[series] = true
			}
		}
	}
	return out
}

// TestLabelsStayBounded: whatever strangers make up, no series grows out of it.
func TestLabelsStayBounded(t *testing.T) {
	b := openDev(t, "GATEHOUSE_EPHEMERAL__URL="+testbed.Redis(t))
	ctx, stop := context.WithCancel(t.Context())
	done := b.startWorkers(ctx)
	defer func() { stop(); <-done }()
	rng := rand.New(rand.NewPCG(1, 2))
	word := func() string { return fmt.Sprintf("w%x", rng.Uint64()) }
	methods := []string{"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW", "X" + word()}
	roots := []string{"/", "/login/password", "/session/login/", "/email/verify/", "/t/", "/sessions/", "/me", "/oauth2/", "/ui/", "/jwt/refresh"}
	flood := func(n int) {
		for range n {
			path := roots[rng.IntN(len(roots))] + word() + "/" + word()
			if rng.IntN(3) == 0 {
				path = roots[rng.IntN(len(roots))]
			}
			r := httptest.NewRequest(methods[rng.IntN(len(methods))], "http://localhost:8080"+path, strings.NewReader(`{"email":"`+word()+`@example.com"}`))
			r.Header.Set("Content-Type", "application/json")
			r.RemoteAddr = "127.0.0.1:4000"
			if rng.IntN(2) == 0 {
				r.Header.Set("X-Client-Id", word())
			}
			b.hall.ServeHTTP(httptest.NewRecorder(), r)
		}
	}
	flood(3000)
	before := labels(t, b)
	flood(3000)
	after := labels(t, b)
	if len(after) > len(before)+20 || len(after) > 600 {
		t.Fatalf("%d series became %d", len(before), len(after))
	}
	for series := range after {
		if strings.Contains(series, `="w`) && !strings.Contains(series, `="waiting"`) || strings.Contains(series, "/w") && !strings.Contains(series, "/well") {
			t.Errorf("a stranger's word stands in %s", series)
		}
	}
	for _, want := range []string{`gatehouse_ephemeral_redis_up`, `gatehouse_store_up`, `gatehouse_outbox_messages`, `gatehouse_token_tenants state="ready"`,
		`gatehouse_ephemeral_redis_calls_total result="ok" verb="take"`} {
		if !after[want] {
			t.Errorf("%s is not measured", want)
		}
	}
}

// TestOutcomesAreCounted by reason.
func TestOutcomesAreCounted(t *testing.T) {
	b := openDev(t)
	post := func(path, body string) {
		r := httptest.NewRequest(http.MethodPost, "http://localhost:8080"+path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.RemoteAddr = "127.0.0.1:4000"
		b.hall.ServeHTTP(httptest.NewRecorder(), r)
	}
	post("/login/password", `{"email":"ada@example.com","password":"an evening walk in the rain"}`)
	post("/jwt/refresh", `{"refresh_token":"gr_none"}`)
	got := labels(t, b)
	for _, want := range []string{
		`gatehouse_outcomes_total call="login_password" outcome="email_unverified"`, `gatehouse_outcomes_total call="refresh" outcome="refresh_unknown"`,
	} {
		if !got[want] {
			t.Errorf("no %s", want)
		}
	}
}
