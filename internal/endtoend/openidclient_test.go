package endtoend

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// Secrets of the clients of relyingParties.
const (
	webSecret = "the web application keeps this one"
	jobSecret = "and the nightly job keeps that one"
)

// relyingParties is a tenant whose clients cover the ways to authenticate; KEYS stands for the public keys of "signer".
const relyingParties = `
tenants:
- id: 0198c000-0000-7000-8000-000000000001
  slug: main
  name: Example
  test: true
  default_client: web
  oauth: {scopes: {plants: water your plants}, registration: true}
  clients:
  - id: web
    name: Web
    secret: env:WEB_SECRET
    redirect_uris: ["http://127.0.0.1/callback"]
    oauth: {post_logout_redirect_uris: ["http://127.0.0.1/bye"]}
  - id: spa
    name: Native
    auto_register: true
    redirect_uris: ["http://127.0.0.1/callback"]
    oauth: {id_token_alg: ES256}
  - {id: tv, name: Television, oauth: {grant_types: ["urn:ietf:params:oauth:grant-type:device_code", refresh_token]}}
  - {id: job, name: Job, secret: env:JOB_SECRET, oauth: {grant_types: [client_credentials], token_endpoint_auth_method: client_secret_post, scopes: [plants]}}
  - id: signer
    name: Signer
    auto_register: true
    redirect_uris: ["http://127.0.0.1/callback"]
    oauth: {grant_types: [authorization_code, refresh_token, client_credentials], token_endpoint_auth_method: private_key_jwt, scopes: [plants], jwks: KEYS}
`

// party is openid-client as a relying party of the server, and the person whom it sends there.
type party struct {
	*peer
	s     *server.Server
	pair  *server.Pair // nil for a single node
	store string       // its URL, "" for SQLite
	p     *drill.Person
	asked int // for a password
}

// clientKey is a key pair of a client as JWKs.
func clientKey(t *testing.T) (private, public map[string]string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	do(t, err)
	d, err := k.Bytes()
	do(t, err)
	q, err := k.PublicKey.Bytes() // 4, x, y
	do(t, err)
	text := base64.RawURLEncoding.EncodeToString
	jwk := func(more ...string) map[string]string {
		out := map[string]string{"kty": "EC", "crv": "P-256", "kid": "signer-1", "alg": "ES256", "x": text(q[1:33]), "y": text(q[33:])}
		for i := 0; i < len(more); i += 2 {
			out[more[i]] = more[i+1]
		}
		return out
	}
	return jwk("d", text(d)), jwk("use", "sig")
}

func newParty(t *testing.T, o server.Options) *party {
	t.Helper()
	private, public := clientKey(t)
	keys, err := json.Marshal(map[string]any{"keys": []any{public}})
	do(t, err)
	o.Config = strings.Replace(relyingParties, "KEYS", string(keys), 1)
	o.Env = append(o.Env, "WEB_SECRET="+webSecret, "JOB_SECRET="+jobSecret)
	s, pair := startAt(t, o)
	return &party{s: s, pair: pair, store: o.Store, p: signUp(t.Context(), t, s, "party"), peer: startNode(t, "openid.mjs", object{
		"issuer": s.Issuer,
		"clients": object{
			"web": object{"id": "web", "secret": webSecret}, "spa": object{"id": "spa"}, "tv": object{"id": "tv"},
			"job": object{"id": "job", "secret": jobSecret, "post": true}, "signer": object{"id": "signer", "jwk": private},
		},
	})}
}

// in is the party for a subtest, with a browser that knows nobody yet.
func (a *party) in(t *testing.T) *party {
	p, b := *a.p, *a
	p.Visitor = a.s.Visitor()
	b.peer, b.p, b.asked = a.peer.in(t), &p, 0
	return &b
}

// visits follows redirects from an address as the person's browser does, fills in what the hosted pages ask, and gives the first address that
// is not the server's, or the page of the server where nothing more is asked.
func (a *party) visits(to string) *url.URL {
	a.t.Helper()
	for range 12 {
		r, err := a.p.Get(a.t.Context(), to)
		here := a.follow(to, r, err)
		if here == nil {
			here = a.answers(to)
		}
		if !strings.HasPrefix(here.String(), a.s.URL) || strings.HasPrefix(here.Path, "/ui/done/") {
			return here
		}
		to = here.String()
	}
	a.t.Fatalf("no end of redirects at %s", to)
	return nil
}

