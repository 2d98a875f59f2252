package web

import (
	"cmp"
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/weak"
)

// Cookie names before prefix and tenant suffix.
const (
	AccessCookie  = "access_token"
	RefreshCookie = "refresh_token"
	BrowserCookie = "__Host-gh_browser" // random; binds sign-ups and mailed links to the browser that asked for them
	DeviceCookie  = "__Host-gh_device"  // a MAC'ed statement: this device has logged in before
	ClaimCookie   = "__Host-gh_claim"   // a claimed session code that waits for the first device, for a minute
	SSOCookie     = "__Host-gh_sso"     // the sign-on session of this browser at the issuer
)

const (
	maxCookie   = 4096
	browserLife = 365 * 24 * time.Hour
)

// sharing reports whether t is served on a host that is not its own beside others: then its cookies need names of their own. It is
// asked once an exchange: the directory may be replaced under a request, and cookies read under one name must not be set under another.
func (x *Exchange) sharing(t *tenant.Tenant) bool {
	is := func(other *tenant.Tenant) bool { return other != nil && other.ID == t.ID }
	return !is(x.hall.hostTenant(x.R.Host)) && !is(x.hall.cfg.Directory.Only())
}

// cookieName is the name as sent, for this tenant on this host.
func (x *Exchange) cookieName(name string) string {
	if x.Tenant != nil {
		p := x.Tenant.Policy.Cookies
		switch name {
		case AccessCookie:
			name = p.Prefix + cmp.Or(p.AccessName, name)
		case RefreshCookie:
			name = p.Prefix + cmp.Or(p.RefreshName, name)
		}
	}
	if x.shared {
		name += "_" + x.Tenant.Slug
	}
	return name
}

// Cookie is the value of one of our cookies, empty when absent, oversized or sent by a page that may not make this call.
func (x *Exchange) Cookie(name string) secret.Text {
	c, err := x.R.Cookie(x.cookieName(name))
	if err != nil || len(c.Value) > maxCookie || x.foreign() {
		return secret.Text{}
	}
	return secret.NewText(c.Value)
}

// HasCookie reports whether one of our cookies was sent, whoever caused it; for refusing instead of ignoring.
func (x *Exchange) HasCookie(name string) bool {
	c, err := x.R.Cookie(x.cookieName(name))
	return err == nil && c.Value != ""
}

// Token is the access token of the call: an explicit one (Authorization: Bearer or DPoP) beats the cookie.
func (x *Exchange) Token() (access secret.Text, byCookie bool) {
	if t, ok := x.Explicit(); ok {
		return t, false
	}
	t := x.Cookie(AccessCookie)
	return t, !t.IsZero()
}

// Explicit is the token of the Authorization header, if it has one.
func (x *Exchange) Explicit() (secret.Text, bool) {
	scheme, value, _ := strings.Cut(x.R.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, "DPoP") {
		return secret.Text{}, false
	}
	return secret.NewText(strings.TrimSpace(value)), true
}

// Refresh is the refresh token of the call: header X-Refresh-Token, else the body's field, else the cookie.
func (x *Exchange) Refresh(body string) (refresh secret.Text, byCookie bool) {
	if h := x.R.Header.Get("X-Refresh-Token"); h != "" {
		return secret.NewText(h), false
	}
	if body != "" {
		return secret.NewText(body), false
	}
	t := x.Cookie(RefreshCookie)
	return t, !t.IsZero()
}

// SetTokens sets both token cookies, each for the life of its token. It refuses when a foreign page caused the call, whatever the
// handler checked before.
func (x *Exchange) SetTokens(access, refresh secret.Text, accessLife, refreshLife time.Duration) error {
	if err := x.Guard(); err != nil {
		return err
	}
	x.setCookie(x.tokenCookie(AccessCookie), access.Reveal(), accessLife)
	x.setCookie(x.tokenCookie(RefreshCookie), refresh.Reveal(), refreshLife)
	return nil
}

