package loginapi

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

const (
	good      = `{"email":"Ann@Example.com","password":"correct horse"}`
	bearer    = "Authorization: Bearer the.access.token"
	cookies   = "Cookie: access_token=the.access.token; refresh_token=gr_old; __Host-gh_browser=b; __Host-gh_device=device-statement"
	bothSet   = "access_token refresh_token"
	tokenBody = `"access_token":"the.access.token","refresh_token":"gr_refresh","token_type":"Bearer",`
	times     = `"expires_in":900,"refresh_expires_in":2592000`
	userBody  = `,"user":{"id":"` + ann + `","email":"ann@example.com","email_verified":true,"name":"Ann","roles":["user"]}`
)

func TestLoginAnswers(t *testing.T) {
	for _, c := range []struct {
		name         string
		body         string
		heads        []string
		status       int
		want, cookie string
	}{
		{"both", good, nil, 200, "{" + tokenBody + times + userBody + "}", "__Host-gh_browser __Host-gh_device " + bothSet},
		{"narrowed to cookie", good, []string{"X-Token-Mode: cookie"}, 200, "{" + times + userBody + "}", "__Host-gh_browser __Host-gh_device " + bothSet},
		{"narrowed to bearer", good, []string{"X-Token-Mode: bearer"}, 200, "{" + tokenBody + times + userBody + "}", ""},
		{"cookie client", good, []string{"X-Client-Id: spa"}, 200, "{" + times + userBody + "}", "__Host-gh_browser __Host-gh_device " + bothSet},
		{"cookie client, both asked", good, []string{"X-Client-Id: spa", "X-Token-Mode: both"}, 200, "{" + times + userBody + "}", "__Host-gh_browser __Host-gh_device " + bothSet},
		{"cookie client, bearer asked", good, []string{"X-Client-Id: spa", "X-Token-Mode: bearer"}, 400, "invalid_field", ""},
		{"bearer client", good, []string{"X-Client-Id: phone"}, 200, "{" + tokenBody + times + userBody + "}", ""},
		{"bearer client, cookie asked", good, []string{"X-Client-Id: phone", "X-Token-Mode: cookie"}, 400, "invalid_field", ""},
		{"odd mode", good, []string{"X-Token-Mode: none"}, 400, "invalid_field", ""},
		{"known browser", good, []string{cookies}, 200, "{" + tokenBody + times + userBody + "}", "__Host-gh_device __Host-gh_browser " + bothSet},
		{"listed origin", good, []string{"Origin: " + listed}, 200, "{" + tokenBody + times + userBody + "}", "__Host-gh_browser __Host-gh_device " + bothSet},
		{"foreign origin", good, []string{"Origin: " + foreign}, 403, "cross_origin", ""},
		{"foreign site", good, []string{"Sec-Fetch-Site: cross-site"}, 403, "cross_origin", ""},
		{"foreign origin, bearer", good, []string{"Origin: " + foreign, "X-Token-Mode: bearer"}, 200, "{" + tokenBody + times + userBody + "}", ""},
		{"client in body", `{"email":"a@b","password":"p","client_id":"phone"}`, nil, 200, "{" + tokenBody + times + userBody + "}", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			r, body := b.ask("POST", "/login/password", c.body, c.heads...)
			if c.status != 200 {
				if r.StatusCode != c.status || reasonOf(body) != c.want || b.called != "" || cookieNames(r) != "" {
					t.Fatalf("%d %s %q %q", r.StatusCode, body, b.called, cookieNames(r))
				}
				return
			}
			if r.StatusCode != 200 || body != c.want || cookieNames(r) != c.cookie {
				t.Fatalf("%d %s\ncookies %s", r.StatusCode, body, cookieNames(r))
			}
			if slices.Contains(c.heads, cookies) && (b.call.Device != "device-1" || b.call.Browser == "") {
				t.Fatalf("%+v", b.call)
			}
		})
	}
}

