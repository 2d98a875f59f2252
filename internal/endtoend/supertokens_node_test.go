package endtoend

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

const (
	refreshPath = "/auth/session/refresh"
	password    = "correct horse battery 1" // the library wants a number in it
)

// superWorld is servers on one store, and an application on SuperTokens' Node library that takes all of them for its core.
type superWorld struct {
	nodes []*server.Server
	uri   string // the application's connectionURI
	key   string
	store string // as GATEHOUSE_STORE__URL has it
	app   *peer  // with the recipes and settings most applications have
	bare  *peer  // sessions of any subject: no recipe that asks who it is
}

func newSuperWorld(t *testing.T, o server.Options, nodes int) *superWorld {
	t.Helper()
	w := &superWorld{store: storeOf(o)}
	if o.Data == "" {
		o.Data = t.TempDir() // a development server's master key is there: nodes share it
	}
	for range nodes {
		s := server.Start(t, o)
		w.nodes = append(w.nodes, s)
		if w.uri != "" {
			w.uri += ";"
		}
		w.uri += strings.Replace(s.URL, "localhost", "127.0.0.1", 1) + "/supertokens"
	}
	w.key = w.nodes[0].SuperKey
	w.app, w.bare = w.newApp(t, nil), w.newApp(t, object{"mailbox": "OFF", "jwksRefreshIntervalSec": 1})
	return w
}

// newApp starts an application with other settings.
func (w *superWorld) newApp(t *testing.T, more object) *peer {
	t.Helper()
	config := object{"core": w.uri, "apiKey": w.key}
	maps.Copy(config, more)
	return startNode(t, "api.mjs", config)
}

// in is the world for a subtest.
func (w *superWorld) in(t *testing.T) *superWorld {
	c := *w
	c.app, c.bare = w.app.in(t), w.bare.in(t)
	return &c
}

// TestSuperTokensNode runs the Node library of SuperTokens, as published, against the built binary: one node, and two nodes of which the library
// takes another one for each call.
func TestSuperTokensNode(t *testing.T) {
	stories := []struct {
		name string
		tell func(*testing.T, *superWorld)
	}{
		{"service tokens", superServiceTokens}, {"only the jwt recipe", superOnlyJWT}, {"planted source", superPlanted},
		{"like-comment", superLikeComment},
		{"session in cookies", superCookies}, {"session in headers", superHeaders}, {"theft", superTheft}, {"lost answers", superLostAnswers},
		{"revoke", superRevoke}, {"anti-csrf", superAntiCSRF}, {"claims and roles", superRoles}, {"payload and data", superPayload},
		{"static keys", superStaticSessions}, {"a thousand sessions", superThousand},
		{"sign-up and sign-in", superSignUp}, {"mailbox", superMailbox}, {"one logout", superOneLogout}, {"password reset", superReset},
		{"users", superUsers}, {"metadata", superMetadata}, {"tenants", superTenants}, {"wrong key", superWrongKey},
		{"expiry", superExpiry}, // the last: it moves the clock
	}
	for name, start := range map[string]func(*testing.T) *superWorld{
		"sqlite":                func(t *testing.T) *superWorld { return newSuperWorld(t, server.Options{}, 1) },
		"two nodes on postgres": func(t *testing.T) *superWorld { return newSuperWorld(t, server.Options{Store: testbed.Postgres(t)}, 2) },
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			for _, s := range stories {
				t.Run(s.name, func(t *testing.T) { s.tell(t, w.in(t)) })
			}
		})
	}
}

// form is the body of the library's own sign-in and sign-up routes.
func form(email, password string) object {
	return object{"formFields": []object{{"id": "email", "value": email}, {"id": "password", "value": password}}}
}

// signedUp is somebody new with a browser and a session, through the library's own route.
func (w *superWorld) signedUp(t *testing.T, name string) (b *tab, id, email string) {
	t.Helper()
	b, email = w.app.tab().with("st-auth-mode", "cookie"), drill.Fresh(name)
	r := b.want(200, http.MethodPost, "/auth/signup", form(email, password))
	if id = digText(r.json, "user.id"); digText(r.json, "status") != "OK" || id == "" {
		t.Fatalf("sign-up: %s", r.body)
	}
	return b, id, email
}

// opened is a browser with a session of any subject.
func (p *peer) opened(mode string, body object) (*tab, *seen) {
	p.t.Helper()
	b := p.tab().with("st-auth-mode", mode)
	r := b.want(200, http.MethodPost, "/sessions", body)
	if mode == "header" {
		b = b.with("Authorization", "Bearer "+r.header.Get("st-access-token"))
	}
	return b, r
}

func superWrongKey(t *testing.T, w *superWorld) {
	w.key = "gk-0000000000000000000000000000000000000000000000000000000000000000"
	if v, failure := w.newApp(t, nil).try("JWT.createJWT", object{}); failure == "" || !strings.Contains(failure, "Invalid API key") {
		t.Fatalf("with a wrong key: %v, %q", v, failure)
	}
}
