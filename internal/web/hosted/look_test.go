package hosted

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/browser"
)

const (
	fill   = `document.querySelector('input#%s').value = '%s';`
	then   = "\n"
	submit = `document.querySelector('form button[type=submit]').form.submit()`
)

func typing(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		fmt.Fprintf(&b, fill, pairs[i], pairs[i+1])
	}
	return b.String() + submit
}

// shots is every page and state that a person can see, with the cookie they have and the script that brings the page there.
var shots = []shot{
	{"login", "none", "/ui/login?i=login", ""},
	{"login-empty", "none", "/ui/login", submit},
	{"login-wrong", "none", "/ui/login?i=login", typing("email", wide, "password", "wrong")},
	{"login-limited", "none", "/ui/login", typing("email", "ada@example.com", "password", "too often")},
	{"login-disabled", "none", "/ui/login", typing("email", "ada@example.com", "password", "disabled")},
	{"login-again", "good", "/ui/login?i=login", ""},
	{"login-unverified", "none", "/ui/login?i=login", typing("email", "ada@example.com", "password", "unverified")},
	{"login-over", "none", "/ui/login?i=another", ""},
	{"login-application", "none", "/test/badclient", ""},
	{"register", "none", "/ui/register?i=login", ""},
	{"register-weak", "none", "/ui/register?i=login", typing("email", "ada@example.com", "new_password", "weak")},
	{"register-email", "none", "/ui/register", typing("email", "no address", "new_password", rightPassword)},
	{"sent-signup", "none", "/ui/register?i=login", typing("email", wide, "new_password", rightPassword)},
	{"sent-again", "none", "/ui/login?i=login", typing("email", "ada@example.com", "password", "unverified") + then + submit},
	{"register-empty", "none", "/ui/register", submit},
	{"forgot-empty", "none", "/ui/forgot", submit},
	{"forgot", "none", "/ui/forgot?i=login", ""},
	{"sent-reset", "none", "/ui/forgot?i=login", typing("email", "ada@example.com")},
	{"choose", "good", "/ui/choose?i=choose", ""},
	{"consent", "good", "/ui/consent?i=consent", ""},
	{"device", "good", "/ui/device?user_code=WDJB-MJHT", ""},
	{"device-unknown", "good", "/ui/device", typing("user_code", "AAAA-BBBB")},
	{"device-ask", "good", "/ui/device", typing("user_code", "WDJB-MJHT")},
	{"device-empty", "good", "/ui/device", submit},
	{"device-limited", "good", "/ui/device", typing("user_code", "OFTEN")},
	{"logout", "good", "/ui/logout", ""},
	{"logout-app", "good", "/ui/logout?client_id=garden", ""},
	{"account", "good", "/ui/account", ""},
	{"account-saved", "good", "/ui/account", submit},
	{"account-email", "good", "/ui/account/email", ""},
	{"account-email-wrong", "good", "/ui/account/email", typing("email", "new@example.com", "password", "wrong")},
	{"account-password", "good", "/ui/account/password", ""},
	{"account-password-weak", "good", "/ui/account/password", typing("password", rightPassword, "new_password", "weak")},
	{"account-sessions", "good", "/ui/account/sessions", ""},
	{"account-sessions-only", "alone", "/ui/account/sessions", ""},
	{"account-sessions-others", "good", "/ui/account/sessions?done=others", ""},
	{"account-sessions-again", "good", "/ui/account/sessions?done=again", ""},
	{"account-applications", "good", "/ui/account/applications", ""},
	{"account-applications-none", "alone", "/ui/account/applications?done=withdrawn", ""},
	{"account-password-wrong", "good", "/ui/account/password", typing("password", "wrong", "new_password", newPassword)},
	{"account-password-done", "good", "/ui/account/password?done=password", ""},
	{"account-mailed", "good", "/ui/account?done=mailed", ""},
	{"fault-limited", "none", "/test/fault/limited", ""},
	{"fault-internal", "none", "/test/fault/internal", ""},
	{"fault-unavailable", "none", "/test/fault/unavailable", ""},
	{"fault-forbidden", "none", "/test/fault/forbidden", ""},
	{"fault-invalid", "none", "/test/fault/invalid", ""},
	{"fault-misdirected", "none", "/test/fault/misdirected", ""},
	{"fault-lost", "none", "/nowhere", ""},
}

