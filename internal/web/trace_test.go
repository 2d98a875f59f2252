package web

import (
	"context"
	"math"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

// watch is a Tracer that keeps everything it is told.
type watch struct {
	mu      sync.Mutex
	off     bool
	parents []string
	seen    []Seen
}

type inside struct{}

func (w *watch) Begin(ctx context.Context, at time.Time, parent string) (context.Context, Span) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !at.Equal(noon) {
		panic("the instant is not the request's")
	}
	w.parents = append(w.parents, parent)
	if w.off {
		return ctx, nil
	}
	return context.WithValue(ctx, inside{}, true), w
}

func (w *watch) End(s Seen) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s.At = time.Time{}
	w.seen = append(w.seen, s)
}

const theTrace = "0af7651916cd43dd8448eb211c80319c"

// TestSpans holds what a tracer is told: patterns, known ids and reasons; nothing of what the caller made up but the trace id.
func TestSpans(t *testing.T) {
	w := &watch{}
	h := newHall(t, func(s *setup) { s.cfg.Tracer = w },
		route("GET", "/link/{token}", func(x *Exchange) error {
			if x.R.Context().Value(inside{}) == nil {
				t.Error("the handler does not run within the span")
			}
			return x.NoContent()
		}),
		route("POST", "/no", func(*Exchange) error { return fault.New(fault.Forbidden, fault.ReasonCrossOrigin, "no") }),
		route("GET", "/panic", func(*Exchange) error { panic("out") }))
	parent := "00-" + theTrace + "-b7ad6b7169203331-01"
	for _, r := range []*http.Request{
		request("GET", "/link/the-one-time-value", "", header{"Traceparent": parent, "X-Client-Id": "web"}),
		request("GET", "/t/blue/link/the-one-time-value", "", header{"Traceparent": parent + "x", "X-Client-Id": "made-up"}),
		request("POST", "/no", "", header{"Traceparent": parent}),
		request("GET", "/panic", "", header{"Traceparent": parent}),
		request("GET", "/nowhere/the-one-time-value", "", header{"Traceparent": parent}),
		request("GET", "/link//the-one-time-value", "", header{"Traceparent": parent}),
		request("BREW", "/no", "", header{"Traceparent": parent}),
	} {
		serve(h, r)
	}
	if len(w.seen) == 7 && w.seen[1].Trace != theTrace {
		w.seen[1].Trace = theTrace // ours, because the caller's is not valid
	}
	want := []Seen{
		{Method: "GET", Route: "/link/{token}", Status: 204, TenantID: "t-main", ClientID: "web", Trace: theTrace},
		{Method: "GET", Route: "/link/{token}", Status: 204, TenantID: "t-blue", Trace: theTrace},
		{Method: "POST", Route: "/no", Status: 403, TenantID: "t-main", Reason: "cross_origin", Trace: theTrace},
		{Method: "GET", Route: "/panic", Status: 500, TenantID: "t-main", Reason: "internal_error", Trace: theTrace},
		{Method: "GET", Route: "(none)", Status: 404, TenantID: "t-main", Reason: "not_found", Trace: theTrace},
		{Method: "GET", Route: "(none)", Status: 404, TenantID: "t-main", Reason: "not_found", Trace: theTrace},
		{Method: "other", Route: "/no", Status: 405, TenantID: "t-main", Reason: "method_not_allowed", Trace: theTrace},
	}
	if diff := cmp.Diff(want, w.seen); diff != "" {
		t.Error(diff)
	}
	if w.parents[0] != parent || w.parents[1] != "" {
		t.Errorf("parents %q", w.parents)
	}
	w.seen, w.off = nil, true
	if r := serve(h, request("GET", "/panic", "", nil)); r.StatusCode != 500 || w.seen != nil {
		t.Errorf("untraced: %d, %v", r.StatusCode, w.seen)
	}
}

// blank is a ResponseWriter that keeps nothing.
type blank struct{ h http.Header }

func (b blank) Header() http.Header       { return b.h }
func (blank) Write(p []byte) (int, error) { return len(p), nil }
func (blank) WriteHeader(int)             {}

// idle draws no request.
type idle struct{}

func (idle) Begin(ctx context.Context, _ time.Time, _ string) (context.Context, Span) {
	return ctx, nil
}

// allocations is what one request costs at the least. Of many single runs one meets full pools and nobody else's work; a mean would not: the
// collector empties pools when it likes, and under the race detector they lose things by chance.
func allocations(t *testing.T, tracer Tracer) float64 {
	t.Helper()
	h := newHall(t, func(s *setup) { s.cfg.Tracer = tracer }, route("GET", "/x", func(x *Exchange) error { return x.NoContent() }))
	r, w := request("GET", "/x", "", header{"Traceparent": "00-" + theTrace + "-b7ad6b7169203331-01"}), blank{http.Header{}}
	least := math.Inf(1)
	for range 200 {
		least = min(least, testing.AllocsPerRun(1, func() {
			clear(w.h)
			h.ServeHTTP(w, r)
		}))
	}
	return least
}

// TestUntracedCostsNothing: a request outside the sample allocates what it does without a tracer.
func TestUntracedCostsNothing(t *testing.T) {
	if off, on := allocations(t, nil), allocations(t, idle{}); on > off {
		t.Errorf("%v allocations with a tracer that draws no request, %v without one", on, off)
	}
}
