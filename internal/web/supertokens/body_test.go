package supertokens_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/testbed"
)

// FuzzBody: whatever is sent, the answer is a status in JSON or a refusal in plain text, never a fault of ours and never text that looks
// like an answer.
func FuzzBody(f *testing.F) {
	paths := []string{
		"POST /recipe/session", "POST /recipe/session/verify", "POST /recipe/session/refresh", "POST /recipe/session/regenerate",
		"POST /recipe/session/remove", "PUT /recipe/session/data", "PUT /recipe/jwt/data", "POST /recipe/jwt",
	}
	for i, body := range []string{
		`{"userId":"u","userDataInJWT":{},"userDataInDatabase":{},"enableAntiCsrf":false}`, `{"accessToken":"x","doAntiCsrfCheck":true,"enableAntiCsrf":true,"checkDatabase":true}`,
		`{"refreshToken":"gr_x","enableAntiCsrf":false,"useDynamicSigningKey":true}`, `{"accessToken":"a.b.c","userDataInJWT":{"a":null}}`,
		`{"sessionHandles":["x",null]}`, `{"sessionHandle":"x_y","userDataInDatabase":{}}`, `{"sessionHandle":"\u0000","userDataInJWT":{"sub":1}}`,
		`{"algorithm":"RS256","jwksDomain":"x","payload":{},"validity":1e5}`,
	} {
		f.Add(uint8(i), body)
	}
	w := newWorld(f, testbed.OpenSQLite(f).Store)
	f.Fuzz(func(t *testing.T, which uint8, body string) {
		method, path, _ := strings.Cut(paths[int(which)%len(paths)], " ")
		h := w.node.call(t, tell{method: method, path: "/supertokens" + path, body: body, key: w.key})
		switch {
		case h.code == 200 && h.kind == "application/json; charset=UTF-8" && h.json["status"] != nil:
		case h.code >= 400 && h.code < 500 && strings.HasPrefix(h.kind, "text/plain") && h.text != "":
		default:
			t.Fatalf("%s %s %q: %d %s %s", method, path, body, h.code, h.kind, h.text)
		}
	})
}
