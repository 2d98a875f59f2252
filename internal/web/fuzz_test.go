package web

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzDecode: a body is taken or refused with a problem; never a 5xx, never an echo.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{}`, `{"password":"x"}`, `{"password":1}`, `[`, "\x00", `{"a":{"a":{}}}`, `{"password":"a","password":"b"}`, `{"deep":null}`} {
		f.Add([]byte(s))
	}
	h := decoding(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		marked := append([]byte("{\"password\":\"zqxjkv-marker\","), body...)
		for _, b := range [][]byte{body, marked} {
			r := serve(h, request("POST", "/x", string(b), header{"Content-Type": "application/json"}))
			got := text(t, r)
			if r.StatusCode >= 500 || r.StatusCode != 200 && !json.Valid([]byte(got)) {
				t.Fatalf("%d %s", r.StatusCode, got)
			}
			if r.StatusCode != 200 && strings.Contains(got, "zqxjkv") {
				t.Fatalf("echoed: %s", got)
			}
		}
	})
}

// FuzzForwarded: whatever a stranger sends beside a trusted proxy's own entry, the address is the proxy's entry.
func FuzzForwarded(f *testing.F) {
	f.Add("1.2.3.4", "for=1.2.3.4")
	f.Add("\"[::1]:9\", x", `for="[::1]:9";by=x`)
	h := newHall(f, func(s *setup) { s.cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
	f.Fuzz(func(t *testing.T, plain, standard string) {
		r := &http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{"X-Forwarded-For": {plain, "198.51.100.7"}}}
		if got := h.originOf(r).address.String(); got != "198.51.100.7" {
			t.Fatalf("%q: %s", plain, got)
		}
		r.Header = http.Header{"X-Forwarded-For": {plain}, "Forwarded": {standard}}
		if a := h.originOf(r).address; !a.IsValid() || a.Zone() != "" {
			t.Fatalf("%q %q: %s", plain, standard, a)
		}
		r.RemoteAddr = "192.0.2.1:1"
		if o := h.originOf(r); o.address.String() != "192.0.2.1" || !o.secure {
			t.Fatalf("%q %q: %+v", plain, standard, o)
		}
	})
}

// FuzzHeaders: cookies, bearer header, agent, traceparent, host and origin of any form never break an exchange.
func FuzzHeaders(f *testing.F) {
	f.Add("access_token=a; refresh_token=b", "Bearer x", "curl", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "login.example.com", listed)
	f.Add(`access_token="a`, "Bearer", "\xff\x00", "00-", "[::1", "null")
	h := newHall(f, nil, Route{Owner: "test", Method: "POST", Pattern: "/x", SelfGuard: true, Handle: func(x *Exchange) error {
		if err := x.Resolve(""); err != nil {
			return err
		}
		a, byCookie := x.Token()
		if byCookie && a.IsZero() {
			panic("an empty token by cookie")
		}
		_, _ = x.Refresh("")
		if len(x.Call.Agent) > maxAgent || !utf8.ValidString(x.Call.Agent) || strings.ContainsRune(x.Call.Agent, 0) {
			panic("agent")
		}
		if err := x.EnsureBrowser(); err != nil {
			return err
		}
		return x.NoContent()
	}})
	f.Fuzz(func(t *testing.T, cookie, auth, agent, trace, host, origin string) {
		r := request("POST", "/x", "", header{
			"Cookie": cookie, "Authorization": auth, "User-Agent": agent, "Traceparent": trace, "Origin": origin, "Host": host,
		})
		if out := serve(h, r); out.StatusCode >= 500 || out.Header.Get(TraceHeader) == "" {
			t.Fatalf("%d %s", out.StatusCode, text(t, out))
		}
	})
}