// follow gives where a redirect leads, nil for a page.
func (a *party) follow(at string, r *drill.Reply, err error) *url.URL {
	a.t.Helper()
	do(a.t, err)
	if r.Status == 200 {
		return nil
	}
	if r.Status != 303 && r.Status != 302 {
		a.t.Fatalf("%s: answered %s", at, r)
	}
	base, err := url.Parse(at)
	do(a.t, err)
	to, err := base.Parse(r.Header.Get("Location"))
	do(a.t, err)
	return to
}

// answers fills in the page that the person sees.
func (a *party) answers(at string) *url.URL {
	a.t.Helper()
	page, err := url.Parse(at)
	do(a.t, err)
	form := url.Values{}
	switch page.Path {
	case "/ui/login":
		a.asked++
		form.Set("email", a.p.Email)
		form.Set("password", a.p.Password)
	case "/ui/consent":
		form = a.hidden(at)
		form.Set("answer", "allow")
	default:
		a.t.Fatalf("nobody knows what to answer at %s", page.Path)
	}
	r, err := a.p.Post(a.t.Context(), at, form)
	to := a.follow(at, r, err)
	if to == nil {
		a.t.Fatalf("%s shows the form again", page.Path)
	}
	return to
}

// hidden reads the fields that a form carries along.
func (a *party) hidden(at string) url.Values {
	a.t.Helper()
	r, err := a.p.Get(a.t.Context(), at)
	must(a.t, at, r, err, 200)
	return fieldsOf(r.Body)
}

func fieldsOf(page []byte) url.Values {
	form := url.Values{}
	for _, input := range strings.Split(string(page), "<input ")[1:] {
		input, _, _ = strings.Cut(input, ">")
		value := func(name string) string {
			_, rest, _ := strings.Cut(input, name+`="`)
			text, _, _ := strings.Cut(rest, `"`)
			return text
		}
		if kind := value("type"); kind == "hidden" || kind == "checkbox" && strings.Contains(input, " checked") {
			form.Add(value("name"), value("value"))
		}
	}
	return form
}

// signsOn is a whole login by code: what the client got for it.
func (a *party) signsOn(client string, extra object) any {
	a.t.Helper()
	to, _ := a.call("authorize", client, extra).(string)
	if extra["par"] == true && (!strings.Contains(to, "request_uri=urn") || strings.Contains(to, "code_challenge")) {
		a.t.Fatalf("the request was not pushed: %s", to)
	}
	back := a.visits(to)
	if !strings.HasPrefix(back.String(), a.URL+"/callback?") || back.Query().Get("code") == "" {
		a.t.Fatalf("the person came back with error %q at %s", back.Query().Get("error"), back.Path)
	}
	tokens := a.call("callback", back.String())
	if digText(tokens, "access_token") == "" || digText(tokens, "claims.iss") != a.s.Issuer {
		a.t.Fatalf("the code gave claims %v", dig(tokens, "claims"))
	}
	return tokens
}

// TestOpenIDClient: openid-client, unmodified, does at this server everything that its users do with it.
func TestOpenIDClient(t *testing.T) {
	places(t, func(t *testing.T, o server.Options) { newParty(t, o).tellsAll(t) })
}

func (a *party) tellsAll(t *testing.T) {
	for name, run := range map[string]func(*party){
		"discovery":                        (*party).discovers,
		"code":                             func(a *party) { a.codes("web", object{"scope": "openid email offline_access"}) },
		"pushed":                           func(a *party) { a.codes("web", object{"par": true, "scope": "openid email offline_access"}) },
		"public":                           func(a *party) { a.codes("spa", object{"scope": "openid email offline_access"}) },
		"private key":                      func(a *party) { a.codes("signer", object{"par": true, "scope": "openid email offline_access"}) },
		"introspection":                    (*party).looksInto,
		"client credentials":               (*party).works,
		"device":                           (*party).connectsDevice,
		"registration":                     (*party).registers,
		"logout":                           (*party).leaves,
		"refusals":                         (*party).isRefused,
		"bound, pushed":                    func(a *party) { a.bound("web", object{"par": true}) },
		"bound, public":                    func(a *party) { a.bound("spa", object{}) },
		"bound, pushed by a public client": func(a *party) { a.bound("spa", object{"par": true}) },
		"bound code":                       (*party).keepsItsCode,
		"bound machine":                    (*party).worksBound,
		"bound device":                     func(a *party) { a.connects(true) },
	} {
		t.Run(name, func(t *testing.T) { run(a.in(t)) })
	}
}

