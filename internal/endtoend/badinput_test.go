package endtoend

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// planted stands in every bad body; no answer may repeat it.
const planted = "s3cret-Planted-Value"

func TestBadInputIsRefusedAndNeverRepeated(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		s := server.Start(t, o)
		p := signUp(t.Context(), t, s, "bad")
		access, _ := bearer(t.Context(), t, p)
		posts := []string{"/login/password", "/register", "/email/verify/resend", "/password/forgot", "/password/reset", "/jwt/refresh", "/logout"}
		for _, path := range posts {
			for what, body := range badBodies() {
				badCall(t, s, s.Visitor(), http.MethodPost, path, what, body)
			}
		}
		own := s.Visitor().With("Authorization", "Bearer "+access)
		for what, body := range badBodies() {
			badCall(t, s, own, http.MethodPatch, "/me", what, body)
		}
		if strings.Contains(s.Logs(), planted) {
			t.Error("the log repeats a submitted value")
		}
		me, err := s.Me(t.Context(), access)
		must(t, "me after all that", me, err, 200)
		if strings.Contains(string(me.Body), planted) {
			t.Error("a refused call was partly written")
		}
	})
}

func badBodies() map[string][]byte {
	mail := `"email":"bad@example.com"`
	return map[string][]byte{
		"oversized":       []byte(`{` + mail + `,"password":"` + planted + strings.Repeat("x", 70_000) + `"}`),
		"wrong type":      []byte(`{"email":{"` + planted + `":1},"password":["` + planted + `"],"refresh_token":{"x":"` + planted + `"},"token":7,"revoke":"` + planted + `","name":["` + planted + `"]}`),
		"NUL":             []byte(`{"email":"a` + "\\u0000" + planted + `@example.com","password":"` + planted + `\u0000","refresh_token":"\u0000","token":"\u0000` + planted + `","name":"\u0000","x":"\u0000"}`),
		"invalid UTF-8":   append([]byte(`{"email":"`+planted), []byte("\xff\xfe\"}")...),
		"duplicate keys":  []byte(`{` + mail + `,` + mail + `,"password":"` + planted + `","password":"` + planted + `"}`),
		"trailing data":   []byte(`{` + mail + `,"password":"` + planted + `"} {}`),
		"an array":        []byte(`["` + planted + `"]`),
		"half an object":  []byte(`{"password":"` + planted),
		"deep nesting":    []byte(strings.Repeat(`{"a":`, 10_000) + `"` + planted + `"` + strings.Repeat(`}`, 10_000)),
		"lone surrogates": []byte(`{"email":"\ud800` + planted + `","password":"\udfff` + planted + `","refresh_token":"\ud800","token":"\ud800","name":"\ud800","x":"\ud800"}`),
	}
}

func badCall(t *testing.T, s *server.Server, v *drill.Visitor, method, path, what string, body []byte) {
	t.Helper()
	r, err := v.Do(t.Context(), method, path, body)
	if err != nil {
		t.Errorf("%s with %s: %v", path, what, err)
		return
	}
	if r.Status < 400 || r.Status > 499 {
		t.Errorf("%s with %s: answered %s, want a 4xx", path, what, r)
	}
	if ct := r.Header.Get("Content-Type"); ct != "application/problem+json" {
		t.Errorf("%s with %s: content type %q", path, what, ct)
	}
	if bytes.Contains(r.Body, []byte(planted)) {
		t.Errorf("%s with %s: the answer repeats the submitted value", path, what)
	}
}

func TestBadTokensAndCookies(t *testing.T) {
	ctx := t.Context()
	s := server.Start(t, server.Options{})
	for _, token := range []string{"", "x", "a.b.c", "....", strings.Repeat("a", 7000), "gr_", "gr_" + strings.Repeat("A", 120), "\x01"} {
		r, err := s.Visitor().With("Authorization", "Bearer "+strings.Map(printable, token)).Get(ctx, "/me")
		must(t, "a rubbish bearer token", r, err, 401)
		if r.Header.Get("WWW-Authenticate") == "" {
			t.Error("401 on a bearer call without WWW-Authenticate")
		}
		v := s.Visitor()
		v.Cookies["access_token"], v.Cookies["refresh_token"] = strings.Map(printable, token), strings.Map(printable, token)
		r, err = v.Get(ctx, "/me")
		must(t, "a rubbish access cookie", r, err, 401)
		r, err = v.Post(ctx, "/jwt/refresh", map[string]string{})
		must(t, "a rubbish refresh cookie", r, err, 401)
		r, err = v.Post(ctx, "/logout", map[string]any{})
		must(t, "logout with rubbish", r, err, 200)
	}
	for _, path := range []string{"/email/verify/x", "/password/reset/x", "/email/verify/" + strings.Repeat("y", 300)} {
		r, err := s.Visitor().Get(ctx, path)
		must(t, "a made-up link", r, err, 410)
	}
}

func printable(r rune) rune {
	if r < 0x20 {
		return '!'
	}
	return r
}
