package loginapi

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// null is a ResponseWriter that keeps nothing.
type null struct{ h http.Header }

func (n null) Header() http.Header       { return n.h }
func (null) Write(b []byte) (int, error) { return len(b), nil }
func (null) WriteHeader(int)             {}

func quiet(b *testing.B) (*web.Hall, *fake) {
	f := newBench(b).fake
	a, err := New(Config{Logins: f, Profiles: f, Devices: f, Sessions: f, Keys: f})
	if err != nil {
		b.Fatal(err)
	}
	d := tenant.NewDirectory(fixed{}, time.Now)
	if err := d.Refresh(b.Context()); err != nil {
		b.Fatal(err)
	}
	h, err := web.New(web.Config{Directory: d, Now: time.Now, TLS: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	if err := h.Mount(a.Routes()); err != nil {
		b.Fatal(err)
	}
	return h, f
}

// BenchmarkJWKS is the hallway and the prebuilt bytes.
func BenchmarkJWKS(b *testing.B) {
	h, _ := quiet(b)
	r := httptest.NewRequest("GET", "/.well-known/jwks.json", nil)
	r.Host = "login.example.com"
	w := null{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.h)
		h.ServeHTTP(w, r)
	}
}

// BenchmarkRefresh is everything around session.Refresh.
func BenchmarkRefresh(b *testing.B) {
	h, f := quiet(b)
	w := null{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		f.called = ""
		r := httptest.NewRequest("POST", "/jwt/refresh", strings.NewReader(`{"refresh_token":"gr_refresh"}`))
		r.Host = "login.example.com"
		r.Header["Content-Type"] = fileType
		clear(w.h)
		h.ServeHTTP(w, r)
	}
}
