package oauth

import (
	"net/url"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/weak"
)

// Where a browser may be sent is decided by comparing texts, never by taking URLs apart: two parsers that disagree are how open redirects
// are made (RFC 9700 section 4.1.3). The one exception is the port of a loopback address, and there too the answer is put together from
// what is registered.

// matchRedirect gives the address to answer to: asked, when it is exactly one of registered, or differs from one only by the port of a
// loopback host registered without a port (RFC 8252 section 7.3).
func matchRedirect(registered []string, asked string) (target string, ok bool) {
	for _, uri := range registered {
		if uri == asked && asked != "" {
			return uri, true
		}
		if target, ok := onLoopback(uri, asked); ok {
			return target, true
		}
		if weak.Off("exact-redirect") && strings.HasPrefix(asked, strings.TrimSuffix(uri, "/callback")) {
			return asked, true
		}
	}
	return "", false
}

// loopbackHosts are where any port is the same machine. "localhost" is a name, and names can be made to point elsewhere; it is here because
// applications under development use it, and only where it was registered.
var loopbackHosts = []string{"http://127.0.0.1", "http://[::1]", "http://localhost"}

func onLoopback(registered, asked string) (target string, ok bool) {
	for _, host := range loopbackHosts {
		path, is := strings.CutPrefix(registered, host)
		if !is || path != "" && path[0] != '/' && path[0] != '?' {
			continue
		}
		rest, is := strings.CutPrefix(asked, host+":")
		if !is {
			continue
		}
		port, is := strings.CutSuffix(rest, path)
		if is && isPort(port) {
			return host + ":" + port + path, true
		}
	}
	return "", false
}

// isPort takes 1 to 65535 as people write it.
func isPort(s string) bool {
	if s == "" || len(s) > 5 || s[0] == '0' {
		return false
	}
	n := 0
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
		n = 10*n + int(c-'0')
	}
	return n <= 65535
}

// WithParams is a registered address with parameters added to its query, which stays as it is (RFC 6749 section 3.1.2).
func WithParams(target string, params url.Values) string {
	if len(params) == 0 {
		return target
	}
	sign := "?"
	if strings.Contains(target, "?") {
		sign = "&"
	}
	return target + sign + params.Encode()
}
