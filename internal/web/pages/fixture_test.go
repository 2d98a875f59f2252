package pages

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/delivery"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/web"
	"github.com/gatehouse-auth/gatehouse/internal/web/view"
)

// fakeLogin keeps mailed tokens as login would; each works once.
type fakeLogin struct {
	mu     sync.Mutex
	links  map[string]login.Pending
	spent  []string // what was done, in order
	broken error    // when set, every verb gives it
}

const rightPassword = "correct horse battery"

func gone() error { return fault.New(fault.Gone, fault.ReasonGone, "gone") }

func (f *fakeLogin) Inspect(_ context.Context, _ *audit.Call, _ *tenant.Tenant, token secret.Text) (login.Pending, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return login.Pending{}, f.broken
	}
	p, ok := f.links[token.Reveal()]
	if !ok {
		return p, gone()
	}
	return p, nil
}

func (f *fakeLogin) VerifyEmail(_ context.Context, _ *audit.Call, r login.VerifyRequest) (login.Proved, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, ok := f.links[r.Token.Reveal()]
	how := "button"
	switch {
	case !ok:
		return login.Proved{}, gone()
	case !r.NewPassword.IsZero():
		if err := feeble(r.NewPassword); err != nil {
			return login.Proved{}, err
		}
		how = "new"
	case !r.Password.IsZero() && r.Password.Reveal() == rightPassword:
		how = "password"
	case !p.SameBrowser || !r.Password.IsZero():
		return login.Proved{}, fault.New(fault.Unauthenticated, fault.ReasonInvalidCredentials, "wrong")
	}
	return f.spend(r.Token, how, p), nil
}

func (f *fakeLogin) Reset(_ context.Context, _ *audit.Call, r login.ResetRequest) (login.Proved, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, ok := f.links[r.Token.Reveal()]
	if !ok {
		return login.Proved{}, gone()
	}
	if err := feeble(r.Password); err != nil {
		return login.Proved{}, err
	}
	return f.spend(r.Token, "reset", p), nil
}

func feeble(pw secret.Text) error {
	switch {
	case len(pw.Reveal()) > 200:
		return fault.New(fault.Invalid, fault.ReasonInvalid, "too long").WithFields(fault.Field{Name: "password", Message: "is too long"})
	case len(pw.Reveal()) < 8:
		return fault.New(fault.Unprocessable, fault.ReasonWeakPassword, "feeble")
	case pw.Reveal() == "password123":
		return fault.New(fault.Unprocessable, fault.ReasonBreachedPassword, "breached")
	case pw.Reveal() == "toooften":
		return fault.New(fault.Limited, fault.ReasonLimited, "slow down").After(90 * time.Second)
	}
	return nil
}

func (f *fakeLogin) spend(token secret.Text, how string, p login.Pending) login.Proved {
	delete(f.links, token.Reveal())
	f.spent = append(f.spent, token.Reveal()+" "+how)
	out := login.Proved{UserID: "user", ClientID: p.ClientID, ReturnTo: p.ReturnTo}
	if p.ClientID == "shop" {
		out.RedirectURL = "https://shop.example.com/welcome"
	}
	return out
}

func (f *fakeLogin) done() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string{}, f.spent...)
}

// fakeBox is a development mailbox.
type fakeBox struct {
	mu    sync.Mutex
	mails []delivery.BoxMail
}

func (b *fakeBox) Mailbox(_ context.Context, tenantID, to string, limit int) ([]delivery.BoxMail, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []delivery.BoxMail
	for _, m := range b.mails {
		if m.TenantID == tenantID && (to == "" || m.To == to) && len(out) < limit {
			out = append(out, m)
		}
	}
	return out, nil
}

func (b *fakeBox) ClearMailbox(context.Context, string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mails = nil
	return nil
}

// fakeTenants feeds the directory.
type fakeTenants struct {
	tenant.Store
	snapshot tenant.Snapshot
}

func (f fakeTenants) Version(context.Context) (int64, error)            { return 1, nil }
func (f fakeTenants) Snapshot(context.Context) (tenant.Snapshot, error) { return f.snapshot, nil }

