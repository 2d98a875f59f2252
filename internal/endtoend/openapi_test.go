package endtoend

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// contract holds real answers against the document that the server itself publishes.
type contract struct {
	next http.RoundTripper
	doc  struct {
		Paths map[string]map[string]struct {
			Responses map[string]struct {
				Content map[string]struct{ Schema map[string]any }
			}
		}
		Components struct{ Schemas map[string]map[string]any }
	}
	mu     sync.Mutex
	seen   map[string]int
	faults []string
}

// underContract checks every answer of s from now on, and at the end of the test says what does not fit.
func underContract(t *testing.T, s *server.Server) *contract {
	t.Helper()
	c := &contract{next: s.HTTP.Transport, seen: map[string]int{}}
	r, err := s.Visitor().Get(t.Context(), "/openapi.json")
	must(t, "openapi.json", r, err, 200)
	do(t, json.Unmarshal(r.Body, &c.doc))
	s.HTTP.Transport = c
	t.Cleanup(func() {
		for _, f := range c.faults {
			t.Error(f)
		}
	})
	return c
}

// RoundTrip is http.RoundTripper.
func (c *contract) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(raw))
	if err == nil {
		c.check(r, res, raw)
	}
	return res, err
}

func (c *contract) check(r *http.Request, res *http.Response, raw []byte) {
	path := c.pathOf(r.URL.Path)
	op, ok := c.doc.Paths[path][strings.ToLower(r.Method)]
	if !ok {
		return // pages, health and the development mailbox are not the API's
	}
	at := fmt.Sprintf("%s %s %d", r.Method, path, res.StatusCode)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[at]++
	answer, ok := op.Responses[strconv.Itoa(res.StatusCode)]
	if !ok && slices.Contains([]int{400, 404, 405, 413, 415, 421, 429, 503}, res.StatusCode) { // what every call may meet
		answer, ok = op.Responses["default"]
	}
	if !ok {
		c.faults = append(c.faults, at+" is not documented")
		return
	}
	media, ok := answer.Content[res.Header.Get("Content-Type")]
	if !ok {
		if len(raw) > 0 || len(answer.Content) > 0 {
			c.faults = append(c.faults, at+": undocumented content type "+res.Header.Get("Content-Type"))
		}
		return
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		c.faults = append(c.faults, at+": "+err.Error())
		return
	}
	for _, f := range c.against(media.Schema, v, "body") {
		c.faults = append(c.faults, at+": "+f)
	}
}

func (c *contract) pathOf(path string) string {
	for known := range c.doc.Paths {
		a, b := strings.Split(known, "/"), strings.Split(path, "/")
		if slices.EqualFunc(a, b, func(x, y string) bool { return x == y || strings.HasPrefix(x, "{") && y != "" }) {
			return known
		}
	}
	return ""
}

// against knows the part of JSON Schema that the document uses. Answers have no field that is not documented.
func (c *contract) against(schema map[string]any, v any, at string) (out []string) {
	if ref, ok := schema["$ref"].(string); ok {
		schema = c.doc.Components.Schemas[ref[strings.LastIndexByte(ref, '/')+1:]]
		if schema == nil {
			return []string{at + ": dangling " + ref}
		}
	}
	if !fits(schema["type"], v) {
		return []string{fmt.Sprintf("%s is a %T, not %v", at, v, schema["type"])}
	}
	if enum, ok := schema["enum"].([]any); ok && !slices.Contains(enum, v) {
		out = append(out, at+" is none of the enumeration")
	}
	switch v := v.(type) {
	case map[string]any:
		out = append(out, c.object(schema, v, at)...)
	case []any:
		items, _ := schema["items"].(map[string]any)
		for i := range v {
			out = append(out, c.against(items, v[i], fmt.Sprintf("%s[%d]", at, i))...)
		}
	}
	return out
}

func (c *contract) object(schema, v map[string]any, at string) (out []string) {
	properties, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if _, ok := v[name.(string)]; !ok {
			out = append(out, at+" lacks "+name.(string))
		}
	}
	for name, value := range v {
		p, ok := properties[name].(map[string]any)
		if !ok {
			if len(properties) > 0 {
				out = append(out, at+" has the undocumented field "+name)
			}
			continue
		}
		out = append(out, c.against(p, value, at+"."+name)...)
	}
	return out
}

