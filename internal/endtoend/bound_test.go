package endtoend

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// boundClients is a tenant whose clients may bind what they get to a key, and two that must.
var boundClients = strings.NewReplacer(
	"PUBLIC", `[authorization_code, refresh_token, "`+deviceGrant+`"]`,
	"ALL", `[authorization_code, refresh_token, client_credentials, "`+deviceGrant+`", "`+exchangeGrant+`"]`,
).Replace(`
tenants:
- id: 0198c000-0000-7000-8000-000000000001
  slug: main
  name: Example
  test: true
  default_client: spa
  oauth: {scopes: {plants: water your plants}, registration: true}
  clients:
  - id: spa
    name: Native
    auto_register: true
    redirect_uris: ["http://localhost/callback"]
    oauth: {grant_types: PUBLIC}
  - id: web
    name: Web
    secret: env:WEB_SECRET
    auto_register: true
    redirect_uris: ["http://localhost/callback"]
    oauth: {scopes: [plants], grant_types: ALL}
  - {id: must, name: Bound, auto_register: true, redirect_uris: ["http://localhost/callback"], oauth: {dpop_required: true, grant_types: PUBLIC}}
  - id: mustweb
    name: Bound web
    secret: env:WEB_SECRET
    auto_register: true
    redirect_uris: ["http://localhost/callback"]
    oauth: {dpop_required: true, scopes: [plants], grant_types: ALL}
`)

// bond is a server, a person at it, and a key.
type bond struct {
	*drill.Holder
	t *testing.T
	s *server.Server
	p *drill.Person
}

func newBond(t *testing.T, o server.Options) *bond {
	t.Helper()
	o.Config, o.Env = cmp.Or(o.Config, boundClients), append(o.Env, "WEB_SECRET="+webSecret)
	s := server.Start(t, o)
	b := &bond{t: t, s: s, p: signUp(t.Context(), t, s, "bond")}
	b.Holder = b.stranger()
	return b
}

func (b *bond) in(t *testing.T) *bond { return &bond{Holder: b.Holder, t: t, s: b.s, p: b.p} }

// stranger has another key.
func (b *bond) stranger() *drill.Holder {
	b.t.Helper()
	h, err := drill.NewHolder()
	do(b.t, err)
	return &h
}

// door is a call that takes proofs.
type door struct {
	name, method, path string
	body               any
	header             map[string]string
	access             string // bound; comes with the call, and the proof must name it. "" where tokens are asked for
	status             int    // of a call that is right
	wrong              int    // of a refusal: 400 of the OAuth endpoints for clients, 401 where a token is used and on the login API
	naked, foreign     string // the error when there is no proof, or one of another key; "" where that is no error
}

func (d *door) resource() bool { return d.access != "" }

// send makes the call with these proofs.
func (b *bond) send(d *door, proofs ...string) *drill.Reply {
	b.t.Helper()
	v := b.s.Visitor().With("X-Token-Mode", "bearer")
	for name, value := range d.header {
		v.Header.Set(name, value)
	}
	for _, p := range proofs {
		v.Header.Add("DPoP", p)
	}
	r, err := v.Do(b.t.Context(), d.method, d.path, d.body)
	do(b.t, err)
	return r
}

// attempt makes proofs for one call; nonce is one that the server has just given.
type attempt struct {
	*bond
	d     *door
	nonce string
}

// claims of a right proof, changed; nil leaves one out.
func (a *attempt) claims(changes map[string]any) map[string]any {
	c := drill.Claims(a.s.Now(), a.d.method, a.s.URL+a.d.path, a.d.access, a.nonce)
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func (a *attempt) with(name string, value any) string {
	return a.by(a.Holder, a.claims(map[string]any{name: value}))
}

func (a *attempt) by(h *drill.Holder, claims map[string]any) string {
	a.t.Helper()
	proof, err := h.Proof(claims)
	do(a.t, err)
	return proof
}

// headed is a right proof under a header of its own, signed by whom it says.
func (a *attempt) headed(change map[string]any, sign func(input string) string) string {
	a.t.Helper()
	jwk, err := a.JWK()
	do(a.t, err)
	head := map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}
	maps.Copy(head, change)
	if sign == nil {
		proof, err := a.Sign(head, a.claims(nil))
		do(a.t, err)
		return proof
	}
	input, err := drill.Unsigned(head, a.claims(nil))
	do(a.t, err)
	return input + "." + sign(input)
}

