package web

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

// fixed is a tenant.Store with one snapshot.
type fixed struct {
	tenant.Store
	s tenant.Snapshot
}

func (f fixed) Version(context.Context) (int64, error)            { return f.s.Version, nil }
func (f fixed) Snapshot(context.Context) (tenant.Snapshot, error) { return f.s, nil }

const listed = "https://app.example.com"

// snapshot has a tenant with its own host, and two on paths; "shop" is a client of both of those.
func snapshot() tenant.Snapshot {
	return tenant.Snapshot{
		Version: 1,
		Tenants: []tenant.Tenant{
			{ID: "t-main", Slug: "main", Issuer: "https://login.example.com", Policy: tenant.Policy{DefaultClient: "web"}},
			{ID: "t-blue", Slug: "blue", Issuer: "blue", Policy: tenant.Policy{DefaultClient: "shop"}, Test: true, ClockOffset: time.Hour},
			{ID: "t-red", Slug: "red", Issuer: "red"},
		},
		Clients: []tenant.Client{
			{TenantID: "t-main", ID: "web", Settings: tenant.ClientSettings{AllowedOrigins: []string{listed}}},
			{TenantID: "t-main", ID: "other", Settings: tenant.ClientSettings{AllowedOrigins: []string{"null"}}},
			{TenantID: "t-blue", ID: "shop"}, {TenantID: "t-red", ID: "shop"}, {TenantID: "t-red", ID: "only-red"},
		},
	}
}

type setup struct {
	cfg  Config
	snap tenant.Snapshot
	log  *bytes.Buffer
}

func directory(t testing.TB, s tenant.Snapshot) *tenant.Directory {
	t.Helper()
	d := tenant.NewDirectory(fixed{s: s}, func() time.Time { return noon })
	if err := d.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

func newHall(t testing.TB, change func(*setup), routes ...Route) *Hall {
	t.Helper()
	s := setup{snap: snapshot(), log: &bytes.Buffer{}}
	s.cfg = Config{Now: func() time.Time { return noon }, TLS: true, PublicHosts: []string{"auth.example.net"}}
	if change != nil {
		change(&s)
	}
	s.cfg.Directory = directory(t, s.snap)
	s.cfg.Log = slog.New(slog.NewJSONHandler(s.log, nil))
	h, err := New(s.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Mount(routes); err != nil {
		t.Fatal(err)
	}
	return h
}

type header map[string]string

func request(method, target, body string, hs header) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "login.example.com"
	for k, v := range hs {
		if k == "Host" {
			r.Host = v
			continue
		}
		r.Header.Set(k, v)
	}
	return r
}

func serve(h http.Handler, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func text(t testing.TB, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// refused checks that an answer is a whole problem document with this status and reason, and gives its text.
func refused(t testing.TB, r *http.Response, status int, reason string) string {
	t.Helper()
	body := text(t, r)
	var p Problem
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		t.Fatalf("status %d, no problem document: %v: %s", r.StatusCode, err, body)
	}
	if r.StatusCode != status || p.Status != status || p.Reason != reason {
		t.Fatalf("got %d/%d %s, want %d %s: %s", r.StatusCode, p.Status, p.Reason, status, reason, body)
	}
	if p.TraceID == "" || p.TraceID != r.Header.Get(TraceHeader) || p.Title == "" || p.Message == "" || p.Type == "" {
		t.Fatalf("incomplete problem: %s", body)
	}
	if r.Header.Get("Content-Type") != "application/problem+json" || r.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("headers: %v", r.Header)
	}
	return body
}

func route(method, pattern string, f func(*Exchange) error) Route {
	return Route{Owner: "test", Method: method, Pattern: pattern, Handle: f}
}

func nothing(x *Exchange) error { return x.NoContent() }

func TestUnknownPathsAndMethods(t *testing.T) {
	h := newHall(t, nil, route("GET", "/thing", nothing), route("POST", "/thing", nothing), route("GET", "/thing/{id}", nothing))
	for _, target := range []string{"/nothing", "/t/main/nothing", "/thing/", "//thing", "/thing/../thing", "/", "/thing/a/b", "/t/main"} {
		refused(t, serve(h, request("GET", target, "", nil)), 404, "not_found")
	}
	r := serve(h, request("DELETE", "/thing", "", nil))
	refused(t, r, 405, "method_not_allowed")
	if got := r.Header.Get("Allow"); got != "GET, HEAD, OPTIONS, POST" {
		t.Fatalf("Allow: %s", got)
	}
	for _, target := range []string{"/thing", "/t/main/thing", "/t/blue/thing"} {
		for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS"} {
			if r := serve(h, request(method, target, "", nil)); r.StatusCode != 204 {
				t.Fatalf("%s %s: %d", method, target, r.StatusCode)
			}
		}
	}
	refused(t, serve(h, request("GET", "/t/green/thing", "", nil)), 404, "unknown_tenant")
}

