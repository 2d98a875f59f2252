package hosted

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/user"
	"github.com/gatehouse-auth/gatehouse/internal/web"
	"github.com/gatehouse-auth/gatehouse/internal/web/view"
)

// rooms stands for every room behind the pages, and writes down what the pages did. A request's id names what it needs; the password names
// what comes of a login.
type rooms struct {
	mu   sync.Mutex
	did  []string
	step map[string]oauth.StepKind

	garden *tenant.Client
}

const (
	rightPassword = "correct horse battery"
	newPassword   = "quiet otter lamp"
	alone         = "user-alone" // is signed on nowhere else and has allowed nothing
	wide          = "a.really.quite.long.address.that.somebody.has@a-department.of.an.organisation.example.com"
)

var (
	noon = time.Date(2035, 6, 1, 12, 0, 0, 0, time.UTC)
	ada  = user.User{ID: "user-ada", TenantID: "t1", Status: user.Active, Epoch: 1, Name: "Ada Lovelace", Identifiers: []user.Identifier{
		{Kind: user.Email, Value: "ada@example.com", Primary: true, VerifiedAt: noon},
	}}
	firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	phone   = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile/15E148 Safari/604.1"
)

func (r *rooms) note(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.did = append(r.did, what)
}

func (r *rooms) done() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.did
	r.did = nil
	return out
}

func judge(pw secret.Text) error {
	switch pw.Reveal() {
	case rightPassword, newPassword:
		return nil
	case "unverified":
		return fault.New(fault.Unauthenticated, fault.ReasonEmailUnverified, login.MessageUnverified)
	case "elsewhere":
		return session.NotRegistered()
	case "disabled":
		return fault.New(fault.Forbidden, fault.ReasonDisabled, "disabled")
	case "too often":
		return fault.New(fault.Limited, fault.ReasonLimited, "slow down").After(90 * time.Second)
	case "weak":
		return fault.New(fault.Unprocessable, fault.ReasonWeakPassword, "weak")
	case "breached":
		return fault.New(fault.Unprocessable, fault.ReasonBreachedPassword, "breached")
	}
	return fault.New(fault.Unauthenticated, fault.ReasonInvalidCredentials, "wrong")
}

func (r *rooms) proven() login.Proven {
	return login.Proven{User: ada, AuthTime: noon, AMR: []string{"pwd"}, ACR: "1", DeviceCookie: secret.NewText("device"), Device: "d"}
}

func (r *rooms) Prove(_ context.Context, _ *audit.Call, q login.PasswordRequest) (login.Proven, error) {
	client := "no client"
	if q.Client != nil {
		client = q.Client.ID
	}
	r.note("prove " + q.Email + " for " + client)
	return r.proven(), judge(q.Password)
}

func (r *rooms) Register(_ context.Context, call *audit.Call, q login.RegisterRequest) error {
	if _, err := user.NormaliseEmail(q.Email); err != nil {
		return err
	}
	if err := judge(q.Password); err != nil {
		return err
	}
	if call.Browser == "" {
		r.note("register without a browser")
	}
	r.note("register " + q.Email + " for " + q.Client.ID + " to " + q.ReturnTo)
	return nil
}

func (r *rooms) Resend(_ context.Context, _ *audit.Call, q login.MailRequest) error {
	r.note("resend " + q.Email + " to " + q.ReturnTo)
	return nil
}

func (r *rooms) Forgot(_ context.Context, _ *audit.Call, q login.MailRequest) error {
	if _, err := user.NormaliseEmail(q.Email); err != nil {
		return err
	}
	r.note("forgot " + q.Email + " to " + q.ReturnTo)
	return nil
}

func (r *rooms) ChangePassword(_ context.Context, _ *audit.Call, q login.ChangePasswordRequest) (login.Proven, error) {
	if err := judge(q.New); err != nil {
		return login.Proven{}, err
	}
	if err := judge(q.Current); err != nil {
		return login.Proven{}, err
	}
	r.note("password of " + q.UserID)
	return r.proven(), nil
}

