package browser

import (
	"cmp"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
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
	dir string // where pictures go; "" for nowhere
}

// NewEye reads axe-core from test/web of the repository at root. GATEHOUSE_TEST_SHOTS names a folder to keep the pictures in.
func NewEye(t testing.TB, root string) *Eye {
	t.Helper()
	axe, err := os.ReadFile(filepath.Join(root, "test", "web", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatalf("axe-core is not installed; run `npm ci` in test/web: %v", err)
	}
	return &Eye{axe: string(axe), dir: os.Getenv("GATEHOUSE_TEST_SHOTS")}
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
	e.find(t, ctx, name, `{resultTypes: ["violations"]}`, 5)
}

// contrast asks axe, which is in the page already, for what a theme or a width can change.
func (e *Eye) contrast(t testing.TB, ctx context.Context, name string) {
	t.Helper()
	e.find(t, ctx, name, `{resultTypes: ["violations"], runOnly: ["color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size"]}`, 1)
}

// find runs axe; fewer rules than passes say that it did not run.
func (e *Eye) find(t testing.TB, ctx context.Context, name, options string, passes int) {
	t.Helper()
	raw, err := chromedp.Run(ctx, chromedp.Evaluate[string](`axe.run(document, `+options+`).then(r => JSON.stringify(
		r.passes.length < `+strconv.Itoa(passes)+` ? [{id: "axe", impact: "critical", help: "axe did not run"}] : r.violations.map(v => ({id: v.id, impact: v.impact, help: v.help, nodes: v.nodes.map(n => n.html + " " + n.failureSummary)}))))`,
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

// Langs are the languages that every page is looked at in, "" for English.
func Langs() []string { return []string{"", "de"} }

// First is the look that a page is opened in before it is judged.
func First(lang string) Look { return Look{Width: 360, Height: 800, Lang: lang} }

// looks are the ways a page is looked at once it stands: both sizes in both themes, and in the other language, unless pictures are wanted, each
// size and each theme once.
func (e *Eye) looks(lang string) []Look {
	out := []Look{First(lang), First(lang), First(lang), First(lang)}
	out[1].Dark, out[2].Width, out[3].Width, out[3].Dark = true, 1280, 1280, true
	if lang != "" && e.dir == "" {
		return []Look{out[0], out[3]}
	}
	return out
}

// Judge looks at the page that stands in the tab: nothing serious for axe, everything large enough to be hit by a finger, nothing that makes it
// scroll sideways, on the narrowest screen neither. The tab is left in the First look.
func (e *Eye) Judge(t testing.TB, ctx context.Context, name, lang string) {
	t.Helper()
	isIn(t, ctx, name, lang)
	for i, l := range e.looks(lang) {
		at := name + "-" + l.name()
		if err := l.take(ctx); err != nil {
			t.Fatal(err)
		}
		NoSideways(t, ctx, at)
		e.Picture(t, ctx, at)
		if i == 0 {
			Targets(t, ctx, at)
			e.Axe(t, ctx, at)
		} else {
			e.contrast(t, ctx, at)
		}
	}
	narrow := First(lang)
	narrow.Width = narrowest
	if err := narrow.take(ctx); err != nil {
		t.Fatal(err)
	}
	NoSideways(t, ctx, name+"-"+narrow.name())
	if err := First(lang).take(ctx); err != nil {
		t.Fatal(err)
	}
}

// narrowest is the narrowest screen that pages must fit.
const narrowest = 320

// isIn fails when the page does not say that it is in the language that was asked for.
func isIn(t testing.TB, ctx context.Context, name, lang string) {
	t.Helper()
	got, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.documentElement.lang"))
	if err != nil || got != cmp.Or(lang, "en") {
		t.Errorf("%s is in %q, want %q (%v)", name, got, cmp.Or(lang, "en"), err)
	}
}

// Targets fails on whatever is pressed and is lower than 44 px. A link in the middle of a sentence may be (WCAG 2.2, 2.5.8), and what stands in
// a label is as large as the label.
func Targets(t testing.TB, ctx context.Context, name string) {
	t.Helper()
	small, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](`[...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, summary")].map(e =>
		["checkbox", "radio"].includes(e.type) ? e.closest("label") || e : e).filter(e => {
			const box = e.getBoundingClientRect();
			return box.height > 0 && box.bottom > 0 && box.height < 43.5 && getComputedStyle(e).display !== "inline";
		}).map(e => e.outerHTML)`))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range small {
		t.Errorf("%s: too small for a finger: %s", name, s)
	}
}

// Picture keeps what the tab shows.
func (e *Eye) Picture(t testing.TB, ctx context.Context, name string) {
	t.Helper()
	if e.dir == "" {
		return
	}
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

// Promised reads the table of ids in docs/hosted-pages.md of the repository at root: the ids that each page promises, by the page's name there.
func Promised(t testing.TB, root string) map[string][]string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, "docs", "hosted-pages.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(raw), "## Ids")
	table, _, _ := strings.Cut(rest, "\n## ")
	out := map[string][]string{}
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) != 4 || strings.Contains(line, "---") || strings.Contains(line, "| Ids |") {
			continue
		}
		page := strings.TrimSpace(strings.ReplaceAll(cells[1], "`", ""))
		for i, id := range strings.Split(cells[2], "`") {
			if i%2 == 1 {
				out[page] = append(out[page], id)
			}
		}
	}
	if len(out) < 20 {
		t.Fatalf("the table of ids has %d pages", len(out))
	}
	return out
}

// Lacks lists the promised ids that a page does not have, and those that it has twice; {…} stands for any text.
func Lacks(page string, promised []string) []string {
	var out []string
	for _, id := range promised {
		shape := strings.NewReplacer("{session}", `[^"]+`, "{client}", `[^"]+`).Replace(id)
		found := regexp.MustCompile(` id="`+shape+`"`).FindAllString(page, -1)
		if len(found) == 0 || len(found) > 1 && !strings.Contains(id, "{") {
			out = append(out, id)
		}
	}
	return out
}
