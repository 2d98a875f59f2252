package loginapi

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestSessionCodeAnswer(t *testing.T) {
	b := newBench(t)
	r, body := b.ask("POST", "/session/create", "", bearer)
	var got CodeAnswer
	if err := json.Unmarshal([]byte(body), &got); err != nil || r.StatusCode != 200 {
		t.Fatal(r.StatusCode, err)
	}
	if got.SessionCode != "the-code" || got.CodeID != "id" || got.ExpiresIn != 60 || !strings.HasSuffix(got.URL, "/ui/handoff/the-code") ||
		!strings.HasPrefix(got.QRSVG, "<svg ") {
		t.Errorf("%+v", got)
	}
	if strings.Contains(b.logs.String(), "the-code") {
		t.Error("the code is in the log")
	}
	if b.ask("POST", "/session/confirm", `{"code_id":"id","number":"07"}`, bearer); b.number != "id 07" {
		t.Errorf("confirmed %q", b.number)
	}
	if r, body := b.ask("POST", "/session/confirm", `{"code_id":"id","number":7}`, bearer); r.StatusCode != 400 {
		t.Errorf("a number that is no text: %d %s", r.StatusCode, body)
	}
}

// The second device's tokens travel as after a password login; a code in a path stays out of every log.
func TestHandedOverTokens(t *testing.T) {
	b := newBench(t)
	for _, call := range [][2]string{{"/session/login/at-once", ""}, {"/session/claim", `{"claim_id":"id","claim_secret":"hunter2-secret"}`}} {
		r, body := b.ask("POST", call[0], call[1])
		if !strings.Contains(body, "gr_refresh") || !strings.Contains(cookieNames(r), "access_token") {
			t.Errorf("%s: %s", call[0], cookieNames(r))
		}
		r, body = b.ask("POST", call[0], call[1], "X-Token-Mode: cookie")
		if strings.Contains(body, "gr_refresh") || !strings.Contains(cookieNames(r), "refresh_token") {
			t.Errorf("%s in cookie mode: %s", call[0], body)
		}
		r, body = b.ask("POST", call[0], call[1], "X-Token-Mode: bearer")
		if !strings.Contains(body, "gr_refresh") || cookieNames(r) != "" {
			t.Errorf("%s in bearer mode sets %s", call[0], cookieNames(r))
		}
		if r, _ = b.ask("POST", call[0], call[1], "Origin: "+foreign); r.StatusCode != 403 || b.called != "" {
			t.Errorf("%s from a foreign page: %d, called %q", call[0], r.StatusCode, b.called)
		}
	}
	r, body := b.ask("POST", "/session/login/hunter2-code", "")
	if r.StatusCode != 202 || cookieNames(r) != "__Host-gh_browser" || strings.Contains(body, "gr_") {
		t.Errorf("claim: %d %s %s", r.StatusCode, cookieNames(r), body)
	}
	if strings.Contains(b.logs.String(), "hunter2") {
		t.Error("a code or a claim secret is in the log")
	}
}
