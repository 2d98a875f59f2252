package supertokens_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func number(t testing.TB, v any, path ...string) int64 {
	t.Helper()
	n, isNumber := at(t, v, path...).(json.Number)
	i, err := n.Int64()
	if !isNumber || err != nil {
		t.Fatalf("%s is no whole number: %v", strings.Join(path, "."), v)
	}
	return i
}

// fields are the names of an object, sorted.
func fields(t testing.TB, v any) string {
	t.Helper()
	o, isObject := v.(object)
	if !isObject {
		t.Fatalf("no object: %v", v)
	}
	var names []string
	for name := range o {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func create(t *testing.T, w *world) {
	body := creation("create")
	body["userDataInJWT"], body["userDataInDatabase"] = object{"iss": "https://api.example.com/auth", "st-ev": object{"v": true}}, object{"k": 1}
	body["surplus"] = "ignored"
	before := w.now().Truncate(time.Second)
	r := status(t, w.asked(t, "POST", "/public/recipe/session", body), "OK")
	if got := fields(t, r); got != "accessToken refreshToken session status" {
		t.Errorf("fields %s", got)
	}
	if got := fields(t, r["session"]); got != "handle recipeUserId tenantId userDataInJWT userId" {
		t.Errorf("session %s", got)
	}
	for name, life := range map[string]time.Duration{"accessToken": accessLife, "refreshToken": idle} {
		made, expiry := number(t, r, name, "createdTime"), number(t, r, name, "expiry")
		if made < before.UnixMilli() || made%1000 != 0 || expiry%1000 != 0 || expiry-made != life.Milliseconds() {
			t.Errorf("%s: %d to %d", name, made, expiry)
		}
	}
	s := sessionOf(t, r)
	header, claims := parts(t, s.access)
	if header["version"] != "5" || header["alg"] != "RS256" || header["typ"] != "JWT" || !strings.HasPrefix(text(t, header, "kid"), "d-") {
		t.Errorf("header %v", header)
	}
	if got := fields(t, claims); got != "antiCsrfToken exp iat iss parentRefreshTokenHash1 refreshTokenHash1 rsub sessionHandle st-ev sub tId" {
		t.Errorf("claims %s", got)
	}
	if claims["parentRefreshTokenHash1"] != nil || claims["antiCsrfToken"] != nil || claims["sub"] != "create" || claims["rsub"] != "create" ||
		claims["tId"] != "public" || claims["sessionHandle"] != s.handle || len(text(t, claims, "refreshTokenHash1")) != 64 {
		t.Errorf("claims %v", claims)
	}
	if len(s.refresh) > 2048 {
		t.Errorf("a refresh token of %d bytes", len(s.refresh))
	}
}

// createOld: below 4.0 there is no recipe user id, in replies and tokens.
func createOld(t *testing.T, w *world) {
	for _, v := range []string{"3.0", "3.1"} {
		r := w.spoken(t, v, "POST", "/public/recipe/session", creation("old"))
		if got := fields(t, r["session"]); got != "handle tenantId userDataInJWT userId" {
			t.Errorf("%s: session %s", v, got)
		}
		header, claims := parts(t, sessionOf(t, r).access)
		if header["version"] != "4" || claims["rsub"] != nil || claims["tId"] != "public" {
			t.Errorf("%s: %v %v", v, header, claims)
		}
		got := w.spoken(t, v, "GET", "/recipe/session?sessionHandle="+sessionOf(t, r).handle, nil)
		if got["recipeUserId"] != nil {
			t.Errorf("%s: %v", v, got)
		}
		// Before 5.0 the signing key need not be named on refresh.
		next := w.spoken(t, v, "POST", "/recipe/session/refresh", object{"refreshToken": sessionOf(t, r).refresh, "enableAntiCsrf": false})
		if header, _ := parts(t, sessionOf(t, status(t, next, "OK")).access); header["version"] != "4" || !strings.HasPrefix(text(t, header, "kid"), "d-") {
			t.Errorf("%s: refreshed %v", v, header)
		}
	}
	s := w.open(t, "old")
	h := w.node.call(t, tell{method: "POST", path: w.home + "/supertokens/recipe/session/refresh", key: w.key, version: "5.0",
		body: object{"refreshToken": s.refresh, "enableAntiCsrf": false}})
	plainly(t, h, 400, "Field name 'useDynamicSigningKey' is invalid in JSON input")
}

func nulls(t *testing.T, w *world) {
	body := creation("nulls")
	mine := object{"a": nil, "b": object{"c": nil, "d": []any{nil, "x"}}, "e": json.Number("12345678901234567890"), "f<>&": "<&\u2028>"}
	body["userDataInJWT"], body["userDataInDatabase"] = mine, mine
	s := sessionOf(t, w.asked(t, "POST", "/recipe/session", body))
	same := func(what string, got any) {
		t.Helper()
		if diff := cmp.Diff(mine, got); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	_, claims := parts(t, s.access)
	own := object{}
	for name := range mine {
		value, there := claims[name]
		if !there {
			t.Errorf("%s is not in the token", name)
		}
		own[name] = value
	}
	same("token", own)
	same("verify", status(t, w.verify(t, s.access, true), "OK")["session"].(object)["userDataInJWT"])
	got := w.asked(t, "GET", "/recipe/session?sessionHandle="+s.handle, nil)
	same("stored", got["userDataInDatabase"])
	same("stored claims", got["userDataInJWT"])
	same("refreshed", w.refresh(t, s.refresh)["session"].(object)["userDataInJWT"])
}

func protectedClaims(t *testing.T, w *world) {
	s := w.open(t, "protected")
	names := []string{
		"sub", "exp", "iat", "tId", "rsub", "sessionHandle", "refreshTokenHash1", "parentRefreshTokenHash1", "antiCsrfToken",
		"source", "tid", "sid", "tty", "ep", "aud", "client_id", "nbf", "jti", "cnf", "act", "events", "nonce", "azp", "Source", "TID", "\u017fource",
	}
	for _, name := range names {
		payload := object{name: "microservice"}
		body := creation("protected")
		body["userDataInJWT"] = payload
		for path, body := range map[string]object{
			"POST /recipe/session":            body,
			"POST /recipe/session/regenerate": {"accessToken": s.access, "userDataInJWT": payload},
			"PUT /recipe/jwt/data":            {"sessionHandle": s.handle, "userDataInJWT": payload},
		} {
			method, path, _ := strings.Cut(path, " ")
			h := w.node.call(t, tell{method: method, path: w.home + "/supertokens" + path, body: body, key: w.key})
			plainly(t, h, 400, "The user payload contains protected field")
		}
	}
	for _, iss := range []any{issuer, 5, nil} {
		body := creation("protected")
		body["userDataInJWT"] = object{"iss": iss}
		plainly(t, w.node.call(t, tell{method: "POST", path: w.home + "/supertokens/recipe/session", body: body, key: w.key}), 400,
			"The user payload contains protected field")
	}
	body := creation("protected")
	body["userDataInJWT"] = object{"iss": "x", "email": "a@example.com", "roles": []any{"r"}, "scope": "s", "stt": 0, "st-role": object{}, "source2": 1}
	w.asked(t, "POST", "/recipe/session", body)
}

func verify(t *testing.T, w *world) {
	s := w.open(t, "verify")
	r := status(t, w.verify(t, s.access, false), "OK")
	if got := fields(t, r); got != "session status" {
		t.Errorf("fields %s", got)
	}
	if got := fields(t, r["session"]); got != "handle recipeUserId tenantId userDataInJWT userId" || text(t, r, "session", "handle") != s.handle {
		t.Errorf("session %v", r["session"])
	}
	status(t, w.verify(t, s.access, true), "OK")
	service := text(t, w.asked(t, "POST", "/recipe/jwt", vending(object{"source": "microservice", "sub": "verify"})), "jwt")
	p := strings.Split(s.access, ".")
	for what, bad := range map[string]string{
		"rubbish": "x", "empty": "", "cut": s.access[:len(s.access)-8], "none": "eyJhbGciOiJub25lIn0." + p[1] + ".", "a service's": service,
		"another payload": p[0] + "." + p[1][:len(p[1])-4] + "AAAA." + p[2], "dots": "..", "long": strings.Repeat("a", 60<<10),
	} {
		t.Run(what, func(t *testing.T) { status(t, w.verify(t, bad, true), "TRY_REFRESH_TOKEN") })
	}
	// A session that ended still verifies where the store is not to be asked, and nowhere else.
	w.asked(t, "POST", "/recipe/session/remove", object{"sessionHandles": []string{s.handle}})
	status(t, w.verify(t, s.access, false), "OK")
	status(t, w.verify(t, s.access, true), "UNAUTHORISED")
}

func antiCSRF(t *testing.T, w *world) {
	body := creation("csrf")
	body["enableAntiCsrf"] = true
	s := sessionOf(t, w.asked(t, "POST", "/recipe/session", body))
	if _, claims := parts(t, s.access); s.antiCSRF == "" || claims["antiCsrfToken"] != s.antiCSRF {
		t.Fatalf("anti-csrf %q, %v", s.antiCSRF, claims["antiCsrfToken"])
	}
	check := func(access string, do, enable bool, token any) object {
		v := verifying(access, false)
		v["doAntiCsrfCheck"], v["enableAntiCsrf"], v["antiCsrfToken"] = do, enable, token
		return w.asked(t, "POST", "/recipe/session/verify", v)
	}
	status(t, check(s.access, true, true, s.antiCSRF), "OK")
	status(t, check(s.access, true, true, "x"), "TRY_REFRESH_TOKEN")
	status(t, check(s.access, true, true, nil), "TRY_REFRESH_TOKEN")
	status(t, check(s.access, false, true, nil), "OK")
	status(t, check(s.access, true, false, nil), "OK")
	refresh := func(token string, enable bool, csrf any) object {
		b := refreshing(token)
		b["enableAntiCsrf"], b["antiCsrfToken"] = enable, csrf
		return w.asked(t, "POST", "/recipe/session/refresh", b)
	}
	status(t, refresh(s.refresh, true, "x"), "UNAUTHORISED") // and nothing has changed
	status(t, refresh(s.refresh, true, nil), "UNAUTHORISED")
	next := sessionOf(t, status(t, refresh(s.refresh, true, s.antiCSRF), "OK"))
	if next.antiCSRF != s.antiCSRF {
		t.Errorf("after a refresh %q, before %q", next.antiCSRF, s.antiCSRF)
	}
	status(t, check(next.access, true, true, next.antiCSRF), "OK")
	// A foreign page that replays an ancestor without the token cannot end the session.
	last := sessionOf(t, status(t, refresh(next.refresh, true, s.antiCSRF), "OK"))
	status(t, refresh(s.refresh, true, nil), "UNAUTHORISED")
	status(t, refresh(last.refresh, true, s.antiCSRF), "OK")
	status(t, refresh(s.refresh, true, s.antiCSRF), "TOKEN_THEFT_DETECTED")
	// Switched on later, it comes with the refresh.
	plain := w.open(t, "csrf")
	late := sessionOf(t, status(t, refresh(plain.refresh, true, nil), "OK"))
	again := sessionOf(t, status(t, refresh(plain.refresh, true, late.antiCSRF), "OK"))
	if late.antiCSRF == "" || late.antiCSRF != again.antiCSRF || late.antiCSRF == s.antiCSRF {
		t.Errorf("switched on: %q, %q", late.antiCSRF, again.antiCSRF)
	}
}

// refreshAndPromote: the parent stays good until a child is used, and the child's access token needs one confirmation.
func refreshAndPromote(t *testing.T, w *world) {
	s := w.open(t, "promote")
	first := sessionOf(t, status(t, w.refresh(t, s.refresh), "OK"))
	again := sessionOf(t, status(t, w.refresh(t, s.refresh), "OK")) // a lost reply
	if first.refresh != again.refresh || first.handle != s.handle {
		t.Fatal("another successor")
	}
	_, claims := parts(t, first.access)
	_, old := parts(t, s.access)
	if claims["parentRefreshTokenHash1"] != old["refreshTokenHash1"] {
		t.Errorf("parent %v, want %v", claims["parentRefreshTokenHash1"], old["refreshTokenHash1"])
	}
	r := status(t, w.verify(t, first.access, false), "OK")
	promoted := text(t, r, "accessToken", "token")
	_, after := parts(t, promoted)
	if after["parentRefreshTokenHash1"] != nil || after["refreshTokenHash1"] != claims["refreshTokenHash1"] || number(t, r, "accessToken", "expiry") == 0 {
		t.Errorf("promoted %v", after)
	}
	if r := status(t, w.verify(t, promoted, true), "OK"); r["accessToken"] != nil {
		t.Errorf("a promoted token is promoted again: %v", r)
	}
	// A lost promotion: the child asks again and is given another.
	text(t, status(t, w.verify(t, again.access, false), "OK"), "accessToken", "token")
	status(t, w.verify(t, s.access, true), "OK") // the parent's access token lives on
	second := sessionOf(t, status(t, w.refresh(t, first.refresh), "OK"))
	third := sessionOf(t, status(t, w.refresh(t, second.refresh), "OK"))
	if second.refresh == third.refresh {
		t.Error("no rotation")
	}
	// A stale lineage: neither confirmed nor renewed, and no theft.
	if r := status(t, w.verify(t, first.access, true), "OK"); r["accessToken"] != nil {
		t.Errorf("a stale access token is renewed: %v", r)
	}
}

// theft: once a child was used the parent is a stolen copy, and the session is over here too, not only in the library's handler.
func theft(t *testing.T, w *world) {
	for name, use := range map[string]func(s opened){
		"by refresh": func(s opened) { status(t, w.refresh(t, s.refresh), "OK") },
		"by verify":  func(s opened) { status(t, w.verify(t, s.access, false), "OK") },
	} {
		t.Run(name, func(t *testing.T) {
			s := w.open(t, "theft "+name)
			child := sessionOf(t, w.refresh(t, s.refresh))
			use(child)
			r := status(t, w.refresh(t, s.refresh), "TOKEN_THEFT_DETECTED")
			if got := fields(t, r["session"]); got != "handle recipeUserId userId" || text(t, r, "session", "handle") != s.handle || text(t, r, "session", "userId") != "theft "+name {
				t.Errorf("%v", r)
			}
			for _, token := range []string{s.refresh, child.refresh} {
				status(t, w.refresh(t, token), "UNAUTHORISED")
			}
			status(t, w.verify(t, child.access, true), "UNAUTHORISED")
			if r := w.asked(t, "POST", "/recipe/session/remove", object{"sessionHandles": []string{s.handle}}); len(r["sessionHandlesRevoked"].([]any)) != 0 {
				t.Errorf("the library's own revoke found it alive: %v", r)
			}
		})
	}
}

func tampered(t *testing.T, w *world) {
	s := w.open(t, "tampered")
	for i := 0; i < len(s.refresh); i += 7 {
		raw := []byte(s.refresh)
		raw[i] = "AB"[bytesIndex(raw[i] == 'A')]
		status(t, w.refresh(t, string(raw)), "UNAUTHORISED")
	}
	for _, bad := range []string{"", "x", s.refresh + "A", s.refresh[1:], "st_rt_x", strings.Repeat("gr_", 2000), s.access} {
		status(t, w.refresh(t, bad), "UNAUTHORISED")
	}
	status(t, w.refresh(t, "st_rt_"+s.refresh), "OK") // the prefix of the other recipe is no part of a token
	status(t, w.refresh(t, s.refresh), "OK")
}

func bytesIndex(b bool) int {
	if b {
		return 1
	}
	return 0
}

func staticAndDynamic(t *testing.T, w *world) {
	kid := func(s opened) string {
		header, _ := parts(t, s.access)
		return text(t, header, "kid")[:2]
	}
	body := creation("static")
	body["useDynamicSigningKey"] = false
	s := sessionOf(t, w.asked(t, "POST", "/recipe/session", body))
	if kid(s) != "s-" {
		t.Fatalf("static: %s", kid(s))
	}
	status(t, w.verify(t, s.access, true), "OK")
	refresh := func(token string, dynamic bool) opened {
		b := refreshing(token)
		b["useDynamicSigningKey"] = dynamic
		return sessionOf(t, status(t, w.asked(t, "POST", "/recipe/session/refresh", b), "OK"))
	}
	a := refresh(s.refresh, false)
	b := refresh(s.refresh, true) // the switch on a repeated hand-out
	stored := opened{access: text(t, w.asked(t, "POST", "/recipe/session/regenerate", object{"accessToken": a.access}), "accessToken", "token")}
	c := refresh(s.refresh, false)
	if kid(a) != "s-" || kid(b) != "d-" || kid(c) != "s-" || kid(stored) != "d-" || a.refresh != b.refresh || b.refresh != c.refresh {
		t.Errorf("%s %s %s", kid(a), kid(b), kid(c))
	}
	d := refresh(c.refresh, true)
	r := status(t, w.verify(t, d.access, false), "OK")
	if got := kid(opened{access: text(t, r, "accessToken", "token")}); got != "d-" {
		t.Errorf("promoted with %s", got)
	}
	r = w.asked(t, "POST", "/recipe/session/regenerate", object{"accessToken": s.access})
	if got := kid(opened{access: text(t, r, "accessToken", "token")}); got != "d-" {
		t.Errorf("regenerated with %s", got)
	}
}

func regenerate(t *testing.T, w *world) {
	s := w.open(t, "regenerate")
	r := status(t, w.asked(t, "POST", "/recipe/session/regenerate", object{"accessToken": s.access, "userDataInJWT": object{"a": nil, "b": 1}}), "OK")
	_, before := parts(t, s.access)
	_, after := parts(t, text(t, r, "accessToken", "token"))
	if before["exp"] != after["exp"] || before["refreshTokenHash1"] != after["refreshTokenHash1"] || after["b"] != json.Number("1") {
		t.Errorf("%v → %v", before, after)
	}
	if _, there := after["a"]; !there {
		t.Error("a null is gone")
	}
	// Without claims the stored ones stay.
	r = status(t, w.asked(t, "POST", "/recipe/session/regenerate", object{"accessToken": s.access, "userDataInJWT": nil}), "OK")
	if r["session"].(object)["userDataInJWT"].(object)["b"] != json.Number("1") {
		t.Errorf("%v", r)
	}
	// The old token is told of the new claims where the store is asked.
	if r := status(t, w.verify(t, s.access, true), "OK"); text(t, r, "accessToken", "token") == "" {
		t.Errorf("%v", r)
	}
	child := sessionOf(t, w.refresh(t, s.refresh)) // an unconfirmed one stays unconfirmed
	r = status(t, w.asked(t, "POST", "/recipe/session/regenerate", object{"accessToken": child.access}), "OK")
	if _, claims := parts(t, text(t, r, "accessToken", "token")); claims["parentRefreshTokenHash1"] == nil {
		t.Error("regenerate confirms")
	}
	status(t, w.asked(t, "POST", "/recipe/session/regenerate", object{"accessToken": "x"}), "UNAUTHORISED")
	w.asked(t, "POST", "/recipe/session/remove", object{"sessionHandles": []string{s.handle}})
	status(t, w.asked(t, "POST", "/recipe/session/regenerate", object{"accessToken": s.access}), "UNAUTHORISED")
}

func data(t *testing.T, w *world) {
	s := w.open(t, "data")
	status(t, w.asked(t, "PUT", "/recipe/session/data", object{"sessionHandle": s.handle, "userDataInDatabase": object{"a": nil}}), "OK")
	status(t, w.asked(t, "PUT", "/recipe/jwt/data", object{"sessionHandle": s.handle, "userDataInJWT": object{"b": nil}}), "OK")
	status(t, w.asked(t, "PUT", "/recipe/jwt/data", object{"sessionHandle": s.handle, "userDataInJWT": object{"b": nil}}), "OK")
	r := status(t, w.asked(t, "GET", "/recipe/session/data?sessionHandle="+s.handle, nil), "OK")
	if diff := cmp.Diff(any(object{"a": nil}), r["userDataInDatabase"]); diff != "" {
		t.Error(diff)
	}
	r = status(t, w.asked(t, "GET", "/recipe/jwt/data?sessionHandle="+s.handle, nil), "OK")
	if diff := cmp.Diff(any(object{"b": nil}), r["userDataInJWT"]); diff != "" {
		t.Error(diff)
	}
	for _, handle := range []string{"x", "", s.handle + "_other", "00000000-0000-7000-8000-000000000000", s.handle + "'"} {
		status(t, w.asked(t, "GET", "/recipe/session/data?sessionHandle="+handle, nil), "UNAUTHORISED")
		status(t, w.asked(t, "GET", "/recipe/session?sessionHandle="+handle, nil), "UNAUTHORISED")
		status(t, w.asked(t, "PUT", "/recipe/session/data", object{"sessionHandle": handle, "userDataInDatabase": object{}}), "UNAUTHORISED")
		status(t, w.asked(t, "PUT", "/recipe/jwt/data", object{"sessionHandle": handle, "userDataInJWT": object{}}), "UNAUTHORISED")
	}
}

func getSession(t *testing.T, w *world) {
	s := w.open(t, "get")
	r := status(t, w.asked(t, "GET", "/recipe/session?sessionHandle="+s.handle, nil), "OK")
	if got := fields(t, r); got != "expiry recipeUserId sessionHandle status tenantId timeCreated userDataInDatabase userDataInJWT userId" {
		t.Errorf("fields %s", got)
	}
	if number(t, r, "expiry")-number(t, r, "timeCreated") != idle.Milliseconds() || text(t, r, "sessionHandle") != s.handle {
		t.Errorf("%v", r)
	}
}

func vending(payload object) object {
	return object{"algorithm": "RS256", "jwksDomain": "https://api.example.com", "payload": payload, "validity": 3153600000}
}

func jwt(t *testing.T, w *world) {
	r := status(t, w.asked(t, "POST", "/recipe/jwt", vending(object{"source": "microservice", "n": nil, "o": object{"l": []any{nil}}})), "OK")
	header, claims := parts(t, text(t, r, "jwt"))
	if header["version"] != nil || header["alg"] != "RS256" || header["typ"] != "JWT" || !strings.HasPrefix(text(t, header, "kid"), "s-") {
		t.Errorf("header %v", header)
	}
	if claims["iss"] != "https://api.example.com" || claims["source"] != "microservice" || number(t, claims, "exp")-number(t, claims, "iat") != 3153600000 {
		t.Errorf("claims %v", claims)
	}
	if _, there := claims["n"]; !there {
		t.Error("a null is gone")
	}
	body := vending(object{"iss": "other"})
	body["useStaticSigningKey"], body["validity"], body["algorithm"] = false, json.Number("60.7"), "rs256"
	header, claims = parts(t, text(t, w.asked(t, "POST", "/recipe/jwt", body), "jwt"))
	if !strings.HasPrefix(text(t, header, "kid"), "d-") || claims["iss"] != "other" || number(t, claims, "exp")-number(t, claims, "iat") != 60 {
		t.Errorf("%v %v", header, claims)
	}
	body["algorithm"] = "ES256"
	status(t, w.asked(t, "POST", "/recipe/jwt", body), "UNSUPPORTED_ALGORITHM_ERROR")
	for name, value := range map[string]any{
		"validity": -1, "payload": object{"sessionHandle": "x"}, "jwksDomain": issuer, "algorithm": nil, "useStaticSigningKey": "x",
	} {
		body := vending(object{})
		body[name] = value
		if h := w.node.call(t, tell{method: "POST", path: w.home + "/supertokens/recipe/jwt", body: body, key: w.key}); h.code != 400 || h.json != nil {
			t.Errorf("%s %v: %d %s", name, value, h.code, h.text)
		}
	}
	for _, validity := range []string{"0", "1e999", "1e300", "3253600000", `"x"`, "null", "true"} {
		raw := `{"algorithm":"RS256","jwksDomain":"x","payload":{},"validity":` + validity + `}`
		if h := w.node.call(t, tell{method: "POST", path: w.home + "/supertokens/recipe/jwt", body: raw, key: w.key}); h.code != 400 {
			t.Errorf("%s: %d %s", validity, h.code, h.text)
		}
	}
}
