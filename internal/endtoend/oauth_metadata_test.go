package endtoend

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// document is what a test reads of the metadata.
type document struct {
	Issuer            string   `json:"issuer"`
	Registration      string   `json:"registration_endpoint"`
	Scopes            []string `json:"scopes_supported"`
	Claims            []string `json:"claims_supported"`
	ACRs              []string `json:"acr_values_supported"`
	DPoP              []string `json:"dpop_signing_alg_values_supported"`
	AuthAlgs          []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	IntrospectMethods []string `json:"introspection_endpoint_auth_methods_supported"`
	RevokeMethods     []string `json:"revocation_endpoint_auth_methods_supported"`
}

// TestMetadataIsTrue derives the document from what the built server does, for each way to configure it: what works is listed, what is listed
// works, and everything else is refused.
func TestMetadataIsTrue(t *testing.T) {
	off := strings.NewReplacer(", registration: true", "", "{scopes: {plants: water your plants}", "{scopes: {books: read your books}", "[plants]", "[books]").
		Replace(realmConfig)
	for name, config := range map[string]string{"registration on": realmConfig, "registration off, another scope": off} {
		t.Run(name, func(t *testing.T) {
			r := newRealm(t, server.Options{Config: config})
			raw := must(t, "metadata", r.reads("/.well-known/openid-configuration"), nil, 200).Body
			if other := must(t, "metadata of RFC 8414", r.reads("/.well-known/oauth-authorization-server"), nil, 200); string(other.Body) != string(raw) {
				t.Error("the two documents differ")
			}
			var doc document
			do(t, json.Unmarshal(raw, &doc))
			r.endpoints(raw, &doc)
			r.derives("scope", doc.Scopes, strings.Fields("openid profile email offline_access plants books admin read"), r.grantsScope)
			r.derives("DPoP alg", doc.DPoP, signatures, r.takesProof)
			if doc.Registration != "" { // once is enough: each takes a server
				r.derives("client assertion alg", doc.AuthAlgs, signatures, func(alg string) bool { return r.takesAssertion(config, alg) })
			}
			methods := strings.Fields("client_secret_basic client_secret_post client_secret_jwt private_key_jwt none")
			r.derives("method at introspection", doc.IntrospectMethods, methods, func(m string) bool { return r.authenticates("/oauth2/introspect", m) })
			r.derives("method at revocation", doc.RevokeMethods, methods, func(m string) bool { return r.authenticates("/oauth2/revoke", m) })
			r.claims(&doc)
		})
	}
}

func (r *realm) reads(path string) *drill.Reply {
	r.t.Helper()
	a, err := r.s.Visitor().Get(r.t.Context(), r.at+path)
	do(r.t, err)
	return a
}

// derives compares a list of the document with what works of a universe that holds more than that.
func (r *realm) derives(what string, listed, universe []string, works func(string) bool) {
	r.t.Helper()
	for _, value := range universe {
		if got := works(value); got != slices.Contains(listed, value) {
			r.t.Errorf("%s %s: works %v, listed %v", what, value, got, !got)
		}
	}
	for _, value := range listed {
		if !slices.Contains(universe, value) {
			r.t.Errorf("%s %s is listed, and nobody tried it", what, value)
		}
	}
}

