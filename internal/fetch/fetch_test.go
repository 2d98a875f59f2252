package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

func TestPublic(t *testing.T) {
	for text, want := range map[string]bool{
		"8.8.8.8": true, "2606:4700::1111": true, "::ffff:8.8.8.8": true, "172.32.0.1": true, "100.128.0.1": true, "11.0.0.1": true,
		"0.0.0.0": false, "127.0.0.1": false, "127.9.9.9": false, "10.1.2.3": false, "172.31.255.255": false, "192.168.0.1": false,
		"169.254.169.254": false, "100.64.0.1": false, "100.127.255.255": false, "224.0.0.1": false, "255.255.255.255": false,
		"198.19.0.1": false, "192.0.2.1": false, "::": false, "::1": false, "::127.0.0.1": false, "::ffff:127.0.0.1": false,
		"::ffff:10.0.0.1": false, "64:ff9b::7f00:1": false, "64:ff9b:1::1": false, "2002:7f00:1::": false, "2001:0:1::": false,
		"fe80::1%eth0": false, "fd00::1": false, "fec0::1": false, "ff02::1": false, "2001:db8::1": false,
	} {
		if got := Public(netip.MustParseAddr(text)); got != want {
			t.Errorf("Public(%s) = %v, want %v", text, got, want)
		}
	}
	if Public(netip.Addr{}) {
		t.Error("the zero address is public")
	}
}

// names answers every A question with what answer gives, as getaddrinfo does for the odd spellings of an address.
func names(t *testing.T, answer func(name string) string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil {
				continue
			}
			m.Response = true
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				a := netip.MustParseAddr(answer(strings.TrimSuffix(q.Name.String(), "."))).As4()
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET}, Body: &dnsmessage.AResource{A: a},
				}}
			}
			m.Additionals = nil
			if out, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(out, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// inside is a server on loopback that counts who connects.
func inside(t *testing.T, handle http.HandlerFunc) (port string, connections *atomic.Int64, s *httptest.Server) {
	t.Helper()
	connections = &atomic.Int64{}
	s = httptest.NewUnstartedServer(handle)
	s.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	_, port, _ = net.SplitHostPort(s.Listener.Addr().String())
	return port, connections, s
}

// plain lets a test speak http while addresses are still checked.
func plain(o Options) *http.Client {
	c := Client(o)
	c.Transport = c.Transport.(*capped).next
	return c
}

func TestInsideIsNeverReached(t *testing.T) {
	port, connections, _ := inside(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "metadata") })
	resolver := names(t, func(string) string { return "127.0.0.1" })
	for _, host := range []string{
		"127.0.0.1", "localhost", "0.0.0.0", "[::]", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "2130706433", "0x7f000001", "0177.0.0.1",
		"127.1", "name.example.com", "127.0.0.1.nip.example.com",
	} {
		r, _ := http.NewRequestWithContext(t.Context(), "GET", "http://"+host+":"+port+"/", nil)
		answer, err := plain(Options{resolver: resolver, Timeout: 3 * time.Second}).Do(r)
		if err == nil {
			_ = answer.Body.Close()
			t.Errorf("%s was reached", host)
		} else if dns := (*net.DNSError)(nil); !errors.Is(err, ErrPrivate) && !errors.As(err, &dns) {
			t.Errorf("%s: %v, want ErrPrivate, or a name that Go's resolver does not ask for", host, err)
		}
	}
	if n := connections.Load(); n != 0 {
		t.Errorf("%d connections reached the inside", n)
	}
}