func hmacBy(key []byte) func(string) string {
	return func(input string) string {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(input))
		return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
}

// privateKey is the public key with a private member beside it.
func (a *attempt) privateKey() map[string]any {
	a.t.Helper()
	raw, err := a.JWK()
	do(a.t, err)
	jwk := map[string]any{}
	do(a.t, json.Unmarshal(raw, &jwk))
	jwk["d"] = base64.RawURLEncoding.EncodeToString(make([]byte, 32))
	return jwk
}

// forgeries are proofs that are wrong in one thing: invalid_dpop_proof everywhere.
func (a *attempt) forgeries() map[string][]string {
	a.t.Helper()
	now, shared := a.s.Now().Unix(), []byte(strings.Repeat("k", 32))
	symmetric := map[string]string{"kty": "oct", "k": base64.RawURLEncoding.EncodeToString(shared)}
	public, err := a.JWK()
	do(a.t, err)
	out := map[string][]string{
		"another method":                {a.with("htm", http.MethodPut)},
		"method in small letters":       {a.with("htm", strings.ToLower(a.d.method))},
		"another path":                  {a.with("htu", a.s.URL+"/oauth2/other")},
		"another host":                  {a.with("htu", "https://api.example.com"+a.d.path)},
		"another scheme":                {a.with("htu", strings.Replace(a.s.URL, "http:", "https:", 1)+a.d.path)},
		"a path alone":                  {a.with("htu", a.d.path)},
		"too old":                       {a.with("iat", now-90)},
		"from the future":               {a.with("iat", now+60)},
		"no instant":                    {a.with("iat", nil)},
		"no id":                         {a.with("jti", nil)},
		"no method":                     {a.with("htm", nil)},
		"no URL":                        {a.with("htu", nil)},
		"an id as a number":             {a.with("jti", 7)},
		"another type":                  {a.headed(map[string]any{"typ": "JWT"}, nil)},
		"alg none":                      {a.headed(map[string]any{"alg": "none"}, func(string) string { return "" })},
		"alg none with a signature":     {a.headed(map[string]any{"alg": "none"}, nil)},
		"HS256 by the public key":       {a.headed(map[string]any{"alg": "HS256"}, hmacBy(public))},
		"ES256 with an HMAC":            {a.headed(nil, hmacBy(public))},
		"a symmetric key":               {a.headed(map[string]any{"alg": "HS256", "jwk": symmetric}, hmacBy(shared))},
		"a private key":                 {a.headed(map[string]any{"jwk": a.privateKey()}, nil)},
		"no key":                        {a.headed(map[string]any{"jwk": nil}, nil)},
		"a critical extension":          {a.headed(map[string]any{"crit": []string{"b64"}, "b64": false}, nil)},
		"no signature":                  {a.headed(nil, func(string) string { return "" })},
		"the signature of another key":  {a.headed(nil, a.signedBy(a.stranger()))},
		"rubbish":                       {"a.b.c"},
		"a JWT that is no proof at all": {"e30.e30.e30"},
		"two proofs":                    {a.with("x", 1), a.with("x", 2)},
		"two proofs in one header":      {a.with("x", 1) + ", " + a.with("x", 2)},
	}
	if a.d.resource() {
		other := drill.Claims(a.s.Now(), a.d.method, "x", "another token", "")["ath"]
		out["no hash of the token"], out["the hash of another token"] = []string{a.with("ath", nil)}, []string{a.with("ath", other)}
	}
	return out
}

