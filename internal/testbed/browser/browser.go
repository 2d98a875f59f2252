// Package browser gives tests a real browser: Chromium, headless, with a profile of its own and no talk to anybody but the server under
// test. It is for tests only and owns no test.
package browser

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// names are the programs looked for, first found first taken.
var names = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

// patience bounds everything that one test does in its browser.
const patience = 3 * time.Minute

// New starts a browser for one test and opens a tab; the context runs actions in the tab and ends with the test. cancel may be called
// earlier. Without Chromium the test fails and says what to install: a suite that is skipped proves nothing.
func New(t testing.TB) (ctx context.Context, cancel context.CancelFunc) {
	t.Helper()
	path := find(t)
	opts := append(chromedp.DefaultExecAllocatorOptions[:len(chromedp.DefaultExecAllocatorOptions):len(chromedp.DefaultExecAllocatorOptions)],
		chromedp.ExecPath(path),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-domain-reliability", true),
		chromedp.Flag("no-pings", true),
		chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("lang", "en-US"),
		// Names resolve to loopback or not at all, so that a page under test cannot reach out unnoticed.
		chromedp.Flag("host-resolver-rules", "MAP localhost 127.0.0.1, MAP *.localhost 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE [::1]"),
	)
	if os.Geteuid() == 0 {
		opts = append(opts, chromedp.NoSandbox) // Chromium refuses to sandbox for root
	}
	limited, stop := context.WithTimeout(context.Background(), patience)
	alloc, endAlloc := chromedp.NewExecAllocator(limited, opts...)
	tab, endTab := chromedp.NewContext(alloc)
	cancel = func() { endTab(); endAlloc(); stop() }
	t.Cleanup(cancel)
	if err := chromedp.Do(tab); err != nil {
		t.Fatalf("Chromium (%s) does not start: %v", path, err)
	}
	return tab, cancel
}

func find(t testing.TB) string {
	t.Helper()
	for _, n := range names {
		if path, err := exec.LookPath(n); err == nil {
			return path
		}
	}
	t.Fatal("no Chromium on PATH; install it: on Debian and Ubuntu `apt-get install chromium`, on macOS `brew install --cask chromium`")
	return ""
}

// Look is how a page is looked at.
type Look struct {
	Width, Height int64
	Dark          bool
	NoScript      bool
	Lang          string // that the browser asks for; "" for English
}

// name tells pictures of one page apart, as in "360-light" or "1280-dark-de".
func (l Look) name() string {
	name := strconv.FormatInt(l.Width, 10) + "-light"
	if l.Dark {
		name = strconv.FormatInt(l.Width, 10) + "-dark"
	}
	if l.Lang != "" {
		name += "-" + l.Lang
	}
	return name
}

// Set makes the tab look so from the next navigation on.
func Set(ctx context.Context, l Look) error {
	if err := l.take(ctx); err != nil {
		return err
	}
	if _, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: l.NoScript}); err != nil {
		return err
	}
	if l.Lang == "" {
		return nil
	}
	return ask(ctx, l.Lang)
}

// take is the part of a look that a page follows while it stands: the size of the screen and the theme.
func (l Look) take(ctx context.Context) error {
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(l.Width, l.Height)); err != nil {
		return err
	}
	scheme := "light"
	if l.Dark {
		scheme = "dark"
	}
	features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}
	_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features})
	return err
}

// ask makes the browser want a language, for good.
func ask(ctx context.Context, lang string) error {
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		return err
	}
	headers := network.Headers{"Accept-Language": lang}
	_, err := chromedp.Call(ctx, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: headers})
	return err
}
