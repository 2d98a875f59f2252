package supertokens_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/servicekey"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// plainly wants a refusal in plain text.
func plainly(t testing.TB, h heard, code int, want string) {
	t.Helper()
	if h.code != code || h.text != want || !strings.HasPrefix(h.kind, "text/plain") {
		t.Fatalf("%d %s %q, want %d %q", h.code, h.kind, h.text, code, want)
	}
}

func doors(t *testing.T, w *world) {
	get := func(key string, header map[string]string) heard {
		return w.node.call(t, tell{method: "GET", path: "/supertokens/apiversion", key: key, header: header})
	}
	for _, good := range []heard{
		get(w.key, nil), get("", map[string]string{"Authorization": "Bearer " + w.key}), get("", map[string]string{"Authorization": w.key}),
		get("", map[string]string{"Authorization": "bearer  " + w.weak}),
	} {
		if good.code != 200 {
			t.Errorf("%d %s", good.code, good.text)
		}
	}
	other := w.newKey(t, w.main.ID, servicekey.ScopeUsers)
	for what, bad := range map[string]heard{
		"none": get("", nil), "wrong": get("gk-wrong", nil), "of another scope": get(other, nil), "long": get(strings.Repeat("x", 5000), nil),
		"cut": get(w.key[:len(w.key)-1], nil),
	} {
		t.Run(what, func(t *testing.T) { plainly(t, bad, 401, "Invalid API key") })
	}
	if !regexp.MustCompile(`^[A-Za-z0-9=-]{20,}$`).MatchString(w.key) {
		t.Errorf("the original would not take the key %q", w.key)
	}
	for _, open := range []string{"/hello", "/", "", "/.well-known/jwks.json"} {
		if h := w.node.call(t, tell{method: "GET", path: "/supertokens" + open}); h.code != 200 {
			t.Errorf("%s without a key: %d %s", open, h.code, h.text)
		}
	}
	revokedKey(t, w)
}

// revokedKey: a key is believed for a moment after it was good, no longer than operators' changes take.
func revokedKey(t *testing.T, w *world) {
	k, key, err := servicekey.New(w.main.ID, "short", servicekey.SuperScopes(), w.now())
	ok(t, err)
	ok(t, w.store.ServiceKeys().Add(t.Context(), k, audit.Record{}))
	get := func() int {
		return w.node.call(t, tell{method: "GET", path: "/supertokens/apiversion", key: key.Reveal()}).code
	}
	if get() != 200 {
		t.Fatal("a good key")
	}
	ok(t, w.store.ServiceKeys().Revoke(t.Context(), w.main.ID, k.ID, w.now(), audit.Record{}))
	w.pass(tenant.PollEvery)
	if code := get(); code != 401 {
		t.Fatalf("a revoked key: %d", code)
	}
}

func versions(t *testing.T, w *world) {
	list, _ := w.asked(t, "GET", "/apiversion", nil)["versions"].([]any)
	if len(list) != 8 || list[0] != "3.0" || list[7] != "5.4" {
		t.Fatalf("versions %v", list)
	}
	for _, v := range list {
		w.spoken(t, v.(string), "GET", "/apiversion?apiDomain=x&websiteDomain=y", nil)
	}
	for _, v := range []string{"2.21", "5.5", "5", "5.4.0", "x", "5.4 "} {
		h := w.node.call(t, tell{method: "GET", path: "/supertokens/recipe/jwt/jwks", key: w.key, version: v})
		if strings.TrimSpace(v) == "5.4" {
			continue // net/http takes the blank off on the wire
		}
		plainly(t, h, 400, "cdi-version "+v+" not supported")
	}
}

func unknownPaths(t *testing.T, w *world) {
	for _, path := range []string{
		"/nothing", "/recipe", "/recipe/nothing", "/appid-main/nothing", "/a/b/recipe/session", "/recipe/recipe/session", "/hello/x", "/appid-/hello",
		"/recipe/signinup/code", "/recipe/oauth/clients", "/public/", "/users_x/recipe/session",
	} {
		plainly(t, w.node.call(t, tell{method: "GET", path: "/supertokens" + path}), 404, "Not found")
	}
	for _, method := range []string{"DELETE", "PATCH", "OPTIONS", "PUT", "NONSENSE"} {
		plainly(t, w.node.call(t, tell{method: method, path: "/supertokens/recipe/session"}), 405, "Method not supported")
	}
	for _, same := range []string{"/apiversion/", "/APIversion", "/ApiVersion/", "/public/apiversion", "/PUBLIC/apiversion", "/appid-public/apiversion", "/appid-main/public/apiversion"} {
		w.asked(t, "GET", same, nil)
	}
	if h := w.node.call(t, tell{method: "GET", path: "/t/main/supertokens/public/apiversion", key: w.key}); h.code != 200 {
		t.Errorf("below the tenant's path: %d", h.code)
	}
}

