package peers

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/testbed"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

const clientSecret = "a secret of the clients in tests, long enough"

// application is a client of the server at an address of its own. Every one shows at / who is signed on there, or sends the browser to sign on;
// at leave it logs out, here and at the issuer.
type application struct {
	client, address, leave, backchannel string
	goApp                               *goApp
}

func (a *application) url() string { return "http://" + a.address }

// serve runs a Go application at its address until the test ends.
func (a *application) serve(t *testing.T, h http.Handler) {
	t.Helper()
	l, err := net.Listen("tcp", a.address)
	ok(t, err)
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
}

// awaits waits until a program listens at the address of its application.
func (a *application) awaits(t *testing.T, gone func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; {
		if c, err := net.Dial("tcp", a.address); err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(end) || gone() {
			t.Fatalf("%s does not listen", a.client)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// world is a server that knows some applications; they are started apart.
type world struct {
	s    *server.Server
	apps map[string]*application
}

// places runs a story against one node on SQLite, and against two nodes on PostgreSQL that share an address.
func places(t *testing.T, story func(t *testing.T, at place)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { story(t, oneNode) })
	t.Run("two nodes on postgres", func(t *testing.T) { story(t, twoNodes) })
}

// place starts a server on a fresh store.
type place func(t *testing.T, o server.Options) *server.Server

func oneNode(t *testing.T, o server.Options) *server.Server { return server.Start(t, o) }

func twoNodes(t *testing.T, o server.Options) *server.Server {
	o.Store = testbed.Postgres(t)
	return server.StartPair(t, o).Server
}

// newWorld finds an address for each client and starts a server that knows them. A client called apache has that module's addresses.
func newWorld(t *testing.T, at place, clients ...string) *world {
	t.Helper()
	w := &world{apps: map[string]*application{}}
	config := strings.Builder{}
	config.WriteString(`
tenants:
- id: 0198c000-0000-7000-8000-000000000001
  slug: main
  name: Example
  test: true
  default_client: own
  oauth: {scopes: {plants: water your plants}}
  clients:
  - {id: own, name: Own, auto_register: true}
  - {id: tv, name: TV, auto_register: true, oauth: {grant_types: ["urn:ietf:params:oauth:grant-type:device_code", refresh_token]}}
`)
	algs := []string{"RS256", "ES256"} // by turns
	for i, id := range clients {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ok(t, err)
		a := &application{client: id, address: l.Addr().String(), leave: "/leave", backchannel: "/backchannel"}
		ok(t, l.Close())
		if strings.HasPrefix(id, "apache") {
			a.leave, a.backchannel = "/callback?logout=http%3A%2F%2F"+a.address+"%2Fbye", "/callback?logout=backchannel"
		}
		w.apps[id] = a
		_, _ = fmt.Fprintf(&config, `
  - id: %s
    name: %[1]s
    secret: env:PEERS_SECRET
    auto_register: true
    redirect_uris: ["http://127.0.0.1/callback"]
    oauth:
      grant_types: [authorization_code, refresh_token, client_credentials]
      scopes: [plants]
      id_token_alg: %s
      post_logout_redirect_uris: ["http://127.0.0.1/bye"]
      backchannel_logout_uri: "http://%s%s"
%s`, id, algs[i%len(algs)], a.address, a.backchannel, ownKeys[id].setting())
	}
	w.s = at(t, server.Options{Config: config.String(), Env: []string{"PEERS_SECRET=" + clientSecret}})
	return w
}

// ended waits until all of these applications, and the issuer, have forgotten the person: within two seconds of the logout before it, where the
// machine has nothing else to do. What it took is logged; a busy machine may take longer, and a logout that nobody sends takes for ever.
func (p *person) ended(apps ...*application) {
	p.t.Helper()
	began := time.Now()
	end := began.Add(20 * time.Second)
	for _, app := range apps {
		for p.does(http.MethodGet, app.url()+"/", nil); p.at.Path != "/ui/login"; p.does(http.MethodGet, app.url()+"/", nil) {
			if time.Now().After(end) {
				p.t.Fatalf("%s still knows the person after 20 s: %s%s (%d)", app.client, p.at.Host, p.at.Path, p.page.Status)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	p.t.Logf("all have forgotten the person after %s, promised in 2 s", time.Since(began).Round(time.Millisecond))
}

// peersOfOthers are the libraries of others, each as an application. A variant is one of them with other settings.
var peersOfOthers = []struct {
	name    string
	start   func(*testing.T, *server.Server, *application)
	variant bool
}{
	{name: "go-oidc", start: startGoApp},
	{name: "authlib", start: startAuthlib},
	{name: "authlib-rs256", start: startAuthlib, variant: true},
	{name: "authlib-es256", start: startAuthlib, variant: true},
	{name: "apache", start: startApache},
	{name: "apache-form", start: startApache, variant: true},
}

// TestLoginAndLogout: with each peer a person signs on, is known, leaves by the application (RP-initiated logout), signs on again, and is logged
// out there when all of their sessions end at the server (back-channel logout).
func TestLoginAndLogout(t *testing.T) {
	places(t, eachLogsInAndOut)
}

func eachLogsInAndOut(t *testing.T, at place) {
	for _, peer := range peersOfOthers {
		t.Run(peer.name, func(t *testing.T) {
			w := newWorld(t, at, peer.name)
			app := w.apps[peer.name]
			peer.start(t, w.s, app)
			p := newPerson(t, w.s, "peer")
			home, known := app.url()+"/", "signed on as "+p.known.Email
			p.goes(home)
			p.sees(home, known)
			p.goes(home)
			p.sees(home, known)
			p.goes(app.url() + app.leave)
			p.sees(app.url()+"/bye", "bye")
			p.ended(app)
			p.goes(home)
			p.sees(home, known)
			if p.asked != 2 {
				t.Fatalf("asked for the password %d times, want 2", p.asked)
			}
			if byForm := strings.HasSuffix(peer.name, "-form"); byForm != (p.posted > 0) {
				t.Errorf("%d answers came by form", p.posted)
			}
			access, _, err := p.known.Bearer(t.Context())
			ok(t, err)
			call(t, w.s.Visitor().With("Authorization", "Bearer "+access), 200, http.MethodPost, "/logout", map[string]any{"all": true})
			p.ended(app)
		})
	}
}

// TestOneSignOnForAll: who signed on at one application opens the others without a second prompt, and logging out of any ends all of them,
// whatever they are built on.
func TestOneSignOnForAll(t *testing.T) {
	names := []string{"second"}
	for _, peer := range peersOfOthers {
		if !peer.variant {
			names = append(names, peer.name)
		}
	}
	w := newWorld(t, oneNode, names...)
	for _, peer := range peersOfOthers {
		if !peer.variant {
			peer.start(t, w.s, w.apps[peer.name])
		}
	}
	startGoApp(t, w.s, w.apps["second"])
	for i, leaving := range names {
		p := newPerson(t, w.s, "sso")
		for j := range names {
			app := w.apps[names[(i+j+1)%len(names)]]
			p.goes(app.url() + "/")
			p.sees(app.url()+"/", "signed on as "+p.known.Email)
		}
		if p.asked != 1 {
			t.Fatalf("asked for the password %d times, want once", p.asked)
		}
		p.goes(w.apps[leaving].url() + w.apps[leaving].leave)
		p.sees(w.apps[leaving].url()+"/bye", "bye")
		p.ended(slices.Collect(maps.Values(w.apps))...)
	}
}
