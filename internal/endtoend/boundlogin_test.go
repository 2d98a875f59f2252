package endtoend

import (
	"net/http"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// apiCall is a door of the login API.
func apiCall(name, path string, body map[string]string) *door {
	return &door{name: name, method: http.MethodPost, path: path, body: body, status: 200, wrong: 401}
}

// own is a call with a bound access token.
func own(method, path, access string, body any) *door {
	return &door{
		name: method + " " + path, method: method, path: path, body: body, access: access, status: 200, wrong: 401,
		header: map[string]string{"Authorization": "DPoP " + access}, naked: "binding_mismatch", foreign: "binding_mismatch",
	}
}

func (b *bond) login(client string) *door {
	return apiCall("login", "/login/password", map[string]string{"email": b.p.Email, "password": b.p.Password, "client_id": client})
}

// TestProofsAtTheLoginAPI: the same at the calls of the login API, under its published contract.
func TestProofsAtTheLoginAPI(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		b := newBond(t, o)
		underContract(t, b.s)
		for name, f := range map[string]func(*bond){
			"login": (*bond).atLogin, "refresh": (*bond).atOwnRefresh, "own calls": (*bond).atOwnCalls, "handoff": (*bond).atHandoff,
			"unasked refresh": (*bond).atUnboundRefresh,
		} {
			t.Run(name, func(t *testing.T) { f(b.in(t)) })
		}
	})
}

// atLogin: whoever proves a key gets a session of that key, whatever the client is.
func (b *bond) atLogin() {
	for _, client := range []string{"spa", "web", "must", "mustweb"} {
		d := b.login(client)
		if client == "must" || client == "mustweb" {
			d.naked = "invalid_dpop_proof"
		}
		b.wantBound(d, b.tried(d))
	}
	byPath := b.login("spa")
	byPath.path = "/t/main" + byPath.path // the URL of the proof is the whole of what was called
	b.wantBound(byPath, b.tried(byPath))
}

func (b *bond) atOwnRefresh() {
	for _, client := range []string{"spa", "web", "must"} {
		refresh := b.proved(b.login(client)).Text("refresh_token")
		d := apiCall("refresh of "+client, "/jwt/refresh", map[string]string{"refresh_token": refresh, "client_id": client})
		d.naked, d.foreign = "binding_mismatch", "binding_mismatch"
		if client == "must" {
			d.naked = "invalid_dpop_proof"
		}
		b.wantBound(d, b.tried(d))
	}
}

// atUnboundRefresh: a proof binds what it asks for, and never a session that belongs to no key: a thief could make it his own.
func (b *bond) atUnboundRefresh() {
	_, refresh := bearer(b.t.Context(), b.t, b.p)
	d := apiCall("refresh", "/jwt/refresh", map[string]string{"refresh_token": refresh, "client_id": "spa"})
	b.wantBound(d, b.proved(d))
	if r := b.send(d); r.Status != 200 || r.Text("token_type") != "Bearer" {
		b.t.Errorf("the session without a key is not what it was: %s", r)
	}
}

func (b *bond) atOwnCalls() {
	access := b.proved(b.login("spa")).Text("access_token")
	for _, d := range []*door{
		own(http.MethodGet, "/me", access, nil), own(http.MethodPatch, "/me", access, map[string]string{"name": "Ada"}),
		own(http.MethodGet, "/sessions", access, nil), own(http.MethodPost, "/session/create", access, nil),
	} {
		b.tried(d)
	}
	b.neverABearer("/me", access, "binding_mismatch")
}

// atHandoff: a phone that proves a key gets a session of that key, from a first device that is bound to another one.
func (b *bond) atHandoff() {
	desktop := &bond{Holder: b.stranger(), t: b.t, s: b.s, p: b.p}
	access := desktop.proved(desktop.login("spa")).Text("access_token")
	asDesktop := func(path string, body any) *drill.Reply {
		d := own(http.MethodPost, path, access, body)
		return must(b.t, path, desktop.send(d, (&attempt{bond: desktop, d: d}).with("x", 1)), nil, 200)
	}
	code := asDesktop("/session/create", nil)
	claimDoor := apiCall("claim", "/session/login/"+code.Text("session_code"), map[string]string{"client_id": "spa"})
	claimDoor.status = 202
	claim := b.tried(claimDoor)
	asDesktop("/session/confirm", map[string]string{"code_id": code.Text("code_id"), "number": claim.Text("number")})
	d := apiCall("redemption", "/session/claim", map[string]string{
		"claim_id": claim.Text("claim_id"), "claim_secret": claim.Text("claim_secret"), "client_id": "spa",
	})
	d.naked, d.foreign = "binding_mismatch", "binding_mismatch"
	phone := b.tried(d)
	b.wantBound(d, phone)
	b.tried(own(http.MethodGet, "/me", phone.Text("access_token"), nil))
	refresh := apiCall("the phone's refresh", "/jwt/refresh", map[string]string{"refresh_token": phone.Text("refresh_token"), "client_id": "spa"})
	refresh.naked, refresh.foreign = "binding_mismatch", "binding_mismatch"
	b.wantBound(refresh, b.tried(refresh))
	b.unboundFromBound(asDesktop)
}

// unboundFromBound: the first device's key never comes along to one that proved none.
func (b *bond) unboundFromBound(asDesktop func(path string, body any) *drill.Reply) {
	b.t.Helper()
	ctx := b.t.Context()
	code := asDesktop("/session/create", nil)
	claim := claimed(ctx, b.t, b.s, code)
	asDesktop("/session/confirm", map[string]string{"code_id": code.Text("code_id"), "number": claim.Text("number")})
	r, err := redeem(ctx, b.s, claim)
	phone := must(b.t, "redemption without a key", r, err, 200)
	if phone.Text("token_type") != "Bearer" || dig(claimsOf(b.t, phone.Text("access_token")), "cnf") != nil {
		b.t.Errorf("a phone without a key got a token of type %q", phone.Text("token_type"))
	}
	r, err = b.s.Me(ctx, phone.Text("access_token"))
	must(b.t, "me on the phone", r, err, 200)
}
