package pages

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// fakeHandoffs stands for the services: ids and codes name what they do.
type fakeHandoffs struct{}

func (fakeHandoffs) Authenticate(context.Context, *audit.Call, *tenant.Tenant, secret.Text) (session.Live, error) {
	return session.Live{Claims: token.AccessClaims{Subject: "user", ClientID: "demo"}}, nil
}

func (fakeHandoffs) CreateCode(context.Context, *audit.Call, session.Live) (login.SessionCode, error) {
	return login.SessionCode{ID: "offered"}, nil
}

func (fakeHandoffs) ViewCode(_ context.Context, _ *audit.Call, _ session.Live, id string) (login.HandoffView, error) {
	v := login.HandoffView{Stage: login.HandoffStage(id), Place: "192.0.2.0/24", Agent: "Mozilla/5.0 (Linux; Android 16) Chrome/150"}
	v.ID, v.Code = id, secret.NewText("code")
	v.URL = secret.NewText("https://login.example.com/ui/handoff/" + strings.Repeat("Ab-_9", 9)[:43])
	switch id {
	case "signedout":
		return v, fault.New(fault.Unauthenticated, fault.ReasonTokenExpired, "expired")
	case "stale":
		return v, fault.New(fault.Forbidden, fault.ReasonStepUpRequired, "stale")
	case "ended":
		return v, gone()
	}
	return v, nil
}

func (fakeHandoffs) ConfirmCode(_ context.Context, _ *audit.Call, _ session.Live, id, number string) error {
	if number != "42" {
		return fault.New(fault.Forbidden, fault.ReasonWrongNumber, "wrong")
	}
	return nil
}

func (fakeHandoffs) OfferOf(_ context.Context, _ *audit.Call, _ *tenant.Tenant, code secret.Text) (login.Offer, error) {
	if code.Reveal() == "used" {
		return login.Offer{}, gone()
	}
	return login.Offer{ClientID: "demo", Hint: "a…@example.com", Place: "192.0.2.0/24", Confirm: true}, nil
}

func handedOver() *session.Tokens {
	at := time.Now().Add(time.Hour)
	return &session.Tokens{
		Access: secret.NewText("the.access.token"), Refresh: secret.NewText("gr_refresh"), RefreshExpires: at, AccessClaims: token.AccessClaims{ExpiresAt: at},
	}
}

func (fakeHandoffs) ClaimCode(_ context.Context, _ *audit.Call, r login.ClaimRequest) (login.Claim, error) {
	if r.Code.Reveal() == "at-once" {
		return login.Claim{Tokens: handedOver()}, nil
	}
	return login.Claim{ID: r.Code.Reveal(), Secret: secret.NewText("claim-secret"), Number: "42"}, nil
}

func (fakeHandoffs) PeekClaim(_ context.Context, _ *audit.Call, r login.RedeemRequest) (login.Redemption, error) {
	out := login.Redemption{ClientID: "demo", Number: "42", Hint: "a…@example.com", Place: "192.0.2.0/24"}
	switch {
	case r.Secret.Reveal() != "claim-secret":
		return login.Redemption{}, gone()
	case r.ID == "mismatch":
		return login.Redemption{}, fault.New(fault.Forbidden, fault.ReasonWrongNumber, "wrong")
	}
	out.Waiting = r.ID == "waiting"
	return out, nil
}

func (f fakeHandoffs) RedeemClaim(ctx context.Context, call *audit.Call, r login.RedeemRequest) (login.Redemption, error) {
	out, err := f.PeekClaim(ctx, call, r)
	if err == nil && !out.Waiting {
		out.Tokens = handedOver()
	}
	return out, err
}

// calm serves h without its Refresh headers.
func calm(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(still{w}, r) })
}

type still struct{ http.ResponseWriter }

func (s still) WriteHeader(status int) {
	s.Header().Del("Refresh")
	s.ResponseWriter.WriteHeader(status)
}

// phone is a browser of the site that follows no redirect.
func (s *site) phone(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func ask(t *testing.T, c *http.Client, method, url string, form url.Values) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("Accept", "text/html")
	got, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got, string(body)
}

