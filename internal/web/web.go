// Package web is the hallway that every face stands in: it turns a request into an audit.Call with tenant and client, decodes strictly,
// owns cookies, cross-origin rules, security headers, the route table, and the one table from fault to status. It does not own any
// endpoint (but health), any page, or any rule about who may do what.
package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// Config is what the hallway is built from. Directory and Now are needed; the rest has a safe zero.
type Config struct {
	Directory      *tenant.Directory
	Now            func() time.Time            // the machine's clock
	Log            *slog.Logger                // slog.Default when nil
	PublicHosts    []string                    // hosts served beside the tenants' issuer hosts, with port where it is not the default
	TrustedProxies []netip.Prefix              // peers whose forwarded headers are believed
	TLS            bool                        // the listener itself speaks TLS
	Dev            bool                        // loopback names are served, plain HTTP from loopback too
	Ready          func(context.Context) error // nil is always ready
	Tracer         Tracer                      // nil makes no spans
	// ErrorPage renders a refusal of a page route for a person; nil answers problem JSON there too.
	ErrorPage func(x *Exchange, status int, e *fault.Error) templ.Component
}

// Hall is the http.Handler in front of every face.
type Hall struct {
	cfg    Config
	mux    *http.ServeMux
	groups map[string]*group // by pattern with anonymous wildcards
	routes []Route
	hosts  map[string]bool
	lost   *group // unknown paths
}

// New makes a hallway with the health routes mounted.
func New(cfg Config) (*Hall, error) {
	if cfg.Directory == nil || cfg.Now == nil {
		return nil, errors.New("web: Directory and Now are needed")
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	h := &Hall{cfg: cfg, mux: http.NewServeMux(), groups: map[string]*group{}, hosts: map[string]bool{}}
	for _, host := range cfg.PublicHosts {
		h.hosts[strings.ToLower(host)] = true
	}
	h.lost = &group{hall: h, pattern: "(none)", methods: map[string]*mounted{}}
	h.lost.other = newCounters()
	h.mux.Handle("/", h.lost)
	return h, h.Mount(h.healthRoutes())
}

// ServeHTTP makes the exchange, lets the route table find its route, and writes the access log line.
func (h *Hall) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := h.exchange(w, r)
	defer x.finish()
	if h.cfg.Tracer != nil {
		r = x.trace(h.cfg.Tracer)
	}
	if odd(r.URL.Path) {
		h.lost.ServeHTTP(x.W, r)
		return
	}
	h.mux.ServeHTTP(x.W, r)
}

// odd tells paths that ServeMux would redirect to their clean form; they are answered 404 instead, so that no answer is built from them.
func odd(p string) bool {
	return p == "" || p[0] != '/' || strings.Contains(p, "//") || strings.Contains(p, "/./") || strings.Contains(p, "/../") ||
		strings.HasSuffix(p, "/.") || strings.HasSuffix(p, "/..")
}

// guardPanic turns a panic into a 500 that says nothing; the log line under the trace id says all.
func (x *Exchange) guardPanic() {
	v := recover()
	if v == nil {
		return
	}
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(v)
	}
	x.hall.cfg.Log.ErrorContext(x.R.Context(), "panic in a handler",
		"trace_id", x.Call.Trace, "route", x.Route.Pattern, "panic", fmt.Sprint(v), "stack", stack())
	x.Problem(fault.New(fault.Internal, fault.ReasonInternal, "something went wrong on our side"))
}
