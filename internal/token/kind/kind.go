// Package kind owns the table of token kinds, which the server and the public verifier share, and the names of claims that only the signing
// room writes. It does not own signing, keys, or what a kind may be used for.
package kind

import (
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/weak"
)

// Usage is one kind of token. Two kinds never pass for one another: by typ where we choose it, else by marker claims.
type Usage struct {
	Name   string
	Types  []string // accepted typ headers, as jose.Rules wants them; the first is what we write
	Needs  []string // claims that must be there
	Bars   []string // claims that must not be there
	Static bool     // may be signed by a static key
}

// The kinds.
var (
	User    = Usage{Name: "user", Types: []string{"at+jwt"}, Needs: []string{"sub", "tid", "sid"}, Bars: []string{"source", "sessionHandle"}}
	UserJWT = Usage{Name: "user", Types: []string{"jwt"}, Needs: []string{"sub", "tid", "tty"}, Bars: []string{"source", "sessionHandle"}} // tty is "at"
	// Client is a client's own access token (RFC 9068 section 2.2, without a person): the absence of a session is what tells it from a user's.
	Client  = Usage{Name: "client", Types: []string{"at+jwt"}, Needs: []string{"sub", "tid", "client_id"}, Bars: []string{"sid", "ep", "source", "sessionHandle", "tty"}}
	ID      = Usage{Name: "id", Types: []string{"jwt"}, Needs: []string{"sub"}, Bars: []string{"tty", "source", "sessionHandle", "ep"}}
	Service = Usage{Name: "service", Types: []string{"jwt"}, Needs: []string{"source"}, Bars: []string{"sid", "ep", "tty", "sessionHandle"}, Static: true}
	Logout  = Usage{Name: "logout", Types: []string{"logout+jwt"}, Needs: []string{"events"}, Bars: []string{"nonce", "tty", "source"}}
	Super   = Usage{Name: "supertokens", Types: []string{"jwt"}, Needs: []string{"sessionHandle"}, Bars: []string{"source", "tty"}, Static: true}
)

// All lists every kind.
func All() []Usage {
	return []Usage{User, UserJWT, Client, ID, Service, Logout, Super}
}

// Fits reports whether a verified token is of this kind.
func (u Usage) Fits(t *jose.Token) bool {
	if !slices.Contains(u.Types, t.Type) {
		return false
	}
	for _, name := range u.Needs {
		value, ok := t.Claim(name)
		if !ok || name == "tty" && string(value) != `"at"` {
			return false
		}
	}
	for _, name := range u.Bars {
		if _, ok := t.Claim(name); ok {
			return false
		}
	}
	return true
}

// reserved are the claims that only this package writes: no user, hook, template or dialect may set them (a user token with "source"
// would pass for a service, one with "sessionHandle" for another session).
var reserved = map[string]bool{
	"iss": true, "tid": true, "sub": true, "aud": true, "client_id": true, "exp": true, "iat": true, "nbf": true, "jti": true,
	"sid": true, "parent_sid": true, "ep": true, "roles": true, "scope": true, "email": true, "email_verified": true,
	"preferred_username": true, "applicationId": true, "auth_time": true, "amr": true, "acr": true, "cnf": true,
	"act": true, "may_act": true, "source": true, "tty": true, "events": true, "nonce": true, "azp": true,
	"at_hash": true, "c_hash": true, "s_hash": true, "sessionHandle": true, "refreshTokenHash1": true, "parentRefreshTokenHash1": true,
	"antiCsrfToken": true,
}

// Reserved reports whether configured extra claims may not use this name.
func Reserved(name string) bool { return reserved[name] && !weak.Off("reserved-claims") }