func (a *party) discovers() {
	m := a.call("metadata", "web")
	if digText(m, "issuer") != a.s.Issuer || digText(m, "pushed_authorization_request_endpoint") != a.s.URL+"/oauth2/par" {
		a.t.Fatalf("issuer %q, PAR at %q", digText(m, "issuer"), digText(m, "pushed_authorization_request_endpoint"))
	}
}

// codes is the life of a session by code: login, userinfo, refresh, revocation, and no refresh after it.
func (a *party) codes(client string, extra object) {
	a.t.Helper()
	tokens := a.signsOn(client, extra)
	subject := digText(tokens, "claims.sub")
	told := a.call("userinfo", client, digText(tokens, "access_token"), subject)
	if digText(told, "email") != a.p.Email || dig(told, "email_verified") != true {
		a.t.Fatalf("userinfo says %v", told)
	}
	next := a.call("refresh", client, digText(tokens, "refresh_token"))
	if digText(next, "access_token") == digText(tokens, "access_token") || digText(next, "refresh_token") == "" {
		a.t.Fatal("a refresh gave no new tokens")
	}
	if got := digText(next, "claims.sub"); got != "" && got != subject {
		a.t.Fatalf("the refreshed ID token is about %q", got)
	}
	a.call("userinfo", client, digText(next, "access_token"), subject)
	a.call("revoke", client, digText(next, "refresh_token"))
	if _, failure := a.try("refresh", client, digText(next, "refresh_token")); !strings.Contains(failure, "invalid_grant") {
		a.t.Fatalf("a revoked token was refreshed: %q", failure)
	}
}

func (a *party) looksInto() {
	tokens := a.signsOn("web", object{"scope": "openid email offline_access"})
	for _, name := range []string{"access_token", "refresh_token"} {
		seen := a.call("introspect", "web", digText(tokens, name))
		if dig(seen, "active") != true || digText(seen, "sub") != digText(tokens, "claims.sub") || digText(seen, "client_id") != "web" {
			a.t.Fatalf("%s: introspection says %v", name, seen)
		}
		if seen := a.call("introspect", "signer", digText(tokens, name)); dig(seen, "active") != false || len(seen.(object)) != 1 {
			a.t.Fatalf("%s: another client is told %v", name, seen)
		}
	}
	a.call("revoke", "web", digText(tokens, "refresh_token"))
	if seen := a.call("introspect", "web", digText(tokens, "refresh_token")); dig(seen, "active") != false {
		a.t.Fatal("a revoked token is active")
	}
}

func (a *party) works() {
	for _, client := range []string{"job", "signer"} {
		tokens := a.call("credentials", client, object{"scope": "plants"})
		if digText(tokens, "scope") != "plants" || digText(tokens, "refresh_token") != "" || claim(a.t, digText(tokens, "access_token"), "sub") != client {
			a.t.Fatalf("%s got scope %q", client, digText(tokens, "scope"))
		}
	}
	if _, failure := a.try("credentials", "job", object{"scope": "openid"}); !strings.Contains(failure, "invalid_scope") {
		a.t.Fatalf("a job signed on as a person: %q", failure)
	}
	if _, failure := a.try("credentials", "web", object{}); !strings.Contains(failure, "unauthorized_client") {
		a.t.Fatalf("a client without the grant heard %q", failure)
	}
}

// connectsDevice: the device waits while the person types its code, sees who asks, and allows it.
func (a *party) connectsDevice() { a.connects(nil) }

// connects plays a device that proves the key while it polls, if any.
func (a *party) connects(key any) {
	device := a.call("device", "tv", "openid email offline_access")
	type answer struct {
		tokens  any
		failure string
	}
	done := make(chan answer, 1)
	go func() {
		tokens, failure := a.try("poll", "tv", device, key)
		done <- answer{tokens, failure}
	}()
	a.allowsDevice(digText(device, "verification_uri"), digText(device, "user_code"))
	select {
	case got := <-done:
		if got.failure != "" || digText(got.tokens, "claims.aud") != "tv" && digText(got.tokens, "claims.aud.0") != "tv" {
			a.t.Fatalf("the device got %v: %s", dig(got.tokens, "claims"), got.failure)
		}
		if key != nil {
			a.holds("tv", got.tokens, key)
			return
		}
		a.call("userinfo", "tv", digText(got.tokens, "access_token"), digText(got.tokens, "claims.sub"))
		a.call("refresh", "tv", digText(got.tokens, "refresh_token"))
	case <-time.After(45 * time.Second):
		a.t.Fatal("the device waits for ever")
	}
}

