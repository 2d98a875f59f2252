package pages

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/browser"
)

// Every page for people works with scripts switched off: only clicks and keys are used here.
func TestPagesWorkWithoutScript(t *testing.T) {
	s := newSite(t, false, tenant.Theme{})
	ctx, _ := browser.New(t)
	if err := browser.Set(ctx, browser.Look{Width: 360, Height: 800, NoScript: true}); err != nil {
		t.Fatal(err)
	}
	submit := chromedp.CSS("button[type=submit]")
	steps := []struct {
		path string
		do   []chromedp.Action[chromedp.Void]
		ends string
	}{
		{"/email/verify/here", nil, "/ui/done/verified"},
		{"/email/verify/there", []chromedp.Action[chromedp.Void]{
			chromedp.Click(chromedp.CSS("[value=fresh]")), chromedp.SendKeys(chromedp.CSS("#new_password"), "quiet otter lamp"),
		}, "/ui/done/verified"},
		{"/email/verify/changing", []chromedp.Action[chromedp.Void]{chromedp.SendKeys(chromedp.CSS("#password"), rightPassword)}, "/ui/done/changed"},
		{"/password/reset/reset", []chromedp.Action[chromedp.Void]{chromedp.SendKeys(chromedp.CSS("#new_password"), "quiet otter lamp")}, "/ui/done/reset"},
		{"/ui/handoff/confirmed", []chromedp.Action[chromedp.Void]{press(submit)}, "/ui/done/handoff"},
		{"/ui/handoff/at-once", nil, "/ui/done/handoff"},
	}
	for _, step := range steps {
		if err := chromedp.Do(ctx, append([]chromedp.Action[chromedp.Void]{chromedp.Navigate(s.URL + step.path)}, step.do...)...); err != nil {
			t.Fatalf("%s: %v", step.path, err)
		}
		if _, err := chromedp.RunResponse(ctx, chromedp.Click(submit)); err != nil {
			t.Fatalf("%s: %v", step.path, err)
		}
		if at := location(t, ctx); !strings.HasSuffix(at, step.ends) {
			t.Errorf("%s ends at %s, want %s", step.path, at, step.ends)
		}
	}
	want := []string{"here button", "there new", "changing password", "reset reset"}
	if diff := cmp.Diff(want, s.login.done()); diff != "" {
		t.Error(diff)
	}
}

// A scanner with a whole browser opens the page and looks around; the link stays usable. Then the enhanced page: the summary has the
// focus after an error, a password can be shown, and Enter sends the form.
func TestEnhancedPages(t *testing.T) {
	s := newSite(t, false, tenant.Theme{})
	ctx, _ := browser.New(t)
	if err := chromedp.Do(ctx, chromedp.Navigate(s.URL+"/email/verify/there"), chromedp.Navigate(s.URL+"/email/verify/there")); err != nil {
		t.Fatal(err)
	}
	if n := len(s.login.done()); n != 0 {
		t.Fatal("the visit of a browser spent the link")
	}
	if err := chromedp.Do(ctx, chromedp.SendKeys(chromedp.CSS("#password"), "wrong")); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.RunResponse(ctx, chromedp.SendKeys(chromedp.CSS("#password"), "\r")); err != nil {
		t.Fatal(err)
	}
	if id := eval[string](t, ctx, `document.activeElement.id`); id != "summary" {
		t.Errorf("after an error the focus is on %q", id)
	}
	if v := eval[string](t, ctx, `document.querySelector("#password").value`); v != "" {
		t.Error("the password came back")
	}
	if err := chromedp.Do(ctx, chromedp.SendKeys(chromedp.CSS("#password"), rightPassword), chromedp.Click(chromedp.CSS(".box .show"))); err != nil {
		t.Fatal(err)
	}
	if kind := eval[string](t, ctx, `document.querySelector("#password").type`); kind != "text" {
		t.Errorf("shown, the field is of type %q", kind)
	}
	if _, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS("button[type=submit]"))); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"there password"}, s.login.done()); diff != "" {
		t.Error(diff)
	}
}

// The redirect to the client's page passes the content policy (form-action covers redirects in Chromium).
func TestFormLeadsToTheClientsPage(t *testing.T) {
	s := newSite(t, false, tenant.Theme{})
	ctx, _ := browser.New(t)
	if err := chromedp.Do(ctx, chromedp.Navigate(s.URL+"/email/verify/shop")); err != nil {
		t.Fatal(err)
	}
	// The host does not exist here, so the browser ends at its own error page under that address.
	_, _ = chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS("button[type=submit]")))
	past, err := chromedp.Run(ctx, chromedp.NavigationEntries())
	if err != nil {
		t.Fatal(err)
	}
	if at := past.Entries[past.CurrentIndex].URL; at != "https://shop.example.com/welcome" {
		t.Errorf("the browser stands at %s", at)
	}
}

// press clicks what leads to another page.
func press(what chromedp.CSS) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.RunResponse(ctx, chromedp.Click(what))
		return err
	})
}

func location(t *testing.T, ctx context.Context) string {
	t.Helper()
	at, err := chromedp.Run(ctx, chromedp.Location())
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func eval[T any](t *testing.T, ctx context.Context, js string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js))
	if err != nil {
		t.Fatalf("%s: %v", js, err)
	}
	return v
}
