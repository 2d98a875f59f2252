package loginapi

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/servicekey"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
	"github.com/gatehouse-auth/gatehouse/internal/user"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	listed  = "https://app.example.com"
	foreign = "https://evil.example.org"
	ann     = "0195a000-0000-7000-8000-000000000001"
	sidOne  = "0195a000-0000-7000-8000-000000000011"
	sidTwo  = "0195a000-0000-7000-8000-000000000012"
	sidBob  = "0195a000-0000-7000-8000-000000000021"
)

// fake stands for login.Service, session.Service and token.Service. fail is what the next call answers.
type fake struct {
	fail     error
	called   string
	call     audit.Call
	password login.PasswordRequest
	register login.RegisterRequest
	mail     login.MailRequest
	reset    login.ResetRequest
	change   login.MeChange
	refresh  session.RefreshRequest
	logout   session.LogoutRequest
	access   string
	query    session.ListQuery
	match    session.Match
	bound    string
	number   string
	families []session.Family
	keys     []byte
}

func (f *fake) note(name string, call *audit.Call) error {
	f.called += name + " "
	f.call = *call
	return f.fail
}

func pair() session.Tokens {
	return session.Tokens{
		Access: secret.NewText("the.access.token"), Refresh: secret.NewText("gr_refresh"), RefreshExpires: noon.Add(30 * 24 * time.Hour),
		AccessClaims: token.AccessClaims{ExpiresAt: noon.Add(15 * time.Minute)},
		Family:       session.Family{Subject: ann, ID: sidOne},
		Holder:       session.Holder{Present: true, Name: "Ann", Email: "ann@example.com", Verified: true, Roles: []string{"user"}},
	}
}

func (f *fake) Password(_ context.Context, call *audit.Call, r login.PasswordRequest) (login.PasswordResult, error) {
	f.password = r
	return login.PasswordResult{Tokens: pair(), DeviceCookie: secret.NewText("device-statement")}, f.note("password", call)
}

func (f *fake) Register(_ context.Context, call *audit.Call, r login.RegisterRequest) error {
	f.register = r
	return f.note("register", call)
}

func (f *fake) Resend(_ context.Context, call *audit.Call, r login.MailRequest) error {
	f.mail = r
	return f.note("resend", call)
}

func (f *fake) Forgot(_ context.Context, call *audit.Call, r login.MailRequest) error {
	f.mail = r
	return f.note("forgot", call)
}

func (f *fake) Reset(_ context.Context, call *audit.Call, r login.ResetRequest) (login.Proved, error) {
	f.reset = r
	return login.Proved{UserID: ann, RedirectURL: listed + "/done"}, f.note("reset", call)
}

func annUser() user.User {
	return user.User{
		ID: ann, Name: "Ann", Locale: "en", CreatedAt: noon.Add(-time.Hour),
		Identifiers:  []user.Identifier{{Kind: user.Email, Value: "ann@example.com", Primary: true, VerifiedAt: noon}},
		Registration: &user.Registration{Roles: []string{"user"}},
	}
}

func (f *fake) Profile(_ context.Context, call *audit.Call, _ session.Live) (user.User, error) {
	return annUser(), f.note("profile", call)
}

func (f *fake) Update(_ context.Context, call *audit.Call, _ session.Live, c login.MeChange) (user.User, bool, error) {
	f.change = c
	return annUser(), c.Email != nil, f.note("update", call)
}

func (f *fake) Delete(_ context.Context, call *audit.Call, _ session.Live) error {
	return f.note("delete", call)
}

func (f *fake) DeviceID(_ *tenant.Tenant, cookie secret.Text) string {
	if cookie.Reveal() == "device-statement" {
		return "device-1"
	}
	return ""
}

func (f *fake) Refresh(_ context.Context, call *audit.Call, r session.RefreshRequest) (session.Tokens, error) {
	f.refresh = r
	return pair(), f.note("refresh", call)
}

func (f *fake) Authenticate(_ context.Context, _ *audit.Call, _ *tenant.Tenant, access secret.Text) (session.Live, error) {
	f.access = access.Reveal()
	if f.access != "the.access.token" {
		return session.Live{}, fault.New(fault.Unauthenticated, fault.ReasonInvalidToken, "the access token is not valid")
	}
	return session.Live{Claims: token.AccessClaims{Subject: ann, SessionID: sidOne, ClientID: "web", Thumbprint: f.bound}}, nil
}

func (f *fake) Logout(_ context.Context, call *audit.Call, r session.LogoutRequest) error {
	f.logout = r
	return f.note("logout", call)
}

func (f *fake) List(_ context.Context, call *audit.Call, q session.ListQuery) ([]session.Family, error) {
	f.query = q
	out := f.families
	for i := range out {
		if out[i].ID == q.After {
			out = out[i+1:]
			break
		}
	}
	return out[:min(len(out), q.Limit)], f.note("list", call)
}

func (f *fake) Revoke(_ context.Context, call *audit.Call, m session.Match, _ string) ([]session.Ended, error) {
	f.match = m
	return []session.Ended{{ID: sidTwo}}, f.note("revoke", call)
}

func (f *fake) CreateCode(_ context.Context, call *audit.Call, _ session.Live) (login.SessionCode, error) {
	return login.SessionCode{ID: "id", Code: secret.NewText("the-code"), URL: secret.NewText(listed + "/ui/handoff/the-code"), ExpiresIn: time.Minute},
		f.note("create", call)
}

