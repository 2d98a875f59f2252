package delivery

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// plainSigner shows the claims that would be signed.
type plainSigner struct{}

func (plainSigner) SignLogout(_ context.Context, t *tenant.Tenant, _ string, _ time.Time, claims []byte) (string, error) {
	return t.ID + ":" + string(claims), nil
}

// app is an application's back-channel endpoint.
type app struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	tokens []string
}

func newApp(t *testing.T, status int) *app {
	a := &app{status: status}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if r.Method == http.MethodPost && r.Header.Get("Content-Type") == "application/x-www-form-urlencoded" {
			a.tokens = append(a.tokens, r.PostFormValue("logout_token"))
		}
		if a.status/100 == 3 {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(a.status)
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *app) got() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.tokens...)
}

func (a *app) answers(status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.status = status
}

func logoutRig(t *testing.T, dev bool) *rig {
	r := newRig(t, SMTP{})
	cfg := r.cfg
	cfg.Dev, cfg.Logouts = dev, plainSigner{}
	r.real.Issuer = "https://login.example.com"
	w, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.Worker = w
	return r
}

func (r *rig) ended(t *testing.T, uri string) {
	t.Helper()
	m, err := LogoutMessage(r.ring, r.clock.now(), r.real.ID, Logout{Client: uri, Session: "sid-1", Subject: "user-1"})
	if err != nil {
		t.Fatal(err)
	}
	r.store.add(m)
}

func (r *rig) empty() bool {
	n, _ := r.store.Backlog(context.Background())
	return n == 0
}

func TestLogoutTokenHasTheClaimsOfTheSpecification(t *testing.T) {
	a, r := newApp(t, 200), logoutRig(t, true)
	r.run(t)
	r.ended(t, a.URL)
	r.Wake()
	eventually(t, "the application is told and the row goes", func() bool { return len(a.got()) == 1 && r.empty() })
	name, text, _ := strings.Cut(a.got()[0], ":")
	var claims map[string]any
	if err := json.Unmarshal([]byte(text), &claims); err != nil {
		t.Fatal(err)
	}
	now := float64(r.clock.now().Unix())
	events, _ := claims["events"].(map[string]any)
	if name != "real" || claims["iss"] != "https://login.example.com" || claims["aud"] != a.URL || claims["sid"] != "sid-1" ||
		claims["sub"] != "user-1" || claims["iat"] != now || claims["exp"] != now+120 || claims["jti"] == "" || claims["nonce"] != nil ||
		len(events) != 1 || events[logoutEvent] == nil {
		t.Errorf("claims %v", claims)
	}
}

func TestLogoutIsTriedAgainUntilTheApplicationIsBack(t *testing.T) {
	a, r := newApp(t, 503), logoutRig(t, true)
	r.run(t)
	r.ended(t, a.URL)
	r.Wake()
	eventually(t, "a first try", func() bool { return len(a.got()) == 1 && r.Stats().Failed == 1 })
	a.answers(204)
	r.clock.move(time.Second)
	r.Wake()
	eventually(t, "a second try", func() bool { return len(a.got()) == 2 && r.empty() })
	if a.got()[0] == a.got()[1] {
		t.Error("both tries carried one token: its id would read as a replay, and it would have grown old")
	}
	if len(r.store.events) != 0 || r.Stats().Sent != 1 {
		t.Errorf("events %v, stats %+v", r.store.events, r.Stats())
	}
}

func TestLogoutIsGivenUpWithAnEvent(t *testing.T) {
	a, r := newApp(t, 500), logoutRig(t, true)
	r.run(t)
	r.ended(t, a.URL)
	r.clock.move(logoutGiveUp + time.Second)
	r.Wake()
	eventually(t, "the message is given up", r.empty)
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	if len(r.store.events) != 1 {
		t.Fatalf("%d events", len(r.store.events))
	}
	if e := r.store.events[0]; e.Type != EventLogoutLost || e.Client != a.URL || e.Session != "sid-1" || e.Subject != "user-1" ||
		e.TenantID != "real" || e.Reason != "the application answered 500" {
		t.Errorf("event %+v", e)
	}
}

