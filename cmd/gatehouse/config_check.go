package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/ephemeral"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// minAdminKey is the fewest characters of an admin key: it guards a clock and every metric, and nothing slows guesses down but its length.
const minAdminKey = 16

// check notes everything that is wrong with a decoded configuration. A missing security-relevant setting stops the start; only dev
// relaxes that, and dev in turn is confined to loopback.
func check(cfg *Config, dev bool, faults *faultList) {
	checkListen(&cfg.Listen, dev, faults)
	checkTransport(&cfg.Listen, dev, faults)
	checkStores(cfg, faults)
	checkKeys(cfg, dev, faults)
	checkSMTP(&cfg.SMTP, faults)
	checkTraces(&cfg.Traces, faults)
	checkTenants(cfg, dev, faults)
}

func checkListen(l *ListenConfig, dev bool, faults *faultList) {
	public := checkAddress(l.Public, "listen.public", faults)
	admin := checkAddress(l.Admin, "listen.admin", faults)
	if dev && public != "" && !isLoopback(public) {
		faults.add("listen.public", "must be on loopback with --dev: it relaxes what keeps strangers out")
	}
	if admin != "" && !isLoopback(admin) && (dev || !l.TLSCert.IsSet()) {
		faults.add("listen.admin", "must be on loopback, or served with listen.tls_cert: its key would cross the net in clear")
	}
	if l.Public == l.Admin && !strings.HasSuffix(l.Public, ":0") {
		faults.add("listen.admin", "must differ from listen.public")
	}
	for i, p := range l.TrustedProxies {
		prefix, err := parseProxy(p)
		at := fmt.Sprintf("listen.trusted_proxies[%d]", i)
		switch {
		case err != nil:
			faults.add(at, "must be an address or a network such as 10.0.0.0/8")
		case prefix.Bits() == 0:
			faults.add(at, "trusts everybody, who could then claim any address")
		}
	}
	if l.PublicURL != "" {
		checkPublicURL(l.PublicURL, faults)
	}
}

func checkPublicURL(text string, faults *faultList) {
	for _, f := range (&tenant.Tenant{ID: "", Issuer: text}).Validate() {
		if f.Path == "issuer" {
			faults.add("listen.public_url", "%s", f.Message)
			return
		}
	}
	if !isURL(text) {
		faults.add("listen.public_url", "must be a URL")
	}
}

func isURL(text string) bool {
	return strings.HasPrefix(text, "https://") || strings.HasPrefix(text, "http://")
}

// checkAddress gives the host of a listening address, "" when it is faulty.
func checkAddress(address, path string, faults *faultList) string {
	host, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil || host == "" {
		faults.add(path, "must be host:port, for example 127.0.0.1:8080")
		return ""
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "localhost" {
		faults.add(path, "must begin with an address, or be localhost:port")
		return ""
	}
	return host
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.Unmap().IsLoopback()
}

func parseProxy(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, err
	}
	return p.Masked(), nil
}

func checkTransport(l *ListenConfig, dev bool, faults *faultList) {
	switch {
	case l.TLSCert.IsSet() != l.TLSKey.IsSet():
		faults.add("listen", "tls_cert and tls_key belong together")
	case l.TLSCert.Value.IsZero() || l.TLSKey.Value.IsZero():
		if !l.TLSCert.IsSet() && len(l.TrustedProxies) == 0 && !dev {
			faults.add("listen.tls_cert", "is missing: set tls_cert and tls_key, or trusted_proxies when a proxy speaks TLS")
		}
	default:
		// The library's error may quote the key file; ours does not.
		if _, err := tls.X509KeyPair([]byte(l.TLSCert.Value.Reveal()), []byte(l.TLSKey.Value.Reveal())); err != nil {
			faults.add("listen.tls_cert", "and listen.tls_key are not a PEM certificate and its key")
		}
	}
}

func checkStores(cfg *Config, faults *faultList) {
	u := cfg.Store.URL.Value.Reveal()
	if cfg.Store.URL.IsSet() && u == "" {
		return // its reference is reported already
	}
	if file, ok := strings.CutPrefix(u, "sqlite:"); ok {
		if file == "" {
			faults.add("store.url", "must name a file: sqlite:gatehouse.db")
		}
	} else if !strings.HasPrefix(u, "postgres://") && !strings.HasPrefix(u, "postgresql://") {
		faults.add("store.url", "must be sqlite:<file> or postgres://…")
	}
	checkEphemeral(&cfg.Ephemeral, faults)
}

func checkEphemeral(e *EphemeralConfig, faults *faultList) {
	text := e.URL.Value.Reveal()
	if text == "store" || text == "" && e.URL.IsSet() { // the latter's reference is reported already
		return
	}
	if ephemeral.ValidateRedisURL(text) != nil {
		faults.add("ephemeral.url", "must be store, redis://[user:password@]host[:port][/database] or rediss://…")
	}
}

func checkKeys(cfg *Config, dev bool, faults *faultList) {
	if len(cfg.MasterKeys) == 0 && !dev {
		faults.add("master_keys", "is missing: every stored key is wrapped by one (make one with: head -c 32 /dev/urandom | base64)")
	}
	for i, ref := range cfg.MasterKeys {
		at := fmt.Sprintf("master_keys[%d]", i)
		if !ref.IsSet() {
			faults.add(at, "must be a reference to a secret")
		} else if !ref.Value.IsZero() {
			if _, err := secret.ParseMaster(ref.Value.Reveal()); err != nil {
				faults.add(at, "must lead to 32 bytes as base64 or hex")
			}
		}
	}
	switch {
	case !cfg.AdminKey.IsSet() && !dev:
		faults.add("admin_key", "is missing")
	case !cfg.AdminKey.Value.IsZero() && len(cfg.AdminKey.Value.Reveal()) < minAdminKey:
		faults.add("admin_key", "must lead to at least %d characters", minAdminKey)
	}
}

func checkSMTP(s *SMTPConfig, faults *faultList) {
	if s.From != "" {
		if _, err := mail.ParseAddress(s.From); err != nil {
			faults.add("smtp.from", "must be an e-mail address")
		}
	}
	if s.URL.Value.IsZero() {
		return
	}
	u, err := url.Parse(s.URL.Value.Reveal())
	if err != nil || u.Host == "" || !slices.Contains([]string{"smtp", "smtps"}, u.Scheme) {
		faults.add("smtp.url", "must be smtps://host:465 or smtp://host:587")
	}
	if s.From == "" {
		faults.add("smtp.from", "is missing")
	}
}

func checkTraces(t *TracesConfig, faults *faultList) {
	if !(t.Sample >= 0 && t.Sample <= 1) { // so that NaN is refused too
		faults.add("traces.sample", "must be between 0 and 1")
	}
	if t.OTLPURL == "" {
		return
	}
	u, err := url.Parse(t.OTLPURL)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "" || u.Scheme != "http" && u.Scheme != "https":
		faults.add("traces.otlp_url", "must be http://host:4318 or https://host")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		faults.add("traces.otlp_url", "must have no user, query or fragment: they would not be sent")
	}
}
