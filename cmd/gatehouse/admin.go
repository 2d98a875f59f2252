package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/ephemeral"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/strictjson"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

const (
	maxAdminBody = 4 << 10
	maxAdvance   = 20 * 365 * 24 * time.Hour
)

// adminFace is the admin listener: for operators and tests, never for people.
type adminFace struct {
	b    *building
	open bool   // dev on loopback without a key
	host string // of the listener
}

func (b *building) admin(address string) http.Handler {
	sum := sha256.Sum256([]byte(b.site.cfg.AdminKey.Value.Reveal()))
	b.adminKey.Store(&sum)
	a := &adminFace{b: b, open: b.site.dev && !b.site.cfg.AdminKey.IsSet(), host: address}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", a.guard(promhttp.HandlerFor(b.metrics(), promhttp.HandlerOpts{})))
	mux.Handle("POST /test/clock", a.guard(http.HandlerFunc(a.clock)))
	mux.HandleFunc("GET /health/live", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /health/ready", a.ready)
	return mux
}

// guard wants the key. With dev on loopback none is wanted, but then the Host must be a loopback name: else a page whose name was rebound
// to this machine could read the answers.
func (a *adminFace) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.open && fromLoopback(r) && loopbackHost(r.Host) {
			next.ServeHTTP(w, r)
			return
		}
		scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		sum := sha256.Sum256([]byte(key))
		// Hashes are compared, so that neither content nor length of the key can be timed.
		if a.open || !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(sum[:], a.b.adminKey.Load()[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			refuse(w, fault.New(fault.Unauthenticated, fault.ReasonAdminKey, "this needs the admin key"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func fromLoopback(r *http.Request) bool {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && at.Addr().Unmap().IsLoopback()
}

func loopbackHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return isLoopback(strings.Trim(host, "[]"))
}

func (a *adminFace) ready(w http.ResponseWriter, r *http.Request) {
	if err := a.b.ready(r.Context()); err != nil {
		refuse(w, fault.New(fault.Unavailable, fault.ReasonUnavailable, "not ready"))
		return
	}
	answer(w, http.StatusOK, map[string]string{"status": "ok"})
}

type clockBody struct {
	TenantID string `json:"tenant_id"`
	Advance  string `json:"advance"`
}

type clockAnswer struct {
	Now string `json:"now"`
}

// clock moves a test tenant's clock forward and answers when every live node applies it.
func (a *adminFace) clock(w http.ResponseWriter, r *http.Request) {
	t, err := a.advance(r.Context(), w, r)
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, http.StatusOK, clockAnswer{Now: t.At(time.Now()).Format("2006-01-02T15:04:05.000Z07:00")})
}

func (a *adminFace) advance(ctx context.Context, w http.ResponseWriter, r *http.Request) (*tenant.Tenant, error) {
	var body clockBody
	// The media type cannot be sent across origins without a preflight, which nobody here answers.
	if media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.TrimSpace(media) != "application/json" {
		return nil, fault.New(fault.Unsupported, fault.ReasonMediaType, "the body must be application/json")
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAdminBody))
	if err != nil {
		return nil, fault.New(fault.TooLarge, fault.ReasonTooLarge, "the body is too large")
	}
	if err := strictjson.Decode(raw, &body); err != nil {
		return nil, err
	}
	d, err := time.ParseDuration(body.Advance)
	if err != nil || d <= 0 || d > maxAdvance {
		return nil, fault.New(fault.Invalid, fault.ReasonInvalid, "a field is invalid").
			WithFields(fault.Field{Name: "advance", Message: `must be a duration above zero, such as "16m"`})
	}
	return a.move(ctx, body.TenantID, d)
}

func (a *adminFace) move(ctx context.Context, tenantID string, d time.Duration) (*tenant.Tenant, error) {
	wall := time.Now()
	event := audit.Event{
		ID: secret.NewID(wall), TenantID: tenantID, At: wall.UTC().Truncate(time.Microsecond), Type: "tenant.clock_advanced",
		Actor: audit.Actor{Kind: "operator"}, Detail: map[string]string{"advance": d.String()},
	}
	if t := a.b.directory.ByID(tenantID); t != nil {
		event.At = t.At(wall)
	}
	version, err := a.b.store.Tenants().AdvanceClock(ctx, tenantID, d, audit.Record{Events: []audit.Event{event}})
	if err != nil {
		return nil, err
	}
	a.b.bus.Publish(ephemeral.TopicTenants)
	if err := a.b.directory.Refresh(ctx); err != nil {
		return nil, err
	}
	t := a.b.directory.ByID(tenantID)
	if t == nil {
		return nil, errors.New("the tenant went while its clock was moved")
	}
	return t, a.b.everywhere(ctx, version)
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// problem is RFC 9457 as far as an operator needs it.
type problem struct {
	Type    string        `json:"type"`
	Title   string        `json:"title"`
	Status  int           `json:"status"`
	Message string        `json:"message"`
	Reason  fault.Reason  `json:"reason"`
	Errors  []fault.Field `json:"errors,omitempty"`
}

var adminStatus = map[fault.Kind]int{
	fault.Invalid: 400, fault.Unauthenticated: 401, fault.NotFound: 404, fault.TooLarge: 413, fault.Unsupported: 415, fault.Unavailable: 503,
}

func refuse(w http.ResponseWriter, err error) {
	e := fault.From(err)
	status := adminStatus[e.Kind]
	if status == 0 {
		status = http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Message: e.Safe, Reason: e.Reason, Errors: e.Fields})
}