// appsAndTenants: an app is a tenant of ours. Its own key opens it; a key of the app at home opens those it made, and no others.
func appsAndTenants(t *testing.T, w *world) {
	const unknown = "AppId or tenantId not found"
	for path, key := range map[string]string{"/appid-nothing/apiversion": w.key, "/nothing/recipe/session/user?userId=x": w.key} {
		h := w.node.call(t, tell{method: "GET", path: "/supertokens" + path, key: key})
		if h.code != 400 || !strings.HasPrefix(h.text, unknown) {
			t.Errorf("%s: %d %s", path, h.code, h.text)
		}
	}
	home := "/t/main/supertokens" // as soon as there are several, paths without an app say nothing without it
	made, other := w.newApp(t, "made", w.main.ID), w.newApp(t, "other", "")
	for _, c := range []struct {
		what, path, key string
		code            int
	}{
		{"made, by who made it", home + "/appid-made/apiversion", w.key, 200},
		{"made, by a key without that scope", home + "/appid-made/apiversion", w.weak, 401},
		{"made, by its own key", home + "/appid-made/apiversion", made, 200},
		{"made, by its own key from anywhere", "/supertokens/appid-made/apiversion", made, 200},
		{"home, by the made one's key", home + "/apiversion", made, 401},
		{"other, by a key of home", home + "/appid-other/apiversion", w.key, 401},
		{"other, by the made one's key", home + "/appid-other/apiversion", made, 401},
		{"other, by its own", home + "/appid-OTHER/public/apiversion", other, 200},
		{"home of other, by a key of main", "/t/other/supertokens/appid-made/apiversion", w.key, 401},
		{"nobody's home", "/supertokens/apiversion", w.key, 400},
	} {
		if h := w.node.call(t, tell{method: "GET", path: c.path, key: c.key}); h.code != c.code {
			t.Errorf("%s: %d %s", c.what, h.code, h.text)
		}
	}
	wide := func(version string) heard {
		return w.node.call(t, tell{method: "GET", path: home + "/nothing/recipe/session?sessionHandle=x", key: w.key, version: version})
	}
	plainly(t, wide("5.0"), 403, "Only public tenantId can call this app specific API")
	if h := wide("4.0"); h.code != 400 || !strings.HasPrefix(h.text, unknown) {
		t.Errorf("4.0: %d %s", h.code, h.text)
	}
	w.aloneAgain(t)
}

// newApp makes a tenant and gives a key of it.
func (w *world) newApp(t *testing.T, slug, by string) string {
	t.Helper()
	id := secret.NewID(w.now())
	app := tenant.Tenant{ID: id, Slug: slug, Name: slug, Issuer: "https://" + slug + ".example.com", ManagedBy: "api", Policy: tenant.Policy{AppOf: by}}
	ok(t, w.store.Tenants().Put(t.Context(), []tenant.Tenant{app}, nil, audit.Record{}))
	ok(t, w.node.dir.Refresh(t.Context()))
	return w.newKey(t, id, servicekey.ScopeSuper)
}

// aloneAgain: the other steps speak to a directory of one tenant, as most servers have.
func (w *world) aloneAgain(t *testing.T) {
	t.Helper()
	w.main = w.node.dir.ByID(w.main.ID)
	w.home = "/t/main"
}

func hello(t *testing.T, w *world) {
	for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
		plainly(t, w.node.call(t, tell{method: method, path: w.home + "/supertokens/hello", version: "5.4"}), 200, "Hello")
	}
	plainly(t, w.node.call(t, tell{method: "GET", path: w.home + "/supertokens/"}), 200, "Hello")
}