// TestLogoutGoesNowhereElse: what a client registered may not make this server speak to its own network (SSRF).
func TestLogoutGoesNowhereElse(t *testing.T) {
	for name, c := range map[string]struct {
		dev    bool
		status int
		tries  int
		uri    func(*app) string
	}{
		"loopback outside development": {dev: false, status: 200, uri: func(a *app) string { return a.URL }},
		"private":                      {dev: true, status: 200, uri: func(*app) string { return "https://10.0.0.1/" }},
		"metadata service":             {dev: true, status: 200, uri: func(*app) string { return "https://169.254.169.254/latest" }},
		"plain http outside":           {dev: true, status: 200, uri: func(*app) string { return "http://app.example.com/" }},
		"redirect":                     {dev: true, status: 302, tries: 1, uri: func(a *app) string { return a.URL }},
		"redirect that keeps the body": {dev: true, status: 307, tries: 1, uri: func(a *app) string { return a.URL }},
	} {
		t.Run(name, func(t *testing.T) {
			a, r := newApp(t, c.status), logoutRig(t, c.dev)
			r.run(t)
			r.ended(t, c.uri(a))
			r.Wake()
			eventually(t, "the message is given up at once", r.empty)
			if got := len(a.got()); got != c.tries {
				t.Errorf("%d posts, want %d", got, c.tries)
			}
			if r.Stats().Lost != 1 || len(r.store.events) != 1 {
				t.Errorf("stats %+v, events %v", r.Stats(), r.store.events)
			}
		})
	}
}

func TestLogoutOfAGoneClientIsDropped(t *testing.T) {
	r := logoutRig(t, true)
	r.run(t)
	r.ended(t, "gone")
	r.Wake()
	eventually(t, "the row goes", r.empty)
	if s := r.Stats(); s.Lost != 0 || s.Failed != 0 {
		t.Errorf("stats %+v", s)
	}
}

// TestAHangingApplicationKeepsNobodyWaiting: mail and other applications' logouts pass one that never answers.
func TestAHangingApplicationKeepsNobodyWaiting(t *testing.T) {
	let := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-let }))
	t.Cleanup(hangs.Close)
	t.Cleanup(sync.OnceFunc(func() { close(let) }))
	a, r := newApp(t, 200), logoutRig(t, true)
	r.run(t)
	for range 40 {
		r.ended(t, hangs.URL)
	}
	r.Wake()
	eventually(t, "its places are taken", func() bool {
		r.receivers.mu.Lock()
		defer r.receivers.mu.Unlock()
		return r.receivers.busy[[2]string{"real", hangs.URL}] == logoutAtOnce
	})
	began := time.Now()
	r.ended(t, a.URL)
	r.post(t, r.test, KindMail, Mail{To: "ada@example.com", Template: TemplateVerify, Locale: "en", Client: "Shop", Code: "123456"})
	r.Wake()
	eventually(t, "the others arrive", func() bool {
		box, _ := r.store.Mailbox(t.Context(), "", "", 1)
		return len(a.got()) == 1 && len(box) == 1
	})
	if took := time.Since(began); took > logoutTimeout-time.Second {
		t.Errorf("the others waited %v", took)
	}
}

func TestALogoutPayloadIsSealed(t *testing.T) {
	r := logoutRig(t, true)
	m, err := LogoutMessage(r.ring, r.clock.now(), "real", Logout{Client: "app", Session: "sid-1", Subject: "user-1"})
	if err != nil || strings.Contains(string(m.Sealed), "user-1") {
		t.Fatalf("%v %q", err, m.Sealed)
	}
	if _, err := open(r.ring, m.Sealed); err == nil {
		t.Error("a logout opens as a mail")
	}
}
