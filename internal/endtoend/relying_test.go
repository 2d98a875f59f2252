package endtoend

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// promised is how soon applications hear of a logout on a machine with nothing else to do; what it took is logged beside it.
const promised = 2 * time.Second

// patience is how long tests wait for what is promised sooner: enough for a busy machine, where time is nobody's fault, and less than the 30 s
// after which a message that somebody dropped is sent by chance, or the minutes after which a token dies of age. What was promised is logged
// beside what it took.
const patience = 20 * time.Second

// heard is one logout token as it came.
type heard struct {
	raw    string
	at     time.Time
	status int // that it was answered with
}

// relying is an application with a back-channel endpoint: a public client, so that nothing here hangs on a secret.
type relying struct {
	client string
	server *httptest.Server
	status func(n int) int // of the answer to the n-th token, from 0; nil is always 200
	hangs  bool            // takes the connection and never answers

	mu    sync.Mutex
	heard []heard
}

// rely listens for logout tokens until the test ends.
func rely(t *testing.T, client string) *relying {
	r := &relying{client: client}
	r.server = httptest.NewServer(r)
	t.Cleanup(r.server.Close)
	return r
}

// ServeHTTP implements http.Handler.
func (r *relying) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	raw := q.PostFormValue("logout_token") // before the hanging, so that the end of the connection is noticed
	if r.hangs {
		<-q.Context().Done()
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	status := http.StatusOK
	if r.status != nil {
		status = r.status(len(r.heard))
	}
	r.heard = append(r.heard, heard{raw, time.Now(), status})
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
}

// of gives what was heard about a session.
func (r *relying) of(t *testing.T, sid string) (out []heard) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range r.heard {
		if claim(t, h.raw, "sid") == sid {
			out = append(out, h)
		}
	}
	return out
}

// reliers is the configuration of a tenant whose clients these are.
func reliers(apps ...*relying) string {
	var b strings.Builder
	b.WriteString(`
tenants:
- id: 0198c000-0000-7000-8000-000000000001
  slug: main
  name: Example
  test: true
  default_client: own
  clients:
  - {id: own, name: Own, auto_register: true}
`)
	for i, r := range apps {
		_, _ = fmt.Fprintf(&b, `
  - id: %s
    name: %[1]s
    auto_register: true
    redirect_uris: ["http://127.0.0.1/callback"]
    oauth:
      id_token_alg: %s
      post_logout_redirect_uris: ["http://127.0.0.1/bye"]
      backchannel_logout_uri: "%s/logout"
`, r.client, []string{"RS256", "ES256", "EdDSA"}[i%3], r.server.URL)
	}
	return b.String()
}

// opened is a person's session at an application.
type opened struct {
	app                   *relying
	sid, subject          string
	idToken, refreshToken string
}

// surfer is somebody with a browser at the issuer; what leads elsewhere it does not follow.
func surfer(t *testing.T, s *server.Server, p *drill.Person) *party {
	return (&party{peer: &peer{t: t, URL: "http://127.0.0.1:1"}, s: s, p: p}).in(t)
}

// opens signs on at an application; with prompt none only if the browser is signed on already.
func (a *party) opens(app *relying, prompt string) opened {
	a.t.Helper()
	q := url.Values{
		"client_id": {app.client}, "redirect_uri": {a.URL + "/callback"}, "response_type": {"code"}, "scope": {"openid offline_access"},
		"state": {"s"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}
	if prompt != "" {
		q.Set("prompt", prompt)
	}
	back := a.visits(a.s.URL + "/oauth2/authorize?" + q.Encode()).Query()
	if back.Get("code") == "" {
		a.t.Fatalf("%s hears error %q", app.client, back.Get("error"))
	}
	r, err := a.s.Visitor().Post(a.t.Context(), "/oauth2/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Get("code")}, "redirect_uri": {a.URL + "/callback"}, "client_id": {app.client},
		"code_verifier": {verifier},
	})
	must(a.t, "the code of "+app.client, r, err, 200)
	o := opened{app: app, idToken: r.Text("id_token"), refreshToken: r.Text("refresh_token")}
	o.sid, o.subject = claim(a.t, o.idToken, "sid"), claim(a.t, o.idToken, "sub")
	if o.sid == "" || o.refreshToken == "" {
		a.t.Fatalf("%s got no sid or no refresh token", app.client)
	}
	return o
}