type site struct {
	*httptest.Server
	login *fakeLogin
	box   *fakeBox
	hall  *web.Hall
	pages *Pages
}

const wide = "a.really.quite.long.address.that.somebody.has@a-department.of.an.organisation.example.com"

// newSite serves the pages under the real hallway.
func newSite(t testing.TB, dev bool, theme tenant.Theme) *site {
	t.Helper()
	demo := tenant.Tenant{ID: "t1", Slug: "demo", Name: "Example Shop", Issuer: "https://login.example.com", Test: true, Policy: tenant.Policy{Theme: theme}}
	snapshot := tenant.Snapshot{Version: 1, Tenants: []tenant.Tenant{demo}, Clients: []tenant.Client{
		{TenantID: "t1", ID: "demo"},
		{TenantID: "t1", ID: "shop", Settings: tenant.ClientSettings{AfterVerifyURL: "https://shop.example.com/welcome", AfterResetURL: "shop-app://done"}},
	}}
	dir := tenant.NewDirectory(fakeTenants{snapshot: snapshot}, time.Now)
	if err := dir.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := &site{login: &fakeLogin{links: map[string]login.Pending{
		"here":     {Kind: login.PendingSignup, Email: "ada@example.com", ClientID: "demo", SameBrowser: true},
		"there":    {Kind: login.PendingSignup, Email: wide, ClientID: "demo"},
		"shop":     {Kind: login.PendingSignup, Email: "ada@example.com", ClientID: "shop", SameBrowser: true},
		"change":   {Kind: login.PendingEmailChange, Email: "new@example.com", ClientID: "demo", SameBrowser: true},
		"changing": {Kind: login.PendingEmailChange, Email: "new@example.com", ClientID: "demo"},
		"reset":    {Kind: login.PendingReset, Email: "ada@example.com", ClientID: "demo"},
	}}, box: &fakeBox{mails: sampleMails(t, &demo)}}
	p, err := New(Config{Login: s.login, Handoffs: fakeHandoffs{}, Sessions: fakeHandoffs{}, Directory: dir, Mailbox: s.box, Dev: dev})
	if err != nil {
		t.Fatal(err)
	}
	s.pages = p
	// The hallway itself always serves loopback here; dev only says whether the development pages are mounted.
	s.hall, err = web.New(web.Config{Directory: dir, Now: time.Now, Dev: true, ErrorPage: view.ErrorPage, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.hall.Mount(p.Routes()); err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewServer(s.hall)
	t.Cleanup(s.Close)
	return s
}

func sampleMails(t testing.TB, tn *tenant.Tenant) []delivery.BoxMail {
	t.Helper()
	var out []delivery.BoxMail
	for i, m := range []delivery.Mail{
		{To: "ada@example.com", Template: delivery.TemplateVerify, Link: "http://localhost:8080/email/verify/abc", Code: "481516"},
		{To: wide, Template: delivery.TemplateReset, Locale: "de", Link: "http://localhost:8080/password/reset/" + strings.Repeat("x", 43)},
		{To: "ada@example.com", Template: delivery.TemplateRefreshReused},
		{To: "bob@example.com", Template: delivery.TemplateEmailChanged, Locale: "de"},
	} {
		m.Client = "Example Shop"
		m.Vars = map[string]string{"place": "192.0.2.0/24", "device": "Firefox on Linux", "when": "2026-03-05T14:00:00Z"}
		r, err := delivery.Render(tn, m)
		if err != nil {
			t.Fatal(err)
		}
		b := delivery.BoxMail{ID: string(rune('a' + i)), TenantID: tn.ID, To: m.To, Subject: r.Subject, Text: r.Text, HTML: r.HTML, At: time.Date(2026, 3, 5, 14, 0, i, 0, time.UTC)}
		if m.Link != "" {
			b.Links = []string{m.Link}
		}
		if m.Code != "" {
			b.Codes = []string{m.Code}
		}
		out = append(out, b)
	}
	return out
}
