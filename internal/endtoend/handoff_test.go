package endtoend

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/browser"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// noConfirm is a configuration whose client hands sessions over without the number.
const noConfirm = `
tenants:
- id: 0190d0c8-7c3e-7000-8000-000000000009
  slug: main
  test: true
  default_client: demo
  clients: [{id: demo, auto_register: true, handoff: {confirm: false}}]
`

func newCode(ctx context.Context, t *testing.T, s *server.Server, token string) *drill.Reply {
	t.Helper()
	r, err := as(s, token).Post(ctx, "/session/create", nil)
	return must(t, "session code", r, err, 200)
}

func claimed(ctx context.Context, t *testing.T, s *server.Server, code *drill.Reply) *drill.Reply {
	t.Helper()
	r, err := s.Visitor().With("X-Token-Mode", "bearer").Post(ctx, "/session/login/"+code.Text("session_code"), nil)
	return must(t, "claim", r, err, 202)
}

func redeem(ctx context.Context, s *server.Server, claim *drill.Reply) (*drill.Reply, error) {
	return s.Visitor().With("X-Token-Mode", "bearer").Post(ctx, "/session/claim",
		map[string]string{"claim_id": claim.Text("claim_id"), "claim_secret": claim.Text("claim_secret")})
}

func TestHandoffOverTheAPI(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		ctx := t.Context()
		s := server.Start(t, o)
		p := signUp(ctx, t, s, "handoff")
		access, _ := bearer(ctx, t, p)
		code := newCode(ctx, t, s, access)
		if code.Number("expires_in") != 60 || !strings.HasPrefix(code.Text("url"), s.URL+"/ui/handoff/") || !strings.Contains(code.Text("qr_svg"), "<svg") {
			t.Fatal("the answer of create is not as documented")
		}
		claim := claimed(ctx, t, s, code)
		r, err := s.Visitor().Post(ctx, "/session/login/"+code.Text("session_code"), nil)
		refusedFor(t, "a second claim", r, err, 410, "gone")
		r, err = redeem(ctx, s, claim)
		must(t, "before the confirmation", r, err, 202)
		r, err = as(s, access).Post(ctx, "/session/confirm", map[string]string{"code_id": code.Text("code_id"), "number": claim.Text("number")})
		must(t, "confirmation", r, err, 200)
		r, err = redeem(ctx, s, claim)
		phone := must(t, "redemption", r, err, 200)
		r, err = redeem(ctx, s, claim)
		refusedFor(t, "a second redemption", r, err, 410, "gone")
		mails, err := s.Mailbox(ctx, p.Email, 2)
		if err != nil || len(mails) < 2 || !strings.Contains(mails[0].Subject, "another device") {
			t.Fatalf("the owner was not told: %v", err)
		}
		childEndsWithParent(ctx, t, s, access, phone)
	})
}

func childEndsWithParent(ctx context.Context, t *testing.T, s *server.Server, access string, phone *drill.Reply) {
	t.Helper()
	child := phone.Text("access_token")
	r, err := s.Me(ctx, child)
	must(t, "me on the phone", r, err, 200)
	r, err = as(s, access).Get(ctx, "/sessions")
	if must(t, "sessions", r, err, 200); !strings.Contains(string(r.Body), `"parent_id"`) {
		t.Fatal("the list does not tell the parent")
	}
	s.MustAdvance(ctx, 2*time.Minute)
	r, err = s.Refresh(ctx, child, phone.Text("refresh_token"))
	must(t, "the phone's own refresh", r, err, 200)
	r, err = s.Logout(ctx, access)
	must(t, "logout of the parent", r, err, 200)
	r, err = s.Me(ctx, child)
	refusedFor(t, "the phone after its parent's logout", r, err, 401, "session_revoked")
	r, err = s.Refresh(ctx, "", phone.Text("refresh_token"))
	refusedFor(t, "the phone's refresh after its parent's logout", r, err, 401, "session_revoked")
}

func TestHandoffRefusals(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		ctx := t.Context()
		s := server.Start(t, o)
		p := signUp(ctx, t, s, "handoff")
		access, _ := bearer(ctx, t, p)
		confirm := func(code *drill.Reply, number string) (*drill.Reply, error) {
			return as(s, access).Post(ctx, "/session/confirm", map[string]string{"code_id": code.Text("code_id"), "number": number})
		}
		code := newCode(ctx, t, s, access)
		claim := claimed(ctx, t, s, code)
		wrong := "00"
		if claim.Text("number") == wrong {
			wrong = "01"
		}
		r, err := confirm(code, wrong)
		refusedFor(t, "a wrong number", r, err, 403, "wrong_number")
		r, err = confirm(code, claim.Text("number"))
		refusedFor(t, "the right number too late", r, err, 410, "gone")
		r, err = redeem(ctx, s, claim)
		refusedFor(t, "redemption after a wrong number", r, err, 403, "wrong_number")

		code = newCode(ctx, t, s, access)
		r, err = s.Visitor().Post(ctx, "/session/claim", map[string]string{"claim_id": code.Text("code_id"), "claim_secret": code.Text("session_code")})
		refusedFor(t, "a captured code without its claim secret", r, err, 410, "gone")
		s.MustAdvance(ctx, time.Minute)
		r, err = s.Visitor().Post(ctx, "/session/login/"+code.Text("session_code"), nil)
		refusedFor(t, "a code of a minute ago", r, err, 410, "gone")

		s.MustAdvance(ctx, 10*time.Minute)
		r, err = as(s, access).Post(ctx, "/session/create", nil)
		refusedFor(t, "a code from a stale login", r, err, 403, "step_up_required")
		r, err = s.Visitor().Post(ctx, "/session/create", nil)
		refusedFor(t, "a code without a login", r, err, 401, "missing_token")
	})
}

