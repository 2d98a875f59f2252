package endtoend

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

const (
	accessCookie  = "sAccessToken"
	refreshCookie = "sRefreshToken"
)

// refused: every way to use the session is closed, without and with a look into the store.
func (b *tab) refused(what string) {
	b.t.Helper()
	if r := b.send(http.MethodGet, "/who/stored", nil); r.status != 401 {
		b.t.Errorf("%s: the session is %d: %s", what, r.status, r.body)
	}
	if r := b.send(http.MethodPost, refreshPath, nil); r.status != 401 {
		b.t.Errorf("%s: a refresh is answered %d: %s", what, r.status, r.body)
	}
}

// superCookies is the life of a browser's session.
func superCookies(t *testing.T, w *superWorld) {
	b, made := w.bare.opened("cookie", object{"userId": "cookies", "payload": object{"plan": "pro", "none": nil}, "data": object{"cart": []int{1, 2}}})
	first, parent := b.cookie("/", accessCookie), b.cookie(refreshPath, refreshCookie)
	if first == "" || parent == "" || b.cookie("/", refreshCookie) != "" || made.header.Get("st-access-token") != "" {
		t.Fatalf("cookies of a new session: %v", made.header)
	}
	c, h := claimsOf(t, first), headerOf(t, first)
	if c["sub"] != "cookies" || c["rsub"] != "cookies" || c["tId"] != "public" || c["plan"] != "pro" || c["iss"] != w.bare.URL+"/auth" ||
		h["version"] != "5" || !strings.HasPrefix(h["kid"].(string), "d-") {
		t.Errorf("header %v, claims %v", h, c)
	}
	who := b.want(200, http.MethodGet, "/who", nil)
	if v, there := dig(who.json, "payload").(object)["none"]; !there || v != nil || who.json["userId"] != "cookies" {
		t.Errorf("who: %s", who.body)
	}
	for range 3 { // a chain: refresh, use, refresh
		before := b.cookie(refreshPath, refreshCookie)
		b.want(200, http.MethodPost, refreshPath, nil)
		if b.cookie(refreshPath, refreshCookie) == before || headerOf(t, b.cookie("/", accessCookie))["version"] != "5" {
			t.Fatal("a refresh gave no new tokens")
		}
		unused := claimsOf(t, b.cookie("/", accessCookie))
		b.want(200, http.MethodGet, "/who", nil)
		used := claimsOf(t, b.cookie("/", accessCookie))
		if unused["parentRefreshTokenHash1"] == nil || used["parentRefreshTokenHash1"] != nil {
			t.Errorf("the first use did not promote: %v, then %v", unused["parentRefreshTokenHash1"], used["parentRefreshTokenHash1"])
		}
		if used["sessionHandle"] != c["sessionHandle"] || used["plan"] != "pro" {
			t.Errorf("after a refresh: %v", used)
		}
	}
	if r := b.want(200, http.MethodGet, "/who/stored", nil); dig(r.json, "data.cart.1") != 2.0 {
		t.Errorf("who, from the store: %s", r.body)
	}
	w.bare.tab().want(401, http.MethodGet, "/who", nil)
	b.want(200, http.MethodPost, "/log-out", nil)
	if b.cookie("/", accessCookie) != "" || b.cookie(refreshPath, refreshCookie) != "" {
		t.Error("cookies stay after the end")
	}
}

// superHeaders is the life of an app's session.
func superHeaders(t *testing.T, w *superWorld) {
	b, made := w.bare.opened("header", object{"userId": "headers"})
	refresh := made.header.Get("st-refresh-token")
	if len(made.header.Values("Set-Cookie")) > 0 || refresh == "" {
		t.Fatalf("an app got %v", made.header)
	}
	b.want(200, http.MethodGet, "/who", nil)
	for range 3 {
		r := b.with("Authorization", "Bearer "+refresh).want(200, http.MethodPost, refreshPath, nil)
		refresh = r.header.Get("st-refresh-token")
		b = b.with("Authorization", "Bearer "+r.header.Get("st-access-token"))
		if r = b.want(200, http.MethodGet, "/who", nil); r.header.Get("st-access-token") == "" {
			t.Error("the first use of a new token did not promote")
		}
		b = b.with("Authorization", "Bearer "+r.header.Get("st-access-token"))
	}
	b.want(200, http.MethodGet, "/who/stored", nil)
	for what, bad := range map[string]string{"rubbish": "x", "a changed one": refresh[:len(refresh)-6] + "AAAAAA", "an access token": b.header.Get("Authorization")[7:]} {
		if r := b.with("Authorization", "Bearer "+bad).send(http.MethodPost, refreshPath, nil); r.status != 401 {
			t.Errorf("a refresh with %s: %d", what, r.status)
		}
	}
	b.want(200, http.MethodPost, "/log-out", nil)
	b.want(401, http.MethodGet, "/who/stored", nil)
}

