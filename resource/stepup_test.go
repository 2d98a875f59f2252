package resource

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestStepUp: the challenges of RFC 9470 section 3.
func TestStepUp(t *testing.T) {
	w := newWorld(t, nil)
	now := w.clock.now()
	for _, c := range []struct {
		name      string
		claims    claims
		need      Need
		status    int
		challenge string
	}{
		{"recent", claims{"auth_time": now.Unix() - 60}, Recent(time.Minute), 204, ""},
		{"too old", claims{"auth_time": now.Unix() - 61}, Recent(time.Minute), 401, `error="insufficient_user_authentication", error_description="authentication_too_old", max_age="60"`},
		{"nobody knows when", claims{"auth_time": nil}, Recent(time.Hour), 401, `max_age="3600"`},
		{"now", claims{"auth_time": now.Unix() - 1}, Recent(0), 401, `max_age="0"`},
		{"level", claims{"acr": "two"}, Level("one", "two"), 204, ""},
		{"another level", claims{"acr": "zero"}, Level("one", "two"), 401, `error="insufficient_user_authentication", error_description="insufficient_level", acr_values="one two"`},
		{"no level", claims{"acr": nil}, Level("one"), 401, `acr_values="one"`},
		{"a role is enough", claims{"auth_time": now.Unix() - 9999, "roles": []string{"admin"}}, Role("admin"), 204, ""},
		{"a scope is enough", claims{"auth_time": now.Unix() - 9999, "scope": "read"}, Scope("read"), 204, ""},
	} {
		for name, guard := range map[string]func(http.Handler) http.Handler{
			"in one": w.RequireUser(c.need),
			"behind": func(next http.Handler) http.Handler { return w.RequireUser()(Require(c.need)(next)) },
		} {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Authorization", "Bearer "+user(t, c.claims))
			out := httptest.NewRecorder()
			guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })).ServeHTTP(out, r)
			if got := out.Header().Get("WWW-Authenticate"); out.Code != c.status || !strings.Contains(got, c.challenge) {
				t.Errorf("%s %s: %d %q, want %d %q", c.name, name, out.Code, got, c.status, c.challenge)
			}
		}
	}
}
