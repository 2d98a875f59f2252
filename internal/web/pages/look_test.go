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
	{"reset-done", "/ui/done/reset", ""},
	{"gone", "/email/verify/used", ""},
	{"missing", "/ui/done/nothing", ""},
	{"mailbox", "/dev/mailbox/view", ""},
	{"mailbox-open", "/dev/mailbox/view", `document.querySelector('details').open = true`},
	{"mailbox-empty", "/dev/mailbox/view?to=nobody@example.com", ""},
	{"mail", "/dev/mailbox/view/a", ""},
	{"try", "/ui/try", ""},
	{"try-used", "/ui/try", `document.querySelector('#email').value='ada@example.com'; document.querySelector('#password').value='secret'; document.querySelector('[data-call=register]').click()`},
}

// TestEveryPageLooksAndReadsWell takes every page at two widths in both themes, and at 320 px: nothing serious for axe, no sideways
// scrolling, no word that a browser console complains about. GATEHOUSE_TEST_SHOTS names a folder to keep the pictures in.
func TestEveryPageLooksAndReadsWell(t *testing.T) {
	eye := browser.NewEye(t, filepath.Join("..", "..", ".."))
	s := newSite(t, true, tenant.Theme{TermsURL: "https://example.com/terms"})
	still := httptest.NewServer(calm(s.hall)) // pages that look again by themselves would run away while they are looked at
	defer still.Close()
	ctx, _ := browser.New(t)
	complaints := browser.Console(t, ctx)
	for _, width := range []int64{360, 1280, 320} {
		for _, dark := range []bool{false, true} {
			if err := browser.Set(ctx, browser.Look{Width: width, Height: 800, Dark: dark}); err != nil {
				t.Fatal(err)
			}
			for _, shot := range shots {
				name := fmt.Sprintf("%s-%d-%s", shot.name, width, map[bool]string{false: "light", true: "dark"}[dark])
				open(t, ctx, still.URL+shot.path, shot.act)
				browser.NoSideways(t, ctx, name)
				if width == 320 {
					continue
				}
				if shot.name != "mail" { // mail readers bring their own landmarks
					eye.Axe(t, ctx, name)
				}
				eye.Picture(t, ctx, name)
			}
		}
	}
	for _, c := range complaints() {
		t.Errorf("the browser complains: %s", c)
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