// jwks: RSA only, rotating ones newest first and then static ones, cacheable until the next is made.
func jwks(t *testing.T, w *world) {
	h := w.node.call(t, tell{method: "GET", path: w.home + "/supertokens/.well-known/jwks.json"})
	keys, _ := h.json["keys"].([]any)
	if h.code != 200 || h.kind != "application/json; charset=UTF-8" || len(keys) < 2 {
		t.Fatalf("%d %s %s", h.code, h.kind, h.text)
	}
	last := "d-~"
	for _, k := range keys {
		for _, member := range []string{"kty", "kid", "n", "e", "alg", "use"} {
			text(t, k, member)
		}
		kid := text(t, k, "kid")
		if text(t, k, "kty") != "RSA" || text(t, k, "alg") != "RS256" || text(t, k, "use") != "sig" || text(t, k, "e") != "AQAB" {
			t.Errorf("%v", k)
		}
		if strings.HasPrefix(kid, "d-") && kid > last || strings.HasPrefix(last, "s-") && !strings.HasPrefix(kid, "s-") {
			t.Errorf("%s after %s", kid, last)
		}
		last = kid
	}
	if !strings.HasPrefix(last, "s-") {
		t.Errorf("no static key: %s", h.text)
	}
	age := regexp.MustCompile(`^max-age=(\d+), must-revalidate$`).FindStringSubmatch(h.header.Get("Cache-Control"))
	if age == nil {
		t.Fatalf("Cache-Control %q", h.header.Get("Cache-Control"))
	}
	if n, err := strconv.Atoi(age[1]); err != nil || n < 1 || n > 4*3600 {
		t.Errorf("max-age %s", age[1])
	}
	old := status(t, w.asked(t, "GET", "/recipe/jwt/jwks", nil), "OK")
	if got, _ := old["keys"].([]any); len(got) != len(keys) {
		t.Errorf("the old endpoint: %v", old)
	}
}

func badInput(t *testing.T, w *world) {
	post := func(path string, body any) heard {
		return w.node.call(t, tell{method: "POST", path: w.home + "/supertokens" + path, body: body, key: w.key})
	}
	for _, body := range []string{"", "[]", "nonsense", `{"a":1,"a":2}`, `{} {}`, `"x"`, "null", `{"userId":`} {
		plainly(t, post("/recipe/session", body), 400, "Invalid Json Input")
	}
	for name, value := range map[string]any{"userId": 5, "userDataInJWT": []any{}, "userDataInDatabase": "x", "enableAntiCsrf": "true", "useDynamicSigningKey": 1} {
		body := creation("bad")
		body[name] = value
		plainly(t, post("/recipe/session", body), 400, "Field name '"+name+"' is invalid in JSON input")
		if name == "useDynamicSigningKey" {
			continue
		}
		delete(body, name)
		plainly(t, post("/recipe/session", body), 400, "Field name '"+name+"' is invalid in JSON input")
	}
	body := creation("bad")
	body["userId"] = ""
	plainly(t, post("/recipe/session", body), 400, "Field name 'userId' is invalid in JSON input")
	for _, name := range []string{"accessToken", "doAntiCsrfCheck", "enableAntiCsrf", "checkDatabase"} {
		v := verifying("x", true)
		delete(v, name)
		plainly(t, post("/recipe/session/verify", v), 400, "Field name '"+name+"' is invalid in JSON input")
	}
	plainly(t, w.node.call(t, tell{method: "GET", path: w.home + "/supertokens/recipe/session", key: w.key}), 400,
		"Field name 'sessionHandle' is missing in GET request")
	plainly(t, w.node.call(t, tell{method: "GET", path: w.home + "/supertokens/recipe/session/user?userId=x&fetchAcrossAllTenants=y", key: w.key}), 400,
		"Field name 'fetchAcrossAllTenants' must be either true or false in GET request")
	if h := post("/recipe/session", `{"x":"`+strings.Repeat("y", 70<<10)+`"}`); h.code != 413 || !strings.HasPrefix(h.kind, "text/plain") {
		t.Errorf("a long body: %d %s", h.code, h.kind)
	}
	long := creation("long")
	long["userDataInJWT"] = object{"x": strings.Repeat("y", 17<<10)}
	plainly(t, post("/recipe/session", long), 400, "The user payload is longer than 16 KiB")
}

// labels: what is counted is bounded by the table, whatever is called.
func labels(t *testing.T, w *world) {
	w.asked(t, "GET", "/apiversion", nil)
	w.node.call(t, tell{method: "GET", path: w.home + "/supertokens/one-time-value"})
	stats, latencies := w.node.hall.Stats()
	found := false
	for _, s := range stats {
		if strings.Contains(s.Route, "one-time") || strings.Contains(s.Route, "appid-") {
			t.Errorf("label %s", s.Route)
		}
		found = found || s.Method == "GET" && s.Route == "/supertokens/apiversion" && s.Class == 2 && s.Count > 0
	}
	if !found || len(latencies) == 0 {
		t.Errorf("apiversion is not counted: %+v", stats)
	}
}
