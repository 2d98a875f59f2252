package endtoend

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

const (
	pkceChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	pkceVerifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	localCallback = "http://localhost/callback"
)

// asClient authenticates a client of boundClients: the confidential ones by Basic, the public ones by name in the form.
func asClient(id string, form url.Values) (url.Values, map[string]string) {
	if id == "web" || id == "mustweb" {
		return form, map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+url.QueryEscape(webSecret)))}
	}
	form.Set("client_id", id)
	return form, nil
}

// post is a door of the OAuth server's endpoints for clients.
func post(name, path, client string, form url.Values) *door {
	body, header := asClient(client, form)
	return &door{name: name, method: http.MethodPost, path: path, body: body, header: header, status: 200, wrong: 400}
}

// request is an authorization request; more are pairs.
func request(client string, more ...string) url.Values {
	q := url.Values{
		"client_id": {client}, "redirect_uri": {localCallback}, "response_type": {"code"}, "scope": {"openid email offline_access"}, "nonce": {"n"},
		"code_challenge": {pkceChallenge}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	return q
}

func (b *bond) thumbprint() string {
	b.t.Helper()
	out, err := b.Thumbprint()
	do(b.t, err)
	return out
}

// code is the form that redeems a code which the person gave to a client; more are parameters of the request.
func (b *bond) code(client string, more ...string) url.Values {
	b.t.Helper()
	code, err := b.p.Authorize(b.t.Context(), "/oauth2/authorize?"+request(client, more...).Encode())
	do(b.t, err)
	return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {localCallback}, "code_verifier": {pkceVerifier}}
}

// proved makes a call with the key, answering the nonce.
func (b *bond) proved(d *door) *drill.Reply {
	b.t.Helper()
	v := b.s.Visitor().With("X-Token-Mode", "bearer")
	for name, value := range d.header {
		v.Header.Set(name, value)
	}
	r, err := b.Post(b.t.Context(), v, d.path, d.body)
	return must(b.t, d.name, r, err, d.status)
}

// tokens are bound ones that a client got by code.
func (b *bond) tokens(client string) *drill.Reply {
	b.t.Helper()
	return b.proved(post("code", "/oauth2/token", client, b.code(client)))
}

func (b *bond) wantBound(d *door, r *drill.Reply) {
	b.t.Helper()
	if got := digText(claimsOf(b.t, r.Text("access_token")), "cnf.jkt"); got != b.thumbprint() || r.Text("token_type") != "DPoP" {
		b.t.Errorf("%s: a token of type %q, bound to %q", d.name, r.Text("token_type"), got)
	}
}

// TestProofsAtTheOAuthServer: every endpoint and every grant that takes a proof takes a right one and no other, and gives tokens of its key.
func TestProofsAtTheOAuthServer(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		b := newBond(t, o)
		for name, f := range map[string]func(*bond){
			"par": (*bond).atPAR, "code": (*bond).atCode, "pushed code": (*bond).atPushedCode, "refresh": (*bond).atRefresh,
			"client credentials": (*bond).atCredentials, "device": (*bond).atDevice, "exchange": (*bond).atExchange, "userinfo": (*bond).atUserInfo,
		} {
			t.Run(name, func(t *testing.T) { f(b.in(t)) })
		}
	})
}

func (b *bond) atPAR() {
	b.tried(&door{
		name: "PAR", method: http.MethodPost, path: "/oauth2/par", status: 201, wrong: 400,
		body: request("web"), header: post("", "", "web", url.Values{}).header,
	})
	other := post("PAR that names another key", "/oauth2/par", "spa", request("spa", "dpop_jkt", pkceChallenge))
	other.status = 400
	if r := b.proved(other); r.Text("error") != "invalid_request" { // RFC 9449 section 10.1
		b.t.Errorf("answered %s", r.Text("error"))
	}
}

func (b *bond) atCode() {
	d := post("code", "/oauth2/token", "spa", b.code("spa", "dpop_jkt", b.thumbprint()))
	d.naked, d.foreign = "invalid_grant", "invalid_grant"
	b.wantBound(d, b.tried(d))
}

// atPushedCode: the key that pushed the request is the key of its code.
func (b *bond) atPushedCode() {
	par := post("PAR", "/oauth2/par", "web", request("web"))
	par.status = 201
	pushed := b.proved(par)
	code, err := b.p.Authorize(b.t.Context(), "/oauth2/authorize?"+url.Values{"client_id": {"web"}, "request_uri": {pushed.Text("request_uri")}}.Encode())
	do(b.t, err)
	d := post("pushed code", "/oauth2/token", "web", url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {localCallback}, "code_verifier": {pkceVerifier},
	})
	d.naked, d.foreign = "invalid_grant", "invalid_grant"
	b.wantBound(d, b.tried(d))
}

