package endtoend

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// rfcCodes are all the error codes that a refusal may say (RFC 6749 sections 4.1.2.1 and 5.2, RFC 6750 section 3.1, RFC 7009 section 2.2.1,
// RFC 7591 section 3.2.2, RFC 8628 section 3.5, RFC 8707 section 2, RFC 9126, OpenID Connect Core section 3.1.2.6).
var rfcCodes = strings.Fields(`invalid_request invalid_client invalid_grant unauthorized_client unsupported_grant_type invalid_scope access_denied
	unsupported_response_type server_error temporarily_unavailable invalid_token insufficient_scope unsupported_token_type invalid_redirect_uri
	invalid_client_metadata authorization_pending slow_down expired_token invalid_target invalid_request_uri request_not_supported
	registration_not_supported login_required interaction_required consent_required account_selection_required`)

// oauthParameters are those that mean something at one of the endpoints; each is tried at all of them.
var oauthParameters = strings.Fields(`client_id client_secret client_assertion client_assertion_type grant_type code redirect_uri code_verifier
	refresh_token device_code scope resource audience subject_token subject_token_type actor_token actor_token_type requested_token_type username
	password token token_type_hint access_token response_type response_mode state nonce code_challenge code_challenge_method prompt max_age
	acr_values login_hint id_token_hint ui_locales request request_uri registration dpop_jkt post_logout_redirect_uri confirm user_code claims`)

// pageFields are those of the hosted pages' forms.
var pageFields = strings.Fields("i to other done user answer scope email password new_password name locale user_code client_id session browser all")

// entry is one way in, with a request that it takes.
type entry struct {
	method, path string
	client       string // who asks; "" for a browser
	signedOn     bool
	bearer       string
	form         url.Values // in the query of a GET, else in the body
	fields       []string
}

func (d entry) String() string {
	return d.method + " " + d.path + " " + d.form.Get("grant_type")
}

// machine tells the endpoints for programs from pages.
func (d entry) machine() bool { return d.client != "" || d.bearer != "" }

func (r *realm) entries() []entry {
	access := r.tokens("web", "openid email").Text("access_token")
	grants := map[string]url.Values{
		"web":    values("grant_type", "authorization_code", "code", "x", "redirect_uri", realmCallback, "code_verifier", verifier),
		"opaque": refreshing("x"), "stranger": values("grant_type", exchangeGrant, "subject_token", access, "subject_token_type", accessType),
		"tv": values("grant_type", deviceGrant, "device_code", "x", "client_id", "tv"), "legacy": values("grant_type", "password", "username", "a@example.com", "password", "x"),
	}
	entries := []entry{
		{method: "GET", path: "/oauth2/authorize", form: asking("web", "openid email")},
		{method: "POST", path: "/oauth2/authorize", form: asking("web", "openid email")},
		{method: "GET", path: "/oauth2/continue", form: values("i", "x"), fields: pageFields},
		{method: "GET", path: "/oauth2/logout", form: values("client_id", "web", "post_logout_redirect_uri", "http://127.0.0.1/bye")},
		{method: "POST", path: "/oauth2/logout", form: values("client_id", "web", "confirm", "yes")},
		{method: "GET", path: "/oauth2/device", form: values("user_code", "WDJB-MJHT")},
		{method: "POST", path: "/oauth2/par", client: "web", form: asking("web", "openid email")},
		{method: "POST", path: "/oauth2/token", client: "web", form: values("grant_type", "client_credentials", "scope", "plants")},
		{method: "POST", path: "/oauth2/introspect", client: "web", form: values("token", access, "token_type_hint", "access_token")},
		{method: "POST", path: "/oauth2/revoke", client: "web", form: values("token", "x", "token_type_hint", "access_token")},
		{method: "POST", path: "/oauth2/device_authorize", client: "tv", form: values("scope", "openid", "client_id", "tv")},
		{method: "GET", path: "/oauth2/userinfo", bearer: access, form: values("schema", "openid")},
		{method: "POST", path: "/oauth2/userinfo", bearer: access, form: values("schema", "openid")},
		{method: "GET", path: "/.well-known/openid-configuration", client: "spa", form: values("x", "y")},
		{method: "GET", path: "/.well-known/oauth-authorization-server", client: "spa", form: values("x", "y")},
		{method: "GET", path: "/oauth2/jwks", client: "spa", form: values("x", "y")},
	}
	for _, client := range slices.Sorted(maps.Keys(grants)) {
		entries = append(entries, entry{method: "POST", path: "/oauth2/token", client: client, form: grants[client]})
	}
	for path, form := range map[string]url.Values{
		"/ui/login": values("email", "nobody@example.com", "password", "x"), "/ui/register": values("email", "a@example.com", "new_password", "x"),
		"/ui/forgot": values("email", "nobody@example.com"), "/ui/resend": values("email", "nobody@example.com"), "/ui/choose": values("user", "x"),
		"/ui/consent": values("user", "x", "answer", "allow"), "/ui/device": values("user_code", "WDJB-MJHT"), "/ui/logout": nil,
		"/ui/device/answer": values("user_code", "WDJB-MJHT", "answer", "allow", "user", "x"), "/ui/account": values("name", "Ada", "locale", "en"),
		"/ui/account/email": values("email", "b@example.com", "password", "x"), "/ui/account/password": values("password", "x", "new_password", "y"),
		"/ui/account/sessions": values("session", "x"), "/ui/account/applications": values("client_id", "web"),
	} {
		if path != "/ui/device/answer" && path != "/ui/resend" {
			entries = append(entries, entry{method: "GET", path: path, signedOn: true, form: values("i", "x"), fields: pageFields})
		}
		if form != nil {
			entries = append(entries, entry{method: "POST", path: path, signedOn: true, form: form, fields: pageFields})
		}
	}
	return entries
}