// hears waits until the application has taken a logout token of the session, checks every one that came, and gives them.
func (o *opened) hears(t *testing.T, s *server.Server, since time.Time) []heard {
	t.Helper()
	var all []heard
	until(t, patience, o.app.client+" hears of the logout", func() bool {
		all = o.app.of(t, o.sid)
		return len(all) > 0 && all[len(all)-1].status == http.StatusOK
	})
	took := all[len(all)-1].at.Sub(since)
	t.Logf("%s: heard after %s at try %d, promised in %s at the first", o.app.client, took.Round(time.Millisecond), len(all), promised)
	set := jwks(t.Context(), t, s)
	for _, h := range all {
		o.checks(t, s, &set, h)
	}
	return all
}

// logoutClaims is OpenID Connect Back-Channel Logout 1.0 section 2.4; nonce is there to be found absent.
type logoutClaims struct {
	Issuer   string                     `json:"iss"`
	Subject  string                     `json:"sub"`
	Audience string                     `json:"aud"`
	IssuedAt int64                      `json:"iat"`
	Expiry   int64                      `json:"exp"`
	ID       string                     `json:"jti"`
	SID      string                     `json:"sid"`
	Events   map[string]json.RawMessage `json:"events"`
	Nonce    *string                    `json:"nonce"`
}

// checks verifies a logout token as section 2.6 says, with a library that knows nothing of this server.
func (o *opened) checks(t *testing.T, s *server.Server, set *jose.JSONWebKeySet, h heard) {
	t.Helper()
	var c logoutClaims
	signed, err := jose.ParseSignedCompact(h.raw, []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA})
	do(t, err)
	header := signed.Signatures[0].Protected
	keys := set.Key(header.KeyID)
	if len(keys) != 1 || keys[0].Algorithm != header.Algorithm {
		t.Fatalf("%s: %d keys for kid %q and %s", o.app.client, len(keys), header.KeyID, header.Algorithm)
	}
	text, err := signed.Verify(keys[0])
	do(t, err)
	do(t, json.Unmarshal(text, &c))
	if c.ID == "" || c.Expiry <= c.IssuedAt || c.Expiry-c.IssuedAt > 120 || h.at.Unix() < c.IssuedAt-5 {
		t.Errorf("%s: jti %q, from %d to %d, heard at %d", o.app.client, c.ID, c.IssuedAt, c.Expiry, h.at.Unix())
	}
	want := logoutClaims{
		Issuer: s.Issuer, Subject: o.subject, Audience: o.app.client, SID: o.sid, IssuedAt: c.IssuedAt, Expiry: c.Expiry, ID: c.ID,
		Events: map[string]json.RawMessage{"http://schemas.openid.net/event/backchannel-logout": json.RawMessage("{}")},
	}
	if d := cmp.Diff(want, c); d != "" || header.ExtraHeaders[jose.HeaderType] != "logout+jwt" {
		t.Errorf("%s: typ %v, claims (-want +got):\n%s", o.app.client, header.ExtraHeaders[jose.HeaderType], d)
	}
}

// isDead fails unless the refresh token of the session is refused.
func (o *opened) isDead(t *testing.T, s *server.Server) {
	t.Helper()
	r, err := s.Visitor().Post(t.Context(), "/oauth2/token", url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {o.refreshToken}, "client_id": {o.app.client},
	})
	if must(t, o.app.client+": a refresh after the logout", r, err, 400); r.Text("error") != "invalid_grant" {
		t.Errorf("%s: a refresh after the logout is refused with %q", o.app.client, r.Text("error"))
	}
}

// lives fails unless it works.
func (o *opened) lives(t *testing.T, s *server.Server) {
	t.Helper()
	r, err := s.Visitor().Post(t.Context(), "/oauth2/token", url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {o.refreshToken}, "client_id": {o.app.client},
	})
	must(t, o.app.client+": a refresh", r, err, 200)
	if got := o.app.of(t, o.sid); len(got) != 0 {
		t.Errorf("%s was told of the end of a session that goes on", o.app.client)
	}
}