func TestLoginCookiesExactly(t *testing.T) {
	b := newBench(t)
	r, _ := b.ask("POST", "/login/password", good, cookies)
	renewed := cookieValue(r, "__Host-gh_browser")
	if renewed == "" || renewed == "b" {
		t.Fatalf("the browser cookie is %q after a login: it must be new", renewed)
	}
	want := []string{
		"__Host-gh_device=device-statement; Path=/; Max-Age=31536000; HttpOnly; Secure; SameSite=Lax",
		"__Host-gh_browser=" + renewed + "; Path=/; Max-Age=31536000; HttpOnly; Secure; SameSite=Lax",
		"access_token=the.access.token; Path=/; Max-Age=900; HttpOnly; Secure; SameSite=Lax",
		"refresh_token=gr_refresh; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax",
	}
	if d := cmp.Diff(want, r.Header["Set-Cookie"]); d != "" {
		t.Error(d)
	}
	if b.password.Email != "Ann@Example.com" || b.password.Password.Reveal() != "correct horse" || b.password.Client.ID != "web" {
		t.Errorf("%+v", b.password)
	}
	r, _ = b.ask("POST", "/t/blue/login/password", good)
	if cookieNames(r) != "__Host-gh_browser_blue __Host-gh_device_blue access_token_blue refresh_token_blue" || b.password.Tenant.ID != "t-blue" {
		t.Error(cookieNames(r))
	}
}

func TestRefusedLoginStillMarksTheBrowser(t *testing.T) {
	b := newBench(t)
	b.fail = fault.New(fault.Unauthenticated, fault.ReasonEmailUnverified, "user has not verified their primary email")
	r, body := b.ask("POST", "/login/password", good)
	if r.StatusCode != 401 || !strings.Contains(body, `"message":"user has not verified their primary email"`) || cookieNames(r) != "__Host-gh_browser" {
		t.Fatalf("%d %s %s", r.StatusCode, body, cookieNames(r))
	}
	if b.call.Browser == "" {
		t.Fatal("the attempt is not bound to the browser that made it")
	}
}

func TestRefreshTokenModes(t *testing.T) {
	const inBody = `{"refresh_token":"gr_body"}`
	for _, c := range []struct {
		name            string
		body            string
		heads           []string
		status          int
		want, cookie    string
		refresh, access string
	}{
		{"cookies", "", []string{cookies}, 200, "{" + times + userBody + "}", bothSet, "gr_old", "the.access.token"},
		{"cookies, foreign page", "", []string{cookies, "Origin: " + foreign}, 403, "cross_origin", "", "", ""},
		{"cookies, sibling page", "", []string{cookies, "Sec-Fetch-Site: same-site"}, 403, "cross_origin", "", "", ""},
		{"cookies, listed page", "", []string{cookies, "Origin: " + listed}, 200, "{" + times + userBody + "}", bothSet, "gr_old", "the.access.token"},
		{"body", inBody, nil, 200, "{" + tokenBody + times + "}", "", "gr_body", ""},
		{"body and bearer", inBody, []string{bearer}, 200, "{" + tokenBody + times + "}", "", "gr_body", "the.access.token"},
		{"header", "", []string{"X-Refresh-Token: gr_head"}, 200, "{" + tokenBody + times + "}", "", "gr_head", ""},
		{"header beats body", inBody, []string{"X-Refresh-Token: gr_head"}, 200, "{" + tokenBody + times + "}", "", "gr_head", ""},
		{"explicit beats cookies", inBody, []string{cookies}, 200, "{" + tokenBody + times + "}", "", "gr_body", ""},
		{"explicit from a foreign page", inBody, []string{cookies, "Origin: " + foreign}, 200, "{" + tokenBody + times + "}", "", "gr_body", ""},
		{"explicit access, cookie refresh", "", []string{cookies, "Authorization: Bearer mine"}, 200, "{" + times + userBody + "}", bothSet, "gr_old", "mine"},
		{"cookies may not be widened", "", []string{cookies, "X-Token-Mode: bearer"}, 401, "missing_token", "", "", ""},
		{"bearer client has no cookies", "", []string{cookies, "X-Client-Id: phone"}, 401, "missing_token", "", "", ""},
		{"cookie client", "", []string{cookies, "X-Client-Id: spa"}, 200, "{" + times + userBody + "}", bothSet, "gr_old", "the.access.token"},
		{"cookie client, explicit", inBody, []string{"X-Client-Id: spa"}, 200, "{" + times + "}", bothSet, "gr_body", ""},
		{"cookie client, explicit, foreign", inBody, []string{"X-Client-Id: spa", "Origin: " + foreign}, 403, "cross_origin", "", "", ""},
		{"nothing", "", nil, 401, "missing_token", "", "", ""},
		{"nothing in JSON", "{}", nil, 401, "missing_token", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			r, body := b.ask("POST", "/jwt/refresh", c.body, c.heads...)
			if c.status != 200 {
				if r.StatusCode != c.status || reasonOf(body) != c.want || b.called != "" || cookieNames(r) != "" {
					t.Fatalf("%d %s %q", r.StatusCode, body, b.called)
				}
				return
			}
			if r.StatusCode != 200 || body != c.want || cookieNames(r) != c.cookie {
				t.Fatalf("%d %s\ncookies %s", r.StatusCode, body, cookieNames(r))
			}
			if got := b.refresh.Refresh.Reveal(); got != c.refresh || b.refresh.Access.Reveal() != c.access {
				t.Fatalf("refresh %s access %s", got, b.refresh.Access.Reveal())
			}
		})
	}
}

