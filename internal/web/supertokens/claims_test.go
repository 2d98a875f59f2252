package supertokens

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/strictjson"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

var testTenant = &tenant.Tenant{ID: "t", Issuer: "https://login.example.com"}

// FuzzClaims: whatever a backend hands in, the claims are one strict object, and the backend's part reads back as it was.
func FuzzClaims(f *testing.F) {
	f.Add("user", "blue", `{"a":null,"b":{"c":[1]}}`, "h1", "")
	f.Add("\"},\"x\":{\"", "", `{}`, "", "csrf")
	f.Add("\u2028\x00\xff", "a", ``, "p", "c")
	f.Fuzz(func(t *testing.T, subject, org, payload, parent, csrf string) {
		if strings.Contains(subject+org+parent+csrf, "\x00") { // no body brings one
			return
		}
		checked, err := checkPayload(testTenant, json.RawMessage(payload))
		if payload != "" && err != nil {
			return
		}
		m := &session.Making{Family: &session.Family{ID: "id", Subject: subject, OrgID: org}, H1: "h", ParentH1: parent, AntiCSRF: csrf, Payload: checked}
		for _, v := range versions {
			b := claims(&request{version: v}, m, time.Unix(1, 0), time.Unix(2, 0))
			members, err := strictjson.Object(b, strictjson.Limits{Bytes: len(b), Depth: 64})
			if err != nil && json.Valid([]byte(payload)) {
				t.Fatalf("%s: %v", b, err)
			}
			if err == nil && !samePayload(ownClaims(members), checked) {
				t.Fatalf("%s: %s, want %s", b, ownClaims(members), checked)
			}
		}
	})
}

func TestHandles(t *testing.T) {
	for _, org := range []string{"", "blue", "a-b"} {
		id, got := parseHandle(handleOf("id", org))
		if id != "id" || storedOrg(got) != org {
			t.Errorf("%q: %q %q", org, id, got)
		}
	}
	if _, org := parseHandle("id_"); org != "" {
		t.Errorf("an empty tenant reads as %q", org)
	}
}
