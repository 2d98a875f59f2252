package loginapi

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

const (
	submitted = "hunter2-hunter2"
	service   = "X-Internal-Api-Key: gk_right"
)

// badBodies are bodies no call may take; each holds the secret where it can.
func badBodies() map[string]string {
	q := `"` + submitted + `"`
	return map[string]string{
		"array": `[` + q + `]`, "text": q, "null": `null`, "cut": `{"email":` + q, "trailing": `{}` + q, "nul": `{"x":"` + submitted + `\u0000"}`,
		"raw nul": "{\"x\":\"" + submitted + "\x00\"}", "utf8": "{\"x\":\"" + submitted + "\xff\"}", "surrogate": `{"x":"` + submitted + `\ud800"}`,
		"twice": `{"x":1,"x":` + q + `}`, "deep": strings.Repeat(`{"x":`, 100) + q + strings.Repeat(`}`, 100),
		"large": `{"x":"` + strings.Repeat(submitted, 6000) + `"}`, "comment": `{/*` + submitted + `*/}`, "single": `{'x':'` + submitted + `'}`,
	}
}

// wrongTypes makes, for each field of a body, the body with that field as an object and as an array that hold the secret.
func wrongTypes(t *testing.T, in any) map[string]string {
	raw, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	doc := map[string]any{"client_id": "", "locale": "", "name": "", "email": "", "refresh_token": "", "revoke": true, "all": true}
	known := map[string]any{}
	if err := json.Unmarshal(raw, &known); err != nil {
		t.Fatal(err)
	}
	for k := range known {
		doc[k] = ""
	}
	out := map[string]string{}
	for field := range doc {
		if !strings.Contains(fieldsOf(t, in), " "+field+" ") {
			continue
		}
		for kind, v := range map[string]any{"object": map[string]any{"x": submitted}, "array": []string{submitted}} {
			b, _ := json.Marshal(map[string]any{field: v})
			out[field+" as "+kind] = string(b)
		}
	}
	return out
}

func TestBadBodiesAtEveryCall(t *testing.T) {
	b := newBench(t)
	for _, op := range b.api.operations() {
		if op.in == nil {
			continue
		}
		check := func(name, kind, body string, status ...int) {
			t.Helper()
			r, got := b.ask(op.Method, op.Pattern, body, bearer, service, "Content-Type: "+kind)
			ok := false
			for _, s := range status {
				ok = ok || r.StatusCode == s
			}
			if !ok || r.Header.Get("Content-Type") != "application/problem+json" || reasonOf(got) == "" {
				t.Errorf("%s %s: %d %s", op.id, name, r.StatusCode, got)
			}
			if strings.Contains(got, "hunter2") {
				t.Errorf("%s %s: the secret came back: %s", op.id, name, got)
			}
			if b.called != "" {
				t.Errorf("%s %s: %s was called", op.id, name, b.called)
			}
		}
		for name, body := range badBodies() {
			check(name, "application/json", body, 400, 413)
		}
		for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json; charset=utf-16", ""} {
			check("as "+kind, kind, `{"email":"`+submitted+`"}`, 415)
		}
		for name, body := range wrongTypes(t, op.in) {
			check(name, "application/json", body, 400)
		}
		if !op.optIn && op.Method == http.MethodPost {
			check("empty object", "application/json", `{}`, 400)
			r, got := b.ask(op.Method, op.Pattern, "", bearer, service, "Content-Type: application/json")
			if r.StatusCode != 400 || b.called != "" {
				t.Errorf("%s: empty body: %d %s", op.id, r.StatusCode, got)
			}
		}
	}
	if got := b.logs.String(); strings.Contains(got, "hunter2") {
		t.Error("the secret is in the log")
	}
}

