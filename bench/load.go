package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// caller is one connection with its own small state (its session).
type caller struct {
	conn net.Conn
	in   *bufio.Reader
	host string

	refresh string
	access  string
	scoped  string // an access token with scope openid
	client  string

	number  int      // among the callers of its side
	pattern []byte   // hash of the code that others are copied from
	codes   []string // authorization codes not used yet
}

func dial(base string) (*caller, error) {
	host := strings.TrimPrefix(base, "http://")
	_, port, err := net.SplitHostPort(host)
	if err != nil {
		return nil, err
	}
	c, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		return nil, err
	}
	return &caller{conn: c, in: bufio.NewReaderSize(c, 8192), host: host}, nil
}

// errBusy is a 503: a caller waits and asks again, and its time goes on.
var errBusy = errors.New("the server is busy")

// call sends one request on the kept connection and gives the body of a 200.
func (c *caller) call(method, path, headers, body string) ([]byte, error) {
	kind := ""
	if body != "" {
		kind = fmt.Sprintf("Content-Length: %d\r\n", len(body))
		if !strings.Contains(headers, "Content-Type: ") {
			kind += "Content-Type: application/json\r\n"
		}
	}
	if _, err := io.WriteString(c.conn, method+" "+path+" HTTP/1.1\r\nHost: "+c.host+"\r\n"+kind+headers+"\r\n"+body); err != nil {
		return nil, err
	}
	r, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Body.Close() }()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if r.StatusCode == http.StatusServiceUnavailable {
		return nil, errBusy
	}
	if r.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s %s answered %d %s", method, path, r.StatusCode, b)
	}
	return b, nil
}

// turn is what one slice of load measured.
type turn struct {
	ops   int
	took  time.Duration
	times []time.Duration
}

// load drives every caller in a closed loop for d.
func load(ctx context.Context, callers []*caller, d time.Duration, op func(*caller) error) (turn, error) {
	var mu sync.Mutex
	var all turn
	var first error
	var wg sync.WaitGroup
	began := time.Now()
	for _, c := range callers {
		wg.Go(func() {
			var times []time.Duration
			for time.Since(began) < d && ctx.Err() == nil {
				at := time.Now()
				err := op(c)
				if errors.Is(err, errOut) {
					break
				}
				if err != nil {
					mu.Lock()
					first = err
					mu.Unlock()
					return
				}
				times = append(times, time.Since(at))
			}
			mu.Lock()
			all.ops += len(times)
			all.times = append(all.times, times...)
			mu.Unlock()
		})
	}
	wg.Wait()
	all.took = time.Since(began)
	return all, first
}

func (t *turn) add(o turn) {
	t.ops += o.ops
	t.took += o.took
	t.times = append(t.times, o.times...)
}

func (t *turn) perSecond() float64 { return float64(t.ops) / t.took.Seconds() }

func (t *turn) p99() time.Duration {
	if len(t.times) == 0 {
		return 0
	}
	slices.Sort(t.times)
	return t.times[len(t.times)*99/100]
}
