package hosted

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// TestClosedApplication: on the way to an application that requires a registration there is no sign-up, and who is not registered is told so
// and is not signed on.
func TestClosedApplication(t *testing.T) {
	s := newSite(t)
	for path, want := range map[string]bool{"/ui/login?i=closed": false, "/ui/login?i=login": true} {
		if got := s.ask(t, path, "", nil); got.status != 200 || strings.Contains(got.body, `id="to-register"`) != want {
			t.Errorf("%s: %d, shows the way to sign up %v, want %v", path, got.status, !want, want)
		}
	}
	got := s.ask(t, "/ui/login?i=closed", "", values("email", "ada@example.com", "password", "elsewhere"))
	if got.status != 403 || !strings.Contains(got.body, "This account may not use this application") || got.set[web.SSOCookie] != "" {
		t.Errorf("who is not registered: %d, cookie %q", got.status, got.set[web.SSOCookie])
	}
	if diff := cmp.Diff([]string{"prove ada@example.com for garden"}, s.done()); diff != "" {
		t.Error(diff)
	}
	for name, got := range map[string]answer{
		"its page": s.ask(t, "/ui/register?i=closed", "", nil),
		"its form": s.ask(t, "/ui/register?i=closed", "", values("email", "ada@example.com", "new_password", rightPassword)),
	} {
		if got.status != 403 || !strings.Contains(got.body, "not open to everybody") {
			t.Errorf("a sign-up by %s: %d", name, got.status)
		}
	}
	if got := s.ask(t, "/ui/login?i=closed", "", values("email", "ada@example.com", "password", "unverified")); strings.Contains(got.body, `id="to-restart"`) {
		t.Error("who has an unproved sign-up elsewhere is shown the way to another one")
	}
	got = s.ask(t, "/ui/device", "good", values("user_code", "CLOSED"))
	if got.status != 403 || !strings.Contains(got.body, "This account may not use this application") || strings.Contains(got.body, "device-allow") {
		t.Errorf("a device of it: %d", got.status)
	}
	if did := s.done(); len(did) != 1 { // the login of the unproved one
		t.Errorf("did %v", did)
	}
}
