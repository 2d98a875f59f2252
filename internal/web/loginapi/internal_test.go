package loginapi

import (
	"encoding/json"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// Missing, wrong and another tenant's key are one answer; a user's token or cookie opens nothing here.
func TestInternalCallsWantAKey(t *testing.T) {
	b := newBench(t)
	calls := map[string]string{"/internal/token/verify": `{"token":"the.access.token"}`, "/internal/sessions/revoke": `{"user_id":"u"}`}
	for path, body := range calls {
		for _, heads := range [][]string{nil, {"X-Internal-Api-Key: gk_wrong"}, {bearer}, {cookies}, {"Authorization: Bearer gk_right"}} {
			r, got := b.ask("POST", path, body, heads...)
			if r.StatusCode != 401 || reasonOf(got) != "invalid_internal_key" || b.called != "" {
				t.Errorf("%s with %v: %d %s, called %q", path, heads, r.StatusCode, reasonOf(got), b.called)
			}
		}
		if r, _ := b.ask("POST", "/t/blue"+path, body, service); r.StatusCode != 401 {
			t.Errorf("%s takes the key of another tenant", path)
		}
	}
}

func TestVerifyToken(t *testing.T) {
	b := newBench(t)
	b.bound = "thumb"
	_, body := b.ask("POST", "/internal/token/verify", `{"token":"the.access.token"}`, service)
	var got VerifyAnswer
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if !got.Active || got.Sub != ann || got.Sid != sidOne || got.TokenType != "DPoP" || got.Cnf == nil || got.Cnf.Thumbprint != "thumb" {
		t.Errorf("%+v", got)
	}
	for _, token := range []string{"rubbish", "gr_refresh", "gk_right"} {
		if _, body = b.ask("POST", "/internal/token/verify", `{"token":"`+token+`"}`, service); body != `{"active":false}` {
			t.Errorf("%s: %s", token, body)
		}
	}
}

func TestRevokeByService(t *testing.T) {
	b := newBench(t)
	for body, want := range map[string]session.Match{
		`{"session_id":"s"}`: {TenantID: "t-main", ID: "s"}, `{"user_id":"u"}`: {TenantID: "t-main", UserID: "u"},
	} {
		if r, got := b.ask("POST", "/internal/sessions/revoke", body, service); r.StatusCode != 200 || got != `{"ended":1}` || b.match != want {
			t.Errorf("%s: %d %s %+v", body, r.StatusCode, got, b.match)
		}
	}
	if b.call.Actor.Kind != "service" || b.call.Actor.ID != "key-1" {
		t.Errorf("actor %+v", b.call.Actor)
	}
}
