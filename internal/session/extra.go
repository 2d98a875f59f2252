package session

import (
	"encoding/json"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token/kind"
)

// extraClaims are the claims a client's settings add from what is known of the user. Reserved names are left out even when the data
// carries them: what a person writes into their own data must never make their token pass for another's or a service's.
func extraClaims(c *tenant.Client, h *Holder) map[string]any {
	if c == nil || len(c.Settings.Claims) == 0 {
		return nil
	}
	out := map[string]any{}
	for name, from := range c.Settings.Claims {
		value := claimSource(from, h)
		if object, ok := value.(map[string]any); ok && name == tenant.EveryClaim {
			for key, v := range object {
				putClaim(out, key, v)
			}
			continue
		}
		putClaim(out, name, value)
	}
	return out
}

func putClaim(out map[string]any, name string, value any) {
	if name != tenant.EveryClaim && value != nil && !kind.Reserved(name) {
		out[name] = value
	}
}

func claimSource(from string, h *Holder) any {
	switch from {
	case "user.name":
		return textOrNil(h.Name)
	case "user.locale":
		return textOrNil(h.Locale)
	}
	data, rest := h.UserData, strings.TrimPrefix(from, "user.data")
	if strings.HasPrefix(from, "registration.data") {
		data, rest = h.RegisterData, strings.TrimPrefix(from, "registration.data")
	}
	var object map[string]any
	if len(data) == 0 || json.Unmarshal(data, &object) != nil {
		return nil
	}
	if rest == "" {
		return object
	}
	return object[strings.TrimPrefix(rest, ".")]
}

func textOrNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}
