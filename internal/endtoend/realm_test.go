package endtoend

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// oneSecret is every confidential client's, in every tenant: what they cannot do to each other is not for want of a secret.
const oneSecret = "every confidential client has this one"

// realmClients is one client of each kind that the rules of OAuth tell apart. KEYS are the signer's.
const realmClients = `
  - id: web
    name: Web
    secret: env:ONE_SECRET
    auto_register: true
    redirect_uris: ["http://127.0.0.1/callback"]
    oauth:
      grant_types: [authorization_code, refresh_token, client_credentials, "urn:ietf:params:oauth:grant-type:token-exchange"]
      scopes: [plants]
      post_logout_redirect_uris: ["http://127.0.0.1/bye"]
  - id: stranger
    name: Stranger
    secret: env:ONE_SECRET
    redirect_uris: ["http://127.0.0.1/callback"]
    oauth: {grant_types: [authorization_code, refresh_token, "urn:ietf:params:oauth:grant-type:token-exchange"]}
  - {id: opaque, name: Opaque, secret: env:ONE_SECRET, auto_register: true, redirect_uris: ["http://127.0.0.1/callback"], oauth: {opaque_tokens: true}}
  - {id: lax, name: Lax, secret: env:ONE_SECRET, auto_register: true, redirect_uris: ["http://127.0.0.1/callback"], oauth: {pkce: optional}}
  - {id: spa, name: Native, auto_register: true, redirect_uris: ["http://127.0.0.1/callback"]}
  - {id: asked, name: Asked, auto_register: true, redirect_uris: ["http://127.0.0.1/callback"], oauth: {consent: always}}
  - {id: third, name: Third, auto_register: true, redirect_uris: ["http://127.0.0.1/callback"], oauth: {consent: once}}
  - {id: tv, name: Television, auto_register: true, oauth: {grant_types: ["urn:ietf:params:oauth:grant-type:device_code", refresh_token]}}
  - {id: legacy, name: Legacy, secret: env:ONE_SECRET, auto_register: true, oauth: {grant_types: [password, refresh_token]}}
  - {id: signer, name: Signer, oauth: {grant_types: [client_credentials], token_endpoint_auth_method: private_key_jwt, jwks: KEYS}}
`

// realmConfig is a tenant with these.
const realmConfig = `
tenants:
- id: 0198c000-0000-7000-8000-000000000001
  slug: main
  name: Example
  test: true
  default_client: web
  oauth: {scopes: {plants: water your plants}, registration: true}
  clients:` + realmClients

const (
	realmCallback = "http://127.0.0.1/callback"
	deviceGrant   = "urn:ietf:params:oauth:grant-type:device_code"
	exchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange"
	accessType    = "urn:ietf:params:oauth:token-type:access_token"
	formType      = "application/x-www-form-urlencoded"
)

// realm is a server with every kind of client, and a person with an account.
type realm struct {
	t   *testing.T
	s   *server.Server
	p   *drill.Person
	o   server.Options
	key *jose.PrivateKey // of the client "signer"

	issuer string
	at     string // "" or the prefix of a tenant's paths
}

func newRealm(t *testing.T, o server.Options) *realm {
	t.Helper()
	r := newServer(t, o)
	r.p = signUp(t.Context(), t, r.s, "realm")
	return r
}

// newServer is a realm without a person.
func newServer(t *testing.T, o server.Options) *realm {
	t.Helper()
	key, err := jose.Generate("signer-1", jose.ES256)
	do(t, err)
	public, err := key.Public().JWK()
	do(t, err)
	if o.Config == "" {
		o.Config = realmConfig
	}
	o.Config = strings.ReplaceAll(o.Config, "KEYS", string(jose.JWKS(public)))
	o.Env = append(o.Env, "ONE_SECRET="+oneSecret)
	s := server.Start(t, o)
	return &realm{t: t, s: s, o: o, key: key, issuer: s.Issuer}
}

// in is the realm for a subtest.
func (r *realm) in(t *testing.T) *realm {
	c := *r
	c.t = t
	return &c
}

