package web

import (
	"cmp"
	"net/http"
	"net/netip"
	"net/textproto"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/weak"
)

// origin is where a request really came from.
type origin struct {
	address netip.Addr // of the caller, freed of untrusted headers
	peer    netip.Addr // of the connection
	secure  bool       // the caller's own hop is TLS
}

// originOf believes forwarded headers only from listed proxies; from anybody else they change nothing, or a stranger could choose the
// address that limits count by.
func (h *Hall) originOf(r *http.Request) origin {
	o := origin{secure: h.cfg.TLS || r.TLS != nil}
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		o.peer = ap.Addr().Unmap().WithZone("")
	}
	o.address = o.peer
	if !h.trusted(o.peer) {
		return o
	}
	o.address = h.caller(r, o.peer)
	if proto := forwardedProto(r); proto != "" {
		o.secure = strings.EqualFold(proto, "https")
	}
	return o
}

func (h *Hall) trusted(a netip.Addr) bool {
	for _, p := range h.cfg.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// caller is the right-most untrusted address. When both header families are present and disagree, one of them was made by the caller
// (a proxy maintains one and passes the other on), so neither is believed.
func (h *Hall) caller(r *http.Request, peer netip.Addr) netip.Addr {
	plain, elements := list(r, "X-Forwarded-For"), list(r, "Forwarded")
	standard := make([]string, len(elements))
	for i, e := range elements {
		standard[i] = forwardedParam(e, "for")
	}
	switch {
	case len(plain) > 0 && len(standard) > 0:
		a, b := h.rightmost(plain, peer), h.rightmost(standard, peer)
		if a != b {
			return peer
		}
		return a
	case len(standard) > 0:
		return h.rightmost(standard, peer)
	}
	return h.rightmost(plain, peer)
}

func (h *Hall) rightmost(hops []string, peer netip.Addr) netip.Addr {
	last := peer
	for i := len(hops) - 1; i >= 0; i-- {
		a, ok := parseHop(hops[i])
		if !ok {
			return last // what stands left of rubbish cannot be trusted
		}
		last = a
		if !h.trusted(a) {
			return a
		}
	}
	return last
}

// parseHop reads "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:80" (RFC 7239 section 6).
func parseHop(s string) (netip.Addr, bool) {
	s = strings.Trim(strings.TrimSpace(s), `"`)
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return a.Unmap().WithZone(""), true
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}

// list gives the comma-separated elements of every line of a header.
func list(r *http.Request, name string) []string {
	var out []string
	for _, line := range r.Header[textproto.CanonicalMIMEHeaderKey(name)] {
		out = append(out, strings.Split(line, ",")...)
	}
	return out
}

// forwardedParam reads one parameter of a Forwarded element (RFC 7239 section 4).
func forwardedParam(element, name string) string {
	for _, pair := range strings.Split(element, ";") {
		k, v, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if ok && strings.EqualFold(k, name) {
			return strings.Trim(v, `"`)
		}
	}
	return ""
}

// forwardedProto is what the nearest proxy says about the caller's hop; disagreement counts as plain.
func forwardedProto(r *http.Request) string {
	var plain, standard string
	if v := list(r, "X-Forwarded-Proto"); len(v) > 0 {
		plain = strings.TrimSpace(v[len(v)-1])
	}
	if v := list(r, "Forwarded"); len(v) > 0 {
		standard = forwardedParam(v[len(v)-1], "proto")
	}
	if plain != "" && standard != "" && !strings.EqualFold(plain, standard) {
		return "http"
	}
	return cmp.Or(plain, standard)
}

// checkPlace refuses foreign hosts (poisoned links, DNS rebinding) and plain HTTP (a token seen on the wire is a stolen token).
func (x *Exchange) checkPlace() error {
	if !x.hall.served(x.R.Host) && !weak.Off("known-hosts") {
		return fault.New(fault.Misdirected, fault.ReasonMisdirected, "this host is not served here")
	}
	if x.peer.secure || x.hall.cfg.Dev && x.peer.peer.IsLoopback() {
		return nil
	}
	return fault.New(fault.Forbidden, fault.ReasonInsecure, "this server answers over HTTPS only")
}

// served knows the configured hosts, the tenants' issuer hosts and, with Dev, every name of loopback.
func (h *Hall) served(host string) bool {
	host = strings.ToLower(host)
	if h.hosts[host] || h.hostTenant(host) != nil {
		return true
	}
	name := bareHost(host)
	if h.hosts[name] && name != host && (strings.HasSuffix(host, ":443") || strings.HasSuffix(host, ":80")) {
		return true
	}
	return h.cfg.Dev && (name == "localhost" || name == "127.0.0.1" || name == "[::1]" || strings.HasSuffix(name, ".localhost"))
}

// hostTenant finds a tenant by issuer host, with or without the default port.
func (h *Hall) hostTenant(host string) *tenant.Tenant {
	if t := h.cfg.Directory.ByHost(host); t != nil {
		return t
	}
	if strings.HasSuffix(host, ":443") || strings.HasSuffix(host, ":80") {
		return h.cfg.Directory.ByHost(bareHost(host))
	}
	return nil
}

// bareHost cuts the port; an IPv6 literal keeps its brackets.
func bareHost(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		return host[:i]
	}
	return host
}