// fits compares with a type name or a list of them; none allows everything.
func fits(want, v any) bool {
	names, _ := want.([]any)
	if s, ok := want.(string); ok {
		names = []any{s}
	}
	if len(names) == 0 {
		return true
	}
	for _, name := range names {
		var ok bool
		switch name {
		case "object":
			_, ok = v.(map[string]any)
		case "array":
			_, ok = v.([]any)
		case "string":
			_, ok = v.(string)
		case "boolean":
			_, ok = v.(bool)
		case "integer", "number":
			var f float64
			f, ok = v.(float64)
			ok = ok && (name == "number" || f == float64(int64(f)))
		case "null":
			ok = v == nil
		}
		if ok {
			return true
		}
	}
	return false
}

// TestAnswersFitTheDocument walks through the API and holds every answer against /openapi.json.
func TestAnswersFitTheDocument(t *testing.T) {
	ctx := t.Context()
	s := server.Start(t, server.Options{})
	c := underContract(t, s)
	p := firstLogin(ctx, t, s)
	access, refresh := bearer(ctx, t, p)
	bearer(ctx, t, p)
	bearer(ctx, t, p)
	steps := []struct {
		v            int // 0 stranger, 1 owner
		method, path string
		body         any
	}{
		{1, "GET", "/me", nil}, {0, "GET", "/me", nil}, {1, "PATCH", "/me", map[string]any{"name": "Ada", "data": map[string]any{"k": []int{1}}}},
		{1, "PATCH", "/me", map[string]any{"email": drill.Fresh("document")}}, {1, "PATCH", "/me", `{"name":7}`}, {0, "PATCH", "/me", `{}`},
		{1, "GET", "/sessions?limit=1", nil}, {1, "GET", "/sessions", nil}, {1, "GET", "/sessions?limit=x", nil},
		{1, "DELETE", "/sessions/" + sid(t, access), nil}, // ends the session of this very token
		{0, "POST", "/jwt/refresh", map[string]string{"refresh_token": refresh}}, {0, "POST", "/jwt/refresh", `{"refresh_token":"x"}`},
		{0, "POST", "/login/password", map[string]string{"email": p.Email, "password": "wrong"}}, {0, "POST", "/login/password", `[]`},
		{0, "POST", "/register", map[string]string{"email": drill.Fresh("document"), "password": "a good enough one"}},
		{0, "POST", "/register", map[string]string{"email": drill.Fresh("document"), "password": "password"}}, {0, "POST", "/register", `{"email":1}`},
		{0, "POST", "/email/verify/resend", map[string]string{"email": p.Email}}, {0, "POST", "/password/forgot", map[string]string{"email": p.Email}},
		{0, "POST", "/password/reset", map[string]string{"token": "x", "password": "a good enough one"}}, {0, "POST", "/logout", `{}`},
		{0, "GET", "/.well-known/jwks.json", nil}, {0, "GET", "/openapi.json", nil}, {1, "DELETE", "/me", nil},
	}
	for _, st := range steps {
		v := s.Visitor()
		if st.v == 1 {
			v = as(s, access)
		}
		if _, err := v.Do(ctx, st.method, st.path, st.body); err != nil {
			t.Fatal(err)
		}
	}
	r, err := p.LogIn(ctx, p.Visitor)
	must(t, "login by browser", r, err, 200)
	for _, st := range [][2]string{{"POST", "/jwt/refresh"}, {"DELETE", "/sessions?except=current"}, {"GET", "/sessions"}, {"DELETE", "/me"}} {
		if _, err := p.Do(ctx, st[0], st[1], nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{
		"POST /login/password 200", "POST /login/password 401", "POST /login/password 400", "POST /register 202", "POST /register 422",
		"POST /jwt/refresh 200", "POST /jwt/refresh 401", "POST /logout 200", "GET /me 200", "GET /me 401", "PATCH /me 200", "PATCH /me 400", "DELETE /me 204",
		"GET /sessions 200", "DELETE /sessions 200", "DELETE /sessions/{id} 204", "POST /password/reset 410", "GET /.well-known/jwks.json 200",
	} {
		if c.seen[want] == 0 {
			t.Errorf("the walk never saw %s", want)
		}
	}
}