func values(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v
}

// but is the form with some parameters changed; an empty value takes one out.
func but(form url.Values, pairs ...string) url.Values {
	out := url.Values{}
	for name, list := range form {
		out[name] = slices.Clone(list)
	}
	for i := 0; i < len(pairs); i += 2 {
		if out.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			out.Del(pairs[i])
		}
	}
	return out
}

// asking is an authorization request of a client.
func asking(client, scope string) url.Values {
	return values("client_id", client, "redirect_uri", realmCallback, "response_type", "code", "scope", scope, "state", "the state", "nonce", "n",
		"code_challenge", challenge, "code_challenge_method", "S256")
}

// confidential tells which clients show oneSecret.
func confidential(client string) bool {
	return slices.Contains([]string{"web", "stranger", "opaque", "lax", "legacy"}, client)
}

// as is a visitor that authenticates as the client by Basic, or, for a public one, only names it in the form.
func (r *realm) as(client string, form url.Values) (*drill.Visitor, url.Values) {
	v := r.s.Visitor()
	if !confidential(client) {
		return v, but(form, "client_id", client)
	}
	q, _ := http.NewRequest(http.MethodPost, "http://localhost", nil)
	q.SetBasicAuth(url.QueryEscape(client), url.QueryEscape(oneSecret))
	return v.With("Authorization", q.Header.Get("Authorization")), form
}

// posts sends a client's form.
func (r *realm) posts(client, path string, form url.Values) *drill.Reply {
	r.t.Helper()
	reply, err := r.tries(client, path, form)
	do(r.t, err)
	return reply
}

// tries is posts for other goroutines.
func (r *realm) tries(client, path string, form url.Values) (*drill.Reply, error) {
	v, form := r.as(client, form)
	return v.Post(r.t.Context(), r.at+path, form)
}

func (r *realm) token(client string, form url.Values) *drill.Reply {
	r.t.Helper()
	return r.posts(client, "/oauth2/token", form)
}

// goes follows a browser through the hosted pages, doing there what the person would, to the first address that is not the server's or to a
// page where nothing more is asked.
func (r *realm) goes(v *drill.Visitor, to string) *url.URL {
	r.t.Helper()
	for range 12 {
		here, err := url.Parse(to)
		do(r.t, err)
		reply, err := v.Get(r.t.Context(), to)
		do(r.t, err)
		if reply.Status == 200 {
			reply = r.answers(v, here, reply)
		}
		if reply == nil {
			return here
		}
		next, err := here.Parse(reply.Header.Get("Location"))
		if err != nil || reply.Status != http.StatusSeeOther {
			r.t.Fatalf("%s: answered %s", here.Path, reply)
		}
		if next.Host != "" && "http://"+next.Host != r.s.URL {
			return next
		}
		to = next.RequestURI()
	}
	r.t.Fatalf("no end of redirects at %s", to)
	return nil
}

// answers fills in a hosted page; nil when it asks nothing.
func (r *realm) answers(v *drill.Visitor, here *url.URL, shown *drill.Reply) *drill.Reply {
	r.t.Helper()
	form := fieldsOf(shown.Body)
	switch strings.TrimPrefix(here.Path, r.at) {
	case "/ui/login":
		form = values("email", r.p.Email, "password", r.p.Password)
	case "/ui/consent":
		form.Set("answer", "allow")
	case "/ui/choose":
	default:
		return nil
	}
	reply, err := v.Post(r.t.Context(), here.RequestURI(), form)
	do(r.t, err)
	return reply
}

// signedOn is a browser in which the person is signed on at the issuer.
func (r *realm) signedOn() *drill.Visitor {
	r.t.Helper()
	v := r.s.Visitor()
	if at := r.goes(v, r.at+"/ui/login"); v.Cookies[ssoCookie(v)] == "" {
		r.t.Fatalf("nobody is signed on at %s", at.Path)
	}
	return v
}