// endpoints: every address of the document is the issuer's and served; what is not in it is not there.
func (r *realm) endpoints(raw []byte, doc *document) {
	r.t.Helper()
	var all map[string]any
	do(r.t, json.Unmarshal(raw, &all))
	found := 0
	for name, value := range all {
		if !strings.HasSuffix(name, "_endpoint") && name != "jwks_uri" {
			continue
		}
		found++
		path, ok := strings.CutPrefix(value.(string), r.s.Issuer)
		if !ok {
			r.t.Errorf("%s is %v", name, value)
		}
		a := r.reads(path)
		if a.Status == http.StatusMethodNotAllowed {
			var err error
			a, err = r.s.Visitor().Post(r.t.Context(), path, values("x", "y"))
			do(r.t, err)
		}
		if a.Status == http.StatusNotFound || a.Status == http.StatusMethodNotAllowed {
			r.t.Errorf("%s: answered %s", name, a)
		}
	}
	if want := map[bool]int{true: 10, false: 9}[doc.Registration != ""]; found != want {
		r.t.Errorf("%d endpoints, want %d", found, want)
	}
	a, err := r.s.Visitor().With("Authorization", "Bearer x").Post(r.t.Context(), "/oauth2/clients", map[string]any{})
	do(r.t, err)
	if served := a.Status != http.StatusNotFound; served != (doc.Registration != "") {
		r.t.Errorf("registration is listed as %q and answers %s", doc.Registration, a)
	}
	if doc.Issuer != r.s.Issuer {
		r.t.Errorf("issuer %q", doc.Issuer)
	}
}

// grantsScope asks for a scope and looks into the token.
func (r *realm) grantsScope(scope string) bool {
	r.t.Helper()
	a := r.posts("web", "/oauth2/par", asking("web", scope))
	if a.Status != 201 {
		r.refused("scope "+scope, a, 400, "invalid_scope")
		return false
	}
	return slices.Contains(strings.Fields(r.tokens("web", scope).Text("scope")), scope)
}

// signatures are those of RFC 7518 and RFC 8037 that people use, and none.
var signatures = strings.Fields("RS256 RS384 PS256 ES256 ES384 EdDSA HS256 none")

// signing makes a key of an algorithm, by libraries that are not ours.
func signing(t *testing.T, alg string) (private any, public jose.JSONWebKey) {
	t.Helper()
	switch alg[:2] {
	case "RS", "PS":
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		do(t, err)
		return k, jose.JSONWebKey{Key: &k.PublicKey, KeyID: "k", Algorithm: alg}
	case "ES":
		curve := map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384()}[alg]
		k, err := ecdsa.GenerateKey(curve, rand.Reader)
		do(t, err)
		return k, jose.JSONWebKey{Key: &k.PublicKey, KeyID: "k", Algorithm: alg}
	case "Ed":
		return edKey(t)
	case "HS":
		return []byte(oneSecret), jose.JSONWebKey{Key: []byte(oneSecret), KeyID: "k", Algorithm: alg}
	}
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	do(t, err)
	return jwt.UnsafeAllowNoneSignatureType, jose.JSONWebKey{Key: &k.PublicKey, KeyID: "k"}
}

// takesProof sends a DPoP proof of the algorithm, the second time with the nonce that is asked for.
func (r *realm) takesProof(alg string) bool {
	r.t.Helper()
	private, public := signing(r.t, alg)
	key, err := public.MarshalJSON()
	do(r.t, err)
	nonce := ""
	for range 2 {
		claims := jwt.MapClaims{"jti": secret.Random(12), "htm": "POST", "htu": r.s.URL + "/oauth2/token", "iat": time.Now().Unix()}
		if nonce != "" {
			claims["nonce"] = nonce
		}
		tok := jwt.NewWithClaims(jwt.GetSigningMethod(alg), claims)
		tok.Header["typ"], tok.Header["jwk"] = "dpop+jwt", json.RawMessage(key)
		proof, err := tok.SignedString(private)
		do(r.t, err)
		v, form := r.as("web", values("grant_type", "client_credentials"))
		a, err := v.With("DPoP", proof).Post(r.t.Context(), "/oauth2/token", form)
		do(r.t, err)
		if a.Status == 200 {
			return a.Text("token_type") == "DPoP"
		}
		if nonce = a.Header.Get("DPoP-Nonce"); a.Text("error") != "use_dpop_nonce" {
			r.refused("a proof by "+alg, a, 400, "invalid_dpop_proof")
			return false
		}
	}
	return false
}

