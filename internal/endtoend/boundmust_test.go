package endtoend

import (
	"encoding/json"
	"net/url"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// TestClientsThatMustBind: a client of dpop_required gets no token without a proof, by no grant and at no endpoint, and what its try came with is
// not used up.
func TestClientsThatMustBind(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		b := newBond(t, o)
		b.mustAtTheOAuthServer()
		b.mustAtTheLoginAPI()
		b.mustOnPages()
		b.mustWhenRegistered(o)
	})
}

func (b *bond) mustAtTheOAuthServer() {
	b.t.Helper()
	for _, client := range []string{"must", "mustweb"} {
		first := b.tokens(client)
		device := post(client+" asks for a device code", "/oauth2/device_authorize", client, url.Values{"scope": {"openid"}})
		doors := []*door{
			post(client+" by code", "/oauth2/token", client, b.code(client)),
			post(client+" by refresh", "/oauth2/token", client, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.Text("refresh_token")}}),
		}
		if client == "mustweb" {
			doors = append(doors,
				post(client+" by its own", "/oauth2/token", client, url.Values{"grant_type": {"client_credentials"}}),
				post(client+" by exchange", "/oauth2/token", client, url.Values{
					"grant_type": {exchangeGrant}, "subject_token": {first.Text("access_token")}, "subject_token_type": {accessType},
				}))
		}
		for _, d := range doors {
			b.refuses(d, "no proof", "invalid_dpop_proof", b.send(d))
			b.wantBound(d, b.proved(d))
		}
		asked := b.send(device) // hands out no token, and libraries show no proof there
		do(b.t, b.p.AllowDevice(b.t.Context(), asked.Text("user_code")))
		d := post(client+" by device", "/oauth2/token", client, url.Values{"grant_type": {deviceGrant}, "device_code": {asked.Text("device_code")}})
		b.refuses(d, "no proof", "invalid_dpop_proof", b.send(d))
		b.wantBound(d, b.proved(d))
	}
}

func (b *bond) mustAtTheLoginAPI() {
	b.t.Helper()
	first := b.proved(b.login("must"))
	refresh := apiCall("refresh", "/jwt/refresh", map[string]string{"refresh_token": first.Text("refresh_token"), "client_id": "must"})
	code := b.codeOf(first.Text("access_token"))
	claim := apiCall("claim", "/session/login/"+code, map[string]string{"client_id": "must"})
	claim.status = 202
	for _, d := range []*door{b.login("must"), refresh, claim} {
		b.refuses(d, "no proof", "invalid_dpop_proof", b.send(d))
		b.proved(d)
	}
}

// codeOf is a session code of a session that is bound to the key.
func (b *bond) codeOf(access string) string {
	b.t.Helper()
	d := own("POST", "/session/create", access, nil)
	return must(b.t, "session code", b.send(d, (&attempt{bond: b, d: d}).with("x", 1)), nil, 200).Text("session_code")
}

// mustOnPages: a page has no key, so the page behind a session code gives no session of such a client.
func (b *bond) mustOnPages() {
	b.t.Helper()
	code := b.codeOf(b.proved(b.login("must")).Text("access_token"))
	for _, method := range []string{"GET", "POST"} {
		v := b.s.Visitor()
		r, err := v.Do(b.t.Context(), method, "/ui/handoff/"+code, nil)
		if must(b.t, method+" of the page", r, err, 403); v.Cookies["access_token"] != "" {
			b.t.Error("a page gave a session")
		}
	}
	claim := apiCall("claim", "/session/login/"+code, map[string]string{"client_id": "must"})
	claim.status = 202
	b.proved(claim)
}

// mustWhenRegistered: dpop_bound_access_tokens of a registration (RFC 9449 section 5.2) says the same.
func (b *bond) mustWhenRegistered(o server.Options) {
	b.t.Helper()
	var made struct{ Token string }
	do(b.t, json.Unmarshal(commanded(b.t, b.s.Data, server.Options{Store: o.Store}, "registration-token", "create", "--name", "bound", "--json"), &made))
	r, err := b.s.Visitor().With("Authorization", "Bearer "+made.Token).Post(b.t.Context(), "/oauth2/clients", map[string]any{
		"client_name": "Registered", "redirect_uris": []string{localCallback}, "token_endpoint_auth_method": "none", "dpop_bound_access_tokens": true,
		"grant_types": []string{"authorization_code", "refresh_token"},
	})
	must(b.t, "registration", r, err, 201)
	d := post("a registered client", "/oauth2/token", r.Text("client_id"), url.Values{"grant_type": {"authorization_code"}, "code": {"x"}})
	b.refuses(d, "no proof", "invalid_dpop_proof", b.send(d))
}
