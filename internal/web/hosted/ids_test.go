package hosted

import (
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/testbed/browser"
)

// promises are how the pages of the table of ids are reached: cookie, address and what is posted there.
var promises = map[string]struct {
	cookie, path string
	form         url.Values
}{
	"every page":               {"", "/ui/login", values("email", "ada@example.com", "password", "wrong")},
	"/ui/login":                {"", "/ui/login?i=login", nil},
	"/ui/register":             {"", "/ui/register?i=login", nil},
	"after /ui/register":       {"", "/ui/register?i=login", values("email", "ada@example.com", "new_password", rightPassword)},
	"/ui/forgot":               {"", "/ui/forgot", nil},
	"after /ui/forgot":         {"", "/ui/forgot", values("email", "ada@example.com")},
	"/ui/choose":               {"good", "/ui/choose?i=choose", nil},
	"/ui/consent":              {"good", "/ui/consent?i=consent", nil},
	"/ui/device":               {"good", "/ui/device", nil},
	"after /ui/device":         {"good", "/ui/device", values("user_code", "WDJB-MJHT")},
	"/ui/logout":               {"good", "/ui/logout", nil},
	"/ui/account":              {"good", "/ui/account", nil},
	"/ui/account/email":        {"good", "/ui/account/email", nil},
	"/ui/account/password":     {"good", "/ui/account/password", nil},
	"/ui/account/sessions":     {"good", "/ui/account/sessions", nil},
	"/ui/account/applications": {"good", "/ui/account/applications", nil},
	"a refusal":                {"", "/test/badclient", nil},
}

// TestPromisedIDsAreThere: the ids that docs/hosted-pages.md promises are on the pages, each once; and no page of ours is left out there.
func TestPromisedIDsAreThere(t *testing.T) {
	s := newSite(t)
	promised := browser.Promised(t, filepath.Join("..", "..", ".."))
	for page, p := range promises {
		ids := promised[page]
		if len(ids) == 0 {
			t.Errorf("docs/hosted-pages.md has no ids of %s", page)
		}
		if lacks := browser.Lacks(s.ask(t, p.path, p.cookie, p.form).body, ids); len(lacks) > 0 {
			t.Errorf("%s has not, or twice: %v", page, lacks)
		}
	}
	for _, r := range s.pages.Routes() {
		if r.Method == "GET" && strings.HasPrefix(r.Pattern, "/ui/") && len(promised[r.Pattern]) == 0 {
			t.Errorf("docs/hosted-pages.md promises nothing of %s", r.Pattern)
		}
	}
}

// TestTitlesTellPagesApart: who has several of the pages open finds each by its title, which names the tenant too.
func TestTitlesTellPagesApart(t *testing.T) {
	s := newSite(t)
	title := regexp.MustCompile(`<title>(.*) · Example Company</title>`)
	for _, lang := range []string{"en", "de"} {
		seen := map[string]string{}
		for name, p := range promises {
			if name == "every page" { // the login page once more
				continue
			}
			got := s.ask(t, p.path, p.cookie, p.form, "Accept-Language", lang)
			found := title.FindStringSubmatch(got.body)
			if found == nil || !strings.Contains(got.body, `<html lang="`+lang+`"`) {
				t.Errorf("%s in %s has no title, or another language", name, lang)
				continue
			}
			if other := seen[found[1]]; other != "" {
				t.Errorf("%s and %s are both called %q", name, other, found[1])
			}
			seen[found[1]] = name
		}
	}
}