// ssoCookie is the name of the sign-on cookie of a visitor; several tenants on one host have one each.
func ssoCookie(v *drill.Visitor) string {
	for name := range v.Cookies {
		if strings.HasPrefix(name, "__Host-gh_sso") {
			return name
		}
	}
	return ""
}

// code signs the person on for a client and gives the form of the exchange.
func (r *realm) code(client, scope string) url.Values {
	r.t.Helper()
	return r.codeFor(r.s.Visitor(), asking(client, scope))
}

func (r *realm) codeFor(v *drill.Visitor, q url.Values) url.Values {
	r.t.Helper()
	back := r.goes(v, r.at+"/oauth2/authorize?"+q.Encode())
	if back.Query().Get("code") == "" {
		r.t.Fatalf("%s has no code, but error %q", back.Path, back.Query().Get("error"))
	}
	form := values("grant_type", "authorization_code", "code", back.Query().Get("code"), "redirect_uri", q.Get("redirect_uri"), "code_verifier", verifier)
	if q.Get("code_challenge") == "" {
		form.Del("code_verifier")
	}
	return form
}

// tokens are what a client gets for a person who signs on.
func (r *realm) tokens(client, scope string) *drill.Reply {
	r.t.Helper()
	reply := r.token(client, r.code(client, scope))
	return must(r.t, "the exchange of a code", reply, nil, 200)
}

func refreshing(token string) url.Values {
	return values("grant_type", "refresh_token", "refresh_token", token)
}

// refused wants an error of the dialect.
func (r *realm) refused(what string, reply *drill.Reply, status int, code string) {
	r.t.Helper()
	if reply.Status != status || reply.Text("error") != code {
		r.t.Fatalf("%s: answered %s with error %q, want %d %s", what, reply, reply.Text("error"), status, code)
	}
}

// bearing asks with an access token.
func (r *realm) bearing(access, path string) *drill.Reply {
	r.t.Helper()
	reply, err := r.s.Visitor().With("Authorization", "Bearer "+access).Get(r.t.Context(), r.at+path)
	do(r.t, err)
	return reply
}

const inactive = `{"active":false}`

// introspected is the body that a client hears about a token, without the line end.
func (r *realm) introspected(client, token string) string {
	r.t.Helper()
	reply := r.posts(client, "/oauth2/introspect", values("token", token))
	return strings.TrimSpace(string(must(r.t, "introspection", reply, nil, 200).Body))
}

// alive wants an access token to be good everywhere, or nowhere.
func (r *realm) alive(client, access string, want bool) {
	r.t.Helper()
	status := map[bool]int{true: 200, false: 401}[want]
	must(r.t, "userinfo", r.bearing(access, "/oauth2/userinfo"), nil, status)
	if client != "opaque" { // the login API takes JWTs
		must(r.t, "/me", r.bearing(access, "/me"), nil, status)
	}
	if got := r.introspected(client, access); (got == inactive) == want {
		r.t.Fatalf("introspection says %.20s", got)
	}
}

// asserted is a client assertion of the signer (RFC 7523).
func (r *realm) asserted() url.Values {
	r.t.Helper()
	text, err := jose.Sign(r.key, "JWT", map[string]any{
		"iss": "signer", "sub": "signer", "aud": r.issuer, "exp": time.Now().Add(time.Minute).Unix(), "jti": secret.Random(8),
	})
	do(r.t, err)
	return values("grant_type", "client_credentials", "client_assertion", text, "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
}

// initialToken makes an initial access token for so many clients, as an operator does.
func (r *realm) initialToken(uses int) string {
	r.t.Helper()
	return initialToken(r.t, r.s, r.o, uses)
}

func initialToken(t *testing.T, s *server.Server, o server.Options, uses int, more ...string) string {
	t.Helper()
	args := []string{"registration-token", "create", "--name", "partner", "--uses=" + fmt.Sprint(uses), "--config", s.Data + "/gatehouse.yaml", "--json"}
	var made struct{ Token string }
	do(t, json.Unmarshal(commanded(t, s.Data, o, append(args, more...)...), &made))
	return made.Token
}