func TestMountRefusesOverlap(t *testing.T) {
	h := newHall(t, nil, route("GET", "/a/{id}", nothing), route("POST", "/a/b", nothing))
	for _, r := range []Route{
		{Owner: "b", Method: "GET", Pattern: "/a/{id}"}, {Owner: "b", Method: "GET", Pattern: "/a/{other}"},
		{Owner: "b", Method: "PUT", Pattern: "/a/{other}"}, {Owner: "b", Method: "GET", Pattern: "/t/{x}/y"},
		{Owner: "b", Method: "GET", Pattern: "/{x}/b"}, {Owner: "", Method: "GET", Pattern: "/q"}, {Owner: "b", Method: "GET", Pattern: "q"},
		{Owner: "b", Method: "GET", Pattern: "/health/live"},
	} {
		r.Handle = nothing
		if err := h.Mount([]Route{r}); err == nil {
			t.Errorf("%s %s was mounted", r.Method, r.Pattern)
		}
	}
	if err := h.Mount([]Route{route("PUT", "/a/{id}", nothing)}); err != nil {
		t.Error(err)
	}
	if got := h.Table(); !strings.Contains(got, "GET     /a/{id}                          test\n") {
		t.Errorf("table:\n%s", got)
	}
}

func TestHosts(t *testing.T) {
	prod := newHall(t, nil, route("GET", "/x", nothing))
	dev := newHall(t, func(s *setup) { s.cfg.Dev = true }, route("GET", "/x", nothing))
	for host, want := range map[string][2]bool{ // production, development
		"login.example.com": {true, true}, "LOGIN.example.com": {true, true}, "login.example.com:443": {true, true},
		"login.example.com:8443": {false, false}, "auth.example.net": {true, true}, "auth.example.net:443": {true, true},
		"evil.example.org": {false, false}, "": {false, false}, "localhost": {false, true}, "localhost:8080": {false, true},
		"127.0.0.1:1": {false, true}, "[::1]:8080": {false, true}, "[::1]": {false, true}, "a.localhost:80": {false, true},
		"localhost.evil.example.org": {false, false}, "127.0.0.1.evil.example.org": {false, false}, "notlocalhost": {false, false},
	} {
		for i, h := range []*Hall{prod, dev} {
			r := serve(h, request("GET", "/x", "", header{"Host": host, "X-Client-Id": "web"}))
			if got := r.StatusCode == 204; got != want[i] {
				t.Errorf("host %q dev=%v: %d", host, i == 1, r.StatusCode)
			}
			if !want[i] {
				refused(t, r, 421, "misdirected_host")
			}
		}
	}
}