func (r *rooms) Update(_ context.Context, call *audit.Call, live session.Live, c login.MeChange) (user.User, bool, error) {
	if c.Email != nil {
		if age := call.At.Sub(live.Loaded.Family.AuthTime); age > time.Minute {
			return ada, false, fault.New(fault.Forbidden, fault.ReasonStepUpRequired, "too old")
		}
		r.note("email of " + live.Loaded.Family.UserID + " to " + *c.Email)
		return ada, true, nil
	}
	r.note("profile of " + live.Loaded.Family.UserID + ": " + *c.Name + " " + *c.Locale)
	return ada, false, nil
}

func (r *rooms) DeviceID(*tenant.Tenant, secret.Text) string { return "" }

func over() error { return fault.New(fault.Gone, fault.ReasonOAuthUnanswerable, "over") }

func (r *rooms) Look(_ context.Context, call *audit.Call, _ *tenant.Tenant, id string, live *sso.Live) (oauth.Step, error) {
	kind, ok := r.step[id]
	if !ok {
		return oauth.Step{}, over()
	}
	if live == nil {
		kind = oauth.StepLogin
	}
	s := oauth.Step{Kind: kind, Client: r.garden, Request: oauth.Request{
		TenantID: "t1", ID: id, Params: oauth.Params{ClientID: "garden", RedirectURI: "https://garden.example.com/callback", LoginHint: "hint@example.com"},
	}}
	if id == "closed" {
		closed := *r.garden
		closed.Settings.RequireRegistration = true
		s.Client = &closed
	}
	if id == "german" {
		s.Request.Params.UILocales = []string{"de"}
	}
	if kind == oauth.StepConsent {
		s.Ask = []string{"openid", "profile", "email", "offline_access", "plants"}
	}
	return s, nil
}

func (r *rooms) Proved(_ context.Context, _ *audit.Call, _ *tenant.Tenant, id, ssoID string) error {
	r.note("proved " + id + " " + ssoID)
	return nil
}

func (r *rooms) Choose(_ context.Context, _ *audit.Call, _ *tenant.Tenant, id string, live *sso.Live) error {
	r.note("chosen " + id + " " + live.User.ID)
	return nil
}

func (r *rooms) Allow(_ context.Context, _ *audit.Call, _ *tenant.Tenant, id string, live *sso.Live, scopes []string) error {
	what := "allowed " + id + " " + live.User.ID
	for _, s := range scopes {
		what += " " + s
	}
	r.note(what)
	return nil
}

func (r *rooms) Refuse(_ context.Context, _ *audit.Call, _ *tenant.Tenant, id string) error {
	r.note("refused " + id)
	return nil
}

func (r *rooms) Consents(_ context.Context, _ *audit.Call, _ *tenant.Tenant, userID string) ([]oauth.Consent, error) {
	if userID == alone {
		return nil, nil
	}
	return []oauth.Consent{
		{TenantID: "t1", UserID: ada.ID, ClientID: "garden", Scope: []string{"openid", "profile", "email", "plants"}, GrantedAt: noon},
		{TenantID: "t1", UserID: ada.ID, ClientID: "gone-client", Scope: []string{"openid"}, GrantedAt: noon},
	}, nil
}

func (r *rooms) WithdrawConsent(_ context.Context, _ *audit.Call, _ *tenant.Tenant, userID, clientID string) error {
	r.note("withdrawn " + userID + " " + clientID)
	return nil
}

func (r *rooms) DeviceByCode(_ context.Context, _ *audit.Call, _ *tenant.Tenant, typed, _ string) (oauth.Device, *tenant.Client, error) {
	switch typed {
	case "WDJB-MJHT":
		return oauth.Device{ClientID: "tv", Scope: []string{"openid", "profile"}, Place: "198.51.100.0/24", Agent: phone, CreatedAt: noon},
			&tenant.Client{ID: "tv", Name: "Living Room TV"}, nil
	case "CLOSED":
		return oauth.Device{}, nil, session.NotRegistered()
	case "OFTEN":
		return oauth.Device{}, nil, fault.New(fault.Limited, fault.ReasonLimited, "slow down").After(time.Minute)
	}
	return oauth.Device{}, nil, fault.New(fault.NotFound, fault.ReasonNotFound, "no such code")
}

