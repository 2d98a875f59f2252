package web

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

const formType = "application/x-www-form-urlencoded"

func formHall(t testing.TB) *Hall {
	decode := func(read func(*Exchange) (url.Values, error)) func(*Exchange) error {
		return func(x *Exchange) error {
			form, err := read(x)
			if err != nil {
				return err
			}
			return x.JSON(200, form)
		}
	}
	return newHall(t, nil,
		route("POST", "/x", decode(func(x *Exchange) (url.Values, error) { return DecodeForm(x, "resource") })),
		route("GET", "/x", decode(ReadQuery)))
}

// TestForms: parameters without a value are none, one given twice is refused unless it may be, and nothing sent comes back.
func TestForms(t *testing.T) {
	h := formHall(t)
	const pw = "hunter2-hunter2"
	for _, c := range []struct{ name, kind, body, want string }{
		{"good", formType, "a=1&b=%C3%BC+x", `{"a":["1"],"b":["ü x"]}`},
		{"charset", formType + "; charset=UTF-8", "a=1", `{"a":["1"]}`},
		{"empty", formType, "", `{}`},
		{"without value", formType, "a=&b&c=1", `{"c":["1"]}`},
		{"with and without", formType, "a=&a=1", `{"a":["1"]}`},
		{"several", formType, "resource=1&resource=2", `{"resource":["1","2"]}`},
		{"twice", formType, "client_secret=a&client_secret=" + pw, "400 invalid_field client_secret"},
		{"twice the same", formType, "a=" + pw + "&a=" + pw, "400 invalid_field a"},
		{"twice, a name of their own", formType, pw + "=1&" + pw + "=2", "400 invalid_field a parameter"},
		{"NUL", formType, "a=" + pw + "%00", "400 invalid_field a"},
		{"NUL in a name", formType, pw + "%00=a", "400 invalid_field a parameter"},
		{"UTF-8", formType, "a=" + pw + "%ff", "400 invalid_field a"},
		{"raw bytes", formType, "a=" + pw + "\xff", "400 invalid_field a"},
		{"half an escape", formType, "a=" + pw + "%2", "400 malformed_request"},
		{"semicolon", formType, "a=" + pw + ";b=1", "400 malformed_request"},
		{"too many", formType, strings.Repeat("a&", 100), "400 malformed_request"},
		{"too large", formType, "a=" + strings.Repeat(pw, 5000), "413 request_too_large"},
		{"JSON", "application/json", `{"a":"` + pw + `"}`, "415 unsupported_media_type"},
		{"multipart", "multipart/form-data; boundary=x", "--x--", "415 unsupported_media_type"},
		{"latin", formType + "; charset=latin1", "a=" + pw, "415 unsupported_media_type"},
		{"no type", "", "a=" + pw, "415 unsupported_media_type"},
	} {
		hs := header{}
		if c.kind != "" {
			hs["Content-Type"] = c.kind
		}
		r := serve(h, request("POST", "/x", c.body, hs))
		got := text(t, r)
		if strings.Contains(got, pw) {
			t.Errorf("%s: the value came back", c.name)
		}
		if r.StatusCode != 200 {
			var p Problem
			if err := json.Unmarshal([]byte(got), &p); err != nil {
				t.Fatal(err)
			}
			got = r.Status[:3] + " " + p.Reason
			if len(p.Errors) > 0 {
				got += " " + p.Errors[0].Name
			}
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	r := request("GET", "/x", "", nil)
	for query, want := range map[string]int{"a=1&a=2": 200, "a=%00": 400, "a=%zz": 400, "a=%ff": 400, "a;b": 400, "": 200} {
		r.URL.RawQuery = query
		if got := serve(h, r); got.StatusCode != want {
			t.Errorf("query %q: %d", query, got.StatusCode)
		}
	}
}

func FuzzForm(f *testing.F) {
	for _, s := range []string{"a=1&a=2", "%", "=", "&&", "resource=1&resource=", "a=%00", "\xff"} {
		f.Add(s)
	}
	h := formHall(f)
	f.Fuzz(func(t *testing.T, body string) {
		r := serve(h, request("POST", "/x", body, header{"Content-Type": formType}))
		if got := text(t, r); r.StatusCode >= 500 || !json.Valid([]byte(got)) {
			t.Fatalf("%d %s", r.StatusCode, got)
		}
	})
}

// TestSSOCookie: the attributes that keep it where it belongs, and that no foreign post reads or sets it.
func TestSSOCookie(t *testing.T) {
	h := newHall(t, nil, Route{Owner: "test", Method: "POST", Pattern: "/x", SelfGuard: true, Handle: func(x *Exchange) error {
		if err := x.ResolveTenant(); err != nil {
			return err
		}
		seen := x.SSO().Reveal()
		life := 90 * time.Minute
		if seen == "leaving" {
			life = 0
		}
		if err := x.SetSSO(secret.NewText("fresh"), life); err != nil {
			return err
		}
		return x.JSON(200, seen)
	}})
	r := serve(h, request("POST", "/x", "", header{"Cookie": "__Host-gh_sso=old"}))
	if got := text(t, r); got != `"old"` {
		t.Fatalf("read %s", got)
	}
	c := r.Cookies()[0]
	if c.Name != "__Host-gh_sso" || c.Value != "fresh" || !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge != 5400 {
		t.Fatalf("%+v", c)
	}
	if c := serve(h, request("POST", "/x", "", header{"Cookie": "__Host-gh_sso=leaving"})).Cookies()[0]; c.MaxAge != -1 || c.Value != "" {
		t.Fatalf("not removed: %+v", c)
	}
	r = serve(h, request("POST", "/x", "", header{"Cookie": "__Host-gh_sso=old", "Origin": "https://attacker.example"}))
	if refused(t, r, 403, "cross_origin"); len(r.Cookies()) != 0 {
		t.Fatal("a foreign page set it")
	}
}