func (f *fake) ConfirmCode(_ context.Context, call *audit.Call, _ session.Live, id, number string) error {
	f.number = id + " " + number
	return f.note("confirm", call)
}

func (f *fake) ClaimCode(_ context.Context, call *audit.Call, r login.ClaimRequest) (login.Claim, error) {
	if r.Code.Reveal() == "at-once" {
		t := pair()
		return login.Claim{Tokens: &t}, f.note("claim", call)
	}
	return login.Claim{ID: "id", Secret: secret.NewText("claim-secret"), Number: "07", Hint: "a…@example.com", Place: "192.0.2.0/24"}, f.note("claim", call)
}

func (f *fake) RedeemClaim(_ context.Context, call *audit.Call, r login.RedeemRequest) (login.Redemption, error) {
	if r.Secret.Reveal() == "not-yet" {
		return login.Redemption{Waiting: true}, f.note("redeem", call)
	}
	t := pair()
	return login.Redemption{Tokens: &t}, f.note("redeem", call)
}

// Check knows a key that may do all and one that may do nothing.
func (f *fake) Check(_ context.Context, _ *audit.Call, tenantID string, presented secret.Text, _ string) (servicekey.Key, error) {
	switch key := presented.Reveal(); {
	case key != "gk_right" && key != "gk_poor" || tenantID != "t-main":
		return servicekey.Key{}, fault.New(fault.Unauthenticated, fault.ReasonInternalKey, "a key is needed")
	case key == "gk_poor":
		return servicekey.Key{}, fault.New(fault.Forbidden, fault.ReasonScope, "lacks the scope")
	}
	return servicekey.Key{ID: "key-1"}, nil
}

func (f *fake) Get(_ context.Context, tenantID, userID, clientID string) (user.User, error) {
	f.called += "user "
	if userID != ann {
		return user.User{}, fault.New(fault.NotFound, fault.ReasonNotFound, "no such user")
	}
	u := annUser()
	u.Status = user.Active
	return u, f.fail
}

func (f *fake) JWKS(string) []byte { return f.keys }

type fixed struct{ tenant.Store }

func (fixed) Version(context.Context) (int64, error) { return 1, nil }

func (fixed) Snapshot(context.Context) (tenant.Snapshot, error) {
	origins := []string{listed}
	return tenant.Snapshot{
		Version: 1,
		Tenants: []tenant.Tenant{
			{ID: "t-main", Slug: "main", Issuer: "https://login.example.com", Policy: tenant.Policy{DefaultClient: "web"}},
			{ID: "t-blue", Slug: "blue", Issuer: "blue", Policy: tenant.Policy{DefaultClient: "shop"}},
		},
		Clients: []tenant.Client{
			{TenantID: "t-main", ID: "web", Settings: tenant.ClientSettings{AllowedOrigins: origins}},
			{TenantID: "t-main", ID: "spa", Settings: tenant.ClientSettings{AllowedOrigins: origins, TokenDelivery: "cookie"}},
			{TenantID: "t-main", ID: "phone", Settings: tenant.ClientSettings{TokenDelivery: "bearer"}},
			{TenantID: "t-blue", ID: "shop"},
		},
	}, nil
}

// bench is a hall with the face mounted over a fake.
type bench struct {
	*fake
	api  *API
	hall *web.Hall
	logs *bytes.Buffer
}

func newBench(t testing.TB) *bench {
	t.Helper()
	f := &fake{keys: []byte(`{"keys":[]}`)}
	for _, id := range []string{sidTwo, sidOne} {
		f.families = append(f.families, session.Family{
			ID: id, ClientID: "web", Agent: "curl", Place: "192.0.2.0/24", CreatedAt: noon, LastSeen: noon,
			IdleExpiry: noon.Add(time.Hour), AbsoluteExpiry: noon.Add(2 * time.Hour),
		})
	}
	a, err := New(Config{Logins: f, Profiles: f, Handoffs: f, Devices: f, Sessions: f, Users: f, Keys: f, ServiceKeys: f, ServiceTokens: minter{f}, Version: "1"})
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return noon }
	d := tenant.NewDirectory(fixed{}, now)
	if err := d.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	logs := &bytes.Buffer{}
	h, err := web.New(web.Config{Directory: d, Now: now, TLS: true, Log: slog.New(slog.NewJSONHandler(logs, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Mount(a.Routes()); err != nil {
		t.Fatal(err)
	}
	return &bench{fake: f, api: a, hall: h, logs: logs}
}

// ask sends a request; heads are "Name: value". A body makes it JSON unless a head says otherwise.
func (b *bench) ask(method, target, body string, heads ...string) (*http.Response, string) {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "login.example.com"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range heads {
		k, v, _ := strings.Cut(h, ": ")
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	b.called = ""
	b.hall.ServeHTTP(w, r)
	out := w.Result()
	text, _ := io.ReadAll(out.Body)
	return out, string(text)
}

func reasonOf(body string) string {
	var p web.Problem
	_ = json.Unmarshal([]byte(body), &p)
	return p.Reason
}

func cookieNames(r *http.Response) string {
	var names []string
	for _, c := range r.Cookies() {
		names = append(names, c.Name)
	}
	return strings.Join(names, " ")
}
