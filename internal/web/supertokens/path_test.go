package supertokens

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var knownPaths = map[string]bool{"/": true, "/hello": true, "/users": true, "/users/count": true, "/recipe/session": true, "/apiversion": true}

func known(path string) bool { return knownPaths[path] }

func TestParsePath(t *testing.T) {
	for in, want := range map[string]place{
		"":                                    {"public", "public", "/"},
		"hello":                               {"public", "public", "/hello"},
		"Hello/":                              {"public", "public", "/hello"},
		"recipe/session":                      {"public", "public", "/recipe/session"},
		"public/recipe/session":               {"public", "public", "/recipe/session"},
		"blue-1/RECIPE/Session/":              {"public", "blue-1", "/recipe/session"},
		"appid-foo":                           {"foo", "public", "/"},
		"appid-foo/hello":                     {"foo", "public", "/hello"},
		"APPID-FOO/Blue/recipe/session":       {"foo", "blue", "/recipe/session"},
		"users":                               {"public", "public", "/users"},
		"blue/users":                          {"public", "blue", "/users"},
		"users/count":                         {"public", "public", "/users/count"},
		"appid-public/public/recipe/session/": {"public", "public", "/recipe/session"},
	} {
		got, found := parsePath(in, known)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(place{})); !found || diff != "" {
			t.Errorf("%q: %v %s", in, found, diff)
		}
	}
	for _, in := range []string{
		"nothing", "blue", "blue/", "a/b/hello", "recipe/recipe/session", "appid-x/appid-y/hello", "appid-/hello", "users/users", "blue/green",
		"a_b/hello", "hello/hello", "config/hello", "/hello", "hello//", "%2e/hello", "blue /hello", "bl\u00fce/hello", "\u212a/hello",
	} {
		if p, found := parsePath(in, known); found && !strings.HasPrefix(in, "/") {
			t.Errorf("%q: %v", in, p)
		}
	}
}

func TestTableIsSound(t *testing.T) {
	h := (&Face{}).generalEndpoints()
	if _, err := tabulate(append(h, h[0])); err == nil {
		t.Error("an endpoint that stands twice is taken")
	}
	for _, e := range (&Face{}).endpoints() {
		if e.path != strings.ToLower(e.path) || !strings.HasPrefix(e.path, "/") || len(e.path) > 1 && strings.HasSuffix(e.path, "/") {
			t.Errorf("path %q", e.path)
		}
	}
}

func FuzzParsePath(f *testing.F) {
	for _, s := range []string{"appid-foo/blue/recipe/session", "Public/hello/", "", "//", "appid-", "recipe", "users/../hello"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		p, found := parsePath(in, known)
		if !found {
			return
		}
		if !known(p.path) || !nameForm.MatchString(p.app) || p.org != publicName && !orgName(p.org) {
			t.Fatalf("%q: %+v", in, p)
		}
		spelled := "appid-" + p.app + "/" + p.org + p.path
		if p.path == "/" {
			spelled = "appid-" + p.app
		}
		if again, found := parsePath(spelled, known); !found || again != p {
			t.Fatalf("%q: %+v, spelled out %+v", in, p, again)
		}
	})
}

func FuzzPayload(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":null}`, `{"sub":1}`, `{"source":"x"}`, `{"a":{"b":[null]}}`, `[]`, `{"a":1,"a":2}`, "{\"\\u0073ub\":1}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := checkPayload(testTenant, []byte(in))
		if err != nil {
			return
		}
		if !samePayload(got, []byte(in)) && !strings.ContainsAny(in, " \t\r\n") {
			t.Fatalf("%q became %q", in, got)
		}
		if again, err := checkPayload(testTenant, got); err != nil || string(again) != string(got) {
			t.Fatalf("%q: %q, then %q, %v", in, got, again, err)
		}
	})
}