// atRefresh: a public client's refresh token is its key's alone; a confidential one's is its secret's (RFC 9449 section 5).
func (b *bond) atRefresh() {
	form := func(client string) url.Values {
		return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {b.tokens(client).Text("refresh_token")}}
	}
	d := post("refresh of a public client", "/oauth2/token", "spa", form("spa"))
	d.naked, d.foreign = "invalid_grant", "invalid_grant"
	b.wantBound(d, b.tried(d))
	d = post("refresh of a confidential client", "/oauth2/token", "web", form("web"))
	b.wantBound(d, b.tried(d))
	if r := b.send(d); r.Status != 200 || r.Text("token_type") != "Bearer" || dig(claimsOf(b.t, r.Text("access_token")), "cnf") != nil {
		b.t.Errorf("a confidential client without a proof: %s, type %q", r, r.Text("token_type"))
	}
	other := &bond{Holder: b.stranger(), t: b.t, s: b.s, p: b.p}
	other.wantBound(d, other.proved(d))
}

func (b *bond) atCredentials() {
	d := post("client credentials", "/oauth2/token", "web", url.Values{"grant_type": {"client_credentials"}, "scope": {"plants"}})
	b.wantBound(d, b.tried(d))
	r, err := b.s.Visitor().Get(b.t.Context(), "/.well-known/openid-configuration")
	must(b.t, "metadata", r, err, 200)
	var told struct {
		Algs []string `json:"dpop_signing_alg_values_supported"`
	}
	do(b.t, json.Unmarshal(r.Body, &told))
	if len(told.Algs) < 3 {
		b.t.Fatalf("the metadata names %v", told.Algs)
	}
	for _, alg := range told.Algs {
		h, err := drill.HolderOf(alg)
		do(b.t, err)
		other := &bond{Holder: &h, t: b.t, s: b.s, p: b.p}
		other.wantBound(d, other.proved(d))
	}
}

func (b *bond) atDevice() {
	asked := b.tried(post("device authorization", "/oauth2/device_authorize", "spa", url.Values{"scope": {"openid offline_access"}}))
	do(b.t, b.p.AllowDevice(b.t.Context(), asked.Text("user_code")))
	d := post("device", "/oauth2/token", "spa", url.Values{"grant_type": {deviceGrant}, "device_code": {asked.Text("device_code")}})
	d.naked, d.foreign = "invalid_grant", "invalid_grant"
	b.wantBound(d, b.tried(d))
}

func (b *bond) atExchange() {
	d := post("exchange", "/oauth2/token", "web", url.Values{
		"grant_type": {exchangeGrant}, "subject_token": {b.tokens("web").Text("access_token")}, "subject_token_type": {accessType},
	})
	d.naked, d.foreign = "invalid_request", "invalid_request" // RFC 8693 section 2.2.2
	b.wantBound(d, b.tried(d))
}

func (b *bond) atUserInfo() {
	access := b.tokens("spa").Text("access_token")
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		b.tried(&door{
			name: "userinfo by " + method, method: method, path: "/oauth2/userinfo", access: access, status: 200, wrong: 401,
			header: map[string]string{"Authorization": "DPoP " + access}, naked: "invalid_token", foreign: "invalid_token",
		})
	}
	b.neverABearer("/oauth2/userinfo", access, "invalid_token")
	form := &door{
		name: "userinfo by form", method: http.MethodPost, path: "/oauth2/userinfo", access: access, wrong: 401, body: url.Values{"access_token": {access}},
	}
	b.refuses(form, "a bound token in a form beside its proof", "invalid_token", b.send(form, (&attempt{bond: b, d: form}).with("x", 1)))
}

// neverABearer: a bound token that comes as a bearer token is refused, even beside a right proof (RFC 9449 section 7.2), and one that is not
// bound does not pass for a bound one.
func (b *bond) neverABearer(path, access, want string) {
	b.t.Helper()
	d := &door{
		name: path, method: http.MethodGet, path: path, access: access, wrong: 401, header: map[string]string{"Authorization": "Bearer " + access},
	}
	a := &attempt{bond: b, d: d}
	b.refuses(d, "a bound token as a bearer token", want, b.send(d))
	b.refuses(d, "a bound token as a bearer token beside its proof", want, b.send(d, a.with("x", 1)))
	plain := b.send(post("code", "/oauth2/token", "spa", b.code("spa"))).Text("access_token")
	d.access, d.header["Authorization"] = plain, "DPoP "+plain
	b.refuses(d, "an unbound token as a bound one", want, b.send(d, a.with("x", 1)))
	b.refuses(d, "an unbound token as a bound one without a proof", want, b.send(d))
	d.header["Authorization"] = "Bearer " + plain
	if r := b.send(d, a.with("x", 1)); r.Status != 200 {
		b.t.Errorf("%s: a bearer token beside a proof that nobody asked for: %s", path, r)
	}
}
