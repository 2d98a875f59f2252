package view

import (
	"net/url"
	"regexp"

	"github.com/gatehouse-auth/gatehouse/internal/web"
)

var originShape = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*$|^[a-zA-Z0-9.:\[\]-]+$`)

// LetFormLeadTo opens the content policy for the redirect after the post. The address is a registered one, and yet only what looks like an
// origin goes into a header.
func LetFormLeadTo(x *web.Exchange, address string) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "" || !originShape.MatchString(u.Scheme) {
		return
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		x.FormTo(u.Scheme + ":") // an app's own scheme
	case originShape.MatchString(u.Host):
		x.FormTo(u.Scheme + "://" + u.Host)
	}
}