func TestFirstDevicePages(t *testing.T) {
	s := newSite(t, false, tenant.Theme{})
	c := s.phone(t)
	for _, want := range []struct {
		method, path string
		form         url.Values
		status       int
		refresh      string
		says         string
	}{
		{"GET", "/ui/handoff", nil, 200, "", "Show the code"},
		{"POST", "/ui/handoff", url.Values{}, 303, "", ""},
		{"GET", "/ui/handoff?id=offered", nil, 200, "2", "<svg "},
		{"GET", "/ui/handoff?id=claimed", nil, 200, "", "Chrome on Android"},
		{"GET", "/ui/handoff?id=confirmed", nil, 200, "2", "being logged in"},
		{"GET", "/ui/handoff?id=taken", nil, 200, "", "is logged in"},
		{"GET", "/ui/handoff?id=refused", nil, 200, "", "not the number"},
		{"GET", "/ui/handoff?id=ended", nil, 410, "", "Show a new code"},
		{"GET", "/ui/handoff?id=signedout", nil, 401, "", "log in first"},
		{"GET", "/ui/handoff?id=stale", nil, 403, "", "log in again"},
		{"POST", "/ui/handoff/confirm", url.Values{"id": {"claimed"}, "number": {"4"}}, 422, "", "number-error"},
		{"POST", "/ui/handoff/confirm", url.Values{"id": {"claimed"}, "number": {"41"}}, 403, "", "not the number"},
		{"POST", "/ui/handoff/confirm", url.Values{"id": {"claimed"}, "number": {" 42 "}}, 303, "", ""},
	} {
		r, body := ask(t, c, want.method, s.URL+want.path, want.form)
		if r.StatusCode != want.status || r.Header.Get("Refresh") != want.refresh || !strings.Contains(body, want.says) {
			t.Errorf("%s %s: %d, Refresh %q, says %q: %v", want.method, want.path, r.StatusCode, r.Header.Get("Refresh"), want.says,
				strings.Contains(body, want.says))
		}
	}
	foreign, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/ui/handoff", nil)
	if err != nil {
		t.Fatal(err)
	}
	foreign.Header.Set("Origin", "https://evil.example.org")
	r, err := c.Do(foreign)
	if err != nil || r.StatusCode != 403 {
		t.Errorf("a foreign page makes a code: %v %v", r, err)
	}
}

// The second device: looking claims nothing, the claim's secret lives in a cookie that script cannot read, tokens come as cookies only.
func TestSecondDevicePages(t *testing.T) {
	s := newSite(t, false, tenant.Theme{})
	c := s.phone(t)
	r, body := ask(t, c, "GET", s.URL+"/ui/handoff/confirmed", nil)
	if r.StatusCode != 200 || len(r.Cookies()) != 0 || !strings.Contains(body, "a…@example.com") || strings.Contains(body, "42") {
		t.Errorf("the offer: %d, %d cookies", r.StatusCode, len(r.Cookies()))
	}
	r, _ = ask(t, c, "POST", s.URL+"/ui/handoff/waiting", url.Values{})
	if r.StatusCode != 303 || r.Header.Get("Location") != "/ui/handoff/wait" || len(r.Cookies()) != 1 {
		t.Fatalf("the claim: %d to %q", r.StatusCode, r.Header.Get("Location"))
	}
	claim := r.Cookies()[0]
	if claim.Name != "__Host-gh_claim" || !claim.HttpOnly || !claim.Secure || claim.MaxAge != 60 {
		t.Errorf("claim cookie %v", claim)
	}
	send := func(method, path, cookie string) (*http.Response, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.AddCookie(&http.Cookie{Name: "__Host-gh_claim", Value: cookie})
		got, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = got.Body.Close() }()
		body, _ := io.ReadAll(got.Body)
		return got, string(body)
	}
	if r, body = send("GET", "/ui/handoff/wait", claim.Value); r.StatusCode != 200 || r.Header.Get("Refresh") != "2" || !strings.Contains(body, "42") ||
		strings.Contains(body, "claim-secret") {
		t.Errorf("waiting: %d", r.StatusCode)
	}
	if r, _ = send("POST", "/ui/handoff/wait", claim.Value); r.StatusCode != 303 || len(r.Cookies()) != 0 {
		t.Errorf("a session while waiting: %d %v", r.StatusCode, r.Cookies())
	}
	if r, _ = send("GET", "/ui/handoff/wait", "confirmed.claim-secret"); r.StatusCode != 200 || len(r.Cookies()) != 0 {
		t.Errorf("looking at a confirmed claim gives cookies: %v", r.Cookies())
	}
	r, body = send("POST", "/ui/handoff/wait", "confirmed.claim-secret")
	if r.StatusCode != 303 || r.Header.Get("Location") != "/ui/done/handoff" || len(r.Cookies()) != 3 || strings.Contains(body, "gr_") {
		t.Errorf("the session: %d to %q with %v", r.StatusCode, r.Header.Get("Location"), r.Cookies())
	}
	for path, status := range map[string]int{"no.secret": 410, "": 410, "mismatch.claim-secret": 403} {
		if r, _ = send("GET", "/ui/handoff/wait", path); r.StatusCode != status {
			t.Errorf("claim %q: %d, want %d", path, r.StatusCode, status)
		}
	}
	if r, _ = ask(t, c, "GET", s.URL+"/ui/handoff/used", nil); r.StatusCode != 410 {
		t.Errorf("a used code: %d", r.StatusCode)
	}
}
