package login_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/ephemeral"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// backend is every store a world stands on.
type backend struct {
	name     string
	logins   login.Store
	janitor  login.Janitor
	users    user.Store
	secrets  credential.Store
	sessions sessionStore
	limits   ephemeral.Limiter
	values   ephemeral.Values
	revoke   func(t *testing.T, tenantID, sid string, at time.Time)
	prepare  func(t *testing.T, tenants []tenant.Tenant, clients []tenant.Client)
}

// sessionStore is what of session.Store a login touches.
type sessionStore interface {
	Open(ctx context.Context, f session.Family, register *user.Registration, rec audit.Record) error
	Record(ctx context.Context, rec audit.Record) error
}

func memoryBackend(*testing.T) backend {
	m, e := newMemory(), ephemeral.NewMemory()
	return backend{name: "memory", logins: m, janitor: m, users: people{m}, secrets: m, sessions: m, limits: e, values: e,
		revoke: m.revoke, prepare: noPreparation}
}

func noPreparation(*testing.T, []tenant.Tenant, []tenant.Client) {}

// each runs f in a fresh world on every backend.
func each(t *testing.T, f func(t *testing.T, w *world)) {
	for _, open := range backends {
		b := open(t)
		t.Run(b.name, func(t *testing.T) { f(t, newWorld(t, b, login.Config{})) })
	}
}

var backends = []func(*testing.T) backend{memoryBackend}

// world is a tenant with two clients, one of them registering by itself, and somebody to look over the service's shoulder.
type world struct {
	svc      *login.Service
	b        backend
	t        *tenant.Tenant
	shut     *tenant.Client // auto_register off
	auto     *tenant.Client // auto_register on
	listed   *tenant.Client // require_registration on
	j        *journal
	ring     *secret.Ring
	now      time.Time
	networks atomic.Uint32
	dir      *directory
}

type directory struct {
	tenants []*tenant.Tenant
	clients []*tenant.Client
}

func (d *directory) All() []*tenant.Tenant { return d.tenants }

func (d *directory) ByID(id string) *tenant.Tenant {
	for _, t := range d.tenants {
		if t.ID == id {
			return t
		}
	}
	return nil
}

func (d *directory) Client(tenantID, id string) *tenant.Client {
	for _, c := range d.clients {
		if c.TenantID == tenantID && c.ID == id {
			return c
		}
	}
	return nil
}

func ringKeys() []secret.RingKey {
	key := func(id uint32, p secret.Purpose) secret.RingKey {
		return secret.RingKey{ID: id, Purpose: p, Key: []byte(strings.Repeat(string(rune('a'+id)), 32)), Active: true}
	}
	return []secret.RingKey{key(1, secret.PurposeSeal), key(2, secret.PurposeMAC), key(3, secret.PurposePepper)}
}

// serial tells worlds on one backend apart.
var serial atomic.Uint32

func newWorld(t *testing.T, b backend, cfg login.Config) *world {
	t.Helper()
	now := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	slug := fmt.Sprint("t", serial.Add(1))
	one := tenant.Tenant{ID: secret.NewID(now), Slug: slug, Name: "Example", Issuer: "https://" + slug + ".example.com", ManagedBy: "file"}
	client := func(id string, auto bool) tenant.Client {
		return tenant.Client{TenantID: one.ID, ID: id, Name: "App " + id, ManagedBy: "file", Settings: tenant.ClientSettings{
			AutoRegister: auto, Roles: []string{"reader", "writer"}, DefaultRoles: []string{"reader"},
			AfterVerifyURL: "https://app.example.com/welcome", AfterResetURL: "https://app.example.com/login",
		}}
	}
	shut, auto, listed := client("shut", false), client("auto", true), client("listed", false)
	listed.Settings.RequireRegistration = true
	b.prepare(t, []tenant.Tenant{one}, []tenant.Client{shut, auto, listed})
	ring := secret.NewRing(ringKeys()...)
	j := &journal{ring: ring}
	w := &world{b: b, t: &one, shut: &shut, auto: &auto, listed: &listed, j: j, ring: ring, now: now,
		dir: &directory{tenants: []*tenant.Tenant{&one}, clients: []*tenant.Client{&shut, &auto, &listed}}}
	hasher := credential.NewPasswords(ring, credential.Config{MemoryKiB: 64, Passes: 1, Queue: 4096, Wait: time.Minute})
	if cfg.Passwords == nil {
		cfg.Passwords = watchedPasswords{hasher, j}
	}
	if cfg.Sessions == nil {
		cfg.Sessions = opener{b.sessions, j}
	}
	cfg.Store, cfg.Janitor, cfg.Users = watchedStore{b.logins, j}, b.janitor, watchedUsers{b.users, j}
	cfg.Credentials, cfg.Recorder, cfg.Limits = watchedCredentials{b.secrets, j}, watchedRecorder{b.sessions, j}, watchedLimits{b.limits, j}
	cfg.Values = b.values
	cfg.Ring, cfg.Directory, cfg.PublicURL = ring, w.dir, "https://public.example.com/"
	cfg.Log, cfg.Beat = slog.New(slog.NewTextHandler(io.Discard, nil)), cmp.Or(cfg.Beat, -1)
	w.svc = login.New(cfg)
	return w
}

// opener stands for the session room: it opens without signing.
type opener struct {
	store sessionStore
	j     *journal
}