// spoilt are the ways to send a parameter wrongly.
var spoilt = map[string]func(form url.Values, name string){
	"missing":       func(f url.Values, name string) { f.Del(name) },
	"empty":         func(f url.Values, name string) { f.Set(name, "") },
	"doubled":       func(f url.Values, name string) { f[name] = []string{planted, planted + "2"} },
	"doubled alike": func(f url.Values, name string) { f.Set(name, f.Get(name)); f.Add(name, f.Get(name)) },
	"oversized":     func(f url.Values, name string) { f.Set(name, planted+strings.Repeat("x", 9000)) },
	"huge":          func(f url.Values, name string) { f.Set(name, planted+strings.Repeat("x", 70_000)) },
	"wrong type":    func(f url.Values, name string) { f.Set(name, `{"`+planted+`":[-1e999]}`) },
	"NUL":           func(f url.Values, name string) { f.Set(name, planted+"\x00") },
	"control":       func(f url.Values, name string) { f.Set(name, planted+"\r\nSet-Cookie: a=b\x7f") },
	"no text":       func(f url.Values, name string) { f.Set(name, planted+"\xff\xfe") },
}

// TestBadInputAtEveryOAuthEndpoint: each parameter missing, empty, doubled, oversized, of the wrong type or no text, at each endpoint and
// hosted page: an error code of the RFCs, or a page; never a fault of ours, and never the submitted value.
func TestBadInputAtEveryOAuthEndpoint(t *testing.T) {
	r := newRealm(t, server.Options{})
	browser := r.signedOn()
	tried := 0
	for _, d := range r.entries() {
		fields := d.fields
		if fields == nil {
			fields = oauthParameters
		}
		t.Run(strings.ReplaceAll(d.String(), "/", "_"), func(t *testing.T) {
			r := r.in(t)
			for _, name := range fields {
				answers := map[string]*drill.Reply{}
				for kind, spoil := range spoilt {
					form := but(d.form)
					spoil(form, name)
					answers[kind] = r.knocks(d, browser, form)
					r.judge(d, name+" "+kind, answers[kind])
					tried++
				}
				limited := answers["missing"].Status == 429 || answers["empty"].Status == 429                                               // so many guesses at a password
				if a, b := answers["missing"], answers["empty"]; !limited && (a.Status != b.Status || a.Text("error") != b.Text("error")) { // RFC 6749 section 3.1
					t.Errorf("%s: missing is answered %s, empty %s", name, a, b)
				}
				if a := answers["doubled"]; d.client != "" && d.method == "POST" && a.Status < 400 && name != "resource" && name != "audience" {
					t.Errorf("%s was taken twice", name)
				}
				for _, kind := range []string{"huge", "NUL", "no text"} {
					if a := answers[kind]; d.method == "POST" && a.Status < 400 {
						t.Errorf("%s was taken (%s)", name, kind)
					}
				}
			}
		})
	}
	if strings.Contains(r.s.Logs(), planted) {
		t.Error("the log repeats a submitted value")
	}
	if tried < 5000 {
		t.Errorf("only %d requests were tried", tried)
	}
}

