package endtoend

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// mark is what services know each other by.
var mark = object{"source": "microservice"}

func jwtOf(t *testing.T, v any) string {
	t.Helper()
	token := digText(v, "jwt")
	if digText(v, "status") != "OK" || token == "" {
		t.Fatalf("no token: %v", v)
	}
	return token
}

// m2Of is the second service; it trusts the keys that the application publishes.
func (w *superWorld) m2Of(t *testing.T) *peer {
	t.Helper()
	return startNode(t, "m2.mjs", object{"jwks": w.app.URL + "/auth/jwt/jwks.json", "fresh": true})
}

// work calls M2 with a token and gives the status and M2's answer.
func (p *peer) work(token string) *seen {
	p.t.Helper()
	return p.tab().with("Authorization", "Bearer "+token).send(http.MethodPost, "/work", nil)
}

// superServiceTokens is the flow of the document: M1 makes a token with its mark, M2 checks it with jsonwebtoken and jwks-rsa, and refuses
// everything else.
func superServiceTokens(t *testing.T, w *superWorld) {
	m2 := w.m2Of(t)
	token := jwtOf(t, w.app.call("JWT.createJWT", object{"source": "microservice", "nested": object{"list": []any{1, nil, "x"}}, "none": nil}))
	r := m2.work(token)
	if r.status != 200 || r.json["source"] != "microservice" || dig(r.json, "nested.list.2") != "x" {
		t.Fatalf("M2 answered %d: %s", r.status, r.body)
	}
	if v, there := r.json["none"]; !there || v != nil {
		t.Error("null was lost")
	}
	h, c := headerOf(t, token), claimsOf(t, token)
	if life := c["exp"].(float64) - c["iat"].(float64); life != 3153600000 || c["iss"] != w.app.URL || h["typ"] != "JWT" || h["alg"] != "RS256" || h["version"] != nil {
		t.Errorf("header %v, claims %v", h, c)
	}
	for _, name := range []string{"sub", "sessionHandle", "refreshTokenHash1"} {
		if c[name] != nil {
			t.Errorf("a service's token has %s", name)
		}
	}
	if !strings.HasPrefix(h["kid"].(string), "s-") {
		t.Errorf("signed by %v, not a static key", h["kid"])
	}
	dynamic := jwtOf(t, w.app.call("JWT.createJWT", mark, 3600, false))
	if kid := headerOf(t, dynamic)["kid"].(string); !strings.HasPrefix(kid, "d-") || m2.work(dynamic).status != 200 {
		t.Errorf("a rotating key: signed by %s, M2 answered %d", kid, m2.work(dynamic).status)
	}
	if c := claimsOf(t, dynamic); c["exp"].(float64)-c["iat"].(float64) != 3600 {
		t.Errorf("an hour is %v", c)
	}
	bySession := jwtOf(t, w.app.call("Session.createJWT", mark)) // through the openid recipe
	if claimsOf(t, bySession)["iss"] != w.app.URL+"/auth" || m2.work(bySession).status != 200 {
		t.Errorf("Session.createJWT: %v", claimsOf(t, bySession))
	}
	for what, bad := range w.forgeries(t, token) {
		if r := m2.work(bad); r.status != 401 {
			t.Errorf("%s: M2 answered %d: %s", what, r.status, r.body)
		}
	}
}

// forgeries are made from a good service's token, and from users'.
func (w *superWorld) forgeries(t *testing.T, token string) map[string]string {
	t.Helper()
	parts := strings.Split(token, ".")
	header, claims := headerOf(t, token), claimsOf(t, token)
	head := func(alg string) string {
		return segmentOf(t, object{"alg": alg, "typ": "JWT", "kid": header["kid"]})
	}
	user := claimsOf(t, token)
	user["team"] = "mine"
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	do(t, err)
	foreign := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims(claims))
	foreign.Header["kid"] = header["kid"]
	forged, err := foreign.SignedString(key)
	do(t, err)
	foreign.Header["kid"] = "s-unknown"
	unknown, err := foreign.SignedString(key)
	do(t, err)
	jwks := w.app.tab().want(200, http.MethodGet, "/auth/jwt/jwks.json", nil)
	mac := hmac.New(sha256.New, jwks.body)
	mac.Write([]byte(head("HS256") + "." + parts[1]))
	_, r := w.bare.opened("header", object{"userId": "somebody"})
	access := r.header.Get("st-access-token")
	marked := claimsOf(t, access)
	maps.Copy(marked, mark)
	theirs := strings.Split(access, ".")
	return map[string]string{
		"a user's session": access, "a user's session, marked by hand": theirs[0] + "." + segmentOf(t, marked) + "." + theirs[2],
		"no mark":       jwtOf(t, w.app.call("JWT.createJWT", object{"team": "billing"})),
		"another mark":  jwtOf(t, w.app.call("JWT.createJWT", object{"source": "batch"})),
		"expired":       w.expired(t),
		"a foreign key": forged, "an unknown key": unknown,
		"alg none": head("none") + "." + parts[1] + ".", "alg none, signed": head("none") + "." + parts[1] + "." + parts[2],
		"alg HS256":         head("HS256") + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)),
		"another payload":   parts[0] + "." + segmentOf(t, user) + "." + parts[2],
		"another signature": parts[0] + "." + parts[1] + "." + parts[2][:len(parts[2])-8] + "AAAAAAAA",
		"rubbish":           "x", "nothing": "",
	}
}

