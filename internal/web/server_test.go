package web

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// TestOverTheWire runs what a recorder cannot show: chunked bodies, lengths, HEAD, and many calls at once.
func TestOverTheWire(t *testing.T) {
	h := newHall(t, nil, route("POST", "/x", func(x *Exchange) error {
		var in sample
		if err := Decode(x, &in); err != nil {
			return err
		}
		return x.JSON(200, in.Password)
	}), route("GET", "/long", func(x *Exchange) error { return x.JSON(200, strings.Repeat("a", 9000)) }))
	s := httptest.NewServer(h)
	defer s.Close()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", s.Listener.Addr().String())
	}}}
	defer client.CloseIdleConnections()
	send := func(method, path string, body io.Reader) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://login.example.com"+path, body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		out, err := client.Do(r)
		if err != nil {
			t.Error(err)
			return &http.Response{Body: http.NoBody}
		}
		return out
	}
	chunked := func(n int) io.Reader {
		return io.MultiReader(strings.NewReader(`{"password":"` + strings.Repeat("a", n-15) + `"}`))
	}
	r := send("POST", "/x", chunked(MaxBody))
	if got := text(t, r); r.StatusCode != 200 || len(got) != MaxBody-13 {
		t.Fatalf("%d %d", r.StatusCode, len(got))
	}
	refused(t, send("POST", "/x", chunked(MaxBody+1)), 413, "request_too_large")
	if r := send("GET", "/long", nil); r.ContentLength != 9002 || len(text(t, r)) != 9002 || len(r.TransferEncoding) != 0 {
		t.Errorf("%d %v", r.ContentLength, r.TransferEncoding)
	}
	if r := send("HEAD", "/long", nil); r.ContentLength != 9002 || text(t, r) != "" {
		t.Errorf("HEAD: %d", r.ContentLength)
	}
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			if r := send("POST", "/x", strings.NewReader(`{"password":"p"}`)); r.StatusCode != 200 || text(t, r) != `"p"` {
				t.Errorf("%d", r.StatusCode)
			}
		})
	}
	all.Wait()
}
