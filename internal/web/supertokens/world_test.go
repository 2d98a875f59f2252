package supertokens_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/servicekey"
	"github.com/gatehouse-auth/gatehouse/internal/servicetoken"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
	"github.com/gatehouse-auth/gatehouse/internal/web"
	"github.com/gatehouse-auth/gatehouse/internal/web/supertokens"
)

// world is a store with tenants and keys, and the nodes that serve it. Tests share its tenants and keep apart by their subjects.
type world struct {
	store  *sqlstore.Store
	node   *node
	main   *tenant.Tenant // the only one that paths without an app may mean
	key    string         // of main: everything
	weak   string         // of main: sessions and users, no apps
	past   atomic.Int64   // nanoseconds the clock was moved
	client string
	start  time.Time
	home   string // of paths without an app, once there are several tenants
}

// node is one process: services, face and hallway.
type node struct {
	hall     *web.Hall
	dir      *tenant.Directory
	tokens   *token.Service
	sessions *session.Service
}

const (
	issuer     = "https://login.example.com"
	accessLife = 15 * time.Minute
	idle       = 48 * time.Hour
	absolute   = 96 * time.Hour
)

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.past.Load())) }

// pass moves the clock of every node.
func (w *world) pass(d time.Duration) { w.past.Add(int64(d)) }

func newWorld(t testing.TB, store *sqlstore.Store) *world {
	t.Helper()
	w := &world{store: store, client: "app"}
	w.start = w.now()
	id := secret.NewID(w.now())
	main := tenant.Tenant{
		ID: id, Slug: "main", Name: "Main", Issuer: issuer, ManagedBy: "file",
		Policy: tenant.Policy{DefaultClient: "app", Lives: tenant.Lives{
			AccessS: int64(accessLife / time.Second), RefreshIdleS: int64(idle / time.Second), RefreshMaxS: int64(absolute / time.Second),
		}},
	}
	client := tenant.Client{TenantID: id, ID: "app", Name: "App", ManagedBy: "file", Settings: tenant.ClientSettings{ClientAuth: true}}
	ok(t, store.Tenants().Put(t.Context(), []tenant.Tenant{main}, []tenant.Client{client}, audit.Record{}))
	w.key = w.newKey(t, id, servicekey.SuperScopes()...)
	w.weak = w.newKey(t, id, servicekey.ScopeSuper)
	w.node = w.newNode(t)
	w.main = w.node.dir.ByID(id)
	return w
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) newKey(t testing.TB, tenantID string, scopes ...string) string {
	t.Helper()
	k, text, err := servicekey.New(tenantID, "test", scopes, w.now())
	ok(t, err)
	ok(t, w.store.ServiceKeys().Add(t.Context(), k, audit.Record{}))
	return text.Reveal()
}

// newNode starts a process on the store. Its keys are there when it returns.
func (w *world) newNode(t testing.TB) *node {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	n := &node{dir: tenant.NewDirectory(w.store.Tenants(), w.now)}
	ring := secret.NewRing()
	n.tokens = token.New(w.store.Keys(), ring, n.dir, token.Config{Now: w.now, Log: log, ReloadEvery: 20 * time.Millisecond})
	ok(t, n.tokens.EnsureRing(t.Context(), masters(t)))
	ok(t, n.dir.Refresh(t.Context()))
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); n.tokens.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	n.sessions = session.New(w.store.Sessions(), n.tokens, ring, session.Config{Log: log})
	n.serve(t, w, log)
	for _, tn := range n.dir.All() {
		within(t, "keys", func() bool { return n.tokens.Ready(tn.ID) && n.tokens.CanSign(tn.ID, token.Static, "") })
	}
	return n
}

func (n *node) serve(t testing.TB, w *world, log *slog.Logger) {
	t.Helper()
	var err error
	n.hall, err = web.New(web.Config{Directory: n.dir, Now: w.now, Log: log, Dev: true})
	ok(t, err)
	f, err := supertokens.New(supertokens.Config{
		Directory: n.dir, ServiceKeys: servicekey.NewService(w.store.ServiceKeys(), log), Organisations: w.store.Organisations(), Keys: n.tokens,
		Sessions: n.sessions, Users: w.store.Users(), Services: servicetoken.New(w.store.ServiceTokens(), n.tokens, n.dir), Ping: w.store.Ping,
	})
	ok(t, err)
	ok(t, n.hall.Mount(f.Routes()))
}

func masters(t testing.TB) secret.Masters {
	t.Helper()
	m, err := secret.ParseMaster("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff")
	ok(t, err)
	return secret.Masters{m}
}