func TestPlainHTTPIsRefused(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct {
		name, peer, proto string
		tls, dev, ok      bool
	}{
		{"plain", "192.0.2.9:1", "", false, false, false},
		{"plain from loopback", "127.0.0.1:1", "", false, false, false},
		{"says https itself", "192.0.2.9:1", "https", false, false, false},
		{"proxy says https", "10.1.2.3:1", "https", false, false, true},
		{"proxy says http", "10.1.2.3:1", "http", true, false, false},
		{"proxy says nothing", "10.1.2.3:1", "", false, false, false},
		{"proxy passes on two words", "10.1.2.3:1", "https, http", false, false, false},
		{"own TLS", "192.0.2.9:1", "", true, false, true},
		{"own TLS, stranger says http", "192.0.2.9:1", "http", true, false, true},
		{"dev loopback", "127.0.0.1:1", "", false, true, true},
		{"dev loopback six", "[::1]:1", "", false, true, true},
		{"dev from elsewhere", "192.0.2.9:1", "", false, true, false},
	} {
		h := newHall(t, func(s *setup) { s.cfg.TLS, s.cfg.Dev, s.cfg.TrustedProxies = c.tls, c.dev, proxies }, route("GET", "/x", nothing))
		r := request("GET", "/x", "", nil)
		r.RemoteAddr = c.peer
		if c.proto != "" {
			r.Header.Set("X-Forwarded-Proto", c.proto)
		}
		out := serve(h, r)
		if (out.StatusCode == 204) != c.ok {
			t.Errorf("%s: %d", c.name, out.StatusCode)
		}
		if !c.ok {
			refused(t, out, 403, "insecure_transport")
		}
	}
}

func TestForwardedAddresses(t *testing.T) {
	var seen *audit.Call
	h := newHall(t, func(s *setup) {
		s.cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:aa::/48")}
	}, route("GET", "/x", func(x *Exchange) error { seen = x.Call; return nil }))
	for _, c := range []struct{ name, peer, plain, standard, want string }{
		{"stranger's headers change nothing", "192.0.2.9:1", "198.51.100.1", "for=198.51.100.1", "192.0.2.9"},
		{"one proxy", "10.0.0.1:1", "198.51.100.1", "", "198.51.100.1"},
		{"forged left part", "10.0.0.1:1", "203.0.113.5, 198.51.100.1", "", "198.51.100.1"},
		{"two proxies", "10.0.0.1:1", "203.0.113.5, 198.51.100.1, 10.0.0.2", "", "198.51.100.1"},
		{"only proxies", "10.0.0.1:1", "10.0.0.3, 10.0.0.2", "", "10.0.0.3"},
		{"rubbish", "10.0.0.1:1", "198.51.100.1, rubbish", "", "10.0.0.1"},
		{"rubbish further left", "10.0.0.1:1", "rubbish, 198.51.100.1", "", "198.51.100.1"},
		{"empty", "10.0.0.1:1", "", "", "10.0.0.1"},
		{"ports", "10.0.0.1:1", "198.51.100.1:443", "", "198.51.100.1"},
		{"mapped peer", "[::ffff:10.0.0.1]:1", "198.51.100.1", "", "198.51.100.1"},
		{"six", "[2001:db8:aa::1]:1", "2001:db8:bb::7", "", "2001:db8:bb::7"},
		{"zone", "10.0.0.1:1", "fe80::1%eth0", "", "fe80::1"},
		{"standard", "10.0.0.1:1", "", `for=203.0.113.5, for="[2001:db8:bb::7]:99";proto=https`, "2001:db8:bb::7"},
		{"standard hidden", "10.0.0.1:1", "", `for=_hidden`, "10.0.0.1"},
		{"both agree", "10.0.0.1:1", "198.51.100.1", "for=198.51.100.1", "198.51.100.1"},
		{"both disagree", "10.0.0.1:1", "198.51.100.1", "for=198.51.100.2", "10.0.0.1"},
	} {
		r := request("GET", "/x", "", header{"X-Forwarded-Host": "evil.example.org"})
		r.RemoteAddr = c.peer
		if strings.HasPrefix(c.peer, "10.") || strings.Contains(c.peer, "10.0.0.1") || strings.HasPrefix(c.peer, "[2001") {
			r.Header.Set("X-Forwarded-Proto", "https")
		}
		if c.plain != "" {
			r.Header.Set("X-Forwarded-For", c.plain)
		}
		if c.standard != "" {
			r.Header.Set("Forwarded", c.standard)
		}
		if out := serve(h, r); out.StatusCode != 200 {
			t.Errorf("%s: %d", c.name, out.StatusCode)
		} else if seen.Address.String() != c.want {
			t.Errorf("%s: %s, want %s", c.name, seen.Address, c.want)
		}
	}
}

