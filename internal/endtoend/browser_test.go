package endtoend

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/browser"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// TestFirstLoginInABrowser is the whole story, as README tells it: the try-it page, the mailbox, the proof, the login.
func TestFirstLoginInABrowser(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		s := server.Start(t, o)
		tab, _ := browser.New(t)
		do(t, browser.Set(tab, browser.Look{Width: 1280, Height: 800}))
		email := drill.Fresh("browser")
		tryLogIn(t, tab, s, email, drill.Password)
		waitFor(t, tab, `document.querySelector('.entry .no')?.textContent === '401'`)
		waitFor(t, tab, `document.querySelector('#log').textContent.includes('user has not verified their primary email')`)

		link, err := s.Link(t.Context(), email, 1)
		do(t, err)
		do(t, browser.Set(tab, browser.Look{Width: 360, Height: 800})) // mail is read on the phone's screen size
		press(t, tab, s.URL+link, "form button[type=submit]")
		do(t, browser.Set(tab, browser.Look{Width: 1280, Height: 800}))
		tryLogIn(t, tab, s, email, drill.Password)
		waitFor(t, tab, `document.querySelector('#state').classList.contains('in')`)
		noTokenInReach(t, tab)
		do(t, chromedp.Do(tab, chromedp.Click(chromedp.CSS("[data-call=refresh]"))))
		waitFor(t, tab, `[...document.querySelectorAll('.entry')].some(e => e.textContent.includes('/jwt/refresh') && e.textContent.includes('200'))`)
		noTokenInReach(t, tab)
		picture(t, tab, "first-login")
		do(t, chromedp.Do(tab, chromedp.Click(chromedp.CSS("[data-call=logout]"))))
		waitFor(t, tab, `!document.querySelector('#state').classList.contains('in')`)
		do(t, chromedp.Do(tab, chromedp.Navigate(s.URL+"/ui/try")))
		waitFor(t, tab, `!document.querySelector('#state').classList.contains('in')`)
	})
}

// TestProofAndResetWithoutScript: the pages that mails point to work with scripts off, in a browser that did not ask for them.
func TestProofAndResetWithoutScript(t *testing.T) {
	s := server.Start(t, server.Options{})
	ctx := t.Context()
	p := &drill.Person{Email: drill.Fresh("noscript"), Password: "typed by the owner alone", Visitor: s.Visitor()}
	planted := map[string]string{"email": p.Email, "password": "planted by a stranger"}
	r, err := s.Visitor().Post(ctx, "/register", planted)
	must(t, "a stranger's register", r, err, 202)
	link, err := s.Link(ctx, p.Email, 1)
	do(t, err)

	tab, _ := browser.New(t)
	do(t, browser.Set(tab, browser.Look{Width: 1280, Height: 800, NoScript: true}))
	do(t, chromedp.Do(tab, chromedp.Navigate(s.URL+link), chromedp.Click(chromedp.CSS("[value=fresh]")),
		chromedp.SendKeys(chromedp.CSS("#new_password"), p.Password)))
	submit(t, tab)
	r, err = p.LogIn(ctx, s.Visitor())
	must(t, "login with the owner's password", r, err, 200)
	r, err = s.Visitor().Post(ctx, "/login/password", planted)
	refusedFor(t, "login with the planted password", r, err, 401, "invalid_credentials")

	r, err = s.Visitor().Post(ctx, "/password/forgot", map[string]string{"email": p.Email})
	must(t, "forgot", r, err, 202)
	link, err = s.Link(ctx, p.Email, 2)
	do(t, err)
	p.Password = "a second password of the owner"
	do(t, chromedp.Do(tab, chromedp.Navigate(s.URL+link), chromedp.SendKeys(chromedp.CSS("#new_password"), p.Password)))
	submit(t, tab)
	r, err = p.LogIn(ctx, s.Visitor())
	must(t, "login with the new password", r, err, 200)
	r, err = s.Visitor().Get(ctx, link)
	must(t, "the used link", r, err, 410)
}

func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func tryLogIn(t *testing.T, tab context.Context, s *server.Server, email, password string) {
	t.Helper()
	do(t, chromedp.Do(tab, chromedp.Navigate(s.URL+"/ui/try"), chromedp.SendKeys(chromedp.CSS("#email"), email),
		chromedp.SendKeys(chromedp.CSS("#password"), password+"\r")))
}

func press(t *testing.T, tab context.Context, url, button string) {
	t.Helper()
	do(t, chromedp.Do(tab, chromedp.Navigate(url)))
	if _, err := chromedp.RunResponse(tab, chromedp.Click(chromedp.CSS(button))); err != nil {
		t.Fatal(err)
	}
}

func submit(t *testing.T, tab context.Context) {
	t.Helper()
	answer, err := chromedp.RunResponse(tab, chromedp.Click(chromedp.CSS("form button[type=submit]")))
	if err != nil || answer.Status >= 400 {
		t.Fatalf("submitting the form: %v %v", answer, err)
	}
}

func waitFor(t *testing.T, tab context.Context, condition string) {
	t.Helper()
	if _, err := chromedp.Run(tab, chromedp.Poll[bool](condition)); err != nil {
		t.Fatalf("waiting for %s: %v", condition, err)
	}
}

// noTokenInReach reads what a script on the page could read.
func noTokenInReach(t *testing.T, tab context.Context) {
	t.Helper()
	seen, err := chromedp.Run(tab, chromedp.Evaluate[string](
		`document.cookie + JSON.stringify(localStorage) + JSON.stringify(sessionStorage) + document.documentElement.innerText`))
	do(t, err)
	for _, mark := range []string{"eyJ", "gr_", "access_token", "refresh_token"} {
		if strings.Contains(seen, mark) {
			t.Fatalf("script on the page can read %q", mark)
		}
	}
}

// picture keeps what the tab shows in the folder GATEHOUSE_TEST_SHOTS names; README's pictures come from here.
func picture(t *testing.T, tab context.Context, name string) {
	t.Helper()
	dir := os.Getenv("GATEHOUSE_TEST_SHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(tab, chromedp.FullScreenshot(100))
	do(t, err)
	do(t, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600))
}
