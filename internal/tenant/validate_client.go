package tenant

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Validate gives every fault of a client; none means that it may be stored.
func (c *Client) Validate() []Fault {
	var f faults
	s := &c.Settings
	if !clientForm.MatchString(c.ID) {
		f.add("id", "must be 1 to 128 of A-Z a-z 0-9 . _ ~ -")
	}
	f.oneOf("alg", s.Alg, "RS256", "ES256", "EdDSA")
	f.oneOf("token_delivery", s.TokenDelivery, "both", "cookie", "bearer")
	if s.ClientAuth && len(c.SecretHash) == 0 {
		f.add("client_auth", "needs a secret")
	}
	if s.RequireRegistration && s.AutoRegister {
		f.add("require_registration", "cannot stand beside auto_register: nobody signs up where a registration is required")
	}
	for i, uri := range s.RedirectURIs {
		if why := redirectFault(uri); why != "" {
			f.add(fmt.Sprintf("redirect_uris[%d]", i), "%s", why)
		}
	}
	for i, origin := range s.AllowedOrigins {
		if why := originFault(origin); why != "" {
			f.add(fmt.Sprintf("allowed_origins[%d]", i), "%s", why)
		}
	}
	for i, aud := range s.Audience {
		if aud == "" || len(aud) > 255 {
			f.add(fmt.Sprintf("audience[%d]", i), "must be 1 to 255 characters")
		}
	}
	validateRoles(&f, s)
	validateClaims(&f, s.Claims)
	validatePage(&f, "after_verify_url", s.AfterVerifyURL)
	validatePage(&f, "after_reset_url", s.AfterResetURL)
	validateLives(&f, s.Lives)
	c.validateOAuth(&f)
	return f
}

func validateRoles(f *faults, s *ClientSettings) {
	for i, role := range s.Roles {
		if !roleForm.MatchString(role) {
			f.add(fmt.Sprintf("roles[%d]", i), "must be 1 to 64 characters without spaces")
		}
	}
	for i, role := range s.DefaultRoles {
		if !slices.Contains(s.Roles, role) {
			f.add(fmt.Sprintf("default_roles[%d]", i), "must be one of the client's roles")
		}
	}
}

// hostForm is a host that every parser reads alike. Browsers fold what stands outside it into other hosts: app%E3%80%82example.com is
// app.example.com to them.
var hostForm = regexp.MustCompile(`^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$`)

// redirectFault says why a redirect URI is refused, "" when it is fine. Exact pages only: no wildcard, no fragment (RFC 6749 section
// 3.1.2), no user part that makes a foreign host look like ours, and none of the schemes that run script.
func redirectFault(uri string) string {
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Scheme == "" || strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }):
		return "is not an absolute URL"
	case strings.Contains(uri, "*"):
		return "must be exact, without *"
	case strings.Contains(uri, "#"):
		return "must have no fragment"
	case u.User != nil:
		return "must have no user part"
	case u.Host != "" && !hostForm.MatchString(u.Host):
		return "must have a plain host: letters, digits, dots and hyphens (punycode for others), or an IP address"
	case u.Scheme == "https" && u.Host != "":
		return ""
	case u.Scheme == "http" && u.Host != "":
		if !loopbackName(u.Hostname()) {
			return "must be https, except on loopback"
		}
		return ""
	case strings.Contains(u.Scheme, "."): // RFC 8252 section 7.1: a private-use scheme is a reversed domain name
		return ""
	}
	return "must be https, http on loopback, or a private-use scheme such as com.example.app:/callback"
}

// originFault says why an origin is refused, "" when it is fine: scheme, host and port, nothing else, as a browser sends it.
func originFault(origin string) string {
	u, err := url.Parse(origin)
	switch {
	case err != nil || u.Host == "" || u.Scheme+"://"+u.Host != origin || strings.Contains(origin, "*") || strings.ToLower(origin) != origin:
		return "must be an origin such as https://app.example.com, in lower case, without path or *"
	case u.Scheme == "http" && !loopbackName(u.Hostname()):
		return "must be https, except on loopback"
	case u.Scheme != "http" && u.Scheme != "https":
		return "must be https"
	case u.Scheme == "https" && u.Port() == "443", u.Scheme == "http" && u.Port() == "80":
		return "must not name the default port: browsers leave it out"
	}
	return ""
}

func validatePage(f *faults, path, page string) {
	if page == "" {
		return
	}
	u, err := url.Parse(page)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && !(u.Scheme == "http" && loopbackName(u.Hostname()))) {
		f.add(path, "must be an https URL (http only on loopback)")
	}
}

// EveryClaim is the name in ClientSettings.Claims that takes every key of an object.
const EveryClaim = "*"

var claimSourceForm = regexp.MustCompile(`^(user\.name|user\.locale|(user|registration)\.data(\.[^.]{1,64})?)$`)

func validateClaims(f *faults, claims map[string]string) {
	for name, from := range claims {
		path := "claims." + name
		switch {
		case name == "" || len(name) > 64:
			f.add(path, "must have a name of 1 to 64 characters")
		case !claimSourceForm.MatchString(from):
			f.add(path, "must be user.name, user.locale, user.data, registration.data, or one of their keys")
		case name == EveryClaim && !strings.HasSuffix(from, ".data"):
			f.add(path, "takes user.data or registration.data")
		}
	}
}
