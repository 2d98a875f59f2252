package hosted

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

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
var shots = []struct{ name, cookie, path, act string }{
	{"login", "none", "/ui/login?i=login", ""},
	{"login-empty", "none", "/ui/login", submit},
	{"login-wrong", "none", "/ui/login?i=login", typing("email", wide, "password", "wrong")},
	{"login-limited", "none", "/ui/login", typing("email", "ada@example.com", "password", "too often")},
	{"login-again", "good", "/ui/login?i=login", ""},
	{"login-unverified", "none", "/ui/login?i=login", typing("email", "ada@example.com", "password", "unverified")},
	{"login-over", "none", "/ui/login?i=another", ""},
	{"login-application", "none", "/test/badclient", ""},
	{"register", "none", "/ui/register?i=login", ""},
	{"register-weak", "none", "/ui/register?i=login", typing("email", "ada@example.com", "new_password", "weak")},
	{"register-email", "none", "/ui/register", typing("email", "no address", "new_password", rightPassword)},
	{"sent-signup", "none", "/ui/register?i=login", typing("email", wide, "new_password", rightPassword)},
	{"sent-again", "none", "/ui/login?i=login", typing("email", "ada@example.com", "password", "unverified") + then + submit},
	{"forgot", "none", "/ui/forgot?i=login", ""},
	{"sent-reset", "none", "/ui/forgot?i=login", typing("email", "ada@example.com")},
	{"choose", "good", "/ui/choose?i=choose", ""},
	{"consent", "good", "/ui/consent?i=consent", ""},
	{"device", "good", "/ui/device?user_code=WDJB-MJHT", ""},
	{"device-unknown", "good", "/ui/device", typing("user_code", "AAAA-BBBB")},
	{"device-ask", "good", "/ui/device", typing("user_code", "WDJB-MJHT")},
	{"logout", "good", "/ui/logout", ""},
	{"logout-app", "good", "/ui/logout?client_id=garden", ""},
	{"account", "good", "/ui/account", ""},
	{"account-saved", "good", "/ui/account", submit},
	{"account-email", "good", "/ui/account/email", ""},
	{"account-email-wrong", "good", "/ui/account/email", typing("email", "new@example.com", "password", "wrong")},
	{"account-password", "good", "/ui/account/password", ""},
	{"account-password-weak", "good", "/ui/account/password", typing("password", rightPassword, "new_password", "weak")},
	{"account-sessions", "good", "/ui/account/sessions", ""},
	{"account-applications", "good", "/ui/account/applications", ""},
}

// TestEveryPageLooksAndReadsWell takes every page at two widths in both themes, and at 320 px: nothing serious for axe, no sideways
// scrolling, no word that a browser console complains about. GATEHOUSE_TEST_SHOTS names a folder to keep the pictures in.
func TestEveryPageLooksAndReadsWell(t *testing.T) {
	eye := browser.NewEye(t, filepath.Join("..", "..", ".."))
	s := newSite(t)
	for _, width := range []int64{360, 1280, 320} {
		ctx, quit := browser.New(t) // one for each width: a browser's patience ends
		complaints := browser.Console(t, ctx)
		for _, dark := range []bool{false, true} {
			if err := browser.Set(ctx, browser.Look{Width: width, Height: 800, Dark: dark}); err != nil {
				t.Fatal(err)
			}
			for _, shot := range shots {
				name := fmt.Sprintf("%s-%d-%s", shot.name, width, map[bool]string{false: "light", true: "dark"}[dark])
				visitPage(t, ctx, s, shot.cookie, shot.path)
				for act := range strings.FieldsFuncSeq(shot.act, func(r rune) bool { return r == '\n' }) {
					browser.Submit(t, ctx, act)
				}
				browser.NoSideways(t, ctx, name)
				if width != 320 {
					eye.Axe(t, ctx, name)
					eye.Picture(t, ctx, name)
				}
			}
		}
		for _, c := range complaints() {
			t.Errorf("the browser complains: %s", c)
		}
		quit()
	}
}

func visitPage(t *testing.T, ctx context.Context, s *site, cookie, path string) {
	t.Helper()
	base := strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	if err := chromedp.Do(ctx, chromedp.Navigate(base+"/test/here/"+cookie)); err != nil && !strings.Contains(err.Error(), "net::ERR_ABORTED") {
		t.Fatal(err)
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(base+path)); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