func (a *party) allowsDevice(page, code string) {
	a.t.Helper()
	ctx := a.t.Context()
	a.visitsForm(page)
	r, err := a.p.Post(ctx, "/ui/device", url.Values{"user_code": {code}})
	must(a.t, "the code", r, err, 200)
	form := fieldsOf(r.Body)
	form.Set("answer", "allow")
	r, err = a.p.Post(ctx, "/ui/device/answer", form)
	if to := a.follow(page, r, err); to == nil || to.Path != "/ui/done/device" {
		a.t.Fatal("the device was not allowed")
	}
}

// visitsForm goes to the page of a device's code, by way of the login page.
func (a *party) visitsForm(page string) {
	a.t.Helper()
	for range 6 {
		r, err := a.p.Get(a.t.Context(), page)
		to := a.follow(page, r, err)
		if to == nil && strings.Contains(page, "/ui/device") {
			return
		}
		if to == nil {
			to = a.answers(page)
		}
		page = to.String()
	}
	a.t.Fatalf("the page of the device is not reached, but %s", page)
}

// registers: whoever holds an initial access token gets a client of its own, and people are asked before it learns about them.
func (a *party) registers() {
	var made struct{ Token string }
	do(a.t, json.Unmarshal(commanded(a.t, a.s.Data, server.Options{Store: a.store}, "registration-token", "create", "--name", "partner", "--json"), &made))
	about := object{"client_name": "Partner", "token_endpoint_auth_method": "client_secret_post", "grant_types": []string{"authorization_code", "refresh_token"}}
	if _, failure := a.try("register", "stranger", "git_of_nobody", about); failure == "" {
		a.t.Fatal("a stranger registered a client")
	}
	told := a.call("register", "partner", made.Token, about)
	if digText(told, "client_id") == "" || digText(told, "client_secret") == "" || digText(told, "client_name") != "Partner" {
		a.t.Fatal("the registration is not told")
	}
	a.codes("partner", object{"scope": "openid email offline_access"})
	if _, failure := a.try("register", "second", made.Token, about); failure == "" {
		a.t.Fatal("a token for one client registered two")
	}
}

// leaves: logout at the application ends the sign-on, and the person comes back to the application.
func (a *party) leaves() {
	tokens := a.signsOn("web", object{"scope": "openid email"})
	to, _ := a.call("authorize", "web", object{"scope": "openid", "prompt": "none"}).(string)
	if back := a.visits(to); back.Query().Get("code") == "" {
		a.t.Fatalf("signed on, the application hears %q", back.Query().Get("error"))
	}
	to, _ = a.call("leave", "web", object{"id_token_hint": digText(tokens, "id_token"), "state": "bye"}).(string)
	back := a.visits(to)
	if back.Scheme+"://"+back.Host+back.Path != a.URL+"/bye" || back.Query().Get("state") != "bye" {
		a.t.Fatalf("logout led to %s", back)
	}
	to, _ = a.call("authorize", "web", object{"scope": "openid", "prompt": "none"}).(string)
	if _, failure := a.try("callback", a.visits(to).String()); !strings.Contains(failure, "login_required") {
		a.t.Fatalf("after logout the application hears %q", failure)
	}
}

// isRefused: what the library reports of a code that was used before.
func (a *party) isRefused() {
	to, _ := a.call("authorize", "web", object{"scope": "openid email offline_access"}).(string)
	back := a.visits(to).String()
	tokens := a.call("callback", back)
	if _, failure := a.try("callback", back); !strings.Contains(failure, "invalid_grant") {
		a.t.Fatalf("a used code: %q", failure)
	}
	if _, failure := a.try("refresh", "web", digText(tokens, "refresh_token")); !strings.Contains(failure, "invalid_grant") {
		a.t.Fatalf("a replayed code did not take back what it gave: %q", failure)
	}
}