// knocks sends a form to a entry.
func (r *realm) knocks(d entry, browser *drill.Visitor, form url.Values) *drill.Reply {
	r.t.Helper()
	v := r.s.Visitor()
	switch {
	case d.bearer != "":
		v = v.With("Authorization", "Bearer "+d.bearer)
	case d.client != "":
		v, _ = r.as(d.client, nil) // a public client's name stands in the form, and may be spoilt
	case d.signedOn:
		v = browser.Thief().With("Accept", "text/html")
	default:
		v = v.With("Accept", "text/html")
	}
	var body any
	path := d.path
	if body = form; d.method == "GET" {
		path, body = path+"?"+form.Encode(), nil
	}
	reply, err := v.Do(r.t.Context(), d.method, path, body)
	do(r.t, err)
	return reply
}

// judge looks at one answer.
func (r *realm) judge(d entry, what string, a *drill.Reply) {
	r.t.Helper()
	kind, _, _ := strings.Cut(a.Header.Get("Content-Type"), ";")
	to := a.Header.Get("Location")
	switch {
	case a.Status == http.StatusRequestHeaderFieldsTooLarge: // net/http's own, before any of us
	case a.Status >= 500:
		r.t.Errorf("%s: answered %s", what, a)
	case d.machine() && a.Status >= 300 && (kind != "application/json" || !slices.Contains(rfcCodes, a.Text("error"))):
		r.t.Errorf("%s: answered %s as %s with error %q", what, a, kind, a.Text("error"))
	case !d.machine() && a.Status >= 400 && kind != "text/html":
		r.t.Errorf("%s: answered %s as %s", what, a, kind)
	case len(a.Header["Set-Cookie"]) > 0 && a.Header.Get("Set-Cookie")[:2] == "a=":
		r.t.Errorf("%s: a header was planted", what)
	case to != "" && !r.ours(to):
		r.t.Errorf("%s: leads to %s", what, to)
	}
	if d.machine() && a.Status >= 400 && strings.Contains(string(a.Body), planted) {
		r.t.Errorf("%s: the submitted value comes back", what)
	}
}

// ours are addresses of the server itself and of the registered pages; an error there must be one of the RFCs'.
func (r *realm) ours(to string) bool {
	u, err := url.Parse(to)
	if err != nil {
		return false
	}
	if u.Host == "" {
		return strings.HasPrefix(to, "/ui/") || strings.HasPrefix(to, "/oauth2/")
	}
	code := u.Query().Get("error")
	back := u.Scheme+"://"+u.Host+u.Path == realmCallback && (code == "" || slices.Contains(rfcCodes, code))
	return back || strings.HasPrefix(to, "http://127.0.0.1/bye")
}

// TestWrongMediaTypesAndMethods: forms are taken as forms and JSON as JSON; every other method is 405 and says which are served.
func TestWrongMediaTypesAndMethods(t *testing.T) {
	r := newRealm(t, server.Options{})
	browser := r.signedOn()
	serves := map[string][]string{"/oauth2/clients": {"POST"}, "/oauth2/clients/x": {"GET", "HEAD", "PUT", "DELETE"}}
	for _, d := range r.entries() {
		serves[d.path] = append(serves[d.path], d.method)
		if d.method == "GET" {
			serves[d.path] = append(serves[d.path], "HEAD")
		}
		if d.method != "POST" {
			continue
		}
		for _, kind := range []string{"application/json", "text/plain", "multipart/form-data; boundary=x", formType + "; charset=utf-16", "x"} {
			v, form := browser.Thief(), d.form
			if d.client != "" {
				v, form = r.as(d.client, d.form)
			} else if d.bearer != "" {
				v = r.s.Visitor().With("Authorization", "Bearer "+d.bearer)
			}
			a, err := v.With("Content-Type", kind).With("Accept", "text/html").Post(t.Context(), d.path, []byte(form.Encode()))
			do(t, err)
			switch {
			case d.machine() && (a.Status != 400 || a.Text("error") != "invalid_request"):
				t.Errorf("%s as %s: answered %s with error %q", d, kind, a, a.Text("error"))
			case !d.machine() && a.Status != http.StatusUnsupportedMediaType:
				t.Errorf("%s as %s: answered %s", d, kind, a)
			}
		}
	}
	for path, methods := range serves {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"} {
			if slices.Contains(methods, method) {
				continue
			}
			a, err := r.s.Visitor().Do(t.Context(), method, path, nil)
			do(t, err)
			if allow := a.Header.Get("Allow"); a.Status != http.StatusMethodNotAllowed || allow == "" || strings.Contains(allow, method) {
				t.Errorf("%s %s: answered %s, Allow %q", method, path, a, allow)
			}
		}
	}
}

