package loginapi

import (
	"net/http"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// operation is one line of the table that drives both mounting and the OpenAPI document.
type operation struct {
	web.Route
	id      string
	summary string
	in      any            // zero value of the body's type, nil when there is none
	optIn   bool           // the body may be left out
	params  []param        // beside those in the path
	answers []answer       // successes
	proof   string         // what a proof of possession (RFC 9449) is for, "" where none is looked at
	refuses map[int]string // the refusals special to this call; the general ones stand in the document once
}

type answer struct {
	status int
	body   any // zero value of the body's type, nil when there is none
	about  string
}

type param struct{ name, in, about string }

var (
	clientHeader  = param{"X-Client-Id", "header", "the client; the field client_id says the same; default is the tenant's default client"}
	modeHeader    = param{"X-Token-Mode", "header", "both, cookie or bearer: narrows how the client's tokens are delivered"}
	refreshHeader = param{"X-Refresh-Token", "header", "the refresh token; the field refresh_token says the same; default is the cookie"}
)

// What a proof of possession is for.
const (
	bindsProof   = "a proof of a key (RFC 9449) with a nonce of this server: the new session and its tokens are bound to that key"
	refreshProof = "a proof of a key with a nonce of this server: needed where the session is bound to it; else the new access token is bound alone"
	redeemProof  = "a proof of the key of the claim with a nonce of this server; where the claim had none, the new session is bound to this key"
	ownProof     = "where the token is bound to a key: a proof of it, with the hash of the token (ath)"
)

// badProof are the refusals of a proof.
const badProof = "invalid_dpop_proof, use_dpop_nonce (make another proof with the nonce of DPoP-Nonce)"

// operations is every route of the face.
func (a *API) operations() []operation {
	return slices.Concat(a.publicOperations(), a.ownOperations(), a.handoffOperations(), a.internalOperations())
}

func post(pattern string, h func(*web.Exchange) error) web.Route {
	return web.Route{Method: http.MethodPost, Pattern: pattern, Handle: h}
}

// publicOperations need no token. Where one can be called with explicit tokens only, it guards its cookies itself.
func (a *API) publicOperations() []operation {
	passwords := post("/login/password", a.password)
	passwords.SelfGuard = true
	refresh := post("/jwt/refresh", a.refresh)
	refresh.SelfGuard, refresh.Bearer = true, true
	logout := post("/logout", a.logout)
	logout.SelfGuard = true
	accepted := []answer{{http.StatusAccepted, Accepted{}, "always the same, whether the address is known or not; mail follows"}}
	return []operation{
		{
			Route: passwords, id: "loginPassword", summary: "Log in with e-mail and password", in: PasswordBody{},
			params: []param{clientHeader, modeHeader}, answers: []answer{{http.StatusOK, LoginAnswer{}, "logged in; cookies unless the mode is bearer"}},
			proof:   bindsProof,
			refuses: map[int]string{401: "invalid_credentials, email_unverified, " + badProof, 403: "locked, disabled, not_registered, cross_origin"},
		},
		{
			Route: post("/register", a.register), id: "register", summary: "Ask for an account; the mailbox must be proved", in: RegisterBody{},
			params: []param{clientHeader}, answers: accepted,
			refuses: map[int]string{403: "registration_closed, cross_origin", 422: "weak_password, breached_password"},
		},
		{
			Route: post("/email/verify/resend", a.resend), id: "resendVerification", summary: "Send the proof mail again", in: MailBody{},
			params: []param{clientHeader}, answers: accepted, refuses: map[int]string{403: "cross_origin"},
		},
		{
			Route: post("/password/forgot", a.forgot), id: "forgotPassword", summary: "Send a mail for a new password", in: MailBody{},
			params: []param{clientHeader}, answers: accepted, refuses: map[int]string{403: "cross_origin"},
		},
		{
			Route: post("/password/reset", a.reset), id: "resetPassword", summary: "Set a new password; ends every session", in: ResetBody{},
			answers: []answer{{http.StatusOK, ResetAnswer{}, "the password is set and the mailbox proved"}},
			refuses: map[int]string{403: "cross_origin", 410: "gone", 422: "weak_password, breached_password"},
		},
		{
			Route: refresh, id: "refresh", summary: "Trade both tokens for the next pair, or the same while it is fresh", in: RefreshBody{}, optIn: true,
			params:  []param{clientHeader, modeHeader, refreshHeader},
			answers: []answer{{http.StatusOK, LoginAnswer{}, "called by cookie: cookies and the user; else tokens in the body"}},
			proof:   refreshProof,
			refuses: map[int]string{
				401: "missing_token, session_expired, session_revoked, refresh_reused, refresh_unknown, superseded, wrong_client, binding_mismatch, " +
					"user_disabled, client_gone, " + badProof, 403: "cross_origin",
			},
		},
		{
			Route: logout, id: "logout", summary: "End the session and clear the cookies, with expired tokens too", in: LogoutBody{}, optIn: true,
			params:  []param{clientHeader, refreshHeader},
			answers: []answer{{http.StatusOK, LogoutAnswer{}, "always, whatever the tokens were worth; the cookies are cleared"}},
			refuses: map[int]string{403: "cross_origin"},
		},
		a.fileOperation("/.well-known/jwks.json", "jwks", "The tenant's public keys (RFC 7517)", a.jwks),
		a.fileOperation("/openapi.json", "openapi", "This document", a.openapi),
	}
}

func (a *API) fileOperation(pattern, id, summary string, h func(*web.Exchange) error) operation {
	return operation{
		Route: web.Route{Method: http.MethodGet, Pattern: pattern, Handle: h, Public: true}, id: id, summary: summary,
		params: []param{{"If-None-Match", "header", "the ETag of the copy in hand"}},
		answers: []answer{
			{http.StatusOK, map[string]any{}, "the document"},
			{http.StatusNotModified, nil, "the copy in hand is current"},
		},
	}
}

// The refusals of calls that need a live session, and of those that need one proved lately.
const (
	who   = "missing_token, invalid_token, token_expired, session_expired, session_revoked, user_disabled, client_gone, binding_mismatch, " + badProof
	fresh = "step_up_required, cross_origin"
)

// ownOperations need a live session, by explicit token or by cookie.
func (a *API) ownOperations() []operation {
	own := func(method, pattern string, h handler) web.Route {
		return web.Route{Method: method, Pattern: pattern, Handle: a.signedIn(h), Bearer: true, SelfGuard: true}
	}
	return proving([]operation{
		{
			Route: own(http.MethodGet, "/me", a.me), id: "me", summary: "Own profile",
			answers: []answer{{http.StatusOK, Me{}, "the user"}}, refuses: map[int]string{401: who},
		},
		{
			Route: own(http.MethodPatch, "/me", a.changeMe), id: "changeMe", summary: "Change own profile; a new e-mail address must be proved",
			in: MeBody{}, answers: []answer{{http.StatusOK, Me{}, "the user after the change"}},
			refuses: map[int]string{401: who, 403: fresh, 409: "conflict"},
		},
		{
			Route: own(http.MethodDelete, "/me", a.deleteMe), id: "deleteMe", summary: "Delete the own account; it is erased after a while",
			answers: []answer{{http.StatusNoContent, nil, "deleted"}}, refuses: map[int]string{401: who, 403: fresh},
		},
		{
			Route: own(http.MethodGet, "/sessions", a.sessions), id: "sessions", summary: "Own sessions, newest first",
			params:  []param{{"limit", "query", "1 to 100, default 50"}, {"after", "query", "next of the page before"}},
			answers: []answer{{http.StatusOK, SessionList{}, "a page of sessions"}}, refuses: map[int]string{401: who},
		},
		{
			Route: own(http.MethodDelete, "/sessions", a.endOthers), id: "endOtherSessions", summary: "End every own session but this one",
			params:  []param{{"except", "query", "must be current"}},
			answers: []answer{{http.StatusOK, EndedAnswer{}, "how many ended"}}, refuses: map[int]string{401: who, 403: "cross_origin"},
		},
		{
			Route: own(http.MethodDelete, "/sessions/{id}", a.endOne), id: "endSession", summary: "End one own session",
			answers: []answer{{http.StatusNoContent, nil, "ended"}}, refuses: map[int]string{401: who, 403: "cross_origin", 404: "no_such_thing"},
		},
	})
}

// proving says of calls with an access token that a bound one wants a proof.
func proving(own []operation) []operation {
	for i := range own {
		own[i].proof = ownProof
	}
	return own
}
