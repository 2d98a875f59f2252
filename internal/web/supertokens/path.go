package supertokens

import (
	"regexp"
	"strings"
)

// publicName is the app and the tenant that a path does not name.
const publicName = "public"

// place is what a path says: [/appid-<app>][/<tenant>]/<endpoint>.
type place struct {
	app  string
	org  string
	path string // of the endpoint, with its slash
}

var (
	nameForm = regexp.MustCompile(`^[a-z0-9-]+$`)
	appForm  = regexp.MustCompile(`^appid-[a-z0-9-]+$`)
)

// notOrgs may not name a tenant: endpoints begin with them.
var notOrgs = map[string]bool{"recipe": true, "config": true, "users": true, "hello": true}

// orgName reports whether a tenant may be called so.
func orgName(s string) bool {
	return nameForm.MatchString(s) && !notOrgs[s] && !strings.HasPrefix(s, "appid-")
}

// parsePath reads a path below the prefix, in any case, with or without a slash at its end. known says which endpoints there are: a path
// that is one as it stands names no tenant. False when there is no such endpoint.
func parsePath(rest string, known func(path string) bool) (place, bool) {
	p := place{app: publicName, org: publicName, path: "/" + strings.TrimSuffix(lower(strings.TrimPrefix(rest, "/")), "/")}
	first, after := cutSegment(p.path)
	if appForm.MatchString(first) {
		p.app, p.path = strings.TrimPrefix(first, "appid-"), after
	}
	if known(p.path) {
		return p, true
	}
	first, after = cutSegment(p.path)
	if orgName(first) && after != "/" && known(after) {
		p.org, p.path = first, after
		return p, true
	}
	return p, false
}

// lower folds ASCII alone: a Kelvin sign is no k.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

// cutSegment takes the first segment off; what remains begins with a slash.
func cutSegment(path string) (segment, rest string) {
	segment, rest, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return segment, "/" + rest
}