func TestRefusedRefreshKeepsCookies(t *testing.T) {
	b := newBench(t)
	for _, reason := range []fault.Reason{fault.ReasonRefreshReused, fault.ReasonSessionRevoked, fault.ReasonSessionExpired, fault.ReasonRefreshUnknown} {
		b.fail = fault.New(fault.Unauthenticated, reason, "log in again")
		r, body := b.ask("POST", "/jwt/refresh", "", cookies)
		if r.StatusCode != 401 || reasonOf(body) != string(reason) || len(r.Header["Set-Cookie"]) != 0 {
			t.Errorf("%d %s %v", r.StatusCode, body, r.Header["Set-Cookie"])
		}
		if got := r.Header.Get("WWW-Authenticate"); got != `Bearer error="invalid_token", error_description="`+string(reason)+`"` {
			t.Error(got)
		}
	}
}

func TestLogout(t *testing.T) {
	b := newBench(t)
	cleared := []string{
		"access_token=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax", "refresh_token=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
	}
	for _, c := range []struct {
		name, body      string
		heads           []string
		fail            error
		status          int
		access, refresh string
		called, all     bool
		clears          bool
	}{
		{"cookies", "", []string{cookies}, nil, 200, "the.access.token", "gr_old", true, false, true},
		{"bearer", "", []string{bearer}, nil, 200, "the.access.token", "", true, false, true},
		{"bearer beside cookies", `{"refresh_token":"gr_body"}`, []string{bearer, cookies}, nil, 200, "the.access.token", "gr_body", true, false, true},
		{"keep", `{"revoke":false}`, []string{cookies}, nil, 200, "", "", false, false, true},
		{"all", `{"all":true}`, []string{cookies}, nil, 200, "the.access.token", "gr_old", true, true, true},
		{"nothing", "", nil, nil, 200, "", "", true, false, true},
		{"unknown client in body", `{"client_id":"nobody"}`, []string{bearer}, nil, 200, "the.access.token", "", true, false, true},
		{"dead token", "", []string{bearer}, fault.New(fault.Unauthenticated, fault.ReasonInvalidToken, "x"), 200, "the.access.token", "", true, false, true},
		{"store down", "", []string{cookies}, fault.New(fault.Unavailable, fault.ReasonUnavailable, "x"), 503, "the.access.token", "gr_old", true, false, true},
		{"foreign page", "", []string{cookies, "Origin: " + foreign}, nil, 403, "", "", false, false, false},
		{"foreign page with a token", "", []string{bearer, "Origin: " + foreign}, nil, 200, "the.access.token", "", true, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.fail, b.logout = c.fail, session.LogoutRequest{}
			r, body := b.ask("POST", "/logout", c.body, c.heads...)
			if r.StatusCode != c.status || (b.called == "logout ") != c.called {
				t.Fatalf("%d %s %q", r.StatusCode, body, b.called)
			}
			if b.logout.Access.Reveal() != c.access || b.logout.Refresh.Reveal() != c.refresh || b.logout.All != c.all {
				t.Fatalf("%+v", b.logout)
			}
			want := cleared
			if !c.clears {
				want = nil
			}
			if d := cmp.Diff(want, r.Header["Set-Cookie"]); d != "" {
				t.Fatal(d)
			}
		})
	}
}