func within(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// tell is a call as the libraries make it; the zero value is one in the newest version without a key.
type tell struct {
	method, path string
	body         any // JSON, or a string as it is
	key          string
	version      string
	header       map[string]string
}

// heard is its answer.
type heard struct {
	code   int
	kind   string // Content-Type
	header http.Header
	text   string
	json   map[string]any
}

func (n *node) call(t testing.TB, c tell) heard {
	t.Helper()
	var body io.Reader = http.NoBody
	switch v := c.body.(type) {
	case nil:
	case string:
		body = strings.NewReader(v)
	default:
		raw, err := json.Marshal(v)
		ok(t, err)
		body = bytes.NewReader(raw)
	}
	r := httptest.NewRequest(c.method, "http://127.0.0.1"+c.path, body)
	r.RemoteAddr = "127.0.0.1:9"
	for name, value := range map[string]string{"api-key": c.key, "cdi-version": c.version, "content-type": "application/json; charset=utf-8"} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	for name, value := range c.header {
		r.Header.Set(name, value)
	}
	rec := httptest.NewRecorder()
	n.hall.ServeHTTP(rec, r)
	h := heard{code: rec.Code, kind: rec.Header().Get("Content-Type"), header: rec.Header(), text: rec.Body.String()}
	if strings.HasPrefix(h.kind, "application/json") {
		d := json.NewDecoder(strings.NewReader(h.text))
		d.UseNumber()
		ok(t, d.Decode(&h.json))
	}
	return h
}

// asked is a call that must be answered 200 with JSON of the right type.
func (w *world) asked(t testing.TB, method, path string, body any) map[string]any {
	t.Helper()
	return w.spoken(t, "", method, path, body)
}

func (w *world) spoken(t testing.TB, version, method, path string, body any) map[string]any {
	t.Helper()
	h := w.node.call(t, tell{method: method, path: w.home + "/supertokens" + path, body: body, key: w.key, version: version})
	if h.code != 200 || h.kind != "application/json; charset=UTF-8" || h.json == nil {
		t.Fatalf("%s %s: %d %s %s", method, path, h.code, h.kind, h.text)
	}
	return h.json
}

type object = map[string]any

// at reads a value below objects.
func at(t testing.TB, v any, path ...string) any {
	t.Helper()
	for _, name := range path {
		o, isObject := v.(object)
		if !isObject || o[name] == nil {
			t.Fatalf("no %s in %v", strings.Join(path, "."), v)
		}
		v = o[name]
	}
	return v
}

func text(t testing.TB, v any, path ...string) string {
	t.Helper()
	s, isText := at(t, v, path...).(string)
	if !isText {
		t.Fatalf("%s is no text", strings.Join(path, "."))
	}
	return s
}

// parts decodes header and claims of a token.
func parts(t testing.TB, raw string) (header, claims object) {
	t.Helper()
	p := strings.Split(raw, ".")
	if len(p) != 3 {
		t.Fatalf("no token: %q", raw)
	}
	for i, into := range []*object{&header, &claims} {
		plain, err := base64.RawURLEncoding.DecodeString(p[i])
		ok(t, err)
		d := json.NewDecoder(bytes.NewReader(plain))
		d.UseNumber()
		ok(t, d.Decode(into))
	}
	return header, claims
}

// opened is a session as its holder knows it.
type opened struct {
	handle, access, refresh, antiCSRF string
}

func sessionOf(t testing.TB, reply object) opened {
	t.Helper()
	o := opened{handle: text(t, reply, "session", "handle"), access: text(t, reply, "accessToken", "token"), refresh: text(t, reply, "refreshToken", "token")}
	o.antiCSRF, _ = reply["antiCsrfToken"].(string)
	return o
}

func creation(subject string) object {
	return object{"userId": subject, "userDataInJWT": object{}, "userDataInDatabase": object{}, "enableAntiCsrf": false}
}

func (w *world) open(t testing.TB, subject string) opened {
	t.Helper()
	return sessionOf(t, w.asked(t, "POST", "/recipe/session", creation(subject)))
}

func (w *world) refresh(t testing.TB, token string) object {
	t.Helper()
	return w.asked(t, "POST", "/recipe/session/refresh", refreshing(token))
}

func refreshing(token string) object {
	return object{"refreshToken": token, "enableAntiCsrf": false, "useDynamicSigningKey": true}
}

func verifying(token string, stored bool) object {
	return object{"accessToken": token, "doAntiCsrfCheck": false, "enableAntiCsrf": false, "checkDatabase": stored}
}

func (w *world) verify(t testing.TB, token string, stored bool) object {
	t.Helper()
	return w.asked(t, "POST", "/recipe/session/verify", verifying(token, stored))
}

// status wants the word, and a message beside those that some libraries need one with.
func status(t testing.TB, reply object, want string) object {
	t.Helper()
	if reply["status"] != want {
		t.Fatalf("status %v, want %s: %v", reply["status"], want, reply)
	}
	if want == "UNAUTHORISED" || want == "TRY_REFRESH_TOKEN" {
		text(t, reply, "message")
	}
	return reply
}