func TestCall(t *testing.T) {
	var seen audit.Call
	keep := func(x *Exchange) error { seen = *x.Call; return nil }
	h := newHall(t, func(s *setup) { s.cfg.Dev = true }, route("GET", "/x", keep))
	r := request("GET", "/t/blue/x", "", header{
		"User-Agent":  strings.Repeat("ü", 200),
		"Traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "Cookie": "__Host-gh_browser_blue=abc",
	})
	r.RemoteAddr = "127.0.0.1:5"
	serve(h, r)
	if seen.At != noon.Add(time.Hour).Truncate(time.Microsecond) || seen.Wall != noon || seen.TenantID != "t-blue" {
		t.Errorf("clock: %+v", seen)
	}
	if seen.Agent != strings.Repeat("ü", 128) || seen.Trace != "4bf92f3577b34da6a3ce929d0e0e4736" || !seen.Loopback {
		t.Errorf("call: %+v", seen)
	}
	if seen.Browser != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" || seen.Face != "test" || seen.Actor.Kind != "anonymous" {
		t.Errorf("call: %+v", seen)
	}
	h = newHall(t, nil, route("GET", "/x", keep))
	r = request("GET", "/x", "", header{"Traceparent": "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "User-Agent": "a\x01\xffb"})
	r.RemoteAddr = "127.0.0.1:5"
	serve(h, r)
	if seen.Loopback || len(seen.Trace) != 36 || seen.Agent != "a b" {
		t.Errorf("call: %+v", seen)
	}
}

func TestPanicSaysNothing(t *testing.T) {
	var logs *bytes.Buffer
	h := newHall(t, func(s *setup) { logs = s.log }, route("GET", "/x", func(*Exchange) error { panic("the inner secret") }))
	r := serve(h, request("GET", "/x", "", nil))
	if body := refused(t, r, 500, "internal_error"); strings.Contains(body, "inner") || strings.Contains(body, "detail") {
		t.Fatal(body)
	}
	if !strings.Contains(logs.String(), r.Header.Get(TraceHeader)) || !strings.Contains(logs.String(), "the inner secret") {
		t.Fatal("the panic is not in the log")
	}
}

func TestAccessLogHasNoPath(t *testing.T) {
	var logs *bytes.Buffer
	h := newHall(t, func(s *setup) { logs = s.log }, route("GET", "/email/verify/{token}", nothing))
	serve(h, request("GET", "/email/verify/one-time-value?code=other-value", "", header{"Authorization": "Bearer third-value"}))
	serve(h, request("GET", "/unknown/one-time-value", "", nil))
	serve(h, request("ONE-TIME-VALUE", "/unknown", "", nil))
	got := logs.String()
	if strings.Contains(strings.ToLower(got), "-value") || !strings.Contains(got, `"route":"/email/verify/{token}"`) || !strings.Contains(got, `"status":204`) {
		t.Fatal(got)
	}
	stats, latencies := h.Stats()
	if len(stats) != 2 || len(latencies) != 2 || stats[0] != (Stat{"GET", "/email/verify/{token}", 2, 1}) || stats[1] != (Stat{"other", "(none)", 4, 2}) {
		t.Fatalf("%+v %+v", stats, latencies)
	}
}