// superTheft: a refresh token that comes again after its successor was used ends the session for the thief and for the owner.
func superTheft(t *testing.T, w *superWorld) {
	for _, later := range []string{"access", "refresh"} { // which child the owner used
		owner, _ := w.bare.opened("cookie", object{"userId": "robbed"})
		thief := owner.twin()
		owner.want(200, http.MethodPost, refreshPath, nil)
		if later == "access" {
			owner.want(200, http.MethodGet, "/who", nil)
		} else {
			owner.want(200, http.MethodPost, refreshPath, nil)
		}
		r := thief.want(401, http.MethodPost, refreshPath, nil)
		if r.json["message"] != "token theft detected" {
			t.Errorf("used %s: the thief is told %s", later, r.body)
		}
		owner.refused("the owner after a theft")
		if v := w.bare.call("Session.getAllSessionHandlesForUser", "robbed"); len(v.([]any)) != 0 {
			t.Errorf("sessions left: %v", v)
		}
	}
	// The other way round: the thief is first, the owner's own refresh gives them away.
	owner, _ := w.bare.opened("cookie", object{"userId": "robbed"})
	thief := owner.twin()
	thief.want(200, http.MethodPost, refreshPath, nil)
	thief.want(200, http.MethodGet, "/who", nil)
	owner.want(401, http.MethodPost, refreshPath, nil)
	thief.refused("the thief after they were found")
}