// TestEveryPageLooksAndReadsWell takes every page at two widths in both themes and both languages: nothing serious for axe, no sideways
// scrolling down to 320 px, no word that a browser console complains about. GATEHOUSE_TEST_SHOTS names a folder to keep the pictures in.
func TestEveryPageLooksAndReadsWell(t *testing.T) {
	eye := browser.NewEye(t, filepath.Join("..", "..", ".."))
	s := newSite(t)
	for _, lang := range browser.Langs() {
		s.looked(t, eye, lang, shots, "")
	}
}

type shot struct{ name, cookie, path, act string }

// looked takes the pages one after the other in a browser of its own: a browser's patience ends.
func (s *site) looked(t *testing.T, eye *browser.Eye, lang string, list []shot, prefix string) {
	t.Helper()
	ctx, quit := browser.New(t)
	defer quit()
	complaints := browser.Console(t, ctx)
	if err := browser.Set(ctx, browser.First(lang)); err != nil {
		t.Fatal(err)
	}
	cookie := ""
	for _, shot := range list {
		name := prefix + shot.name
		if shot.cookie != cookie {
			s.becomes(t, ctx, shot.cookie)
		}
		if cookie = shot.cookie; shot.act != "" {
			cookie = "" // who knows what it is afterwards
		}
		if err := chromedp.Do(ctx, chromedp.Navigate(s.near(shot.path))); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for act := range strings.FieldsFuncSeq(shot.act, func(r rune) bool { return r == '\n' }) {
			browser.Submit(t, ctx, act)
		}
		eye.Judge(t, ctx, name, lang)
	}
	for _, c := range complaints() {
		t.Errorf("%q: the browser complains: %s", lang, c)
	}
}

// near is an address as the browser knows the server: by a name, since an address has no secure cookies.
func (s *site) near(path string) string {
	return strings.Replace(s.URL, "127.0.0.1", "localhost", 1) + path
}

// becomes gives the browser a sign-on cookie.
func (s *site) becomes(t *testing.T, ctx context.Context, cookie string) {
	t.Helper()
	if err := chromedp.Do(ctx, chromedp.Navigate(s.near("/test/here/"+cookie))); err != nil && !strings.Contains(err.Error(), "net::ERR_ABORTED") {
		t.Fatal(err)
	}
}

// themes are what tenants choose that is hardest on a page.
var themes = map[string]tenant.Theme{
	"bright": {Accent: "#ffe600", RadiusPx: 24, TermsURL: "https://example.com/terms"},
	"dark":   {Accent: "#0a0a23", RadiusPx: 1},
	"mid":    {Accent: "#7f7f7f", LogoURL: "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 200 40'%3E%3Crect width='200' height='40' rx='8' fill='%237f7f7f'/%3E%3C/svg%3E"},
}

// TestThemesStayReadable: whatever accent, corner radius, logo and names a tenant has, nothing loses its contrast, is cut off or scrolls.
func TestThemesStayReadable(t *testing.T) {
	eye := browser.NewEye(t, filepath.Join("..", "..", ".."))
	for name, theme := range themes {
		s := newSite(t, theme)
		s.looked(t, eye, "de", []shot{
			{"login", "none", "/ui/login?i=login", typing("email", wide)}, {"consent", "good", "/ui/consent?i=consent", ""},
			{"logout", "good", "/ui/logout?client_id=garden", ""}, {"sessions", "good", "/ui/account/sessions", ""},
		}, "theme-"+name+"-")
	}
}