func (a *attempt) signedBy(h *drill.Holder) func(string) string {
	return func(input string) string {
		head, body, _ := strings.Cut(input, ".")
		var header, claims map[string]any
		a.decode(head, &header)
		a.decode(body, &claims)
		proof, err := h.Sign(header, claims)
		do(a.t, err)
		return proof[strings.LastIndexByte(proof, '.')+1:]
	}
}

func (a *attempt) decode(part string, into any) {
	raw, err := base64.RawURLEncoding.DecodeString(part)
	do(a.t, err)
	do(a.t, json.Unmarshal(raw, into))
}

// refuses fails unless the answer refuses the proof in the dialect of the door, and gives the nonce that it brings.
func (b *bond) refuses(d *door, what, want string, r *drill.Reply) string {
	b.t.Helper()
	code := r.Text("error")
	if code == "" {
		code = r.Text("reason")
	}
	if r.Status != d.wrong || code != want {
		b.t.Errorf("%s: %s: answered %s %q, want %d %s", d.name, what, r, code, d.wrong, want)
	}
	challenge := r.Header.Get("WWW-Authenticate")
	if d.resource() && (!strings.HasPrefix(challenge, "DPoP ") || !strings.Contains(challenge, `algs="`)) {
		b.t.Errorf("%s: %s: challenge %q", d.name, what, challenge)
	}
	return r.Header.Get("DPoP-Nonce")
}

// tried plays everything against a door, ends with what is right, and with its replay.
func (b *bond) tried(d *door) *drill.Reply {
	b.t.Helper()
	a := &attempt{bond: b, d: d}
	b.asksForANonce(a)
	for what, proofs := range a.forgeries() {
		if nonce := b.refuses(d, what, "invalid_dpop_proof", b.send(d, proofs...)); nonce != "" {
			a.nonce = nonce
		}
	}
	if d.naked != "" {
		b.refuses(d, "no proof", d.naked, b.send(d))
	}
	if d.foreign != "" {
		a.nonce = b.refuses(d, "another key", d.foreign, b.send(d, a.by(b.stranger(), a.claims(nil))))
	}
	right := a.claims(nil)
	proof := a.by(b.Holder, right)
	out := b.send(d, proof)
	if a.nonce = out.Header.Get("DPoP-Nonce"); out.Status != d.status || a.nonce == "" {
		b.t.Fatalf("%s: a right proof: answered %s %s, next nonce %q", d.name, out, out.Text("error"), a.nonce)
	}
	right["nonce"] = a.nonce
	a.nonce = b.refuses(d, "an id used before", "invalid_dpop_proof", b.send(d, a.by(b.Holder, right)))
	b.refuses(d, "a proof used before", "use_dpop_nonce", b.send(d, proof)) // its nonce was used as well, and is looked at first
	if d.resource() {
		bare := a.with("nonce", nil)
		if r := b.send(d, bare); r.Status != d.status {
			b.t.Errorf("%s: a right proof without a nonce: %s", d.name, r)
		}
		b.refuses(d, "a proof without a nonce used before", "invalid_dpop_proof", b.send(d, bare))
	}
	return out
}

// asksForANonce: where tokens are asked for a proof needs a nonce of the server's (RFC 9449 section 8); where they are used, one that is not the
// server's is refused all the same (section 9).
func (b *bond) asksForANonce(a *attempt) {
	b.t.Helper()
	proofs := map[string]string{"a foreign nonce": a.with("nonce", secret.Random(40))}
	if !a.d.resource() {
		proofs["no nonce"] = a.with("nonce", nil)
	}
	for what, proof := range proofs {
		r := b.send(a.d, proof)
		if a.nonce = b.refuses(a.d, what, "use_dpop_nonce", r); a.nonce == "" {
			b.t.Errorf("%s: %s: no nonce came", a.d.name, what)
		}
		if a.d.resource() && !strings.Contains(r.Header.Get("WWW-Authenticate"), `error="use_dpop_nonce"`) {
			b.t.Errorf("%s: challenge %q", a.d.name, r.Header.Get("WWW-Authenticate"))
		}
	}
}
