package resource

import "testing"

// clientClaims are what the server writes into an application's own token: no person, no session.
func clientClaims() claims {
	sec := start.Unix()
	return claims{"iss": issuer, "tid": "t1", "sub": "app", "aud": audience, "client_id": "app", "exp": sec + 900, "iat": sec, "jti": "c1", "scope": "read"}
}

// TestRequireClient: an application's own token passes where it is asked for, and never as a person or a service.
func TestRequireClient(t *testing.T) {
	w := newWorld(t, nil)
	own := sign(t, key(t, "d-1", "ES256"), "at+jwt", clientClaims())
	answer{200, KindClient}.check(t, "client", call(w.RequireClient(Scope("read")), bearer(own)))
	answer{403, ReasonScope}.check(t, "scope", call(w.RequireClient(Scope("write")), bearer(own)))
	answer{401, ReasonKind}.check(t, "as a user", call(w.RequireUser(), bearer(own)))
	answer{401, ReasonKind}.check(t, "as a service", call(w.RequireService(), bearer(own)))
	answer{401, ReasonKind}.check(t, "as either", call(w.UserOrService(), bearer(own)))
	answer{401, ReasonKind}.check(t, "a user", call(w.RequireClient(), bearer(user(t, nil))))
	answer{401, ReasonKind}.check(t, "a service", call(w.RequireClient(), bearer(service(t, nil))))
	answer{401, ReasonKind}.check(t, "half a user", call(w.RequireUser(), bearer(user(t, claims{"sid": nil}))))
	answer{401, ReasonKind}.check(t, "static key", call(w.RequireClient(), bearer(sign(t, key(t, "s-1", "RS256"), "at+jwt", clientClaims()))))
}
