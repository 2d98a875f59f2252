package resource

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
)

// call sends a request through a middleware; the handler behind it answers 200 with the kind of the token it sees.
func call(guard func(http.Handler) http.Handler, change func(*http.Request)) *httptest.ResponseRecorder {
	h := guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tok, ok := FromContext(r.Context())
		if !ok {
			http.Error(w, "no token", http.StatusTeapot)
			return
		}
		_, _ = w.Write([]byte(tok.Kind))
	}))
	r := httptest.NewRequest(http.MethodPost, "https://api.example.com/like-comment", nil)
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func bearer(raw string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+raw) }
}

func cookie(raw string, more ...func(*http.Request)) func(*http.Request) {
	return func(r *http.Request) {
		r.AddCookie(&http.Cookie{Name: "access_token", Value: raw})
		for _, f := range more {
			f(r)
		}
	}
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

type answer struct {
	status int
	reason string // or the kind of the token, with 200
}

func (a answer) check(t *testing.T, what string, got *httptest.ResponseRecorder) {
	t.Helper()
	body := got.Body.String()
	if got.Code == 200 {
		if a.status != 200 || body != a.reason {
			t.Errorf("%s: served %q, want %+v", what, body, a)
		}
		return
	}
	var p struct {
		Status int
		Reason string
	}
	_ = json.Unmarshal([]byte(body), &p)
	if got.Code != a.status || p.Status != a.status || p.Reason != a.reason {
		t.Errorf("%s: %d %s, want %+v", what, got.Code, body, a)
	}
	if got.Header().Get("Content-Type") != "application/problem+json" || got.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%s: %v", what, got.Header())
	}
}

func TestRequireUser(t *testing.T) {
	w := newWorld(t, nil)
	old := user(t, claims{"exp": start.Unix() - 60, "iat": start.Unix() - 90})
	for what, c := range map[string]struct {
		needs  []Need
		change func(*http.Request)
		want   answer
	}{
		"user":             {nil, bearer(user(t, nil)), answer{200, KindUser}},
		"other case":       {nil, header("Authorization", "bEaReR  "+user(t, nil)), answer{200, KindUser}},
		"role and scope":   {[]Need{Role("owner", "admin"), Scope("read", "write")}, bearer(user(t, nil)), answer{200, KindUser}},
		"no role":          {[]Need{Role("owner")}, bearer(user(t, nil)), answer{403, ReasonRole}},
		"no scope":         {[]Need{Scope("read", "delete")}, bearer(user(t, nil)), answer{403, ReasonScope}},
		"nothing":          {nil, nil, answer{401, ReasonMissing}},
		"empty":            {nil, bearer(""), answer{401, ReasonMissing}},
		"basic":            {nil, header("Authorization", "Basic dTpw"), answer{401, ReasonMissing}},
		"DPoP":             {nil, header("Authorization", "DPoP "+user(t, nil)), answer{401, ReasonMissing}},
		"two headers":      {nil, func(r *http.Request) { r.Header["Authorization"] = []string{"Bearer x", "Bearer y"} }, answer{400, ReasonRequest}},
		"in the query":     {nil, func(r *http.Request) { r.URL.RawQuery = "access_token=" + user(t, nil) }, answer{401, ReasonMissing}},
		"cookie unasked":   {nil, cookie(user(t, nil)), answer{401, ReasonMissing}},
		"service":          {nil, bearer(service(t, nil)), answer{401, ReasonKind}},
		"expired":          {nil, bearer(old), answer{401, ReasonExpired}},
		"rubbish":          {nil, bearer("rubbish"), answer{401, ReasonInvalid}},
		"role and expired": {[]Need{Role("owner")}, bearer(old), answer{401, ReasonExpired}},
	} {
		c.want.check(t, what, call(w.RequireUser(c.needs...), c.change))
	}
}

func TestChallenges(t *testing.T) {
	w := newWorld(t, nil)
	for want, got := range map[string]*httptest.ResponseRecorder{
		`Bearer realm="forum"`: call(w.RequireUser(), nil),
		`Bearer realm="forum", error="invalid_token", error_description="invalid_token"`:                             call(w.RequireUser(), bearer("x")),
		`Bearer realm="forum", error="insufficient_scope", error_description="insufficient_scope", scope="delete a"`: call(w.RequireUser(Scope("delete", "a")), bearer(user(t, nil))),
		`Bearer realm="forum", error="insufficient_scope", error_description="insufficient_role"`:                    call(w.RequireUser(Role("owner")), bearer(user(t, nil))),
		`Bearer realm="forum", error="invalid_request", error_description="malformed_request"`:                       call(w.RequireUser(), func(r *http.Request) { r.Header["Authorization"] = []string{"a", "b"} }),
		`Bearer realm="api"`: call(Require(), nil),
	} {
		if h := got.Header().Get("WWW-Authenticate"); h != want {
			t.Errorf("got  %s\nwant %s", h, want)
		}
	}
	own := newWorld(t, func(c *Config) {
		c.Realm = `a "quoted" realm`
		c.OnRefusal = func(w http.ResponseWriter, _ *http.Request, e *Error) {
			w.WriteHeader(e.Status)
			_, _ = w.Write([]byte("own " + e.Reason))
		}
	})
	got := call(own.RequireUser(), nil)
	if got.Code != 401 || got.Body.String() != "own missing_token" || got.Header().Get("WWW-Authenticate") != `Bearer realm="api"` {
		t.Errorf("%d %s %v", got.Code, got.Body, got.Header())
	}
}