func (o opener) Open(ctx context.Context, call *audit.Call, req session.OpenRequest) (session.Tokens, error) {
	f := session.Family{
		TenantID: req.Tenant.ID, ID: secret.NewID(call.At), ClientID: req.Client.ID, OpenedBy: "test", Subject: req.User.ID, UserID: req.User.ID,
		Epoch: req.User.Epoch, Head: secret.RefreshHash(secret.Random(16)), HeadMinted: call.At, CreatedAt: call.At, LastSeen: call.At,
		IdleExpiry: call.At.Add(time.Hour), AbsoluteExpiry: call.At.Add(time.Hour), Device: req.Device, AuthTime: req.AuthTime, AMR: req.AMR,
		ParentID: req.ParentID, Binding: req.Binding, Version: 1,
	}
	if !req.AbsoluteExpiry.IsZero() {
		f.AbsoluteExpiry = req.AbsoluteExpiry
	}
	var reg *user.Registration
	switch {
	case req.Client.Settings.RequireRegistration:
		reg = &user.Registration{ClientID: req.Client.ID, Held: true}
	case req.User.Registration == nil:
		reg = &user.Registration{ClientID: req.Client.ID, Roles: req.Client.Settings.DefaultRoles, CreatedAt: call.At}
	}
	rec := audit.Record{Events: []audit.Event{call.Event(secret.NewID(call.At), "session.opened")}, Messages: req.Messages}
	o.j.note("Open", &rec)
	if err := o.store.Open(ctx, f, reg, rec); err != nil {
		return session.Tokens{}, err
	}
	return session.Tokens{Access: secret.NewText("access"), Refresh: secret.NewText("refresh"), Family: f,
		Holder: session.Holder{Present: true, Status: user.Active, Epoch: req.User.Epoch, Email: req.User.PrimaryEmail().Value}}, nil
}

// call comes from a network nobody called from before, with the given browser.
func (w *world) call(browser string) *audit.Call {
	n := w.networks.Add(1)
	return w.from(netip.AddrFrom4([4]byte{198, 18, byte(n >> 8), byte(n)}), browser)
}

func (w *world) from(a netip.Addr, browser string) *audit.Call {
	return &audit.Call{At: w.now, Wall: w.now, TenantID: w.t.ID, Actor: audit.Actor{Kind: "anonymous"}, Address: a, Agent: "test agent",
		Browser: browser, Trace: "trace", Face: "test"}
}

const goodPassword = "plum tractor 91"

// member makes an account the honest way and gives its id.
func (w *world) member(t *testing.T, email string) string {
	t.Helper()
	return w.memberWith(t, email, goodPassword)
}

func (w *world) memberWith(t *testing.T, email, pw string) string {
	t.Helper()
	must(t, w.register(w.call("own "+email), email, pw))
	p, err := w.verify(w.call("own "+email), w.token(t, email), "", "")
	must(t, err)
	w.now = w.now.Add(24 * time.Hour) // limits of the way here are forgotten
	w.j.take()
	return p.UserID
}

func (w *world) register(call *audit.Call, email, pw string) error {
	return w.svc.Register(context.Background(), call, login.RegisterRequest{
		Tenant: w.t, Client: w.shut, Email: email, Password: secret.NewText(pw), Name: "Name of " + call.Browser,
	})
}

func (w *world) login(call *audit.Call, c *tenant.Client, email, pw string) (login.PasswordResult, error) {
	return w.svc.Password(context.Background(), call, login.PasswordRequest{Tenant: w.t, Client: c, Email: email, Password: secret.NewText(pw)})
}

func (w *world) forgot(call *audit.Call, email string) error {
	return w.svc.Forgot(context.Background(), call, login.MailRequest{Tenant: w.t, Client: w.shut, Email: email})
}

func (w *world) resend(call *audit.Call, email string) error {
	return w.svc.Resend(context.Background(), call, login.MailRequest{Tenant: w.t, Client: w.shut, Email: email})
}

func (w *world) verify(call *audit.Call, token, pw, fresh string) (login.Proved, error) {
	return w.svc.VerifyEmail(context.Background(), call, login.VerifyRequest{
		Tenant: w.t, Token: secret.NewText(token), Password: secret.NewText(pw), NewPassword: secret.NewText(fresh),
	})
}

func (w *world) reset(call *audit.Call, token, pw string) (login.Proved, error) {
	return w.svc.Reset(context.Background(), call, login.ResetRequest{Tenant: w.t, Token: secret.NewText(token), Password: secret.NewText(pw)})
}

// token is the one in the newest mail to an address.
func (w *world) token(t *testing.T, email string) string {
	t.Helper()
	m := w.j.mail(email)
	if m.Link == "" {
		t.Fatalf("no link was mailed to %s (last mail %q)", email, m.Template)
	}
	return m.Link[strings.LastIndexByte(m.Link, '/')+1:]
}

// live is the session of a member who logged in just now.
func (w *world) live(userID, email string) session.Live {
	return session.Live{Loaded: session.Loaded{
		Family: session.Family{TenantID: w.t.ID, ID: secret.NewID(w.now), ClientID: w.shut.ID, Subject: userID, UserID: userID, AuthTime: w.now},
		Holder: session.Holder{Present: true, Status: user.Active, Email: email},
	}}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantReason(t *testing.T, what string, err error, want fault.Reason) {
	t.Helper()
	if got := fault.ReasonOf(err); got != want {
		t.Errorf("%s: %v, want reason %q", what, err, want)
	}
}
