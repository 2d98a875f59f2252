package hosted

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

// TestWhoDecidesTheLanguage: the application's wish (ui_locales) goes before the one the person saved, and that before the browser's; on error
// pages and on the way out, too.
func TestWhoDecidesTheLanguage(t *testing.T) {
	s := newSite(t)
	s.step["german"] = oauth.StepConsent
	for name, c := range map[string]struct{ path, cookie, browser, want string }{
		"nobody":                         {"/ui/consent?i=consent", "good", "", "en"},
		"the browser":                    {"/ui/consent?i=consent", "good", "de", "de"},
		"the person, at consent":         {"/ui/consent?i=consent", "german", "en", "de"},
		"the person, on their account":   {"/ui/account", "german", "en", "de"},
		"the application":                {"/ui/consent?i=german", "good", "en", "de"},
		"the application, at login":      {"/ui/login?i=german", "", "en", "de"},
		"the application, at logout":     {"/ui/logout?client_id=garden&ui_locales=de", "good", "en", "de"},
		"the application, of who is not": {"/ui/logout?ui_locales=fr+de-AT+en", "good", "en", "de"},
		"the application asked badly":    {"/test/badclient?ui_locales=de", "", "en", "de"},
		"nothing that we speak":          {"/ui/login?ui_locales=" + strings.Repeat("xx+", 40), "", "en", "en"},
	} {
		got := s.ask(t, c.path, c.cookie, nil, "Accept-Language", c.browser)
		if !strings.Contains(got.body, `<html lang="`+c.want+`"`) {
			t.Errorf("%s: %d, and the page is not in %s", name, got.status, c.want)
		}
	}
}

// TestTooManyTriesSayWhen: who tried too often reads when to come back, in forms and on the page for it.
func TestTooManyTriesSayWhen(t *testing.T) {
	s := newSite(t)
	form := values("email", "ada@example.com", "password", "too often")
	for _, c := range []struct{ lang, want string }{{"en", "Try again in 2 minutes."}, {"de", "Versuche es in 2 Minuten noch einmal."}} {
		got := s.ask(t, "/ui/login", "", form, "Accept-Language", c.lang)
		if got.status != 429 || !strings.Contains(got.body, c.want) || got.header.Get("Retry-After") != "90" {
			t.Errorf("%d, Retry-After %s, says %q: %v", got.status, got.header.Get("Retry-After"), c.want, strings.Contains(got.body, c.want))
		}
	}
	if got := s.ask(t, "/test/fault/limited", "", nil); got.status != 429 || !strings.Contains(got.body, "Try again in 5 minutes.") {
		t.Errorf("the page says %d", got.status)
	}
	if got := s.ask(t, "/ui/device", "good", values("user_code", "OFTEN")); got.status != 429 || !strings.Contains(got.body, "Try again in a minute.") {
		t.Errorf("the page of a device's code says %d", got.status)
	}
}

// TestAddressesAreOpenedAsPages: a browser that opens an address that is none gets a page, a program the problem.
func TestAddressesAreOpenedAsPages(t *testing.T) {
	s := newSite(t)
	if got := s.ask(t, "/nowhere", "", nil, "Sec-Fetch-Dest", "document"); got.status != 404 || !strings.Contains(got.body, `id="fault"`) {
		t.Errorf("a browser gets %d %.60s", got.status, got.body)
	}
	if got := s.ask(t, "/nowhere", "", nil, "Sec-Fetch-Dest", "empty"); got.status != 404 || !strings.HasPrefix(got.body, "{") {
		t.Errorf("a script gets %d %.60s", got.status, got.body)
	}
}

// TestSessionsAreToldApart: the browser one sits at is marked and first, each says when it was last seen, and nobody is asked to end others
// where there are none.
func TestSessionsAreToldApart(t *testing.T) {
	s := newSite(t)
	page := s.ask(t, "/ui/account/sessions", "good", nil).body
	own, other := strings.Index(page, `id="at-sso-1"`), strings.Index(page, `id="at-sso-2"`)
	if own < 0 || other < own || !strings.Contains(page[own:other], "this browser") || strings.Contains(page[own:other], "<button") {
		t.Error("the own browser is not the first, is not marked, or can be ended")
	}
	for _, want := range []string{"Firefox on Linux", "Safari on iPhone", "3 hours ago", "2 days ago", "just now", `id="others"`, `id="end-sso-2"`, `id="end-s-2"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the sessions lack %s", want)
		}
	}
	page = s.ask(t, "/ui/account/sessions", "alone", nil).body
	if strings.Contains(page, `id="others"`) || !strings.Contains(page, `id="only"`) {
		t.Error("who is nowhere else is asked to end other sessions")
	}
	got := s.ask(t, "/ui/login?to=others", "stale", values("email", "ada@example.com", "password", rightPassword))
	if got.to != "/ui/account/sessions?done=again" || !strings.Contains(s.ask(t, got.to, "good", nil).body, "You can now end all other sessions") {
		t.Errorf("after the fresh login the person stands at %s", got.to)
	}
	s.done()
}
