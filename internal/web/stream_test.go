package web

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// overWire serves a route as the product does, with bounds so short that a test can outlive them.
func overWire(t *testing.T, h http.Handler) (conn net.Conn, answer *http.Response) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ReadTimeout, s.Config.WriteTimeout = 100*time.Millisecond, 150*time.Millisecond
	s.Start()
	t.Cleanup(s.Close)
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn, "GET /feed HTTP/1.1\r\nHost: login.example.com\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	answer, err = http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return conn, answer
}

// TestStreamOutlivesTheBounds: a stream goes on beyond the bounds on ordinary requests, each piece is sent at once, and it is counted at its end.
func TestStreamOutlivesTheBounds(t *testing.T) {
	step := make(chan struct{})
	h := newHall(t, nil, route("GET", "/feed", func(x *Exchange) error {
		s := x.Stream("text/event-stream", time.Second)
		for range 4 {
			<-step
			if err := x.R.Context().Err(); err != nil {
				return nil //nolint:nilerr // the test sees what came
			}
			if err := s.Send("data: ", "x", "\n\n"); err != nil {
				return nil //nolint:nilerr // the test sees what came
			}
		}
		return nil
	}))
	_, answer := overWire(t, h)
	if answer.Header.Get("Content-Type") != "text/event-stream" || answer.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v", answer.Header)
	}
	began := time.Now()
	for range 4 {
		time.Sleep(60 * time.Millisecond) // the time itself is what is tested
		step <- struct{}{}
		piece := make([]byte, len("data: x\n\n"))
		if _, err := io.ReadFull(answer.Body, piece); err != nil || string(piece) != "data: x\n\n" {
			t.Fatalf("after %s: %q %v", time.Since(began), piece, err)
		}
	}
	if rest, err := io.ReadAll(answer.Body); err != nil || len(rest) > 0 {
		t.Errorf("%q %v", rest, err)
	}
	deadline := time.Now().Add(5 * time.Second)
	for !counted(h) {
		if time.Now().After(deadline) {
			t.Fatal("it is not counted")
		}
		time.Sleep(time.Millisecond)
	}
	_, latencies := h.Stats()
	for _, l := range latencies {
		if l.Route == "/feed" && l.Sum != 0 {
			t.Errorf("the life of a stream is counted as latency: %s", l.Sum)
		}
	}
}

func counted(h *Hall) bool {
	stats, _ := h.Stats()
	for _, s := range stats {
		if s.Route == "/feed" && s.Count == 1 && s.Class == 2 {
			return true
		}
	}
	return false
}

// TestSlowReaderIsLeft: a reader who does not read ends the stream.
func TestSlowReaderIsLeft(t *testing.T) {
	ended := make(chan error, 1)
	h := newHall(t, nil, route("GET", "/feed", func(x *Exchange) error {
		s := x.Stream("text/event-stream", 50*time.Millisecond)
		for {
			if err := s.Send(strings.Repeat("x", 1<<20)); err != nil {
				ended <- err
				return nil //nolint:nilerr // the test has it
			}
		}
	}))
	overWire(t, h)
	select {
	case err := <-ended:
		var late net.Error
		if !errors.As(err, &late) || !late.Timeout() {
			t.Errorf("%v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it is written to for ever")
	}
}