func TestRebinding(t *testing.T) {
	port, connections, _ := inside(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "inside") })
	outside, err := net.Listen("tcp", "127.0.0.2:"+port)
	if err != nil {
		t.Fatal(err)
	}
	public := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		_, _ = io.WriteString(w, "outside")
	})}
	go func() { _ = public.Serve(outside) }()
	t.Cleanup(func() { _ = public.Close() })

	var asked atomic.Int64
	resolver := names(t, func(string) string {
		if asked.Add(1) == 1 {
			return "127.0.0.2" // plays the public address
		}
		return "127.0.0.1"
	})
	c := plain(Options{resolver: resolver, permit: func(a netip.Addr) bool { return a == netip.MustParseAddr("127.0.0.2") }})
	get := func() (string, error) {
		r, _ := http.NewRequestWithContext(t.Context(), "GET", "http://rebind.example.com:"+port, nil)
		answer, err := c.Do(r)
		if err != nil {
			return "", err
		}
		defer func() { _ = answer.Body.Close() }()
		body, err := io.ReadAll(answer.Body)
		return string(body), err
	}
	if body, err := get(); err != nil || body != "outside" {
		t.Fatalf("first: %q, %v", body, err)
	}
	if body, err := get(); !errors.Is(err, ErrPrivate) {
		t.Errorf("after rebinding: %q, %v, want ErrPrivate", body, err)
	}
	if connections.Load() != 0 {
		t.Error("the inside was reached")
	}
}

func TestRedirects(t *testing.T) {
	var hops atomic.Int64
	other, reached, _ := inside(t, func(http.ResponseWriter, *http.Request) {})
	var port string
	handle := func(w http.ResponseWriter, r *http.Request) {
		hops.Add(1)
		switch r.URL.Path {
		case "/same":
			http.Redirect(w, r, "/end", http.StatusFound)
		case "/other":
			http.Redirect(w, r, "http://127.0.0.1:"+other+"/", http.StatusFound)
		case "/name":
			http.Redirect(w, r, "http://localhost:"+port+"/end", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		default:
			_, _ = io.WriteString(w, "end")
		}
	}
	port, _, _ = inside(t, handle)
	f := New(Options{Internal: true})
	for path, fine := range map[string]bool{"/same": true, "/other": false, "/name": false, "/loop": false} {
		hops.Store(0)
		answer, err := f.Do(t.Context(), Request{URL: "http://127.0.0.1:" + port + path})
		if fine && (err != nil || string(answer.Body) != "end") || !fine && !errors.Is(err, ErrRedirect) {
			t.Errorf("%s: %q, %v", path, answer.Body, err)
		}
		if n := hops.Load(); n > 4 {
			t.Errorf("%s: %d hops", path, n)
		}
	}
	if reached.Load() != 0 {
		t.Error("a redirect to another host was followed")
	}
}

func TestCaps(t *testing.T) {
	port, _, _ := inside(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/long":
			_, _ = fmt.Fprint(w, strings.Repeat("x", 101))
		case "/stream":
			for range 200 {
				_, _ = fmt.Fprint(w, "x")
				w.(http.Flusher).Flush()
			}
		case "/slow":
			<-r.Context().Done()
		default:
			_, _ = fmt.Fprint(w, strings.Repeat("x", 100))
		}
	})
	f := New(Options{Internal: true, MaxBytes: 100, Timeout: 300 * time.Millisecond})
	base := "http://127.0.0.1:" + port
	if answer, err := f.Do(t.Context(), Request{URL: base + "/fits"}); err != nil || len(answer.Body) != 100 {
		t.Errorf("an answer of just the allowed size: %d, %v", len(answer.Body), err)
	}
	for _, path := range []string{"/long", "/stream"} {
		if _, err := f.Do(t.Context(), Request{URL: base + path}); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v, want ErrTooLarge", path, err)
		}
	}
	var slow net.Error
	if _, err := f.Do(t.Context(), Request{URL: base + "/slow"}); !errors.As(err, &slow) || !slow.Timeout() {
		t.Errorf("/slow: %v, want a timeout", err)
	}
	for _, url := range []string{"http://example.com/", "file:///etc/passwd", "ftp://example.com/", "gopher://example.com/"} {
		if _, err := New(Options{}).Do(t.Context(), Request{URL: url}); err == nil {
			t.Errorf("%s was fetched", url)
		}
	}
}