// TestSecretsStayOut greps every answer and log line of refused calls for what was sent.
func TestSecretsStayOut(t *testing.T) {
	b := newBench(t)
	b.fail = fault.New(fault.Unauthenticated, fault.ReasonInvalidCredentials, "e-mail address or password is wrong")
	for _, s := range []struct {
		method, path, body string
		heads              []string
	}{
		{"POST", "/login/password", `{"email":"a@example.com","password":"` + submitted + `"}`, nil},
		{"POST", "/register", `{"email":"a@example.com","password":"` + submitted + `"}`, nil},
		{"POST", "/password/reset", `{"token":"` + submitted + `","password":"` + submitted + `"}`, nil},
		{"POST", "/jwt/refresh", `{"refresh_token":"` + submitted + `"}`, nil},
		{"POST", "/jwt/refresh", "", []string{"X-Refresh-Token: " + submitted, "Authorization: Bearer " + submitted}},
		{"POST", "/jwt/refresh", "", []string{"Cookie: refresh_token=" + submitted + "; access_token=" + submitted}},
		{"GET", "/me", "", []string{"Authorization: Bearer " + submitted}},
		{"GET", "/me?access_token=" + submitted, "", nil},
		{"DELETE", "/sessions/" + submitted, "", []string{bearer}},
		{"GET", "/sessions?after=" + submitted, "", []string{bearer}},
		{"POST", "/login/password", good, []string{"X-Client-Id: " + submitted}},
		{"POST", "/session/confirm", `{"code_id":"` + submitted + `","number":"` + submitted + `"}`, []string{bearer}},
		{"POST", "/session/login/" + submitted, "", nil},
		{"POST", "/session/claim", `{"claim_id":"` + submitted + `","claim_secret":"` + submitted + `"}`, nil},
		{"POST", "/internal/token/verify", `{"token":"` + submitted + `"}`, []string{"X-Internal-Api-Key: " + submitted}},
		{"GET", "/internal/users/" + submitted, "", []string{service}},
		{"POST", "/login/password", good, []string{"X-Token-Mode: " + submitted}},
	} {
		r, body := b.ask(s.method, s.path, s.body, s.heads...)
		if r.StatusCode < 400 || r.StatusCode >= 500 {
			t.Errorf("%s %s: %d", s.method, s.path, r.StatusCode)
		}
		for k, v := range r.Header {
			body += k + strings.Join(v, " ")
		}
		if strings.Contains(body, "hunter2") {
			t.Errorf("%s %s: %s", s.method, s.path, body)
		}
	}
	if strings.Contains(b.logs.String(), "hunter2") {
		t.Error("the log has it")
	}
}

// FuzzCalls sends any body, cookie and token to every call with a body: never a 5xx, never a panic.
func FuzzCalls(f *testing.F) {
	f.Add(good, "access_token=a; refresh_token=b", "Bearer x")
	f.Add(`{"refresh_token":"x","all":true}`, "", "")
	f.Add(`{"name":null,"data":{},"email":""}`, "refresh_token=\"", "DPoP")
	b := newBench(f)
	ops := b.api.operations()
	f.Fuzz(func(t *testing.T, body, cookie, auth string) {
		for _, op := range ops {
			if op.in == nil {
				continue
			}
			for _, a := range []string{auth, "Bearer the.access.token"} {
				r, got := b.ask(op.Method, op.Pattern, body, "Content-Type: application/json", "Cookie: "+cookie, "Authorization: "+a)
				if r.StatusCode >= 500 || !json.Valid([]byte(got)) {
					t.Fatalf("%s: %d %s", op.id, r.StatusCode, got)
				}
			}
		}
	})
}

// FuzzPage sends any limit and cursor: a page or a 4xx.
func FuzzPage(f *testing.F) {
	f.Add("1", "AAAAAAAAAAAAAAAAAAAAAA")
	f.Add("-1", "%00")
	b := newBench(f)
	f.Fuzz(func(t *testing.T, limit, after string) {
		q := url.Values{"limit": {limit}, "after": {after}}
		if r, got := b.ask("GET", "/sessions?"+q.Encode(), "", bearer); r.StatusCode >= 500 || !json.Valid([]byte(got)) {
			t.Fatalf("%d %s", r.StatusCode, got)
		}
	})
}

// fieldsOf names the JSON fields of a body type, as the document has them.
func fieldsOf(t *testing.T, in any) string {
	t.Helper()
	out := " "
	for name := range schemaOf(in).Properties {
		out += name + " "
	}
	return out
}
