package web

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// TraceHeader carries the trace id in every answer, also in those without a problem document.
const TraceHeader = "Trace-Id"

// maxAgent is how many bytes of User-Agent are kept.
const maxAgent = 256

// Exchange is one request and its answer. Tenant and Client are nil until resolved: by the hallway where host, path or header name
// them, else by Resolve.
type Exchange struct {
	W      http.ResponseWriter
	R      *http.Request
	Call   *audit.Call
	Tenant *tenant.Tenant
	Client *tenant.Client // the named one or the tenant's default; may be nil after ResolveTenant
	Route  Route

	hall     *Hall
	group    *group
	mounted  *mounted
	label    *Label // of CountAs
	counters *counters
	out      answer
	call     audit.Call
	peer     origin
	named    bool // tenant came from the path
	shared   bool // the tenant's cookies have names of their own
	nonce    string
	formTo   []string
	start    time.Time
	span     Span   // nil unless this one is traced
	reason   string // of the refusal
	streamed bool   // the answer went on until somebody left
}

// answer remembers the status for the log and carries the exchange through ServeMux.
type answer struct {
	http.ResponseWriter
	x      *Exchange
	status int
}

// WriteHeader notes the status.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write is a 200 unless a status was written before.
func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.ResponseWriter.Write(b)
}

// Unwrap serves http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (h *Hall) exchange(w http.ResponseWriter, r *http.Request) *Exchange {
	now := h.cfg.Now()
	x := &Exchange{R: r, hall: h, start: now}
	x.out = answer{ResponseWriter: w, x: x}
	x.W = &x.out
	x.Call = &x.call
	x.peer = h.originOf(r)
	x.call = audit.Call{
		At: now.UTC().Truncate(time.Microsecond), Wall: now, Actor: audit.Actor{Kind: "anonymous"},
		Address: x.peer.address, Agent: agent(r.Header.Get("User-Agent")), Trace: traceOf(r.Header.Get("Traceparent"), now),
	}
	x.call.Loopback = h.cfg.Dev && x.peer.address.IsLoopback()
	x.baseHeaders()
	return x
}