// expired is a marked token that lived for a moment: the payload's own exp wins over the validity.
func (w *superWorld) expired(t *testing.T) string {
	t.Helper()
	token := jwtOf(t, w.app.call("JWT.createJWT", object{"source": "microservice", "exp": 1_000_000_000}))
	if claimsOf(t, token)["exp"] != 1e9 {
		t.Fatalf("the payload's own exp does not win: %v", claimsOf(t, token))
	}
	return token
}

// superOnlyJWT is a microservice that initialises the jwt recipe alone, as M1 of the document does.
func superOnlyJWT(t *testing.T, w *superWorld) {
	m1 := w.newApp(t, object{"onlyJWT": true})
	token := jwtOf(t, m1.call("JWT.createJWT", mark))
	if r := w.m2Of(t).work(token); r.status != 200 {
		t.Fatalf("M2 answered %d: %s", r.status, r.body)
	}
}

// superPlanted: whoever fills a user's session with claims, also on the user's word, cannot make it pass for a service's token.
func superPlanted(t *testing.T, w *superWorld) {
	b, _ := w.bare.opened("header", object{"userId": "planter"})
	handle := digText(b.want(200, http.MethodGet, "/who", nil).json, "handle")
	for _, name := range []string{"source", "Source", "SOURCE"} {
		planted := object{name: "microservice"}
		if r := w.bare.tab().send(http.MethodPost, "/sessions", object{"userId": "planter", "payload": planted}); r.status == 200 {
			t.Errorf("a session was made with %s", name)
		}
		if r := b.send(http.MethodPost, "/merge", planted); r.status == 200 {
			t.Errorf("%s was merged into a session", name)
		}
		if v, failure := w.bare.try("Session.mergeIntoAccessTokenPayload", handle, planted); failure == "" {
			t.Errorf("%s was merged by handle: %v", name, v)
		}
	}
	if payload := b.want(200, http.MethodGet, "/who", nil).json["payload"]; dig(payload, "source") != nil {
		t.Errorf("the payload is %v", payload)
	}
}

// superLikeComment is the combined API: a browser's session, else a service's token, else 401.
func superLikeComment(t *testing.T, w *superWorld) {
	like := func(b *tab, status int, field, value string) {
		t.Helper()
		if r := b.send(http.MethodPost, "/like-comment", nil); r.status != status || digText(r.json, field) != value {
			t.Errorf("%d %s, want %d with %s %q", r.status, r.body, status, field, value)
		}
	}
	browser, id, _ := w.signedUp(t, "liker")
	like(browser, 200, "user", id)
	app, _ := w.bare.opened("header", object{"userId": "somebody"})
	like(app, 200, "user", "somebody")
	static, dynamic := jwtOf(t, w.app.call("JWT.createJWT", mark)), jwtOf(t, w.app.call("JWT.createJWT", mark, 60, false))
	nobody := w.app.tab()
	like(nobody.with("Authorization", "Bearer "+static), 200, "service", "microservice")
	like(nobody.with("Authorization", "Bearer "+dynamic), 200, "service", "microservice")
	like(browser.with("Authorization", "Bearer "+static), 200, "user", id) // the user first
	like(nobody, 401, "message", "unauthorised")
	for what, bad := range w.forgeries(t, static) {
		if what == "a user's session" {
			continue // a user may
		}
		if r := nobody.with("Authorization", "Bearer "+bad).send(http.MethodPost, "/like-comment", nil); r.status != 401 {
			t.Errorf("%s: answered %d: %s", what, r.status, r.body)
		}
	}
	// A session that ended is a 401 that makes the browser refresh, and a service's token beside it changes nothing.
	browser.want(200, http.MethodPost, "/log-out", nil)
	like(browser, 401, "message", "unauthorised")
}

// superExpiry: an access token that has expired is a 401 that says to refresh, also where a service's token would do, and after that all is well;
// a service's token that has expired is refused.
func superExpiry(t *testing.T, w *superWorld) {
	const later = 16 * time.Minute
	b, _ := w.bare.opened("cookie", object{"userId": "late"})
	short, long := jwtOf(t, w.app.call("JWT.createJWT", mark, 60)), jwtOf(t, w.app.call("JWT.createJWT", mark))
	do(t, w.nodes[0].Advance(t.Context(), later))
	app := w.newApp(t, object{"mailbox": "OFF", "later": later.Seconds()})
	b.base = app.URL
	for _, b := range []*tab{b, b.with("Authorization", "Bearer "+long)} {
		if r := b.want(401, http.MethodPost, "/like-comment", nil); r.json["message"] != "try refresh token" {
			t.Errorf("an expired session is told %s", r.body)
		}
	}
	nobody := app.tab()
	nobody.with("Authorization", "Bearer "+short).want(401, http.MethodPost, "/like-comment", nil)
	nobody.with("Authorization", "Bearer "+long).want(200, http.MethodPost, "/like-comment", nil)
	for range len(w.nodes) { // at each node: the clock is moved everywhere
		until(t, 20*time.Second, "a fresh token", func() bool {
			b.want(200, http.MethodPost, refreshPath, nil)
			return b.send(http.MethodPost, "/like-comment", nil).status == 200
		})
	}
}
