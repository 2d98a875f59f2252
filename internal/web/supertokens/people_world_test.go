package supertokens_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/delivery"
	"github.com/gatehouse-auth/gatehouse/internal/ephemeral"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/recipe"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/servicekey"
	"github.com/gatehouse-auth/gatehouse/internal/servicetoken"
	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
	"github.com/gatehouse-auth/gatehouse/internal/web"
	"github.com/gatehouse-auth/gatehouse/internal/web/loginapi"
	"github.com/gatehouse-auth/gatehouse/internal/web/supertokens"
)

// people is a world with everything about people: this face and the login API over the same rooms.
type people struct {
	*world
	logins    *login.Service
	passwords *credential.Passwords
	post      *post
	serial    atomic.Int64
}

// post keeps the mails that would be sent.
type post struct {
	login.Store
	ring *secret.Ring
	mu   sync.Mutex
	sent []delivery.Mail
}

func (p *post) keep(rec audit.Record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range rec.Messages {
		var mail delivery.Mail
		plain, err := p.ring.Open("outbox mail", nil, m.Sealed)
		if err != nil || json.Unmarshal(plain, &mail) != nil {
			panic(fmt.Sprint("a message does not open: ", err))
		}
		if m.Kind == delivery.KindMail {
			p.sent = append(p.sent, mail)
		}
	}
}

func (p *post) SaveAttempt(ctx context.Context, a login.Attempt, rec audit.Record) error {
	p.keep(rec)
	return p.Store.SaveAttempt(ctx, a, rec)
}

func (p *post) SaveTicket(ctx context.Context, k login.Ticket, rec audit.Record) error {
	p.keep(rec)
	return p.Store.SaveTicket(ctx, k, rec)
}

// token is the one of the newest mail with a link to an address.
func (p *post) token(t testing.TB, to string) string {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.sent) - 1; i >= 0; i-- {
		if m := p.sent[i]; m.To == to && m.Link != "" {
			return m.Link[strings.LastIndexByte(m.Link, '/')+1:]
		}
	}
	t.Fatalf("no mail to %s", to)
	return ""
}

func newPeople(t testing.TB, store *sqlstore.Store) *people {
	t.Helper()
	p := &people{world: newWorld(t, store)}
	key := func(id uint32, purpose secret.Purpose) secret.RingKey {
		return secret.RingKey{ID: id, Purpose: purpose, Key: []byte(strings.Repeat(string(rune('a'+id)), 32)), Active: true}
	}
	ring := secret.NewRing(key(1, secret.PurposeSeal), key(2, secret.PurposeMAC), key(3, secret.PurposePepper))
	p.passwords = credential.NewPasswords(ring, credential.Config{MemoryKiB: 64, Passes: 1, Queue: 4096, Wait: time.Minute})
	p.post = &post{Store: store.Logins(), ring: ring}
	memory, log := ephemeral.NewMemory(), slog.New(slog.DiscardHandler)
	p.logins = login.New(login.Config{
		Store: p.post, Janitor: store.Janitor(), Credentials: store.Credentials(), Users: store.Users(), Sessions: p.node.sessions,
		Recorder: store.Sessions(), Passwords: p.passwords, Limits: memory, Values: memory, Ring: ring, Directory: p.node.dir,
		PublicURL: issuer, Log: log, Beat: -1,
	})
	p.mount(t, log)
	return p
}

// mount puts a hallway with both faces in the place of the world's own.
func (p *people) mount(t testing.TB, log *slog.Logger) {
	t.Helper()
	s, n := p.store, p.node
	rules, err := recipe.New(recipe.Config{
		Accounts: s.Accounts(), People: s.People(), Tokens: s.RecipeTokens(), Roles: s.AppRoles(), Metadatas: s.Metadatas(),
		Externals: s.Externals(), Organisations: s.Divisions(), Apps: s.Apps(), Tenants: s.Tenants(), Directory: n.dir, Passwords: p.passwords,
	})
	ok(t, err)
	keys, services := servicekey.NewService(s.ServiceKeys(), log), servicetoken.New(s.ServiceTokens(), n.tokens, n.dir)
	f, err := supertokens.New(supertokens.Config{
		Directory: n.dir, ServiceKeys: keys, Organisations: s.Organisations(), Keys: n.tokens, Sessions: n.sessions, Users: s.Users(),
		Services: services, Ping: s.Ping, Recipe: rules, Passwords: p.logins,
	})
	ok(t, err)
	api, err := loginapi.New(loginapi.Config{
		Logins: p.logins, Profiles: p.logins, Handoffs: p.logins, Devices: p.logins, Sessions: n.sessions, Users: s.Users(), Keys: n.tokens,
		ServiceKeys: keys, ServiceTokens: services, Version: "test",
	})
	ok(t, err)
	n.hall, err = web.New(web.Config{Directory: n.dir, Now: p.now, Log: log, Dev: true})
	ok(t, err)
	ok(t, n.hall.Mount(f.Routes()))
	ok(t, n.hall.Mount(api.Routes()))
}

