package browser

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Eye looks at pages: what a person with another screen, another theme or another way of reading would stumble over.
type Eye struct {
	axe string
	dir string // where pictures go
}

// NewEye reads axe-core from test/web of the repository at root. GATEHOUSE_TEST_SHOTS names a folder to keep the pictures in.
func NewEye(t testing.TB, root string) *Eye {
	t.Helper()
	axe, err := os.ReadFile(filepath.Join(root, "test", "web", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatalf("axe-core is not installed; run `npm ci` in test/web: %v", err)
	}
	dir := os.Getenv("GATEHOUSE_TEST_SHOTS")
	if dir == "" {
		dir = t.TempDir()
	}
	return &Eye{axe: string(axe), dir: dir}
}

// Console collects what the browser complains about: broken content policy, script errors. A refusal as such (404 of the try-it page's
// calls, 401 of a wrong password) is no complaint.
func Console(t testing.TB, ctx context.Context) func() []string {
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

// NoSideways fails when the page is wider than the screen.
func NoSideways(t testing.TB, ctx context.Context, name string) {
	t.Helper()
	over, err := chromedp.Run(ctx, chromedp.Evaluate[int64](`document.documentElement.scrollWidth - document.documentElement.clientWidth`))
	if err != nil || over > 0 {
		t.Errorf("%s scrolls sideways by %d px (%v)", name, over, err)
	}
}

// Axe fails on everything that axe-core finds and that is not minor.
func (e *Eye) Axe(t testing.TB, ctx context.Context, name string) {
	t.Helper()
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[any](e.axe+";0")); err != nil {
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

// Picture keeps what the tab shows.
func (e *Eye) Picture(t testing.TB, ctx context.Context, name string) {
	t.Helper()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(e.dir, name+".png"), png, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Submit runs a script that leads to another page, and waits for it.
func Submit(t testing.TB, ctx context.Context, script string) {
	t.Helper()
	if _, err := chromedp.RunResponse(ctx, chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Run(ctx, chromedp.Evaluate[any](script))
		return err
	})); err != nil {
		t.Fatalf("%s: %v", script, err)
	}
}
