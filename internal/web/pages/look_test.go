package pages

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
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
	axe, err := os.ReadFile(filepath.Join("..", "..", "..", "test", "web", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatalf("axe-core is not installed; run `npm ci` in test/web: %v", err)
	}
	s := newSite(t, true, tenant.Theme{TermsURL: "https://example.com/terms"})
	still := httptest.NewServer(calm(s.hall)) // pages that look again by themselves would run away while they are looked at
	defer still.Close()
	ctx, _ := browser.New(t)
	complaints := console(t, ctx)
	dir := os.Getenv("GATEHOUSE_TEST_SHOTS")
	if dir == "" {
		dir = t.TempDir()
	}
	for _, width := range []int64{360, 1280, 320} {
		for _, dark := range []bool{false, true} {
			if err := browser.Set(ctx, browser.Look{Width: width, Height: 800, Dark: dark}); err != nil {
				t.Fatal(err)
			}
			for _, shot := range shots {
				name := fmt.Sprintf("%s-%d-%s", shot.name, width, map[bool]string{false: "light", true: "dark"}[dark])
				open(t, ctx, still.URL+shot.path, shot.act)
				noSideways(t, ctx, name)
				if width == 320 {
					continue
				}
				if shot.name != "mail" { // mail readers bring their own landmarks
					runAxe(t, ctx, string(axe), name)
				}
				picture(t, ctx, filepath.Join(dir, name+".png"))
			}
		}
	}
	for _, c := range complaints() {
		t.Errorf("the browser complains: %s", c)
	}
}

// console collects what the browser complains about: broken content policy, script errors. A refusal as such (404 of the try-it page's
// calls, 401 of a wrong password) is no complaint.
func console(t *testing.T, ctx context.Context) func() []string {
	t.Helper()
	var mu sync.Mutex
	var list []string
	note := func(s string) { mu.Lock(); defer mu.Unlock(); list = append(list, s) }
	err := chromedp.Listen(ctx, func(ev any) {
		switch e := ev.(type) {
		case *cdplog.EventEntryAdded:
			if e.Entry.Source != cdplog.EntrySourceNetwork {
				note(e.Entry.Text + " " + e.Entry.URL)
			}
		case *runtime.EventExceptionThrown:
			note(e.ExceptionDetails.Text)
		}
	})
	if err == nil {
		_, err = chromedp.Call(ctx, cdplog.Enable, cdp.Empty{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() []string { mu.Lock(); defer mu.Unlock(); return list }
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
	if _, err := chromedp.RunResponse(ctx, chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Run(ctx, chromedp.Evaluate[any](act))
		return err
	})); err != nil {
		t.Fatalf("%s: %v", act, err)
	}
}

func noSideways(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	over, err := chromedp.Run(ctx, chromedp.Evaluate[int64](`document.documentElement.scrollWidth - document.documentElement.clientWidth`))
	if err != nil || over > 0 {
		t.Errorf("%s scrolls sideways by %d px (%v)", name, over, err)
	}
}

func runAxe(t *testing.T, ctx context.Context, axe, name string) {
	t.Helper()
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[any](axe+";0")); err != nil {
		t.Fatal(err)
	}
	raw, err := chromedp.Run(ctx, chromedp.Evaluate[string](`axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(
		r.passes.length < 5 ? [{id: "axe", impact: "critical", help: "axe did not run"}] : r.violations.map(v => ({id: v.id, impact: v.impact, help: v.help, nodes: v.nodes.map(n => n.html + " " + n.failureSummary)}))))`,
		chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	var found []struct {
		ID, Impact, Help string
		Nodes            []string
	}
	if err := json.Unmarshal([]byte(raw), &found); err != nil {
		t.Fatal(err)
	}
	for _, v := range found {
		if v.Impact == "minor" {
			t.Logf("%s: %s (%s)", name, v.Help, v.Impact)
			continue
		}
		t.Errorf("%s: %s (%s, %s)\n%s", name, v.Help, v.ID, v.Impact, strings.Join(v.Nodes, "\n"))
	}
}

func picture(t *testing.T, ctx context.Context, path string) {
	t.Helper()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(path, png, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
