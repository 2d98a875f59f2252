package web

import (
	"net/http"
	"strings"
	"testing"
)

// A route that takes every method keeps its answers to itself: OPTIONS and unknown methods too, and it counts under its own labels alone.
func TestAnyMethod(t *testing.T) {
	var logs func() string
	any := route(AnyMethod, "/dialect/{rest...}", func(x *Exchange) error {
		x.CountAs(Label{Method: "GET", Route: "/dialect/" + x.R.PathValue("rest")})
		return x.Text(http.StatusTeapot, "short and stout")
	})
	any.SelfGuard = true
	any.Labels = []Label{{"GET", "/dialect/known"}}
	h := newHall(t, func(s *setup) { logs = s.log.String }, any, route("GET", "/dialect/fixed", nothing))
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "PUT", "NONSENSE"} {
		r := serve(h, request(method, "/dialect/known", "", nil))
		if r.StatusCode != http.StatusTeapot || r.Header.Get("Content-Type") != "text/plain; charset=utf-8" || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", method, r.StatusCode, r.Header)
		}
	}
	serve(h, request("GET", "/dialect/one-time-value", "", nil))
	if r := serve(h, request("GET", "/dialect/fixed", "", nil)); r.StatusCode != http.StatusNoContent && r.StatusCode != http.StatusOK {
		t.Errorf("a path of its own: %d", r.StatusCode)
	}
	if r := serve(h, request("PUT", "/dialect/fixed", "", nil)); r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("another method there: %d", r.StatusCode)
	}
	stats, _ := h.Stats()
	found := map[string]int64{}
	for _, s := range stats {
		found[s.Method+" "+s.Route] += s.Count
	}
	if found["GET /dialect/known"] != 5 || found["other /dialect/{rest...}"] != 1 || strings.Contains(logs(), "one-time") {
		t.Errorf("%v %s", found, logs())
	}
	if !strings.Contains(logs(), `"route":"/dialect/known"`) {
		t.Error("the label is not in the log")
	}
}
