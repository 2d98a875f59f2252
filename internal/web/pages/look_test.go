package pages

import (
	"context"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/browser"
)

// shots is every page and state that a person can see, with the script that brings the page there.
var shots = []struct{ name, path, act string }{
	{"verify-here", "/email/verify/here", ""},
	{"verify-elsewhere", "/email/verify/there", ""},
	{"verify-fresh", "/email/verify/there", `document.querySelector('[value=fresh]').click()`},
	{"verify-wrong", "/email/verify/there", `document.querySelector('#password').value = 'wrong'; document.forms[0].submit()`},
	{"verify-weak", "/email/verify/there", `document.querySelector('[value=fresh]').click(); document.querySelector('#new_password').value = 'abc'; document.forms[0].submit()`},
	{"verify-limited", "/email/verify/there", `document.querySelector('[value=fresh]').click(); document.querySelector('#new_password').value = 'toooften'; document.forms[0].submit()`},
	{"change", "/email/verify/change", ""},
	{"changing", "/email/verify/changing", ""},
	{"reset", "/password/reset/reset", ""},
	{"reset-breached", "/password/reset/reset", `document.querySelector('#new_password').value = 'password123'; document.forms[0].submit()`},
	{"handoff-start", "/ui/handoff", ""},
	{"handoff-signedout", "/ui/handoff?id=signedout", ""},
	{"handoff-stale", "/ui/handoff?id=stale", ""},
	{"handoff-offered", "/ui/handoff?id=offered", ""},
	{"handoff-claimed", "/ui/handoff?id=claimed", ""},
	{"handoff-nonumber", "/ui/handoff?id=claimed", `document.querySelector('#number').value = 'x'; document.forms[0].submit()`},
	{"handoff-wrong", "/ui/handoff?id=claimed", `document.querySelector('#number').value = '00'; document.forms[0].submit()`},
	{"handoff-confirmed", "/ui/handoff?id=confirmed", ""},
	{"handoff-taken", "/ui/handoff?id=taken", ""},
	{"handoff-ended", "/ui/handoff?id=ended", ""},
	{"handoff-offer", "/ui/handoff/waiting", ""},
	{"handoff-wait", "/ui/handoff/waiting", `document.forms[0].submit()`},
	{"handoff-mismatch", "/ui/handoff/mismatch", `document.forms[0].submit()`},
	{"handoff-over", "/ui/handoff/used", ""},
	{"handoff-done", "/ui/done/handoff", ""},
	{"done", "/ui/done/verified", ""},
	{"changed-done", "/ui/done/changed", ""},
	{"reset-done", "/ui/done/reset", ""},
	{"device-done", "/ui/done/device", ""},
	{"device-refused", "/ui/done/device-refused", ""},
	{"logout-done", "/ui/done/logout", ""},
	{"gone", "/email/verify/used", ""},
	{"missing", "/ui/done/nothing", ""},
	{"lost", "/nowhere", ""},
	{"mailbox", "/dev/mailbox/view", ""},
	{"mailbox-open", "/dev/mailbox/view", `document.querySelector('details').open = true`},
	{"mailbox-empty", "/dev/mailbox/view?to=nobody@example.com", ""},
	{"try", "/ui/try", ""},
	{"try-used", "/ui/try", `document.querySelector('#email').value='ada@example.com'; document.querySelector('#password').value='secret'; document.querySelector('[data-call=register]').click()`},
}

// TestEveryPageLooksAndReadsWell takes every page at two widths in both themes and both languages: nothing serious for axe, no sideways
// scrolling down to 320 px, no word that a browser console complains about. GATEHOUSE_TEST_SHOTS names a folder to keep the pictures in.
func TestEveryPageLooksAndReadsWell(t *testing.T) {
	eye := browser.NewEye(t, filepath.Join("..", "..", ".."))
	s := newSite(t, true, tenant.Theme{TermsURL: "https://example.com/terms"})
	still := httptest.NewServer(calm(s.hall)) // pages that look again by themselves would run away while they are looked at
	defer still.Close()
	for _, lang := range browser.Langs() {
		ctx, quit := browser.New(t) // one for each: a browser's patience ends
		complaints := browser.Console(t, ctx)
		if err := browser.Set(ctx, browser.First(lang)); err != nil {
			t.Fatal(err)
		}
		for _, shot := range shots {
			open(t, ctx, still.URL+shot.path, shot.act)
			eye.Judge(t, ctx, shot.name, lang)
		}
		for _, c := range complaints() {
			t.Errorf("%q: the browser complains: %s", lang, c)
		}
		quit()
	}
}

// mailShots are mails as designed, in the languages they were sent in.
var mailShots = []struct{ name, path string }{
	{"mail", "/dev/mailbox/view/a"}, {"mail-reset", "/dev/mailbox/view/b"}, {"mail-notice", "/dev/mailbox/view/c"}, {"mail-notice-de", "/dev/mailbox/view/d"},
}

// TestMailsLookWell takes mails as designed: they fit the narrowest screen. Mail readers bring their own landmarks, so axe is not asked.
func TestMailsLookWell(t *testing.T) {
	eye := browser.NewEye(t, filepath.Join("..", "..", ".."))
	s := newSite(t, true, tenant.Theme{})
	ctx, _ := browser.New(t)
	for _, look := range []browser.Look{{Width: 320, Height: 800}, {Width: 360, Height: 800, Dark: true}, {Width: 1280, Height: 800}} {
		if err := browser.Set(ctx, look); err != nil {
			t.Fatal(err)
		}
		for _, shot := range mailShots {
			name := fmt.Sprintf("%s-%d", shot.name, look.Width)
			open(t, ctx, s.URL+shot.path, "")
			browser.NoSideways(t, ctx, name)
			eye.Picture(t, ctx, name)
		}
	}
}

func open(t *testing.T, ctx context.Context, url, act string) {
	t.Helper()
	if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	if act == "" {
		return
	}
	if !strings.Contains(act, "submit()") {
		if _, err := chromedp.Run(ctx, chromedp.Evaluate[any](act)); err != nil {
			t.Fatalf("%s: %v", act, err)
		}
		if strings.Contains(act, "data-call") {
			if err := chromedp.Do(ctx, chromedp.WaitVisible(chromedp.CSS(".entry"))); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	browser.Submit(t, ctx, act)
}