func TestWhoCalls(t *testing.T) {
	for _, c := range []struct {
		name           string
		method, target string
		heads          []string
		status         int
		reason         string
	}{
		{"bearer", "GET", "/me", []string{bearer}, 200, ""},
		{"cookie", "GET", "/me", []string{cookies}, 200, ""},
		{"cookie read by a foreign page", "GET", "/me", []string{cookies, "Origin: " + foreign}, 200, ""}, // it cannot see the answer
		{"nothing", "GET", "/me", nil, 401, "missing_token"},
		{"explicit rubbish beats a good cookie", "GET", "/me", []string{cookies, "Authorization: Bearer rubbish"}, 401, "invalid_token"},
		{"empty bearer beats a good cookie", "GET", "/me", []string{cookies, "Authorization: Bearer"}, 401, "missing_token"},
		{"cookie in bearer mode", "GET", "/me", []string{cookies, "X-Token-Mode: bearer"}, 401, "missing_token"},
		{"cookie delete by a foreign page", "DELETE", "/me", []string{cookies, "Origin: " + foreign}, 403, "cross_origin"},
		{"cookie delete by a listed page", "DELETE", "/me", []string{cookies, "Origin: " + listed}, 204, ""},
		{"bearer delete by a foreign page", "DELETE", "/me", []string{bearer, "Origin: " + foreign}, 204, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			r, body := b.ask(c.method, c.target, "", c.heads...)
			if r.StatusCode != c.status || reasonOf(body) != c.reason {
				t.Fatalf("%d %s", r.StatusCode, body)
			}
			if c.status == 401 && !strings.HasPrefix(r.Header.Get("WWW-Authenticate"), "Bearer") {
				t.Fatal(r.Header)
			}
			if r.Header.Get("Access-Control-Allow-Origin") == foreign {
				t.Fatal("a foreign page may read")
			}
			if c.status < 300 && (b.call.Actor.ID != ann || b.call.Actor.Kind != "user" || b.call.ClientID != "web") {
				t.Fatalf("%+v", b.call)
			}
		})
	}
	b := newBench(t)
	b.bound = "thumbprint"
	if r, body := b.ask("GET", "/me", "", bearer); r.StatusCode != 401 || reasonOf(body) != "binding_mismatch" {
		t.Fatalf("%d %s", r.StatusCode, body)
	}
}

func TestMe(t *testing.T) {
	b := newBench(t)
	const me = `{"id":"` + ann + `","email":"ann@example.com","email_verified":true,"name":"Ann","locale":"en","data":{},"roles":["user"],` +
		`"created_at":"2026-03-01T11:00:00.000Z"`
	if _, body := b.ask("GET", "/me", "", bearer); body != me+"}" {
		t.Error(body)
	}
	if _, body := b.ask("PATCH", "/me", `{"email":"new@example.com","name":null,"data":{"a":1}}`, bearer); body != me+`,"email_pending":true}` {
		t.Error(body)
	}
	if b.change.Name != nil || b.change.Locale != nil || *b.change.Email != "new@example.com" || string(*b.change.Data) != `{"a":1}` {
		t.Errorf("%+v", b.change)
	}
	for _, bad := range []string{`{"data":[1]}`, `{"data":"x"}`, `{"name":1}`, `{"data":1}`} {
		if r, body := b.ask("PATCH", "/me", bad, bearer); r.StatusCode != 400 || b.called != "" {
			t.Errorf("%s: %d %s", bad, r.StatusCode, body)
		}
	}
}

func TestSessions(t *testing.T) {
	b := newBench(t)
	_, body := b.ask("GET", "/sessions?limit=1", "", bearer)
	var first SessionList
	if err := json.Unmarshal([]byte(body), &first); err != nil || len(first.Items) != 1 || first.Next == "" || first.Items[0].Current {
		t.Fatal(body)
	}
	if first.Items[0].ExpiresAt != "2026-03-01T13:00:00.000Z" {
		t.Error(body)
	}
	_, body = b.ask("GET", "/sessions?limit=1&after="+first.Next, "", bearer)
	var second SessionList
	if err := json.Unmarshal([]byte(body), &second); err != nil || len(second.Items) != 1 || second.Next != "" || !second.Items[0].Current {
		t.Fatal(body)
	}
	b.families = nil
	if _, body = b.ask("GET", "/sessions", "", bearer); body != `{"items":[]}` {
		t.Error(body)
	}
	for _, q := range []string{"limit=0", "limit=101", "limit=x", "after=x", "after=AAAA", "limit=1e1"} {
		if r, body := b.ask("GET", "/sessions?"+q, "", bearer); r.StatusCode != 400 || b.called != "" {
			t.Errorf("%s: %d %s", q, r.StatusCode, body)
		}
	}
}

