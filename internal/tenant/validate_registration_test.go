package tenant_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// TestRequireRegistrationBesideAutoRegister: the one lets in only who is registered, the other signs up whoever comes; both is a mistake.
func TestRequireRegistrationBesideAutoRegister(t *testing.T) {
	for _, c := range []struct {
		auto, require bool
		want          string
	}{{false, false, ""}, {true, false, ""}, {false, true, ""}, {true, true, "require_registration"}} {
		client := tenant.Client{ID: "web", Settings: tenant.ClientSettings{AutoRegister: c.auto, RequireRegistration: c.require}}
		faults := client.Validate()
		if got := paths(faults); got != c.want {
			t.Errorf("auto_register %v, require_registration %v: faults at %q, want %q", c.auto, c.require, got, c.want)
		}
		if c.want != "" && !strings.Contains(faults[0].Message, "auto_register") {
			t.Errorf("the fault does not name the other setting: %s", faults[0].Message)
		}
	}
}
