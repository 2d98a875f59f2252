package web

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

// Route is one line of the route table. Every route is served at Pattern and at /t/{slug}Pattern.
type Route struct {
	Owner   string // the face, for example "login-api"; becomes Call.Face
	Method  string // GET also serves HEAD
	Pattern string // net/http ServeMux syntax without method and host
	Handle  func(*Exchange) error

	// Browser marks a page: refusals are rendered by Config.ErrorPage when the caller accepts HTML.
	Browser bool
	// Bearer marks a call that needs a valid token: its 401 carries WWW-Authenticate.
	Bearer bool
	// SelfGuard says that the handler calls Exchange.Guard itself, because with explicit tokens it touches no cookie. Every other route
	// with an unsafe method refuses unlisted foreign origins before its handler runs (login CSRF, row 15 of the threat table).
	SelfGuard bool
	// Public marks an answer that is the same for everybody: any origin may read it and it never touches cookies.
	Public bool
	// Anywhere is for probes by address: no host check, no transport check.
	Anywhere bool
	// Labels are what a route that stands for many (a dialect's own path grammar below a wildcard) may count and log its exchanges
	// under, with Exchange.CountAs. The list bounds them: nothing a caller sends becomes a label.
	Labels []Label
}

// AnyMethod as a route's method takes every method that has no route of its own at the path, OPTIONS included.
const AnyMethod = "*"

// Label names an exchange in metrics, traces and the access log.
type Label struct{ Method, Route string }

// group is every route of one path. Grouping by path keeps 405 ours and makes a literal path win over a wildcard for all methods.
type group struct {
	hall    *Hall
	pattern string
	methods map[string]*mounted
	allow   string
	other   *counters // refusals without a route
}

type mounted struct {
	Route
	counters *counters
	labelled map[Label]*counters
}

// find gives the route for a method, nil when there is none.
func (g *group) find(method string) *mounted {
	if m := g.methods[method]; m != nil {
		return m
	}
	return g.methods[AnyMethod]
}

var wildcard = regexp.MustCompile(`\{[^}]*\}`)

// Mount adds routes to the table. It fails, naming both owners, when two routes overlap or a pattern is not allowed.
func (h *Hall) Mount(routes []Route) error {
	for _, r := range routes {
		if err := h.mount(r); err != nil {
			return err
		}
	}
	return nil
}

func (h *Hall) mount(r Route) error {
	if r.Handle == nil || r.Owner == "" || r.Method == "" || !strings.HasPrefix(r.Pattern, "/") {
		return fmt.Errorf("route %s %s: owner, method, pattern and handler are needed", r.Method, r.Pattern)
	}
	if r.Pattern == "/t" || strings.HasPrefix(r.Pattern, "/t/") {
		return fmt.Errorf("route %s of %s: /t/ belongs to the tenants' paths", r.Pattern, r.Owner)
	}
	shape := wildcard.ReplaceAllString(r.Pattern, "{}")
	g := h.groups[shape]
	if g == nil {
		g = &group{hall: h, pattern: r.Pattern, methods: map[string]*mounted{}, other: newCounters()}
		if err := h.handle(g); err != nil {
			return fmt.Errorf("route %s of %s: %w", r.Pattern, r.Owner, err)
		}
		h.groups[shape] = g
	}
	if old := g.methods[r.Method]; old != nil {
		return fmt.Errorf("route %s %s of %s overlaps with %s of %s", r.Method, r.Pattern, r.Owner, old.Pattern, old.Owner)
	}
	if g.pattern != r.Pattern {
		return fmt.Errorf("route %s of %s: the same path is mounted as %s", r.Pattern, r.Owner, g.pattern)
	}
	g.add(r)
	h.routes = append(h.routes, r)
	return nil
}

func (g *group) add(r Route) {
	m := &mounted{Route: r, counters: newCounters(), labelled: map[Label]*counters{}}
	for _, l := range r.Labels {
		m.labelled[l] = newCounters()
	}
	g.methods[r.Method] = m
	if r.Method == http.MethodGet {
		g.methods[http.MethodHead] = m
	}
	names := []string{http.MethodOptions}
	for name := range g.methods {
		names = append(names, name)
	}
	slices.Sort(names)
	g.allow = strings.Join(names, ", ")
}

// handle registers a group; ServeMux says by panic that two patterns overlap with neither being more special.
func (h *Hall) handle(g *group) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("overlaps: %v", v)
		}
	}()
	h.mux.Handle(g.pattern, g)
	h.mux.Handle("/t/{slug}"+g.pattern, g)
	return nil
}

// Routes is the route table, sorted by path and method.
func (h *Hall) Routes() []Route {
	out := slices.Clone(h.routes)
	sort.Slice(out, func(i, j int) bool {
		if out[i].Pattern != out[j].Pattern {
			return out[i].Pattern < out[j].Pattern
		}
		return out[i].Method < out[j].Method
	})
	return out
}

// Table prints the route table with its owners, one route a line.
func (h *Hall) Table() string {
	var b strings.Builder
	for _, r := range h.Routes() {
		fmt.Fprintf(&b, "%-7s %-32s %s\n", r.Method, r.Pattern, r.Owner)
	}
	return b.String()
}

// ServeHTTP is called by the mux with the answer writer made in Hall.ServeHTTP.
func (g *group) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := w.(*answer).x
	x.R = r
	x.group = g
	defer x.guardPanic()
	if err := x.run(g); err != nil {
		x.Problem(err)
	}
}

// run is the order of checks for every request.
func (x *Exchange) run(g *group) error {
	m := g.find(x.R.Method)
	if m != nil {
		x.Route, x.counters, x.mounted = m.Route, m.counters, m
		x.Call.Face = m.Owner
	}
	if !x.Route.Anywhere {
		if err := x.checkPlace(); err != nil {
			return err
		}
	}
	if err := x.locate(); err != nil {
		return err
	}
	switch {
	case g == g.hall.lost:
		return fault.New(fault.NotFound, fault.ReasonNoRoute, "there is nothing at this path")
	case x.R.Method == http.MethodOptions && (m == nil || m.Method != AnyMethod):
		return x.preflight(g)
	case m == nil:
		x.W.Header().Set("Allow", g.allow)
		return fault.New(fault.Invalid, fault.ReasonMethod, "this path does not take this method")
	case len(x.R.Header["Authorization"]) > 1:
		return fault.New(fault.Invalid, fault.ReasonMalformed, "more than one Authorization header")
	}
	if !x.Route.Public && !x.Route.SelfGuard {
		if err := x.Guard(); err != nil {
			return err
		}
	}
	return m.Handle(x)
}
