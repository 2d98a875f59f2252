package endtoend

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

const (
	plantsAPI = "https://plants.example.com"
	stockAPI  = "https://stock.example.com"
	exchanges = "urn:ietf:params:oauth:grant-type:token-exchange"
	accessURN = "urn:ietf:params:oauth:token-type:access_token"
)

// choosyParties is a tenant whose clients use what the others leave out. Those that exchange tokens stand for services: each may exchange what
// was made for its own audience.
const choosyParties = `
tenants:
- id: 0198c000-0000-7000-8000-000000000001
  slug: main
  name: Example
  test: true
  default_client: rsa
  oauth: {scopes: {plants: water your plants}}
  clients:
  - {id: rsa, name: RSA, auto_register: true, secret: env:WEB_SECRET, redirect_uris: ["http://127.0.0.1/callback"], oauth: {id_token_alg: RS256}}
  - {id: elliptic, name: EC, auto_register: true, secret: env:WEB_SECRET, redirect_uris: ["http://127.0.0.1/callback"], oauth: {id_token_alg: ES256}}
  - {id: edwards, name: Ed, auto_register: true, secret: env:WEB_SECRET, redirect_uris: ["http://127.0.0.1/callback"], oauth: {id_token_alg: EdDSA}}
  - {id: relaxed, name: Relaxed, auto_register: true, secret: env:WEB_SECRET, redirect_uris: ["http://127.0.0.1/callback"], oauth: {pkce: optional}}
  - id: garden
    name: Garden
    auto_register: true
    secret: env:WEB_SECRET
    redirect_uris: ["http://127.0.0.1/callback"]
    oauth: {scopes: [plants], resources: ["https://plants.example.com", "https://stock.example.com"]}
  - id: plants
    name: Plants
    secret: env:WEB_SECRET
    audience: ["https://plants.example.com"]
    oauth: {grant_types: ["urn:ietf:params:oauth:grant-type:token-exchange"], resources: ["https://stock.example.com"]}
  - id: stock
    name: Stock
    secret: env:WEB_SECRET
    audience: ["https://stock.example.com"]
    oauth: {grant_types: ["urn:ietf:params:oauth:grant-type:token-exchange"]}
`

// TestOpenIDClientOptions: what openid-client can ask for beyond the plain flow.
func TestOpenIDClientOptions(t *testing.T) {
	places(t, func(t *testing.T, o server.Options) {
		a := newChoosyParty(t, o)
		for name, run := range map[string]func(*party){
			"ID tokens by algorithm": (*party).verifies,
			"form post":              (*party).isPosted,
			"optional PKCE":          (*party).leavesOutPKCE,
			"prompts and hints":      (*party).hints,
			"resources":              (*party).namesResources,
			"token exchange":         (*party).actsFor,
		} {
			t.Run(name, func(t *testing.T) { run(a.in(t)) })
		}
	})
}

func newChoosyParty(t *testing.T, o server.Options) *party {
	t.Helper()
	o.Config, o.Env = choosyParties, append(o.Env, "WEB_SECRET="+webSecret)
	s, pair := startAt(t, o)
	clients := object{}
	for _, id := range []string{"relaxed", "garden", "plants", "stock"} {
		clients[id] = object{"id": id, "secret": webSecret}
	}
	for id, alg := range map[string]string{"rsa": "RS256", "elliptic": "ES256", "edwards": "EdDSA"} {
		clients[id] = object{"id": id, "secret": webSecret, "alg": alg}
	}
	node := startNode(t, "openid.mjs", object{"issuer": s.Issuer, "clients": clients})
	return &party{s: s, pair: pair, store: o.Store, p: signUp(t.Context(), t, s, "choosy"), peer: node}
}

// verifies: the ID token of each client is signed with the algorithm it chose; openid-client verifies it with the published keys, and so does
// another library.
func (a *party) verifies() {
	for client, alg := range map[string]string{"rsa": "RS256", "elliptic": "ES256", "edwards": "EdDSA"} {
		tokens := a.signsOn(client, object{"scope": "openid offline_access"})
		next := a.call("refresh", client, digText(tokens, "refresh_token"))
		for _, raw := range []string{digText(tokens, "id_token"), digText(next, "id_token")} {
			signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
			do(a.t, err)
			set := jwks(a.t.Context(), a.t, a.s)
			keys := set.Key(signed.Signatures[0].Protected.KeyID)
			if len(keys) != 1 {
				a.t.Fatalf("%s: %d keys of that kid", client, len(keys))
			}
			_, err = signed.Verify(keys[0])
			do(a.t, err)
		}
	}
}

