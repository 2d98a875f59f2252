package endtoend

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
	"github.com/gatehouse-auth/gatehouse/internal/token/kind"
)

// receiver is an application's back-channel endpoint, which can be down.
type receiver struct {
	address string
	mu      sync.Mutex
	tokens  []string
}

// reserve finds an address where nobody listens yet.
func reserve(t *testing.T) *receiver {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return &receiver{address: l.Addr().String()}
}

// up starts to listen.
func (r *receiver) up(t *testing.T) {
	l, err := net.Listen("tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: r, ReadHeaderTimeout: time.Second}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
}

// ServeHTTP implements http.Handler.
func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tokens = append(r.tokens, q.PostFormValue("logout_token"))
	w.Header().Set("Cache-Control", "no-store")
}

// logout waits for the logout token of a session and checks it as OpenID Connect Back-Channel Logout 1.0 section 2.6 says.
func (r *receiver) logout(t *testing.T, s *server.Server, sid string, within time.Duration) {
	t.Helper()
	jwks, err := s.Visitor().Get(t.Context(), "/.well-known/jwks.json")
	must(t, "JWKS", jwks, err, 200)
	keys, err := jose.ParseJWKS(jwks.Body)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	defer func() {
		t.Logf("heard after %s, promised in %s while it is up", time.Since(began).Round(time.Millisecond), promised)
	}()
	until(t, within, "the application hears of the logout", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, raw := range r.tokens {
			tok, err := jose.Verify(jose.Rules{Types: kind.Logout.Types, Issuer: "example", Audience: s.ClientID, Leeway: time.Minute}, keys, raw, time.Now())
			if err != nil {
				t.Errorf("a logout token that is none: %v", err)
				return true
			}
			events, _ := tok.Claim("events")
			_, nonce := tok.Claim("nonce")
			if !kind.Logout.Fits(tok) || nonce || tok.ID == "" || string(events) != `{"http://schemas.openid.net/event/backchannel-logout":{}}` {
				t.Errorf("claims %v", tok.Claims)
			}
			var got string
			if raw, ok := tok.Claim("sid"); ok && json.Unmarshal(raw, &got) == nil && got == sid {
				return true
			}
		}
		return false
	})
}

func toldTenant(r *receiver) string {
	return strings.Replace(eagerTenant, "{id: demo, name: Demo, auto_register: true}",
		`{id: demo, name: Demo, auto_register: true, oauth: {backchannel_logout_uri: "http://`+r.address+`/logout"}}`, 1)
}

func sidOf(ctx context.Context, t *testing.T, s *server.Server, p *drill.Person) (access, sid string) {
	t.Helper()
	access, _ = bearer(ctx, t, p)
	return access, claim(t, access, "sid")
}

// TestBackChannelLogout: whatever ends a session at the server tells its application, or, when that is down or the server is killed between the
// commit and the sending, as soon as both are back.
func TestBackChannelLogout(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		ctx, app := t.Context(), reserve(t)
		o.Config, o.Data = toldTenant(app), t.TempDir()
		s := server.Start(t, o)
		p := signUp(ctx, t, s, "told")
		access, sid := sidOf(ctx, t, s, p)
		r, err := s.Logout(ctx, access)
		must(t, "logout while the application is down", r, err, 200)
		s.Kill()
		s = server.Start(t, o)
		p.Visitor = s.Visitor()
		app.up(t)
		app.logout(t, s, sid, 40*time.Second)

		access, sid = sidOf(ctx, t, s, p)
		_, second := sidOf(ctx, t, s, p)
		r, err = s.Visitor().With("Authorization", "Bearer "+access).Post(ctx, "/logout", map[string]bool{"all": true})
		must(t, "logout of all", r, err, 200)
		app.logout(t, s, sid, patience)
		app.logout(t, s, second, patience)
	})
}
