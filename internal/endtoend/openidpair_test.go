package endtoend

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// TestCodeCrossesNodes: openid-client begins at one node and goes on at the other: the pushed request, the login, the continuation, the exchange,
// the refresh and its repetition, introspection, revocation and logout each land where the step before did not.
func TestCodeCrossesNodes(t *testing.T) {
	many(t, func(t *testing.T, o server.Options) {
		a := newParty(t, o)
		for first := range 2 {
			second := 1 - first
			b := a.in(t)
			a.pair.Pin(map[string]int{
				"/oauth2/par": first, "/oauth2/authorize": second, "/ui/login": first, "/oauth2/continue": second, "/oauth2/token": first,
				"/oauth2/userinfo": second, "/oauth2/introspect": second, "/oauth2/logout": first,
			})
			tokens := b.signsOn("web", object{"par": true, "scope": "openid email offline_access"})
			b.call("userinfo", "web", digText(tokens, "access_token"), digText(tokens, "claims.sub"))
			a.pair.Pin(map[string]int{"/oauth2/token": second, "/oauth2/introspect": first, "/oauth2/revoke": second})
			next := b.call("refresh", "web", digText(tokens, "refresh_token"))
			a.pair.Pin(map[string]int{"/oauth2/token": first, "/oauth2/introspect": first, "/oauth2/revoke": second})
			again := b.call("refresh", "web", digText(tokens, "refresh_token")) // its answer was lost on the way, as it were
			if digText(again, "refresh_token") != digText(next, "refresh_token") {
				t.Error("the other node gave another successor")
			}
			if seen := b.call("introspect", "web", digText(next, "access_token")); dig(seen, "active") != true {
				t.Error("the other node does not know the token")
			}
			b.call("revoke", "web", digText(next, "refresh_token"))
			if seen := b.call("introspect", "web", digText(next, "refresh_token")); dig(seen, "active") != false {
				t.Error("a token that one node revoked is active at the other")
			}
			if _, failure := b.try("refresh", "web", digText(next, "refresh_token")); !strings.Contains(failure, "invalid_grant") {
				t.Errorf("and is refreshed there: %q", failure)
			}
			b.leavesAcross(first)
		}
	})
}

// leavesAcross: a logout at one node is known to the other when the browser comes back.
func (a *party) leavesAcross(at int) {
	a.t.Helper()
	tokens := a.signsOn("web", object{"scope": "openid"})
	a.pair.Pin(map[string]int{"/oauth2/logout": at, "/oauth2/authorize": 1 - at})
	to, _ := a.call("leave", "web", object{"id_token_hint": digText(tokens, "id_token")}).(string)
	if back := a.visits(to); back.Path != "/bye" {
		a.t.Fatalf("logout led to %s", back)
	}
	to, _ = a.call("authorize", "web", object{"scope": "openid", "prompt": "none"}).(string)
	if _, failure := a.try("callback", a.visits(to).String()); !strings.Contains(failure, "login_required") {
		a.t.Fatalf("after a logout at the other node the application hears %q", failure)
	}
	a.pair.Pin(nil)
}