// isPosted: the answer comes in a form that the browser posts to the application.
func (a *party) isPosted() {
	to, _ := a.call("authorize", "rsa", object{"scope": "openid email", "response_mode": "form_post"}).(string)
	page := a.lands(to, `id="formpost"`)
	if strings.Contains(page.at, "code=") {
		a.t.Errorf("the code stands in an address: %s", page.at)
	}
	_, rest, _ := strings.Cut(page.text, ` action="`)
	action, _, _ := strings.Cut(rest, `"`)
	form := object{}
	for name, values := range fieldsOf([]byte(page.text)) {
		form[name] = values[0]
	}
	tokens := a.call("callback", action, form)
	if digText(tokens, "claims.email") != a.p.Email {
		a.t.Fatalf("the posted code gave claims %v", dig(tokens, "claims"))
	}
	to, _ = a.call("authorize", "rsa", object{"scope": "openid", "response_mode": "form_post", "prompt": "none", "max_age": "0"}).(string)
	page = a.lands(to, `id="formpost"`)
	form = object{}
	for name, values := range fieldsOf([]byte(page.text)) {
		form[name] = values[0]
	}
	if _, failure := a.try("callback", action, form); !strings.Contains(failure, "login_required") {
		a.t.Fatalf("a posted refusal: %q", failure)
	}
}

// landed is a page of the server.
type landed struct{ at, text string }

// lands follows redirects and fills in forms until a page of the server has that text.
func (a *party) lands(to, text string) landed {
	a.t.Helper()
	for range 12 {
		r, err := a.p.Get(a.t.Context(), to)
		next := a.follow(to, r, err)
		if next == nil && strings.Contains(string(r.Body), text) {
			return landed{to, string(r.Body)}
		}
		if next == nil {
			next = a.answers(to)
		}
		to = next.String()
	}
	a.t.Fatalf("%s is on no page, lately at %s", text, to)
	return landed{}
}

// leavesOutPKCE: a client that may leave PKCE out must send a nonce instead, and no other client may leave it out.
func (a *party) leavesOutPKCE() {
	tokens := a.signsOn("relaxed", object{"pkce": false, "scope": "openid email"})
	if digText(tokens, "claims.nonce") == "" {
		a.t.Error("the ID token has no nonce")
	}
	a.signsOn("relaxed", object{"scope": "openid email"}) // with PKCE as well
	to, _ := a.call("authorize", "relaxed", object{"pkce": false, "scope": "openid"}).(string)
	u, err := url.Parse(to)
	do(a.t, err)
	q := u.Query()
	q.Del("nonce")
	u.RawQuery = q.Encode()
	needs, _ := a.call("authorize", "rsa", object{"pkce": false, "scope": "openid"}).(string)
	for what, asks := range map[string]string{"no nonce": u.String(), "a client that needs it": needs} {
		if back := a.visits(asks).Query(); back.Get("error") != "invalid_request" || back.Get("code") != "" {
			a.t.Errorf("%s, without PKCE: error %q", what, back.Get("error"))
		}
	}
}

// hints: prompt, max_age, id_token_hint and login_hint, judged by the library and by how often the person was asked for a password.
func (a *party) hints() {
	asked := func(want int, what string) {
		a.t.Helper()
		if a.asked != want {
			a.t.Fatalf("%s: asked for the password %d times, want %d", what, a.asked, want)
		}
	}
	refused := func(what string, extra object) {
		a.t.Helper()
		to, _ := a.call("authorize", "rsa", extra).(string)
		if _, failure := a.try("callback", a.visits(to).String()); !strings.Contains(failure, "login_required") {
			a.t.Fatalf("%s: the application hears %q", what, failure)
		}
	}
	refused("nobody is signed on", object{"scope": "openid", "prompt": "none"})
	to, _ := a.call("authorize", "rsa", object{"scope": "openid", "login_hint": a.p.Email}).(string)
	page, err := a.p.Get(a.t.Context(), to)
	at := a.follow(to, page, err)
	page, err = a.p.Get(a.t.Context(), at.String())
	if must(a.t, "the login page", page, err, 200); !strings.Contains(string(page.Body), `value="`+a.p.Email+`"`) {
		a.t.Error("login_hint is not on the page")
	}
	asked(0, "so far")
	mine := a.signsOn("rsa", object{"scope": "openid"})
	asked(1, "a first sign-on")
	again := a.signsOn("rsa", object{"scope": "openid", "prompt": "none", "max_age": "3600", "id_token_hint": digText(mine, "id_token")})
	asked(1, "prompt none")
	if dig(again, "claims.auth_time") == nil || digText(again, "claims.sub") != digText(mine, "claims.sub") {
		a.t.Errorf("claims %v", dig(again, "claims"))
	}
	a.signsOn("rsa", object{"scope": "openid", "max_age": "0"})
	asked(2, "max_age 0")
	a.signsOn("rsa", object{"scope": "openid", "prompt": "login"})
	asked(3, "prompt login")
	refused("max_age 0 with prompt none", object{"scope": "openid", "prompt": "none", "max_age": "0"})
	other := a.in(a.t)
	other.p = signUp(a.t.Context(), a.t, a.s, "another")
	theirs := other.signsOn("rsa", object{"scope": "openid"})
	refused("the hint of somebody else", object{"scope": "openid", "prompt": "none", "id_token_hint": digText(theirs, "id_token")})
	asked(3, "refusals")
}