// metadataFields are what a client may say of itself, with values that are taken.
var metadataFields = map[string]string{
	"client_name": `"A"`, "redirect_uris": `["https://a.example.com/cb"]`, "token_endpoint_auth_method": `"client_secret_post"`,
	"grant_types": `["authorization_code"]`, "response_types": `["code"]`, "scope": `"openid"`, "jwks_uri": `"https://a.example.com/jwks"`,
	"id_token_signed_response_alg": `"ES256"`, "post_logout_redirect_uris": `["https://a.example.com/bye"]`,
	"backchannel_logout_uri": `"https://a.example.com/logout"`, "default_max_age": "60", "require_pushed_authorization_requests": "true",
	"dpop_bound_access_tokens": "true", "jwks": `{"keys": []}`,
}

// TestBadClientMetadata: each field of RFC 7591 of every wrong type, doubled, oversized or no text, when registering and when changing.
func TestBadClientMetadata(t *testing.T) {
	r := newRealm(t, server.Options{})
	v := r.s.Visitor().With("Authorization", "Bearer "+r.initialToken(-1))
	made, err := v.Post(t.Context(), "/oauth2/clients", map[string]any{"redirect_uris": []string{"https://a.example.com/cb"}})
	must(t, "registration", made, err, 201)
	id := made.Text("client_id")
	own := r.s.Visitor().With("Authorization", "Bearer "+made.Text("registration_access_token"))
	long := `"` + planted + strings.Repeat("x", 9000) + `"`
	wrong := []string{
		"null", "true", "-1", "1e999", `"` + planted + `"`, `"` + planted + `\u0000"`, "\"" + planted + "\xff\"", `"\ud800"`, `["` + planted + `", 1]`, `[["` + planted + `"]]`,
		`{"` + planted + `": {}}`, long, "[" + long + "]", "[" + strings.Repeat(`"https://a.example.com/cb",`, 500) + `""]`, `[""]`, `["http://` + planted + `/cb"]`, "",
	}
	for name, good := range metadataFields {
		bodies := []string{fmt.Sprintf(`{"redirect_uris": ["https://a.example.com/cb"], %q: %s, %q: %s}`, name, good, name, good)}
		for _, value := range wrong {
			bodies = append(bodies, fmt.Sprintf(`{"client_id": %q, %q: %s}`, id, name, value))
			if name != "redirect_uris" {
				bodies = append(bodies, fmt.Sprintf(`{"client_id": %q, "redirect_uris": ["https://a.example.com/cb"], %q: %s}`, id, name, value))
			}
		}
		for i, body := range bodies {
			for path, who := range map[string]*drill.Visitor{"/oauth2/clients": v, "/oauth2/clients/" + id: own} {
				method := map[bool]string{true: "POST", false: "PUT"}[who == v]
				a, err := who.Do(t.Context(), method, path, body)
				do(t, err)
				r.judge(entry{bearer: "x"}, fmt.Sprintf("%s %s %d", method, name, i), a)
				if i == 0 && a.Status != 400 {
					t.Errorf("%s %s was taken twice: %s", method, name, a)
				}
			}
		}
	}
	for _, bad := range []string{"", "x", "git_x", made.Text("registration_access_token") + "x", strings.Repeat("y", 7000)} {
		for method, path := range map[string]string{"POST": "/oauth2/clients", "GET": "/oauth2/clients/" + id, "PUT": "/oauth2/clients/" + id, "DELETE": "/oauth2/clients/" + id} {
			a, err := r.s.Visitor().With("Authorization", "Bearer "+bad).Do(t.Context(), method, path, `{"client_id": "`+id+`", "redirect_uris": ["https://a.example.com/cb"]}`)
			do(t, err)
			r.refused(method+" with a wrong token", a, 401, "invalid_token")
		}
	}
}
