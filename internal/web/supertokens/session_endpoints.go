package supertokens

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// sessionEndpoints are the session recipe.
func (f *Face) sessionEndpoints() []endpoint {
	return []endpoint{
		{method: http.MethodPost, path: "/recipe/session", scope: onTenant, handle: f.createSession},
		{method: http.MethodGet, path: "/recipe/session", scope: onApp, handle: f.getSession},
		{method: http.MethodPost, path: "/recipe/session/verify", scope: onApp, handle: f.verifySession},
		{method: http.MethodPost, path: "/recipe/session/refresh", scope: onApp, handle: f.refreshSession},
		{method: http.MethodPost, path: "/recipe/session/regenerate", scope: onApp, handle: f.regenerate},
		{method: http.MethodPost, path: "/recipe/session/remove", scope: onTenant, handle: f.removeSessions},
		{method: http.MethodGet, path: "/recipe/session/user", scope: onTenant, handle: f.sessionsOfUser},
		{method: http.MethodGet, path: "/recipe/session/data", scope: onApp, handle: f.sessionData},
		{method: http.MethodPut, path: "/recipe/session/data", scope: onApp, handle: f.putSessionData},
		{method: http.MethodGet, path: "/recipe/jwt/data", scope: onApp, handle: f.jwtData},
		{method: http.MethodPut, path: "/recipe/jwt/data", scope: onApp, handle: f.putJWTData},
	}
}

// The words of the session recipe. Each goes with a message: the Go library panics without one.
const (
	unauthorised = "UNAUTHORISED"
	tryRefresh   = "TRY_REFRESH_TOKEN"
	theft        = "TOKEN_THEFT_DETECTED"
)

func gone() reply { return statusBecause(unauthorised, "Session does not exist.") }

// refusedSession tells a session that is refused from a server that cannot say.
func refusedSession(err error) bool {
	return err != nil && fault.From(err).Kind == fault.Unauthenticated
}

// about is the "session" object of a reply. Fields that a version does not know are left out.
func about(r *request, fam *session.Family, payload json.RawMessage) reply {
	out := reply{"handle": handle(fam), "userId": fam.Subject, "userDataInJWT": payload, "tenantId": orgOf(fam.OrgID)}
	if r.version.from(linking) {
		out["recipeUserId"] = fam.Subject
	}
	return out
}

// tokenOf is a token in a reply; its instants are milliseconds of whole seconds.
func tokenOf(text string, issued, expires time.Time) reply {
	return reply{"token": text, "expiry": expires.Unix() * 1000, "createdTime": issued.Unix() * 1000}
}

func accessOf(a session.Access) reply { return tokenOf(a.Token.Reveal(), a.IssuedAt, a.Expires) }

// pair is the answer of create and refresh.
func pair(r *request, t *session.Tokens, antiCSRF bool) reply {
	out := ok(reply{
		"session":      about(r, &t.Family, orEmpty(t.Family.AccessPayload)),
		"accessToken":  tokenOf(t.Access.Reveal(), t.AccessClaims.IssuedAt, t.AccessClaims.ExpiresAt),
		"refreshToken": tokenOf(t.Refresh.Reveal(), r.call.At, t.RefreshExpires),
	})
	if antiCSRF && t.AntiCSRF != "" {
		out["antiCsrfToken"] = t.AntiCSRF
	}
	return out
}
