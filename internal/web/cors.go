package web

import (
	"net/http"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/weak"
)

// What browser apps on listed origins may send and read.
const (
	corsHeaders = "Authorization, Content-Type, DPoP, Traceparent, X-Client-Id, X-Refresh-Token, X-Token-Mode"
	corsExposed = NonceHeader + ", Retry-After, " + TraceHeader + ", WWW-Authenticate"
	corsMaxAge  = "600"
)

// crossOrigin has the rule of the standard library: Sec-Fetch-Site first, then Origin against Host, and callers that send neither are
// not browsers. Listed origins are ours to add, because the list depends on the client.
var crossOrigin http.CrossOriginProtection

// listed reports whether this origin is on the list that applies: the client's once it is known, before that the union of the tenant's
// clients (a preflight names no client), before that of every tenant's.
func (x *Exchange) listed(origin string) bool {
	if origin == "" || origin == "null" {
		return false
	}
	if x.Client != nil {
		return slices.Contains(x.Client.Settings.AllowedOrigins, origin)
	}
	if x.Tenant != nil {
		return x.hall.cfg.Directory.OriginAllowed(x.Tenant.ID, origin)
	}
	for _, t := range x.hall.cfg.Directory.All() {
		if x.hall.cfg.Directory.OriginAllowed(t.ID, origin) {
			return true
		}
	}
	return false
}

// foreign reports whether an unsafe request was made by a page of an origin that is neither ours nor listed.
func (x *Exchange) foreign() bool {
	return crossOrigin.Check(x.R) != nil && !weak.Off("cross-origin") && !x.listed(x.R.Header.Get("Origin"))
}

// Guard refuses an unsafe request of a foreign page. It must pass before a cookie is read as proof or set: SameSite does not stop a
// sibling subdomain, and a foreign page that sets our cookies logs its victim into the attacker's account.
func (x *Exchange) Guard() error {
	if x.foreign() {
		return fault.New(fault.Forbidden, fault.ReasonCrossOrigin, "this origin may not make this call")
	}
	return nil
}

// allowOrigin sets or takes back the CORS headers for what is known so far.
func (x *Exchange) allowOrigin() {
	h := x.W.Header()
	if x.Route.Public {
		h.Set("Access-Control-Allow-Origin", "*")
		return
	}
	o := x.R.Header.Get("Origin")
	if o == "" {
		return
	}
	if !x.listed(o) {
		h.Del("Access-Control-Allow-Origin")
		h.Del("Access-Control-Allow-Credentials")
		h.Del("Access-Control-Expose-Headers")
		return
	}
	h.Set("Access-Control-Allow-Origin", o)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Expose-Headers", corsExposed)
}

// preflight answers OPTIONS: with the CORS grant for listed origins, with the bare method list for everybody.
func (x *Exchange) preflight(g *group) error {
	h := x.W.Header()
	h.Set("Allow", g.allow)
	if x.R.Header.Get("Access-Control-Request-Method") != "" {
		h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
	}
	if x.listed(x.R.Header.Get("Origin")) {
		h.Set("Access-Control-Allow-Methods", g.allow)
		h.Set("Access-Control-Allow-Headers", corsHeaders)
		h.Set("Access-Control-Max-Age", corsMaxAge)
	}
	x.W.WriteHeader(http.StatusNoContent)
	return nil
}
