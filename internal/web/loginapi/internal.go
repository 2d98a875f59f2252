package loginapi

import (
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/servicekey"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/user"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// keyHeader carries an internal API key. No browser app may send it across origins.
const keyHeader = "X-Internal-Api-Key"

// What the calls with a key have in common in the document.
const keyless, scopeless = "invalid_internal_key: missing and wrong alike", "insufficient_scope"

var keyParam = param{keyHeader, "header", "an internal API key of the tenant"}

// endedByService is the reason recorded on sessions that a service ended.
const endedByService = "ended_by_service"

// VerifyBody is the body of POST /internal/token/verify.
type VerifyBody struct {
	Token string `json:"token" doc:"an access token of a user, or a token of a service"`
}

// VerifyAnswer tells about a token (RFC 7662 section 2.2). Of a token that is not good only active is told.
type VerifyAnswer struct {
	Active        bool           `json:"active"`
	Kind          string         `json:"kind,omitempty" enum:"user,service" doc:"whose token it is"`
	TokenType     string         `json:"token_type,omitempty" enum:"Bearer,DPoP"`
	Scope         string         `json:"scope,omitempty"`
	ClientID      string         `json:"client_id,omitempty"`
	Username      string         `json:"username,omitempty"`
	Exp           int64          `json:"exp,omitempty"`
	Iat           int64          `json:"iat,omitempty"`
	Nbf           int64          `json:"nbf,omitempty"`
	Sub           string         `json:"sub,omitempty"`
	Aud           []string       `json:"aud,omitempty"`
	Iss           string         `json:"iss,omitempty"`
	Jti           string         `json:"jti,omitempty"`
	Sid           string         `json:"sid,omitempty" doc:"the session; it is live now"`
	Tid           string         `json:"tid,omitempty"`
	Email         string         `json:"email,omitempty"`
	EmailVerified bool           `json:"email_verified,omitempty"`
	Roles         []string       `json:"roles,omitempty"`
	AuthTime      int64          `json:"auth_time,omitempty"`
	AMR           []string       `json:"amr,omitempty"`
	ACR           string         `json:"acr,omitempty"`
	Source        string         `json:"source,omitempty" doc:"of a service's token: what services know each other by"`
	Cnf           *Confirmation  `json:"cnf,omitempty" doc:"the caller must see a proof by this key"`
	Extra         map[string]any `json:"extra,omitempty" doc:"claims added by configuration"`
}

// Confirmation names the key a token is bound to (RFC 9449 section 6.1).
type Confirmation struct {
	Thumbprint string `json:"jkt"`
}

// UserAnswer is a user as services see one.
type UserAnswer struct {
	Me
	Status string `json:"status" enum:"active,disabled"`
}

// RevokeBody is the body of POST /internal/sessions/revoke: exactly one of the two.
type RevokeBody struct {
	SessionID string `json:"session_id,omitempty"`
	UserID    string `json:"user_id,omitempty" doc:"ends every session of the user"`
}

// forService lets services with a key of the tenant and the scope in. The tenant comes from host, path or client like everywhere.
func (a *API) forService(scope string, h func(*web.Exchange) error) func(*web.Exchange) error {
	return func(x *web.Exchange) error {
		if err := x.ResolveTenant(); err != nil {
			return err
		}
		key, err := a.cfg.ServiceKeys.Check(x.R.Context(), x.Call, x.Tenant.ID, secret.NewText(x.R.Header.Get(keyHeader)), scope)
		if err != nil {
			return err
		}
		x.Call.Actor = audit.Actor{Kind: "service", ID: key.ID}
		return h(x)
	}
}

// verifyToken says whether a token is good at this moment: signature, age, and a session that is live; of a service's token that it is not
// revoked.
func (a *API) verifyToken(x *web.Exchange) error {
	var in VerifyBody
	if err := web.Decode(x, &in); err != nil {
		return err
	}
	if err := needed("token", in.Token); err != nil {
		return err
	}
	live, err := a.cfg.Sessions.Authenticate(x.R.Context(), x.Call, x.Tenant, secret.NewText(in.Token))
	if err != nil && fault.From(err).Kind != fault.Unauthenticated {
		return err
	}
	if err != nil {
		answer, err := a.verifyServiceToken(x, in.Token)
		if err != nil {
			return err
		}
		return x.JSON(http.StatusOK, answer)
	}
	return x.JSON(http.StatusOK, verified(&live))
}

func verified(live *session.Live) VerifyAnswer {
	c := &live.Claims
	out := VerifyAnswer{
		Active: true, Kind: "user", TokenType: "Bearer", Scope: c.Scope, ClientID: c.ClientID, Username: c.PreferredUsername,
		Exp: c.ExpiresAt.Unix(), Iat: c.IssuedAt.Unix(), Nbf: c.NotBefore.Unix(), Sub: c.Subject, Aud: c.Audience, Iss: c.Issuer, Jti: c.ID,
		Sid: c.SessionID, Tid: c.TenantID, Email: c.Email, EmailVerified: c.EmailVerified, Roles: c.Roles,
		AuthTime: c.AuthTime.Unix(), AMR: c.AMR, ACR: c.ACR, Extra: c.Extra,
	}
	if c.Thumbprint != "" {
		out.TokenType, out.Cnf = "DPoP", &Confirmation{Thumbprint: c.Thumbprint}
	}
	return out
}

func (a *API) readUser(x *web.Exchange) error {
	id, client := x.R.PathValue("id"), ""
	if x.Client != nil {
		client = x.Client.ID
	}
	if _, ok := secret.ParseID(id); !ok {
		return noUser()
	}
	u, err := a.cfg.Users.Get(x.R.Context(), x.Tenant.ID, id, client)
	if err != nil && fault.From(err).Kind == fault.NotFound || err == nil && u.Status == user.Deleted {
		return noUser()
	}
	if err != nil {
		return err
	}
	return x.JSON(http.StatusOK, UserAnswer{Me: profile(&u, false), Status: string(u.Status)})
}

func noUser() error { return fault.New(fault.NotFound, fault.ReasonNotFound, "there is no such user") }

func (a *API) revokeSessions(x *web.Exchange) error {
	var in RevokeBody
	if err := web.Decode(x, &in); err != nil {
		return err
	}
	if (in.SessionID == "") == (in.UserID == "") {
		return invalid("session_id", "or user_id is needed, and not both")
	}
	ended, err := a.cfg.Sessions.Revoke(x.R.Context(), x.Call,
		session.Match{TenantID: x.Tenant.ID, ID: in.SessionID, UserID: in.UserID}, endedByService)
	if err != nil {
		return err
	}
	return x.JSON(http.StatusOK, EndedAnswer{Ended: len(ended)})
}

// internalOperations are for a company's own services. They take no cookie and no token, only an internal key.
func (a *API) internalOperations() []operation {
	route := func(method, pattern, scope string, h func(*web.Exchange) error) web.Route {
		return web.Route{Method: method, Pattern: pattern, Handle: a.forService(scope, h), SelfGuard: true}
	}
	return append(a.serviceTokenOperations(), []operation{
		{
			Route: route(http.MethodPost, "/internal/token/verify", servicekey.ScopeVerify, a.verifyToken), id: "verifyToken", in: VerifyBody{},
			summary: "Is this token of a user good and its session live, or this one of a service not revoked? Scope tokens:verify", params: []param{keyParam},
			answers: []answer{{http.StatusOK, VerifyAnswer{}, "active and the claims, or active false alone"}},
			refuses: map[int]string{401: keyless, 403: scopeless},
		},
		{
			Route: route(http.MethodGet, "/internal/users/{id}", servicekey.ScopeUsers, a.readUser), id: "readUser",
			summary: "A user, with the roles at the client. Scope users:read", params: []param{keyParam, clientHeader},
			answers: []answer{{http.StatusOK, UserAnswer{}, "the user"}},
			refuses: map[int]string{401: keyless, 403: scopeless, 404: "no_such_thing"},
		},
		{
			Route: route(http.MethodPost, "/internal/sessions/revoke", servicekey.ScopeRevoke, a.revokeSessions), id: "revokeSessions", in: RevokeBody{},
			summary: "End a session, or every session of a user. Scope sessions:revoke", params: []param{keyParam},
			answers: []answer{{http.StatusOK, EndedAnswer{}, "how many ended, those handed over from them included"}},
			refuses: map[int]string{401: keyless, 403: scopeless},
		},
	}...)
}