// namesResources: the resource asked for is the audience (RFC 8707), at the code and at refreshes, and only one that the client may name.
func (a *party) namesResources() {
	tokens := a.signsOn("garden", object{"scope": "openid offline_access plants", "resource": plantsAPI})
	next := a.call("narrow", "garden", digText(tokens, "refresh_token"), object{"resource": plantsAPI})
	for _, raw := range []string{digText(tokens, "access_token"), digText(next, "access_token")} {
		if aud := audienceOf(a.t, raw); aud != plantsAPI {
			a.t.Fatalf("the audience is %s", aud)
		}
	}
	if _, failure := a.try("narrow", "garden", digText(next, "refresh_token"), object{"resource": stockAPI}); !strings.Contains(failure, "invalid_target") {
		a.t.Errorf("a resource that was not granted: %q", failure)
	}
	to, _ := a.call("authorize", "garden", object{"scope": "openid", "resource": "https://other.example.com"}).(string)
	if back := a.visits(to).Query(); back.Get("error") != "invalid_target" {
		a.t.Errorf("a resource that is not the client's: error %q", back.Get("error"))
	}
}

// actsFor: a service exchanges the token it was called with for one to call the next (RFC 8693), which says whose it is and who acts.
func (a *party) actsFor() {
	tokens := a.signsOn("garden", object{"scope": "openid plants", "resource": plantsAPI})
	subject := digText(tokens, "access_token")
	asking := func(token, resource string) object {
		return object{"subject_token": token, "subject_token_type": accessURN, "resource": resource}
	}
	onward := a.call("grant", "plants", exchanges, asking(subject, stockAPI))
	raw := digText(onward, "access_token")
	claims := claimsOf(a.t, raw)
	aud := audienceOf(a.t, raw)
	if aud != stockAPI || digText(onward, "issued_token_type") != accessURN || digText(onward, "refresh_token") != "" {
		a.t.Errorf("an exchanged token for %s, of type %q", aud, digText(onward, "issued_token_type"))
	}
	if claims["sub"] != digText(tokens, "claims.sub") || digText(claims, "act.sub") != "plants" {
		a.t.Errorf("it is about %v, acted for by %v", claims["sub"], claims["act"])
	}
	third := a.call("grant", "stock", exchanges, object{"subject_token": raw, "subject_token_type": accessURN})
	claims = claimsOf(a.t, digText(third, "access_token"))
	if digText(claims, "act.sub") != "stock" || digText(claims, "act.act.sub") != "plants" {
		text, err := json.Marshal(claims["act"])
		a.t.Errorf("the second actor: %s %v", text, err)
	}
	for what, c := range map[string]struct{ client, token, resource, code string }{
		"a token made for somebody else": {"stock", subject, stockAPI, "invalid_"},
		"a resource that is not its":     {"plants", subject, "https://other.example.com", "invalid_target"},
		"a client without the grant":     {"garden", subject, stockAPI, "unauthorized_client"},
		"an ID token":                    {"plants", digText(tokens, "id_token"), stockAPI, "invalid_request"},
	} {
		if _, failure := a.try("grant", c.client, exchanges, asking(c.token, c.resource)); !strings.Contains(failure, c.code) {
			a.t.Errorf("%s: %q", what, failure)
		}
	}
}