func (r *rooms) AllowDevice(_ context.Context, _ *audit.Call, _ *tenant.Tenant, d oauth.Device, live *sso.Live, _ []string) error {
	r.note("device " + d.ClientID + " allowed by " + live.User.ID)
	return nil
}

func (r *rooms) RefuseDevice(_ context.Context, _ *audit.Call, _ *tenant.Tenant, d oauth.Device, _ *sso.Live) error {
	r.note("device " + d.ClientID + " refused")
	return nil
}

func signOn(id string) sso.Session {
	return sso.Session{TenantID: "t1", ID: id, UserID: ada.ID, Epoch: 1, AuthTime: noon, CreatedAt: noon, LastSeen: noon, Agent: firefox,
		Place: "192.0.2.0/24", AbsoluteExpiry: noon.Add(24 * time.Hour)}
}

func (r *rooms) Open(_ context.Context, call *audit.Call, _ *tenant.Tenant, p sso.Proof, old secret.Text) (secret.Text, sso.Session, error) {
	r.note("signed on " + p.User.ID + " over " + old.Reveal())
	n := signOn("sso-new")
	n.AuthTime, n.AbsoluteExpiry = call.At, call.At.Add(24*time.Hour)
	return secret.NewText("good"), n, nil
}

func (r *rooms) Find(_ context.Context, _ *audit.Call, _ *tenant.Tenant, cookie secret.Text) (sso.Live, error) {
	n := signOn("sso-1")
	switch cookie.Reveal() {
	case "good":
		return sso.Live{Session: n, User: ada}, nil
	case "german":
		u := ada
		u.Locale = "de"
		return sso.Live{Session: n, User: u}, nil
	case "alone":
		u := ada
		u.ID = alone
		return sso.Live{Session: n, User: u}, nil
	case "stale":
		n.AuthTime = noon.Add(-time.Hour)
		return sso.Live{Session: n, User: ada}, nil
	}
	return sso.Live{}, fault.New(fault.Unauthenticated, fault.ReasonSessionRevoked, "not good")
}

func (r *rooms) End(_ context.Context, _ *audit.Call, _ *tenant.Tenant, m sso.Match, reason string) ([]session.Ended, error) {
	r.note("sign-on " + m.ID + m.UserID + " but " + m.Except + " ended: " + reason)
	return nil, nil
}

// listed is the sign-on rooms' List beside the sessions'.
type families struct{ *rooms }

func (f families) List(_ context.Context, _ *audit.Call, q session.ListQuery) ([]session.Family, error) {
	if q.Subject == alone {
		return nil, nil
	}
	return []session.Family{
		{TenantID: "t1", ID: "s-1", ClientID: "garden", SSOID: "sso-1", Agent: firefox, Place: "192.0.2.0/24", CreatedAt: noon, LastSeen: noon},
		{TenantID: "t1", ID: "s-2", ClientID: "tv", Agent: phone, Place: "2001:db8::/64", CreatedAt: noon, LastSeen: noon.Add(-50 * time.Hour)},
	}, nil
}

func (f families) Revoke(_ context.Context, _ *audit.Call, m session.Match, reason string) ([]session.Ended, error) {
	f.note("session " + m.ID + " ended: " + reason)
	return nil, nil
}

func (r *rooms) List(_ context.Context, _ *audit.Call, _ *tenant.Tenant, userID string) ([]sso.Session, error) {
	if userID == alone {
		return []sso.Session{signOn("sso-1")}, nil
	}
	other := signOn("sso-2")
	other.Agent, other.Place, other.LastSeen = phone, "2001:db8::/64", noon.Add(-3*time.Hour)
	return []sso.Session{other, signOn("sso-1")}, nil
}

func (r *rooms) Get(context.Context, string, string, string) (user.User, error) { return ada, nil }

type fakeTenants struct {
	tenant.Store
	snapshot tenant.Snapshot
}

func (f fakeTenants) Version(context.Context) (int64, error)            { return 1, nil }
func (f fakeTenants) Snapshot(context.Context) (tenant.Snapshot, error) { return f.snapshot, nil }

