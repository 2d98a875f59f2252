package endtoend

import "strings"

// Stories of TestOpenIDClient in which the library proves a key of its own (RFC 9449). The server asks for a nonce wherever tokens are; that the
// library gets tokens at all shows that it was asked, and answered.

// boundTo fails unless an access token is bound to the key that the library calls by this name.
func (a *party) boundTo(client string, tokens, key any) {
	a.t.Helper()
	want, _ := a.call("thumbprint", client, key).(string)
	got := digText(claimsOf(a.t, digText(tokens, "access_token")), "cnf.jkt")
	if got != want || want == "" || !strings.EqualFold(digText(tokens, "token_type"), "DPoP") {
		a.t.Fatalf("a token of type %q bound to %q, want %q", digText(tokens, "token_type"), got, want)
	}
}

// holds is the life of a bound session of a public client: userinfo and refresh with the key, and with nothing less.
func (a *party) holds(client string, tokens, key any) {
	a.t.Helper()
	a.boundTo(client, tokens, key)
	a.usedByItsKeyAlone(client, tokens, key)
	for name, other := range map[string]any{"without a proof": nil, "with another key": "other"} {
		if _, failure := a.try("refresh", client, digText(tokens, "refresh_token"), other); !strings.Contains(failure, "invalid_grant") {
			a.t.Fatalf("a public client's refresh token %s: %q", name, failure)
		}
	}
	next := a.call("refresh", client, digText(tokens, "refresh_token"), key)
	a.boundTo(client, next, key)
	a.call("userinfo", client, digText(next, "access_token"), a.subject(tokens), key)
	again := a.call("refresh", client, digText(next, "refresh_token"), key)
	a.boundTo(client, again, key)
}

func (a *party) subject(tokens any) string { return digText(tokens, "claims.sub") }

func (a *party) usedByItsKeyAlone(client string, tokens, key any) {
	a.t.Helper()
	access, subject := digText(tokens, "access_token"), a.subject(tokens)
	told := a.call("userinfo", client, access, subject, key)
	if digText(told, "sub") != subject {
		a.t.Fatalf("userinfo says %v", told)
	}
	for name, other := range map[string]any{"as a bearer token": nil, "with a proof of another key": "other"} {
		if _, failure := a.try("userinfo", client, access, subject, other); !strings.HasSuffix(failure, "dpop: invalid_token") {
			a.t.Fatalf("a bound token %s: %q", name, failure)
		}
	}
}

// bound is a login by code whose request, code, tokens and userinfo hang on one key.
func (a *party) bound(client string, extra object) {
	a.t.Helper()
	extra["dpop"], extra["scope"] = true, "openid email offline_access"
	tokens := a.signsOn(client, extra)
	if client == "spa" {
		a.holds(client, tokens, true)
		return
	}
	a.boundTo(client, tokens, true)
	a.usedByItsKeyAlone(client, tokens, true)
	a.changesKeys(client, tokens)
}

// changesKeys: a confidential client's refresh token hangs on its secret, so it may prove another key, or none (RFC 9449 section 5).
func (a *party) changesKeys(client string, tokens any) {
	a.t.Helper()
	next := a.call("refresh", client, digText(tokens, "refresh_token"), true)
	a.boundTo(client, next, true)
	next = a.call("refresh", client, digText(next, "refresh_token"), "a newer one")
	a.boundTo(client, next, "a newer one")
	if _, failure := a.try("userinfo", client, digText(next, "access_token"), a.subject(tokens), true); !strings.HasSuffix(failure, "dpop: invalid_token") {
		a.t.Fatalf("the old key uses the new key's token: %q", failure)
	}
	a.call("userinfo", client, digText(next, "access_token"), a.subject(tokens), "a newer one")
	seen := a.call("introspect", client, digText(next, "access_token"))
	if want := a.call("thumbprint", client, "a newer one"); dig(seen, "cnf.jkt") != want || digText(seen, "token_type") != "DPoP" {
		a.t.Fatalf("introspection says %v", seen)
	}
}

// keepsItsCode: a code that was asked for with a key is nobody's without it, whether the request was pushed with a proof or named the key.
func (a *party) keepsItsCode() {
	for _, client := range []string{"web", "spa"} {
		for _, par := range []bool{true, false} {
			for _, other := range []any{"other", false} {
				to, _ := a.call("authorize", client, object{"par": par, "dpop": true, "scope": "openid"}).(string)
				back := a.visits(to).String()
				if _, failure := a.try("callback", back, nil, other); !strings.Contains(failure, "invalid_grant") {
					a.t.Fatalf("%s, pushed %v: a bound code with key %v: %q", client, par, other, failure)
				}
				a.boundTo(client, a.call("callback", back), true)
			}
		}
	}
}

func (a *party) worksBound() {
	tokens := a.call("credentials", "signer", object{"scope": "plants"}, true)
	a.boundTo("signer", tokens, true)
	again := a.call("credentials", "signer", object{"scope": "plants"}, true)
	a.boundTo("signer", again, true)
}