// eachPeople runs a test in a fresh world on every engine.
func eachPeople(t *testing.T, test func(t *testing.T, p *people)) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) { test(t, newPeople(t, s)) })
}

// The dialects that differ.
const (
	newest = "5.4"
	oldest = "3.0"
)

// say is a call in a version that must be answered 200 with the status.
func (p *people) say(t testing.TB, version, method, path string, body any, want string) object {
	t.Helper()
	got := p.spoken(t, version, method, path, body)
	if got["status"] != want {
		t.Fatalf("%s %s: status %v, want %s: %v", method, path, got["status"], want, got)
	}
	return got
}

// do is say in the newest version.
func (p *people) do(t testing.TB, method, path string, body any, want string) object {
	t.Helper()
	return p.say(t, newest, method, path, body, want)
}

// refuse is a call that must be refused in plain text, which is given.
func (p *people) refuse(t testing.TB, method, path string, body any, code int) string {
	t.Helper()
	h := p.node.call(t, tell{method: method, path: "/supertokens" + path, body: body, key: p.key, version: newest})
	if h.code != code || !strings.HasPrefix(h.kind, "text/plain") {
		t.Fatalf("%s %s: %d %s %s, want %d", method, path, h.code, h.kind, h.text, code)
	}
	return h.text
}

const password = "a password of some length 7"

func (p *people) address() string { return fmt.Sprintf("u%d@example.com", p.serial.Add(1)) }

// signUp gives the id of a new account.
func (p *people) signUp(t testing.TB, email string) string {
	t.Helper()
	got := p.do(t, "POST", "/recipe/signup", object{"email": email, "password": password}, "OK")
	return text(t, got, "user", "id")
}

// prove lets an account prove its mailbox here.
func (p *people) prove(t testing.TB, id, email string) {
	t.Helper()
	token := text(t, p.do(t, "POST", "/recipe/user/email/verify/token", object{"userId": id, "email": email}, "OK"), "token")
	p.do(t, "POST", "/recipe/user/email/verify", object{"method": "token", "token": token}, "OK")
}

// native is a call of the login API.
func (p *people) native(t testing.TB, path string, body object, header ...string) heard {
	t.Helper()
	c := tell{method: "POST", path: path, body: body, header: map[string]string{"X-Client-Id": p.client}}
	for i := 0; i+1 < len(header); i += 2 {
		c.header[header[i]] = header[i+1]
	}
	return p.node.call(t, c)
}

func (p *people) login(t testing.TB, email, pw string) heard {
	t.Helper()
	return p.native(t, "/login/password", object{"email": email, "password": pw})
}

// refused wants a refusal of the login API.
func refused(t testing.TB, h heard, code int, reason string) {
	t.Helper()
	var problem struct{ Reason string }
	_ = json.Unmarshal([]byte(h.text), &problem)
	if h.code != code || problem.Reason != reason {
		t.Fatalf("%d %s, want %d %s", h.code, h.text, code, reason)
	}
}

// register signs up natively and proves the mailbox.
func (p *people) register(t testing.TB, email, pw string) {
	t.Helper()
	if h := p.native(t, "/register", object{"email": email, "password": pw}); h.code != 202 {
		t.Fatalf("register: %d %s", h.code, h.text)
	}
	out, err := p.logins.VerifyEmail(t.Context(), p.callOf("victim"), login.VerifyRequest{
		Tenant: p.main, Token: secret.NewText(p.post.token(t, email)), Password: secret.NewText(pw),
	})
	ok(t, err)
	if out.UserID == "" {
		t.Fatal("nobody was proved")
	}
}

func (p *people) callOf(browser string) *audit.Call {
	at := p.now().UTC().Truncate(time.Microsecond)
	return &audit.Call{At: at, Wall: at, TenantID: p.main.ID, Actor: audit.Actor{Kind: "anonymous"}, Browser: browser, Trace: "test", Face: "test"}
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}