// superLostAnswers: a refresh whose answer was lost may be asked again, also at once by several tabs, until a successor is used.
func superLostAnswers(t *testing.T, w *superWorld) {
	owner, _ := w.bare.opened("cookie", object{"userId": "tabs"})
	tabs := make([]*tab, 8)
	var all sync.WaitGroup
	for i := range tabs {
		tabs[i] = owner.twin()
		all.Go(func() {
			if r := tabs[i].send(http.MethodPost, refreshPath, nil); r.status != 200 {
				t.Errorf("tab %d: %d %s", i, r.status, r.body)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	for i, b := range tabs {
		if r := b.send(http.MethodGet, "/who", nil); r.status != 200 {
			t.Errorf("tab %d: %d %s", i, r.status, r.body)
		}
	}
	tabs[3].want(200, http.MethodPost, refreshPath, nil)
	tabs[3].want(200, http.MethodGet, "/who/stored", nil)
}

func superRevoke(t *testing.T, w *superWorld) {
	b, made := w.bare.opened("cookie", object{"userId": "revoked"})
	handle := digText(made.json, "handle")
	info := w.bare.call("Session.getSessionInformation", handle)
	if digText(info, "sessionHandle") != handle || digText(info, "userId") != "revoked" || digText(info, "tenantId") != "public" {
		t.Errorf("information: %v", info)
	}
	if expiry, born := dig(info, "expiry"), dig(info, "timeCreated"); expiry == nil || born == nil || expiry.(float64) <= born.(float64) {
		t.Errorf("expiry %v, made %v", expiry, born)
	}
	if w.bare.call("Session.revokeSession", handle) != true || w.bare.call("Session.revokeSession", handle) != false {
		t.Error("a session is revoked once")
	}
	b.want(200, http.MethodGet, "/who", nil) // by its signature alone, until it expires
	b.refused("revoked by its handle")
	if v := w.bare.call("Session.getSessionInformation", handle); v != nil {
		t.Errorf("information about a session that is gone: %v", v)
	}

	var handles []any
	for range 3 {
		_, made := w.bare.opened("cookie", object{"userId": "revoked"})
		handles = append(handles, made.json["handle"])
	}
	gone := w.bare.call("Session.revokeMultipleSessions", []any{handles[0], handle, "unknown"}).([]any)
	if len(gone) != 1 || gone[0] != handles[0] {
		t.Errorf("revoked: %v", gone)
	}
	left := w.bare.call("Session.getAllSessionHandlesForUser", "revoked").([]any)
	if len(left) != 2 || !slices.Contains(left, handles[1]) || !slices.Contains(left, handles[2]) {
		t.Errorf("left: %v", left)
	}
	if gone := w.bare.call("Session.revokeAllSessionsForUser", "revoked").([]any); len(gone) != 2 {
		t.Errorf("all: %v", gone)
	}
	if none := w.bare.call("Session.revokeAllSessionsForUser", "revoked").([]any); len(none) != 0 {
		t.Errorf("again: %v", none)
	}
}

func superAntiCSRF(t *testing.T, w *superWorld) {
	token := w.newApp(t, object{"antiCsrf": "VIA_TOKEN", "mailbox": "OFF"})
	b, made := token.opened("cookie", object{"userId": "csrf"})
	csrf := made.header.Get("anti-csrf")
	if csrf == "" || claimsOf(t, b.cookie("/", accessCookie))["antiCsrfToken"] != csrf {
		t.Fatalf("no anti-csrf token: %v", made.header)
	}
	b.want(200, http.MethodGet, "/who", nil)
	b.want(401, http.MethodPost, "/who", nil)
	b.with("anti-csrf", "wrong").want(401, http.MethodPost, "/who", nil)
	b.with("anti-csrf", csrf).want(200, http.MethodPost, "/who", nil)
	b.twin().want(401, http.MethodPost, refreshPath, nil) // another site's page cannot refresh
	r := b.with("anti-csrf", csrf).send(http.MethodPost, refreshPath, nil)
	if r.status != 200 || r.header.Get("anti-csrf") == "" {
		t.Fatalf("a refresh with the token: %d %s", r.status, r.body)
	}
	b = b.with("anti-csrf", r.header.Get("anti-csrf"))
	b.want(200, http.MethodPost, "/who", nil)
	b.want(200, http.MethodPost, "/who", nil)

	header := w.newApp(t, object{"antiCsrf": "VIA_CUSTOM_HEADER", "mailbox": "OFF"})
	b, made = header.opened("cookie", object{"userId": "csrf"})
	if made.header.Get("anti-csrf") != "" || claimsOf(t, b.cookie("/", accessCookie))["antiCsrfToken"] != nil {
		t.Error("an anti-csrf token that nobody asked for")
	}
	b.want(401, http.MethodPost, "/who", nil)
	b.with("rid", "anti-csrf").want(200, http.MethodPost, "/who", nil)
	b.with("rid", "anti-csrf").want(200, http.MethodPost, refreshPath, nil)

	b, made = w.bare.opened("cookie", object{"userId": "csrf"}) // switched off
	if made.header.Get("anti-csrf") != "" {
		t.Error("an anti-csrf token with the check off")
	}
	b.want(200, http.MethodPost, "/who", nil)
}

func superPayload(t *testing.T, w *superWorld) {
	b, made := w.bare.opened("cookie", object{"userId": "payload", "payload": object{"a": 1, "b": object{"c": []any{nil}}}})
	handle := digText(made.json, "handle")
	b.want(200, http.MethodPost, "/merge", object{"plan": "pro", "a": nil})
	c := claimsOf(t, b.cookie("/", accessCookie))
	if _, there := c["a"]; there || c["plan"] != "pro" || dig(c, "b.c") == nil {
		t.Errorf("after a merge: %v", c)
	}
	b.want(200, http.MethodGet, "/who/stored", nil)
	b.want(200, http.MethodPost, refreshPath, nil)
	if c := claimsOf(t, b.cookie("/", accessCookie)); c["plan"] != "pro" {
		t.Errorf("the merge does not outlive a refresh: %v", c)
	}
	b.want(200, http.MethodPost, "/merge", object{"plan": "free"}) // of a token that waits for its first use
	if w.bare.call("Session.mergeIntoAccessTokenPayload", handle, object{"seats": 3}) != true {
		t.Error("merge by handle")
	}
	b.want(200, http.MethodPost, refreshPath, nil)
	if who := b.want(200, http.MethodGet, "/who", nil); dig(who.json, "payload.seats") != 3.0 || dig(who.json, "payload.plan") != "free" {
		t.Errorf("after a merge by handle: %s", who.body)
	}
	if v := w.bare.call("Session.mergeIntoAccessTokenPayload", "00000000-0000-7000-8000-000000000000", object{"seats": 3}); v != false {
		t.Errorf("merge into nothing: %v", v)
	}
	b.want(200, http.MethodPost, "/data", object{"cart": []any{"x", nil}})
	if who := b.want(200, http.MethodGet, "/who/stored", nil); dig(who.json, "data.cart.0") != "x" {
		t.Errorf("data: %s", who.body)
	}
	if w.bare.call("Session.updateSessionDataInDatabase", handle, object{}) != true || w.bare.call("Session.updateSessionDataInDatabase", "unknown", object{}) != false {
		t.Error("data by handle")
	}
	if v := dig(w.bare.call("Session.getSessionInformation", handle), "sessionDataInDatabase"); len(v.(object)) != 0 {
		t.Errorf("data is not replaced: %v", v)
	}
}

func superRoles(t *testing.T, w *superWorld) {
	b, id, email := w.signedUp(t, "roles")
	if v := w.app.call("UserRoles.createNewRoleOrAddPermissions", "admin", []string{"read"}); digText(v, "status") != "OK" {
		t.Errorf("a role: %v", v)
	}
	w.app.call("UserRoles.createNewRoleOrAddPermissions", "admin", []string{"read", "write"})
	b.want(403, http.MethodGet, "/admin", nil)
	if v := w.app.call("UserRoles.addRoleToUser", "public", id, "admin"); dig(v, "didUserAlreadyHaveRole") != false {
		t.Errorf("a role given: %v", v)
	}
	if v := w.app.call("UserRoles.addRoleToUser", "public", id, "nothing"); digText(v, "status") != "UNKNOWN_ROLE_ERROR" {
		t.Errorf("an unknown role: %v", v)
	}
	handle := claimsOf(t, b.cookie("/", accessCookie))["sessionHandle"]
	for _, claim := range []string{"roles", "permissions"} {
		if w.app.call("Session.fetchAndSetClaim", handle, object{"$claim": claim}) != true {
			t.Error("the claim is not set")
		}
	}
	b.want(200, http.MethodPost, refreshPath, nil)
	b.want(200, http.MethodGet, "/admin", nil)
	c := claimsOf(t, b.cookie("/", accessCookie))
	if dig(c, "st-role.v.0") != "admin" || !slices.Contains(dig(c, "st-perm.v").([]any), any("write")) {
		t.Errorf("claims: %v", c)
	}
	again := w.app.tab().with("st-auth-mode", "cookie")
	again.want(200, http.MethodPost, "/auth/signin", form(email, password))
	again.want(200, http.MethodGet, "/admin", nil)
	for fn, want := range map[string]string{
		"UserRoles.getUsersThatHaveRole|public|admin": "users", "UserRoles.getPermissionsForRole|admin": "permissions", "UserRoles.getAllRoles": "roles",
		"UserRoles.getRolesForUser|public|" + id: "roles", "UserRoles.getRolesThatHavePermission|write": "roles",
	} {
		parts := strings.Split(fn, "|")
		var args []any
		for _, p := range parts[1:] {
			args = append(args, p)
		}
		if v := w.app.call(parts[0], args...); dig(v, want+".0") == nil {
			t.Errorf("%s: %v", fn, v)
		}
	}
	w.app.call("UserRoles.removePermissionsFromRole", "admin", []string{"write"})
	if v := w.app.call("UserRoles.removeUserRole", "public", id, "admin"); dig(v, "didUserHaveRole") != true {
		t.Errorf("a role taken: %v", v)
	}
	if v := w.app.call("UserRoles.deleteRole", "admin"); dig(v, "didRoleExist") != true {
		t.Errorf("a role deleted: %v", v)
	}
}

// superStaticSessions: an application may want its sessions signed by the key that never changes.
func superStaticSessions(t *testing.T, w *superWorld) {
	app := w.newApp(t, object{"dynamic": false, "mailbox": "OFF"})
	b, _ := app.opened("cookie", object{"userId": "static"})
	for range 2 {
		if kid := kidOf(t, b.cookie("/", accessCookie)); !strings.HasPrefix(kid, "s-") {
			t.Fatalf("signed by %s", kid)
		}
		b.want(200, http.MethodGet, "/who", nil)
		b.want(200, http.MethodPost, refreshPath, nil)
	}
	b.want(200, http.MethodGet, "/who", nil)
}

// superThousand: more sessions of one user than any page holds.
func superThousand(t *testing.T, w *superWorld) {
	const n = 1050
	made := map[string]bool{}
	for _, s := range w.bare.many(n, "Session.createNewSessionWithoutRequestResponse", "public", object{"$id": "crowd"}) {
		made[digText(s, "handle")] = true
	}
	if len(made) != n {
		t.Fatalf("%d sessions", len(made))
	}
	handles := w.bare.call("Session.getAllSessionHandlesForUser", "crowd").([]any)
	for _, h := range handles {
		if !made[h.(string)] {
			t.Fatalf("%v is none of them", h)
		}
	}
	if len(handles) != n {
		t.Errorf("%d handles, want %d", len(handles), n)
	}
	if gone := w.bare.call("Session.revokeAllSessionsForUser", "crowd").([]any); len(gone) != n {
		t.Errorf("%d revoked, want %d", len(gone), n)
	}
	if left := w.bare.call("Session.getAllSessionHandlesForUser", "crowd").([]any); len(left) != 0 {
		t.Errorf("%d left", len(left))
	}
}
