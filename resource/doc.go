// Package resource lets a resource server (an API) check the access tokens that a Gatehouse server signs, without asking it per request:
// users' tokens (RFC 9068), services' tokens, roles and scopes, as functions and as net/http middleware. It owns the judgement of one
// presented token, the keys it needs for that, and the answers of RFC 6750. It does not own sessions, logins or cookies, and it never signs.
//
// A verifier is made once and used by every request:
//
//	v, err := resource.New(resource.Config{
//		Issuer:   "https://login.example.com",
//		Audience: "forum",
//		JWKSURL:  "https://login.example.com/.well-known/jwks.json",
//	})
//	…
//	mux.Handle("POST /comments", v.RequireUser(resource.Scope("write"))(comments))
//	mux.Handle("POST /like-comment", v.UserOrService()(likes))
//
// A token is accepted only when its key's own algorithm signed it (RFC 8725 section 3.1), its typ and claims make it a user's or a
// service's access token and no other kind, and iss, aud, exp, nbf and iat hold (RFC 7519 section 4.1).
package resource
