package tenant_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

func goodTenant() tenant.Tenant {
	return tenant.Tenant{ID: "0190d0c8-7c3e-7000-8000-000000000001", Slug: "main", Issuer: "https://login.example.com"}
}

func paths(all []tenant.Fault) string {
	var out []string
	for _, f := range all {
		out = append(out, f.Path)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestTenantValidate(t *testing.T) {
	n := func(v int64) *int64 { return &v }
	for _, c := range []struct {
		name   string
		change func(*tenant.Tenant)
		want   string
	}{
		{"as it is", func(*tenant.Tenant) {}, ""},
		{"id in capitals", func(t *tenant.Tenant) { t.ID = strings.ToUpper("0190d0c8-7c3e-7000-8000-00000000000a") }, "id"},
		{"id that is none", func(t *tenant.Tenant) { t.ID = "main" }, "id"},
		{"slug with a slash", func(t *tenant.Tenant) { t.Slug = "a/b" }, "slug"},
		{"slug ends in a dash", func(t *tenant.Tenant) { t.Slug = "a-" }, "slug"},
		{"slug of 63", func(t *tenant.Tenant) { t.Slug = strings.Repeat("a", 63) }, ""},
		{"slug of 64", func(t *tenant.Tenant) { t.Slug = strings.Repeat("a", 64) }, "slug"},
		{"clock of a real tenant", func(t *tenant.Tenant) { t.ClockOffset = 1 }, "test"},
		{"clock of a test tenant", func(t *tenant.Tenant) { t.ClockOffset, t.Test = 1, true }, ""},
		{"zero where zero is a choice", func(t *tenant.Tenant) { t.Policy.Lives.RefreshGraceS = n(0) }, ""},
		{"grace too long", func(t *tenant.Tenant) { t.Policy.Lives.RefreshGraceS = n(601) }, "lives.refresh_grace_s"},
		{"negative grace", func(t *tenant.Tenant) { t.Policy.Lives.RefreshMinRotationS = n(-1) }, "lives.refresh_min_rotation_s"},
		{"negative life", func(t *tenant.Tenant) { t.Policy.Lives.AccessS = -1 }, "lives.access_s"},
		{"life beyond a day", func(t *tenant.Tenant) { t.Policy.Lives.AccessS = 86401 }, "lives.access_s"},
		{"idle longer than absolute", func(t *tenant.Tenant) { t.Policy.Lives.RefreshIdleS, t.Policy.Lives.RefreshMaxS = 90, 80 }, "lives.refresh_idle_s"},
		{"limits", func(t *tenant.Tenant) {
			t.Policy.Limits = tenant.Limits{PasswordNetwork: "10/1m", PasswordAccount: "off", MailNetwork: "5", MailAddress: "0/1m", PasswordDevice: "1/-1m"}
		}, "limits.mail_address limits.mail_network limits.password_device"},
		{"cookies a browser would drop", func(t *tenant.Tenant) {
			t.Policy.Cookies = tenant.Cookies{Prefix: "__Host-", Domain: "example.com", RefreshPath: "/jwt"}
		}, "cookies.domain cookies.refresh_path"},
		{"cookies that inject", func(t *tenant.Tenant) {
			t.Policy.Cookies = tenant.Cookies{AccessName: "a;b", RefreshName: "a b", Domain: "x; Path=/", SameSite: "Lax; x", RefreshPath: "/;x"}
		}, "cookies.access_name cookies.domain cookies.refresh_name cookies.refresh_path cookies.same_site"},
		{"one cookie for two tokens", func(t *tenant.Tenant) { t.Policy.Cookies.AccessName, t.Policy.Cookies.RefreshName = "t", "t" }, "cookies.refresh_name"},
		{"a domain that is a whole registry", func(t *tenant.Tenant) { t.Policy.Cookies.Domain = "com" }, "cookies.domain"},
		{"theme", func(t *tenant.Tenant) {
			t.Policy.Theme = tenant.Theme{LogoURL: "javascript:alert(1)", TermsURL: "http://example.com", Accent: "red;}", RadiusPx: 99}
		}, "theme.accent theme.logo_url theme.radius_px theme.terms_url"},
		{"passwords too short to forbid", func(t *tenant.Tenant) { t.Policy.Password.MinLength = 4 }, "password.min_length"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := goodTenant()
			c.change(&v)
			if got := paths(v.Validate()); got != c.want {
				t.Errorf("faults at %q, want %q: %v", got, c.want, v.Validate())
			}
		})
	}
}

func TestIssuers(t *testing.T) {
	for issuer, fine := range map[string]bool{
		"https://login.example.com": true, "https://login.example.com:8443/id": true, "http://localhost:8080": true, "http://a.localhost": true,
		"http://127.0.0.1:1": true, "http://[::1]:1": true, "macro": true, "0190d0c8-7c3e-7000-8000-000000000001": true,
		"": false, "http://login.example.com": false, "https://login.example.com/": false, "https://u@login.example.com": false,
		"https://login.example.com?x=1": false, "https://login.example.com?": false, "https://login.example.com#": false, "https://": false,
		"https://:443": false, "ftp://login.example.com": false, "two words": false, "http://localhost.example.com": false,
		"https://login.example.com\n": false, "http://localhost@evil.example": false,
	} {
		v := goodTenant()
		v.Issuer = issuer
		if got := len(v.Validate()) == 0; got != fine {
			t.Errorf("issuer %q: fine is %v, want %v", issuer, got, fine)
		}
	}
}

func TestClientURLs(t *testing.T) {
	for uri, fine := range map[string]bool{
		"https://app.example.com/cb": true, "https://app.example.com/cb?x=1": true, "http://localhost:3000/cb": true, "http://127.0.0.1/cb": true,
		"com.example.app:/cb": true, "http://app.example.com/cb": false, "https://*.example.com/cb": false, "https://app.example.com/cb#x": false,
		"https://app.example.com@evil.example/cb": false, "javascript:alert(1)": false, "data:text/html,x": false, "/cb": false, "": false,
		"https:///cb": false, "https://:443/cb": false, "https://app%E3%80%82example.com/cb": false, "https://app.example.com'.evil.example/cb": false,
		"https://[::1%25lo]/cb": false, "https://[::1]:8443/cb": true, "https://app.example.com\\@evil.example": false, "https://app.example.com/ cb": false, "file:///etc/passwd": false,
	} {
		c := tenant.Client{ID: "web", Settings: tenant.ClientSettings{RedirectURIs: []string{uri}}}
		if got := len(c.Validate()) == 0; got != fine {
			t.Errorf("redirect URI %q: fine is %v, want %v", uri, got, fine)
		}
	}
	for origin, fine := range map[string]bool{
		"https://app.example.com": true, "https://app.example.com:8443": true, "http://localhost:3000": true,
		"*": false, "null": false, "": false, "https://app.example.com/": false, "https://App.example.com": false, "https://*.example.com": false,
		"http://app.example.com": false, "https://app.example.com:443": false, "http://localhost:80": false, "app.example.com": false,
		"https://u@app.example.com": false, "chrome-extension://abc": false,
	} {
		c := tenant.Client{ID: "web", Settings: tenant.ClientSettings{AllowedOrigins: []string{origin}}}
		if got := len(c.Validate()) == 0; got != fine {
			t.Errorf("origin %q: fine is %v, want %v", origin, got, fine)
		}
	}
}

func TestClientValidate(t *testing.T) {
	c := tenant.Client{ID: "a b", Settings: tenant.ClientSettings{
		Alg: "HS256", TokenDelivery: "x", ClientAuth: true, Roles: []string{"a b"}, DefaultRoles: []string{"root"}, Audience: []string{""},
		AfterVerifyURL: "javascript:alert(1)", AfterResetURL: "//evil.example", Lives: tenant.Lives{AccessS: 1},
	}}
	want := "after_reset_url after_verify_url alg audience[0] client_auth default_roles[0] id lives.access_s roles[0] token_delivery"
	if got := paths(c.Validate()); got != want {
		t.Errorf("faults at %q, want %q", got, want)
	}
	good := tenant.Client{ID: strings.Repeat("a", 128), SecretHash: make([]byte, 32), Settings: tenant.ClientSettings{ClientAuth: true, Alg: "EdDSA"}}
	if got := good.Validate(); len(got) != 0 {
		t.Errorf("a good client is refused: %v", got)
	}
}
