package web

import (
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

// healthRoutes answer probes, which come by address and over plain HTTP; they say nothing but yes or no.
func (h *Hall) healthRoutes() []Route {
	return []Route{
		{Owner: "hallway", Method: http.MethodGet, Pattern: "/health/live", Anywhere: true, Public: true, Handle: alive},
		{Owner: "hallway", Method: http.MethodGet, Pattern: "/health/ready", Anywhere: true, Public: true, Handle: h.ready},
	}
}

type healthAnswer struct {
	Status string `json:"status"`
}

func alive(x *Exchange) error { return x.JSON(http.StatusOK, healthAnswer{"ok"}) }

func (h *Hall) ready(x *Exchange) error {
	if h.cfg.Ready != nil {
		if err := h.cfg.Ready(x.R.Context()); err != nil {
			return fault.Wrap(fault.Unavailable, fault.ReasonUnavailable, "not ready", err).After(time.Second)
		}
	}
	return alive(x)
}