type site struct {
	*rooms
	*httptest.Server
	pages *Pages
	hall  *web.Hall
}

// newSite serves the pages under the real hallway.
// A theme given is a tenant's with long names.
func newSite(t testing.TB, themed ...tenant.Theme) *site {
	t.Helper()
	demo := tenant.Tenant{ID: "t1", Slug: "demo", Name: "Example Company", Issuer: "https://login.example.com", Test: true, Policy: tenant.Policy{
		DefaultClient: "garden", OAuth: tenant.PolicyOAuth{Scopes: map[string]string{"plants": "water your plants"}},
		Theme: tenant.Theme{TermsURL: "https://example.com/terms"},
	}}
	garden := tenant.Client{TenantID: "t1", ID: "garden", Name: "Garden Planner"}
	garden.Settings.OAuth.PostLogoutRedirectURIs = []string{"https://garden.example.com/bye", "http://127.0.0.1/bye"}
	if themed != nil {
		demo.Name, demo.Policy.Theme = "The Example Company for the Care of Gardens and Greenhouses", themed[0]
		garden.Name = "Garden Planner for Allotments, Communities and Landschaftsgärtnereibetriebe"
	}
	dir := tenant.NewDirectory(fakeTenants{snapshot: tenant.Snapshot{Version: 1, Tenants: []tenant.Tenant{demo}, Clients: []tenant.Client{
		garden, {TenantID: "t1", ID: "tv", Name: "Living Room TV"},
	}}}, func() time.Time { return noon })
	if err := dir.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := &site{rooms: &rooms{garden: &garden, step: map[string]oauth.StepKind{
		"login": oauth.StepLogin, "choose": oauth.StepChoose, "consent": oauth.StepConsent, "ready": oauth.StepReply,
		"closed": oauth.StepLogin,
	}}}
	var err error
	s.pages, err = New(Config{Login: s.rooms, Flow: s.rooms, Devices: s.rooms, SignOns: s.rooms, Sessions: families{s.rooms}, Users: s.rooms, Directory: dir})
	if err != nil {
		t.Fatal(err)
	}
	s.hall, err = web.New(web.Config{Directory: dir, Now: func() time.Time { return noon }, Dev: true, ErrorPage: view.ErrorPage, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	routes := append(s.pages.Routes(), view.Assets(), page(http.MethodGet, "/test/here/{cookie}", func(x *web.Exchange) error {
		if err := x.SetSSO(secret.NewText(x.R.PathValue("cookie")), time.Hour); err != nil {
			return err
		}
		return landed(x)
	}), page(http.MethodGet, "/oauth2/continue", landed), page(http.MethodGet, "/ui/done/{what}", landed), page(http.MethodPost, "/oauth2/logout", landed),
		page(http.MethodGet, "/test/badclient", func(*web.Exchange) error {
			return fault.New(fault.Invalid, fault.ReasonOAuthRedirectURI, "redirect_uri is not registered for this application")
		}), page(http.MethodGet, "/test/fault/{kind}", func(x *web.Exchange) error { return faults[x.R.PathValue("kind")] }))
	if err := s.hall.Mount(routes); err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewServer(s.hall)
	t.Cleanup(s.Close)
	return s
}

// faults are refusals that have a page of their own.
var faults = map[string]error{
	"internal": fault.New(fault.Internal, fault.ReasonInternal, "broken"), "unavailable": fault.New(fault.Unavailable, fault.ReasonUnavailable, "busy"),
	"forbidden": fault.New(fault.Forbidden, fault.ReasonCrossOrigin, "no"), "invalid": fault.New(fault.Invalid, fault.ReasonMalformed, "no"),
	"limited":     fault.New(fault.Limited, fault.ReasonLimited, "slow down").After(5 * time.Minute),
	"misdirected": fault.New(fault.Misdirected, fault.ReasonMisdirected, "not here"),
}

// landed stands for the pages of other faces.
func landed(x *web.Exchange) error { return x.JSON(http.StatusOK, "landed") }