func TestRequireService(t *testing.T) {
	w := newWorld(t, nil)
	for what, c := range map[string]struct {
		sources []string
		change  func(*http.Request)
		want    answer
	}{
		"service":              {nil, bearer(service(t, nil)), answer{200, KindService}},
		"named source":         {[]string{"billing", "mailer"}, bearer(service(t, claims{"source": "mailer"})), answer{200, KindService}},
		"other source":         {nil, bearer(service(t, claims{"source": "mailer"})), answer{401, ReasonSource}},
		"default not named":    {[]string{"billing"}, bearer(service(t, nil)), answer{401, ReasonSource}},
		"empty source":         {nil, bearer(service(t, claims{"source": ""})), answer{401, ReasonSource}},
		"no source":            {nil, bearer(service(t, claims{"source": nil})), answer{401, ReasonKind}},
		"user":                 {nil, bearer(user(t, nil)), answer{401, ReasonKind}},
		"user with source":     {nil, bearer(user(t, claims{"source": "microservice"})), answer{401, ReasonKind}},
		"nothing":              {nil, nil, answer{401, ReasonMissing}},
		"service in a cookie":  {nil, cookie(service(t, nil)), answer{401, ReasonMissing}},
		"forged by a stranger": {nil, bearer(sign(t, foreignKey(t, "s-1"), "JWT", serviceClaims())), answer{401, ReasonInvalid}},
	} {
		c.want.check(t, what, call(w.RequireService(c.sources...), c.change))
	}
}

func TestUserOrService(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Cookie, c.TrustedOrigins = "access_token", []string{"https://app.example.com"} })
	good, m := user(t, nil), service(t, nil)
	past := claims{"exp": start.Unix() - 60, "iat": start.Unix() - 90}
	old, oldService := user(t, past), service(t, past)
	same, cross := header("Sec-Fetch-Site", "same-origin"), header("Sec-Fetch-Site", "cross-site")
	for what, c := range map[string]struct {
		change func(*http.Request)
		want   answer
	}{
		"user by header":                    {bearer(good), answer{200, KindUser}},
		"user by cookie":                    {cookie(good), answer{200, KindUser}},
		"user by cookie from our page":      {cookie(good, same), answer{200, KindUser}},
		"user by cookie from a trusted one": {cookie(good, cross, header("Origin", "https://app.example.com")), answer{200, KindUser}},
		"user by cookie from elsewhere":     {cookie(good, cross, header("Origin", "https://evil.example.com")), answer{403, ReasonCrossOrigin}},
		"cookie from elsewhere, old way":    {cookie(good, header("Origin", "https://evil.example.com")), answer{403, ReasonCrossOrigin}},
		"service":                           {bearer(m), answer{200, KindService}},
		"service beside a user's cookie":    {cookie(good, bearer(m)), answer{200, KindUser}},
		"neither":                           {nil, answer{401, ReasonMissing}},
		"expired user by header":            {bearer(old), answer{401, ReasonExpired}},
		"expired user by cookie":            {cookie(old), answer{401, ReasonExpired}},
		"expired cookie beside a service":   {cookie(old, bearer(m)), answer{401, ReasonExpired}},
		"expired header beside a cookie":    {cookie(good, bearer(old)), answer{401, ReasonExpired}},
		"bad cookie beside a service":       {cookie("x", bearer(m)), answer{200, KindService}},
		"bad cookie":                        {cookie("x"), answer{401, ReasonInvalid}},
		"empty cookie beside a service":     {cookie("", bearer(m)), answer{200, KindService}},
		"service in the cookie":             {cookie(m), answer{401, ReasonKind}},
		"expired service":                   {bearer(oldService), answer{401, ReasonExpired}},
		"service of another source":         {bearer(service(t, claims{"source": "mailer"})), answer{401, ReasonSource}},
		"user with source":                  {bearer(user(t, claims{"source": "microservice"})), answer{401, ReasonKind}},
		"two cookies":                       {cookie(good, cookie(good)), answer{400, ReasonRequest}},
		"foreign key":                       {bearer(sign(t, foreignKey(t, "d-1"), "at+jwt", userClaims())), answer{401, ReasonInvalid}},
	} {
		c.want.check(t, what, call(w.UserOrService(), c.change))
	}
	read := cookie(good, cross, func(r *http.Request) { r.Method = http.MethodGet })
	answer{200, KindUser}.check(t, "reading by cookie from elsewhere", call(w.RequireUser(), read))
	answer{401, ReasonSource}.check(t, "another mark", call(w.UserOrService("billing"), bearer(m)))
}

func TestRequireBehindAnother(t *testing.T) {
	w := newWorld(t, nil)
	chain := func(needs ...Need) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler { return w.UserOrService()(Require(needs...)(next)) }
	}
	answer{200, KindUser}.check(t, "role", call(chain(Role("admin")), bearer(user(t, nil))))
	answer{403, ReasonRole}.check(t, "no role", call(chain(Role("admin")), bearer(service(t, nil))))
	answer{403, ReasonScope}.check(t, "no scope", call(chain(Scope("pay")), bearer(user(t, nil))))
	answer{401, ReasonMissing}.check(t, "without another", call(Require(Role("admin")), bearer(user(t, nil))))
}

func TestUnavailable(t *testing.T) {
	w := newWorld(t, nil)
	w.warm()
	w.host.set(func(h *keyHost) { h.status = 500 })
	w.clock.advance(time.Second)
	got := call(w.RequireUser(), bearer(sign(t, key(t, "d-9", jose.ES256), "at+jwt", userClaims())))
	answer{503, ReasonUnavailable}.check(t, "keys", got)
	if got.Header().Get("Retry-After") != "1" || got.Header().Get("WWW-Authenticate") != "" || strings.Contains(got.Body.String(), "500") {
		t.Errorf("%v %s", got.Header(), got.Body)
	}
}
