package supertokens

import (
	"fmt"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

// version of the core driver interface that a call speaks.
type version struct{ major, minor int }

// versions are those spoken, oldest first. A library knows exactly one and looks for it in the list.
var versions = []version{{3, 0}, {3, 1}, {4, 0}, {5, 0}, {5, 1}, {5, 2}, {5, 3}, {5, 4}}

// The versions from which answers differ.
var (
	linking   = version{4, 0} // recipeUserId and rsub
	appWide   = version{5, 0} // calls on the app are refused at its tenants; useDynamicSigningKey is needed on refresh
	passkeyed = version{5, 3} // webauthn in the user object
)

// from reports whether v is at least o.
func (v version) from(o version) bool {
	return v.major > o.major || v.major == o.major && v.minor >= o.minor
}

func (v version) String() string { return fmt.Sprintf("%d.%d", v.major, v.minor) }

// readVersion takes the cdi-version header; none means the newest.
func readVersion(header string) (version, error) {
	if header == "" {
		return versions[len(versions)-1], nil
	}
	for _, v := range versions {
		if v.String() == header {
			return v, nil
		}
	}
	return version{}, fault.New(fault.Invalid, fault.ReasonInvalid, "cdi-version "+printable(header)+" not supported")
}

// printable keeps what is repeated to the caller short and plain.
func printable(s string) string {
	if len(s) > 32 {
		s = s[:32]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}
