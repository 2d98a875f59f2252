package web

import (
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"
)

// counters count the answers of one route by status class.
type counters struct {
	count [6]atomic.Int64 // by status/100
	nanos atomic.Int64
}

func newCounters() *counters { return &counters{} }

// Stat is one line of Stats.
type Stat struct {
	Method, Route string
	Class         int // 2 for 2xx, …
	Count         int64
}

// Latency is the time spent in one route since the start.
type Latency struct {
	Method, Route string
	Count         int64
	Sum           time.Duration
}

// Stats are counts by route and status class, and the time spent, for the exporter. Routes never called are absent.
func (h *Hall) Stats() ([]Stat, []Latency) {
	var stats []Stat
	var latencies []Latency
	add := func(method, route string, c *counters) {
		var all int64
		for class := range c.count {
			if n := c.count[class].Load(); n > 0 {
				stats = append(stats, Stat{Method: method, Route: route, Class: class, Count: n})
				all += n
			}
		}
		if all > 0 {
			latencies = append(latencies, Latency{Method: method, Route: route, Count: all, Sum: time.Duration(c.nanos.Load())})
		}
	}
	for _, g := range append(h.sortedGroups(), h.lost) {
		for name, m := range g.methods {
			if name != m.Method {
				continue
			}
			if name == AnyMethod {
				name = "other"
			}
			add(name, g.pattern, m.counters)
			for l, c := range m.labelled {
				add(l.Method, l.Route, c)
			}
		}
		if _, any := g.methods[AnyMethod]; !any { // which counts what would be other's
			add("other", g.pattern, g.other)
		}
	}
	return stats, latencies
}

func (h *Hall) sortedGroups() []*group {
	var out []*group
	var last *group
	for _, r := range h.Routes() {
		g := h.groups[wildcard.ReplaceAllString(r.Pattern, "{}")]
		if g != last {
			out, last = append(out, g), g
		}
	}
	return out
}

// finish counts and logs the exchange. The log has the route's pattern, never the path: paths carry one-time values.
func (x *Exchange) finish() {
	took := x.hall.cfg.Now().Sub(x.start)
	status := x.out.status
	if status == 0 {
		status = http.StatusOK // net/http sends 200 for a handler that wrote nothing
	}
	g := x.group
	if g == nil {
		g = x.hall.lost
	}
	c := x.counters
	if c == nil {
		c = g.other
	}
	c.count[min(max(status/100, 0), 5)].Add(1)
	if !x.streamed {
		c.nanos.Add(int64(took))
	}
	if x.span != nil {
		x.endSpan(x.routeName(g), status, took)
	}
	log, ctx := x.hall.cfg.Log, x.R.Context()
	if !log.Enabled(ctx, slog.LevelInfo) {
		return
	}
	log.LogAttrs(ctx, slog.LevelInfo, "request", slog.String("method", method(x.R.Method)), slog.String("route", x.routeName(g)),
		slog.Int("status", status), slog.Duration("took", took), slog.String("trace_id", x.Call.Trace), slog.String("tenant_id", x.Call.TenantID))
}

// routeName is the pattern, or the label that the handler chose from its route's list.
func (x *Exchange) routeName(g *group) string {
	if x.label != nil {
		return x.label.Route
	}
	return g.pattern
}

// method keeps made-up methods out of the log.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}