// takesAssertion is private_key_jwt by the algorithm, of a client whose keys have it, at a server of its own.
func (r *realm) takesAssertion(config, alg string) bool {
	r.t.Helper()
	private, public := signing(r.t, alg)
	if alg == "HS256" { // a shared key is no public one: the client is "web", and this would be client_secret_jwt
		return r.asserts(r.s, "web", alg, private)
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public}})
	do(r.t, err)
	s := server.Start(r.t, server.Options{Config: strings.ReplaceAll(config, "KEYS", string(set)), Env: []string{"ONE_SECRET=" + oneSecret}})
	defer func() { _ = s.Stop() }()
	return r.asserts(s, "signer", alg, private)
}

func (r *realm) asserts(s *server.Server, client, alg string, private any) bool {
	r.t.Helper()
	tok := jwt.NewWithClaims(jwt.GetSigningMethod(alg), jwt.MapClaims{
		"iss": client, "sub": client, "aud": s.Issuer, "exp": time.Now().Add(time.Minute).Unix(), "jti": secret.Random(12),
	})
	tok.Header["kid"] = "k"
	text, err := tok.SignedString(private)
	do(r.t, err)
	a, err := s.Visitor().Post(r.t.Context(), "/oauth2/token", values("grant_type", "client_credentials", "client_assertion", text,
		"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"))
	do(r.t, err)
	if a.Status != 200 {
		r.refused("an assertion by "+alg, a, 401, "invalid_client")
	}
	return a.Status == 200
}

// authenticates tries a method of client authentication at an endpoint.
func (r *realm) authenticates(path, method string) bool {
	r.t.Helper()
	form, v := values("token", "x"), r.s.Visitor()
	switch method {
	case "client_secret_basic":
		v, form = r.as("web", form)
	case "client_secret_post":
		form = but(form, "client_id", "web", "client_secret", oneSecret)
	case "private_key_jwt":
		form = but(r.asserted(), "token", "x")
	case "client_secret_jwt":
		form = but(form, "client_assertion", "x", "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_id", "web")
	case "none":
		form = but(form, "client_id", "spa")
	}
	a, err := v.Post(r.t.Context(), path, form)
	do(r.t, err)
	if a.Status != 200 {
		r.refused(method+" at "+path, a, 401, "invalid_client")
	}
	return a.Status == 200
}

// claims: those of an ID token and of userinfo together, of somebody about whom everything is known, are the listed ones and no others.
func (r *realm) claims(doc *document) {
	r.t.Helper()
	got := r.tokens("web", "openid email profile")
	mine := r.s.Visitor().With("Authorization", "Bearer "+got.Text("access_token"))
	a, err := mine.Do(r.t.Context(), http.MethodPatch, "/me", map[string]string{"name": "Ada", "locale": "de"})
	must(r.t, "PATCH /me", a, err, 200)
	got = r.tokens("web", "openid email profile")
	seen := claimsOf(r.t, got.Text("id_token"))
	if !slices.Contains(doc.ACRs, claim(r.t, got.Text("id_token"), "acr")) {
		r.t.Errorf("acr %v of %v", seen["acr"], doc.ACRs)
	}
	var told map[string]any
	do(r.t, json.Unmarshal(r.bearing(got.Text("access_token"), "/oauth2/userinfo").Body, &told))
	for name := range told {
		seen[name] = true
	}
	for name := range seen {
		if !slices.Contains(doc.Claims, name) {
			r.t.Errorf("the claim %s is not listed", name)
		}
	}
	for _, name := range doc.Claims {
		if seen[name] == nil {
			r.t.Errorf("the claim %s is listed and never told", name)
		}
	}
}

func edKey(t *testing.T) (ed25519.PrivateKey, jose.JSONWebKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	do(t, err)
	return private, jose.JSONWebKey{Key: public, KeyID: "k", Algorithm: "EdDSA"}
}