func TestHandoffWithoutConfirmation(t *testing.T) {
	ctx := t.Context()
	s := server.Start(t, server.Options{Config: noConfirm})
	access, _ := bearer(ctx, t, signUp(ctx, t, s, "noconfirm"))
	code := newCode(ctx, t, s, access)
	r, err := s.Visitor().With("X-Token-Mode", "bearer").Post(ctx, "/session/login/"+code.Text("session_code"), nil)
	must(t, "claim", r, err, 200)
	r, err = s.Me(ctx, r.Text("access_token"))
	must(t, "me on the phone", r, err, 200)
}

// TestHandoffInBrowsers: a desktop shows the code, a phone opens its link, the desktop types the number; both with and without script.
func TestHandoffInBrowsers(t *testing.T) {
	for name, noScript := range map[string]bool{"with script": false, "without script": true} {
		t.Run(name, func(t *testing.T) {
			s := server.Start(t, server.Options{})
			desktop, phone := devices(t, s, noScript)
			link := showCode(t, desktop, s)
			do(t, chromedp.Do(phone, chromedp.Navigate(link)))
			submit(t, phone)
			number, err := chromedp.Run(phone, chromedp.Text(chromedp.CSS(".number")))
			do(t, err)
			do(t, chromedp.Do(desktop, chromedp.WaitVisible(chromedp.CSS("#number")), chromedp.SendKeys(chromedp.CSS("#number"), strings.TrimSpace(number))))
			submit(t, desktop)
			if noScript {
				do(t, chromedp.Do(phone, chromedp.WaitVisible(chromedp.CSS("form button"))))
				submit(t, phone)
			}
			arrives(t, phone, "/ui/done/handoff")
			do(t, chromedp.Do(desktop, chromedp.WaitVisible(chromedp.CSS(".badge.good"))))
			loggedInAt(t, phone, s)
		})
	}
}

// TestHandoffInBrowsersWithoutConfirmation: the phone is logged in by its button.
func TestHandoffInBrowsersWithoutConfirmation(t *testing.T) {
	s := server.Start(t, server.Options{Config: noConfirm})
	desktop, phone := devices(t, s, false)
	link := showCode(t, desktop, s)
	do(t, chromedp.Do(phone, chromedp.Navigate(link), chromedp.Navigate(link))) // looking takes nothing away
	submit(t, phone)
	arrives(t, phone, "/ui/done/handoff")
	do(t, chromedp.Do(desktop, chromedp.WaitVisible(chromedp.CSS(".badge.good"))))
	loggedInAt(t, phone, s)
}

// devices are two browsers, the first of them logged in.
func devices(t *testing.T, s *server.Server, noScript bool) (desktop, phone context.Context) {
	t.Helper()
	p := signUp(t.Context(), t, s, "devices")
	desktop, _ = browser.New(t)
	do(t, browser.Set(desktop, browser.Look{Width: 1280, Height: 800}))
	tryLogIn(t, desktop, s, p.Email, p.Password)
	waitFor(t, desktop, `document.querySelector('#state').classList.contains('in')`)
	do(t, browser.Set(desktop, browser.Look{Width: 1280, Height: 800, NoScript: noScript}))
	phone, _ = browser.New(t)
	do(t, browser.Set(phone, browser.Look{Width: 360, Height: 800, NoScript: noScript}))
	return desktop, phone
}

// showCode brings the desktop to its code and gives the link in it.
func showCode(t *testing.T, desktop context.Context, s *server.Server) string {
	t.Helper()
	do(t, chromedp.Do(desktop, chromedp.Navigate(s.URL+"/ui/handoff")))
	submit(t, desktop)
	link, err := chromedp.Run(desktop, chromedp.AttributeValue(chromedp.CSS("#link"), "href"))
	do(t, err)
	if !strings.HasPrefix(link.Value, s.URL+"/ui/handoff/") {
		t.Fatal("the page shows no link of ours")
	}
	return link.Value
}

func arrives(t *testing.T, tab context.Context, path string) {
	t.Helper()
	for until := time.Now().Add(20 * time.Second); ; {
		at, err := chromedp.Run(tab, chromedp.Location())
		do(t, err)
		if strings.HasSuffix(at, path) {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("the browser stands at %s, not at %s", at, path)
		}
		do(t, chromedp.Do(tab, chromedp.WaitReady(chromedp.CSS("main"))))
	}
}

// loggedInAt asks with the browser's cookies who it is.
func loggedInAt(t *testing.T, tab context.Context, s *server.Server) {
	t.Helper()
	do(t, browser.Set(tab, browser.Look{Width: 360, Height: 800}))
	do(t, chromedp.Do(tab, chromedp.Navigate(s.URL+"/ui/try")))
	waitFor(t, tab, `document.querySelector('#state').classList.contains('in')`)
	noTokenInReach(t, tab)
}