func TestEndingSessions(t *testing.T) {
	b := newBench(t)
	for id, want := range map[string]int{sidOne: 204, sidTwo: 204, sidBob: 404, "x": 404, strings.ToUpper(sidTwo): 404} {
		b.match = session.Match{}
		r, body := b.ask("DELETE", "/sessions/"+id, "", bearer)
		if r.StatusCode != want {
			t.Errorf("%s: %d %s", id, r.StatusCode, body)
		}
		if ended := b.match == (session.Match{TenantID: "t-main", ID: id}); ended != (want == 204) {
			t.Errorf("%s: %+v", id, b.match)
		}
	}
	r, body := b.ask("DELETE", "/sessions?except=current", "", bearer)
	if r.StatusCode != 200 || body != `{"ended":1}` || b.match != (session.Match{TenantID: "t-main", Subject: ann, Except: sidOne}) {
		t.Errorf("%d %s %+v", r.StatusCode, body, b.match)
	}
	for _, target := range []string{"/sessions", "/sessions?except=none"} {
		if r, _ := b.ask("DELETE", target, "", bearer); r.StatusCode != 400 || b.called != "" {
			t.Errorf("%s: %d", target, r.StatusCode)
		}
	}
}

func TestSessionBeyondTheFirstPage(t *testing.T) {
	b := newBench(t)
	var many []session.Family
	for i := range 250 {
		id := "0195a000-0000-7000-8000-" + strings.Repeat("0", 9) + string([]byte{'1' + byte(i/100), '0' + byte(i/10%10), '0' + byte(i%10)})
		many = append(many, session.Family{ID: id})
	}
	b.families = many
	if r, body := b.ask("DELETE", "/sessions/"+many[249].ID, "", bearer); r.StatusCode != 204 {
		t.Errorf("%d %s", r.StatusCode, body)
	}
	if r, _ := b.ask("DELETE", "/sessions/"+sidBob, "", bearer); r.StatusCode != 404 {
		t.Errorf("%d", r.StatusCode)
	}
}

func TestMailsSayAlwaysTheSame(t *testing.T) {
	b := newBench(t)
	bodies := map[string]bool{}
	for _, path := range []string{"/register", "/email/verify/resend", "/password/forgot"} {
		for _, mail := range []string{"known@example.com", "unknown@example.com"} {
			r, body := b.ask("POST", path, `{"email":"`+mail+`","password":"correct horse"}`)
			if r.StatusCode != 202 || b.called == "" {
				t.Errorf("%s: %d %s", path, r.StatusCode, body)
			}
			bodies[body] = true
		}
	}
	if len(bodies) != 1 {
		t.Error(bodies)
	}
	if _, _ = b.ask("POST", "/register", `{"email":"a@b","password":"p","name":"N","locale":"de"}`); b.register.Name != "N" || b.register.Locale != "de" || b.call.Browser == "" {
		t.Errorf("%+v", b.register)
	}
}

func TestJWKS(t *testing.T) {
	b := newBench(t)
	b.keys = []byte(`{"keys":[{"kid":"d-1"}]}`)
	r, body := b.ask("GET", "/.well-known/jwks.json", "")
	tag := r.Header.Get("ETag")
	if r.StatusCode != 200 || body != string(b.keys) || tag == "" || r.Header.Get("Cache-Control") != "public, max-age=300" {
		t.Fatalf("%d %s %v", r.StatusCode, body, r.Header)
	}
	for _, v := range []string{tag, "W/" + tag, `"x", ` + tag, "*"} {
		if r, body := b.ask("GET", "/.well-known/jwks.json", "", "If-None-Match: "+v); r.StatusCode != 304 || body != "" || r.Header.Get("ETag") != tag {
			t.Errorf("%s: %d %s", v, r.StatusCode, body)
		}
	}
	b.keys = []byte(`{"keys":[{"kid":"d-2"}]}`)
	if r, _ := b.ask("GET", "/.well-known/jwks.json", "", "If-None-Match: "+tag); r.StatusCode != 200 || r.Header.Get("ETag") == tag {
		t.Errorf("a new key is hidden by an old tag: %d", r.StatusCode)
	}
	b.keys = nil
	if r, body := b.ask("GET", "/.well-known/jwks.json", ""); r.StatusCode != 503 || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %s", r.StatusCode, body)
	}
}

func cookieValue(r *http.Response, name string) string {
	for _, c := range r.Cookies() {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}