// agent cuts to maxAgent bytes of valid UTF-8 without control characters: it is stored and shown to people.
func agent(s string) string {
	if len(s) > maxAgent {
		s = s[:maxAgent]
		for len(s) > 0 && !utf8.ValidString(s[max(0, len(s)-utf8.UTFMax):]) && len(s) > maxAgent-utf8.UTFMax {
			s = s[:len(s)-1]
		}
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}

// browserHash is Call.Browser for a browser cookie.
func browserHash(cookie string) string {
	h := sha256.Sum256([]byte(cookie))
	return hex.EncodeToString(h[:])
}

// locate resolves what host, path and header say before any body is read. Only an unknown slug is an error here.
func (x *Exchange) locate() error {
	d := x.hall.cfg.Directory
	if slug := x.R.PathValue("slug"); slug != "" {
		t := d.BySlug(slug)
		if t == nil {
			return unknownTenant()
		}
		x.named = true
		x.enter(t)
	} else if t := x.hall.hostTenant(x.R.Host); t != nil {
		x.enter(t)
	} else if id := x.R.Header.Get("X-Client-Id"); id != "" {
		x.enter(d.ByClient(id))
	} else {
		x.enter(d.Only())
	}
	if x.Tenant != nil {
		if id := x.R.Header.Get("X-Client-Id"); id != "" {
			x.enterClient(d.Client(x.Tenant.ID, id))
		}
	}
	x.allowOrigin()
	return nil
}

func (x *Exchange) enter(t *tenant.Tenant) {
	if t == nil {
		return
	}
	x.Tenant = t
	x.shared = x.sharing(t)
	x.call.TenantID = t.ID
	x.call.At = t.At(x.call.Wall)
	if c, err := x.R.Cookie(x.cookieName(BrowserCookie)); err == nil && len(c.Value) <= maxCookie {
		x.call.Browser = browserHash(c.Value)
	}
}

func (x *Exchange) enterClient(c *tenant.Client) {
	x.Client = c
	x.call.ClientID = ""
	if c != nil {
		x.call.ClientID = c.ID
	}
}

// Enter moves the exchange to a tenant that a dialect's own path names, with that tenant's clock and default client.
func (x *Exchange) Enter(t *tenant.Tenant) {
	x.enter(t)
	x.enterClient(x.hall.cfg.Directory.Client(t.ID, t.Policy.DefaultClient))
}

// CountAs lets the exchange count and be logged as one of its route's labels; others are ignored.
func (x *Exchange) CountAs(l Label) {
	if x.mounted == nil {
		return
	}
	if c := x.mounted.labelled[l]; c != nil {
		x.counters, x.label = c, &l
	}
}

// Resolve completes tenant and client with the client id of the body ("" when it has none); both are needed. Call it before anything
// is decided. It applies the cross-origin rule of the client where the route does not guard itself.
func (x *Exchange) Resolve(bodyClientID string) error {
	if err := x.resolve(bodyClientID); err != nil {
		return err
	}
	if x.Client == nil {
		return unknownClient()
	}
	return nil
}

// ResolveTenant is Resolve for calls that make sense without a client.
func (x *Exchange) ResolveTenant() error { return x.resolve("") }

// OfAnyClient lets pages of every origin that some client of the tenant lists read the answer. It is for calls that name no client because a
// token says whose they are, and that no cookie speaks for; the default client's origins have no say there.
func (x *Exchange) OfAnyClient() {
	x.enterClient(nil)
	x.allowOrigin()
}

func (x *Exchange) resolve(bodyID string) error {
	d := x.hall.cfg.Directory
	id := x.R.Header.Get("X-Client-Id")
	if bodyID != "" {
		if id != "" && id != bodyID {
			return fault.New(fault.Invalid, fault.ReasonUnknownClient, "the header X-Client-Id and the field client_id name different clients")
		}
		id = bodyID
	}
	if x.Tenant == nil {
		x.enter(d.ByClient(id))
	}
	if x.Tenant == nil {
		return unknownTenant()
	}
	named := id != ""
	if !named {
		id = x.Tenant.Policy.DefaultClient
	}
	x.enterClient(d.Client(x.Tenant.ID, id))
	if named && x.Client == nil {
		return unknownClient()
	}
	x.allowOrigin()
	if x.foreign() {
		x.call.Browser = "" // its cookies are not read, whatever the handler does
	}
	if x.Route.Public || x.Route.SelfGuard {
		return nil
	}
	return x.Guard()
}

// PathPrefix is "/t/{slug}" when the tenant was named by path, else "": for links that stay where the caller is.
func (x *Exchange) PathPrefix() string {
	if x.named {
		return "/t/" + x.Tenant.Slug
	}
	return ""
}

// Dev reports whether the server runs with its safety relaxed for development.
func (x *Exchange) Dev() bool { return x.hall.cfg.Dev }

func unknownTenant() *fault.Error {
	return fault.New(fault.NotFound, fault.ReasonUnknownTenant, "no tenant is named by host, path or client")
}

func unknownClient() *fault.Error {
	return fault.New(fault.Invalid, fault.ReasonUnknownClient, "no client of this tenant is named")
}

func stack() string { return string(debug.Stack()) }

// Language is the first language the caller's browser asks for, as a plain tag, "" for none: a hint for mails and pages, nothing more.
func (x *Exchange) Language() string {
	first, _, _ := strings.Cut(x.R.Header.Get("Accept-Language"), ",")
	tag, _, _ := strings.Cut(first, ";")
	tag = strings.TrimSpace(tag)
	if len(tag) > 35 {
		return ""
	}
	for i, part := range strings.Split(tag, "-") {
		if len(part) < 2 || len(part) > 8 || i == 0 && len(part) > 3 || strings.Trim(part, alphanumeric) != "" {
			return ""
		}
	}
	return tag
}

const alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
