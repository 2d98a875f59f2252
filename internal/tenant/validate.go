package tenant

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/ephemeral"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// Fault names one field of a tenant or client that cannot stand. Path is the configuration path below the value, for example
// "lives.access_s"; Message never repeats a secret.
type Fault struct{ Path, Message string }

// Bounds of lives, in seconds.
const (
	minAccessS = 5     // tests with foreign verifiers use a client with a life of 5 s
	maxAccessS = 86400 // a stolen access token must not work for longer than a day
	maxLifeS   = 366 * 86400
)

var (
	slugForm   = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$`)
	clientForm = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,128}$`)
	localeForm = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)
	accentForm = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)
	cookieForm = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$") // RFC 6265 section 4.1.1: a token
	domainForm = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+$`)
	roleForm   = regexp.MustCompile(`^[^\s\x00-\x1f\x7f]{1,64}$`)
)

type faults []Fault

func (f *faults) add(path, format string, args ...any) {
	*f = append(*f, Fault{Path: path, Message: fmt.Sprintf(format, args...)})
}

func (f *faults) form(path, value string, form *regexp.Regexp, must string) {
	if value != "" && !form.MatchString(value) {
		f.add(path, "must be %s", must)
	}
}

func (f *faults) oneOf(path, value string, allowed ...string) {
	if value != "" && !slices.Contains(allowed, value) {
		f.add(path, "must be one of %s", strings.Join(allowed, ", "))
	}
}

func (f *faults) between(path string, n, low, high int64) {
	if n != 0 && (n < low || n > high) {
		f.add(path, "must be between %d and %d", low, high)
	}
}

// Validate gives every fault of a tenant; none means that it may be stored. An empty ID or Issuer is a fault: cmd fills them first.
func (t *Tenant) Validate() []Fault {
	var f faults
	if _, ok := secret.ParseID(t.ID); !ok {
		f.add("id", "must be a UUID in lower case")
	}
	if !slugForm.MatchString(t.Slug) {
		f.add("slug", "must be 1 to 63 of a-z, 0-9 and -, beginning and ending with a letter or digit")
	}
	validateIssuer(&f, t.Issuer)
	if t.ClockOffset != 0 && !t.Test {
		f.add("test", "only a test tenant's clock may be moved")
	}
	f.form("default_client", t.Policy.DefaultClient, clientForm, "a client id: 1 to 128 of A-Z a-z 0-9 . _ ~ -")
	f.form("locale", t.Policy.Locale, localeForm, "a language tag such as en or pt-BR")
	validateLives(&f, t.Policy.Lives)
	validateLimits(&f, t.Policy.Limits)
	validateCookies(&f, t.Policy.Cookies)
	validateRest(&f, &t.Policy)
	validatePolicyOAuth(&f, &t.Policy.OAuth)
	return f
}

// validateIssuer takes an http or https URL without query and fragment (RFC 8414 section 2), or, for deployments that had one before, a
// plain text such as the tenant's id. Plain http is only for loopback names: anywhere else a mailed link would cross the net in clear.
func validateIssuer(f *faults, issuer string) {
	if issuer == "" || len(issuer) > 255 || strings.ContainsFunc(issuer, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		f.add("issuer", "must be a URL, or a text of 1 to 255 characters without spaces")
		return
	}
	if !strings.Contains(issuer, "://") {
		return
	}
	u, err := url.Parse(issuer)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "":
		f.add("issuer", "is not a URL")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(issuer, "#"):
		f.add("issuer", "must have no user, query or fragment")
	case u.Scheme == "http" && !loopbackName(u.Hostname()):
		f.add("issuer", "must be https, except on loopback")
	case u.Scheme != "http" && u.Scheme != "https":
		f.add("issuer", "must be https")
	case strings.HasSuffix(u.Path, "/"):
		f.add("issuer", "must not end in a slash")
	}
}

func loopbackName(host string) bool {
	host = strings.ToLower(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || host == "127.0.0.1" || host == "::1"
}

func validateLives(f *faults, l Lives) {
	f.between("lives.access_s", l.AccessS, minAccessS, maxAccessS)
	f.between("lives.refresh_idle_s", l.RefreshIdleS, 60, maxLifeS)
	f.between("lives.refresh_max_s", l.RefreshMaxS, 60, 10*maxLifeS)
	f.between("lives.attempt_s", l.AttemptS, 60, 30*86400)
	f.between("lives.reset_s", l.ResetS, 60, 7*86400)
	f.between("lives.fresh_s", l.FreshS, 10, 86400)
	f.between("lives.deleted_s", l.DeletedS, 1, 10*maxLifeS)
	for path, p := range map[string]*int64{
		"lives.refresh_grace_s": l.RefreshGraceS, "lives.refresh_min_rotation_s": l.RefreshMinRotationS,
	} {
		// A long grace is a long time in which a thief passes for a slow tab.
		if p != nil && (*p < 0 || *p > 600) {
			f.add(path, "must be between 0 and 600")
		}
	}
	if l.RefreshIdleS != 0 && l.RefreshMaxS != 0 && l.RefreshIdleS > l.RefreshMaxS {
		f.add("lives.refresh_idle_s", "must not exceed lives.refresh_max_s")
	}
}

func validateLimits(f *faults, l Limits) {
	for _, e := range []struct{ path, text string }{
		{"limits.password_network", l.PasswordNetwork},
		{"limits.password_network_account", l.PasswordNetworkAccount},
		{"limits.password_account", l.PasswordAccount},
		{"limits.password_device", l.PasswordDevice},
		{"limits.mail_network", l.MailNetwork},
		{"limits.mail_address", l.MailAddress},
		{"limits.passwordless_burst", l.PasswordlessBurst},
		{"limits.passwordless_address", l.PasswordlessAddress},
		{"limits.passwordless_device", l.PasswordlessDevice},
		{"limits.handoff_user", l.HandoffUser},
		{"limits.authorize_network", l.AuthorizeNetwork},
		{"limits.par_network", l.PARNetwork},
		{"limits.par_client", l.PARClient},
	} {
		if e.text == "" {
			continue
		}
		if _, err := ephemeral.ParseLimit(e.text); err != nil {
			f.add(e.path, `must be "N/window" such as "10/1m", or "off"`)
		}
	}
}

func validateCookies(f *faults, c Cookies) {
	f.form("cookies.access_name", c.AccessName, cookieForm, "a cookie name")
	f.form("cookies.refresh_name", c.RefreshName, cookieForm, "a cookie name")
	if c.AccessName != "" && c.AccessName == c.RefreshName {
		f.add("cookies.refresh_name", "must differ from cookies.access_name")
	}
	f.oneOf("cookies.prefix", c.Prefix, "__Secure-", "__Host-")
	f.oneOf("cookies.same_site", c.SameSite, "lax", "strict", "none")
	f.form("cookies.domain", c.Domain, domainForm, "a parent domain such as example.com, in lower case")
	if c.RefreshPath != "" && (!strings.HasPrefix(c.RefreshPath, "/") || strings.ContainsAny(c.RefreshPath, "; \t\r\n")) {
		f.add("cookies.refresh_path", "must be a path beginning with /")
	}
	// RFC 6265bis section 4.1.3.2: a browser drops a __Host- cookie that has a Domain or another Path.
	if c.Prefix == "__Host-" && c.Domain != "" {
		f.add("cookies.domain", "must be empty with the prefix __Host-")
	}
	if c.Prefix == "__Host-" && c.RefreshPath != "" && c.RefreshPath != "/" {
		f.add("cookies.refresh_path", "must be / with the prefix __Host-")
	}
}

func validateRest(f *faults, p *Policy) {
	f.between("keys.rotation_h", p.Keys.RotationH, 1, 24*366)
	f.between("keys.static_n", int64(p.Keys.StaticN), 1, 10)
	f.form("theme.accent", p.Theme.Accent, accentForm, "a colour such as #1a73e8")
	f.between("theme.radius_px", int64(p.Theme.RadiusPx), 0, 64)
	validatePage(f, "theme.logo_url", p.Theme.LogoURL)
	validatePage(f, "theme.terms_url", p.Theme.TermsURL)
	f.between("audit.event_days", int64(p.Audit.EventDays), 1, 3660)
	f.between("audit.person_days", int64(p.Audit.PersonDays), 1, 3660)
	f.between("password.min_length", int64(p.Password.MinLength), 8, 128) // NIST SP 800-63B section 3.1.1.2: never below 8
	f.between("password.max_length", int64(p.Password.MaxLength), 64, 1024)
}