// ClearTokens removes both token cookies. Only logout does: a late refusal of an old session must not delete a newer login.
func (x *Exchange) ClearTokens() error {
	if err := x.Guard(); err != nil {
		return err
	}
	x.setCookie(x.tokenCookie(AccessCookie), "", 0)
	x.setCookie(x.tokenCookie(RefreshCookie), "", 0)
	return nil
}

// EnsureBrowser gives the browser its pre-login cookie when it has none and stamps Call.Browser.
func (x *Exchange) EnsureBrowser() error {
	if x.Call.Browser != "" {
		return nil
	}
	if err := x.Guard(); err != nil {
		return err
	}
	value := secret.Random(32)
	x.Call.Browser = browserHash(value)
	x.setCookie(x.plainCookie(BrowserCookie), value, browserLife)
	return nil
}

// RenewBrowser replaces a pre-login cookie that the call brought along. Whoever planted or copied it knows nothing that the logged-in
// browser will be recognised by (session fixation).
func (x *Exchange) RenewBrowser() error {
	if !x.HasCookie(BrowserCookie) || weak.Off("fresh-ids") {
		return nil
	}
	x.Call.Browser = ""
	return x.EnsureBrowser()
}

// SetDevice sets the known-device cookie; an empty value changes nothing.
func (x *Exchange) SetDevice(value secret.Text) error {
	if value.IsZero() {
		return nil
	}
	if err := x.Guard(); err != nil {
		return err
	}
	x.setCookie(x.plainCookie(DeviceCookie), value.Reveal(), browserLife)
	return nil
}

// SetClaim keeps a claim of a session code in this browser for life; an empty value removes it.
func (x *Exchange) SetClaim(value secret.Text, life time.Duration) error {
	if err := x.Guard(); err != nil {
		return err
	}
	x.setCookie(x.plainCookie(ClaimCookie), value.Reveal(), life)
	return nil
}

// SSO is the secret of this browser's sign-on session. It is Lax: an application's page may send people here, and they are still known.
func (x *Exchange) SSO() secret.Text { return x.Cookie(SSOCookie) }

// SetSSO keeps the secret of a sign-on session in this browser for life; an empty value removes it.
func (x *Exchange) SetSSO(value secret.Text, life time.Duration) error {
	if err := x.Guard(); err != nil {
		return err
	}
	x.setCookie(x.plainCookie(SSOCookie), value.Reveal(), life)
	return nil
}

// plainCookie has the attributes of the cookies that are no tokens.
func (x *Exchange) plainCookie(name string) http.Cookie {
	return http.Cookie{Name: x.cookieName(name), Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode}
}

// tokenCookie has the attributes the tenant chose. A __Host- cookie never has a domain or another path (RFC 6265bis section 4.1.3.2).
func (x *Exchange) tokenCookie(name string) http.Cookie {
	c := x.plainCookie(name) //nolint:gosec // has every attribute; SameSite is the tenant's to choose
	p := x.Tenant.Policy.Cookies
	switch strings.ToLower(p.SameSite) {
	case "strict":
		c.SameSite = http.SameSiteStrictMode
	case "none":
		c.SameSite = http.SameSiteNoneMode
	}
	if p.Prefix == "__Host-" {
		return c
	}
	c.Domain = p.Domain
	if name == RefreshCookie && p.RefreshPath != "" {
		c.Path = p.RefreshPath
	}
	return c
}

// setCookie writes it; life is cut to whole seconds, and nothing left means remove.
func (x *Exchange) setCookie(c http.Cookie, value string, life time.Duration) { //nolint:gosec // c is one of the two above
	c.Value = value
	c.MaxAge = int(life / time.Second)
	if c.MaxAge <= 0 {
		c.MaxAge, c.Value = -1, ""
	}
	http.SetCookie(x.W, &c)
}
