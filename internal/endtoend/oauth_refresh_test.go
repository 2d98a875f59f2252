package endtoend

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// TestWhatEndsARefreshToken: whatever takes back what a person allowed, takes the tokens back with it.
func TestWhatEndsARefreshToken(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		r := newRealm(t, o)
		for name, end := range map[string]func(r *realm, browser *drill.Visitor, got *drill.Reply){
			"logout at the issuer": func(r *realm, browser *drill.Visitor, got *drill.Reply) {
				a, err := browser.Get(r.t.Context(), "/oauth2/logout?"+values("id_token_hint", got.Text("id_token")).Encode())
				must(r.t, "logout", a, err, 303)
			},
			"consent withdrawn": func(r *realm, browser *drill.Visitor, _ *drill.Reply) {
				a, err := browser.Post(r.t.Context(), "/ui/account/applications", values("client_id", "third"))
				must(r.t, "withdrawal", a, err, 303)
			},
			"the refresh token revoked": func(r *realm, _ *drill.Visitor, got *drill.Reply) {
				must(r.t, "revocation", r.posts("third", "/oauth2/revoke", values("token", got.Text("refresh_token"))), nil, 200)
			},
			"the access token revoked": func(r *realm, _ *drill.Visitor, got *drill.Reply) {
				must(r.t, "revocation", r.posts("third", "/oauth2/revoke", values("token", got.Text("access_token"))), nil, 200)
			},
			"the session ended on the account page": func(r *realm, browser *drill.Visitor, got *drill.Reply) {
				a, err := browser.Post(r.t.Context(), "/ui/account/sessions", values("session", claim(r.t, got.Text("access_token"), "sid")))
				must(r.t, "ending", a, err, 303)
			},
		} {
			t.Run(name, func(t *testing.T) {
				r, browser := r.in(t), r.s.Visitor()
				got := must(t, "exchange", r.token("third", r.codeFor(browser, asking("third", "openid email offline_access"))), nil, 200)
				other := r.tokens("web", "openid offline_access")
				must(t, "userinfo before", r.bearing(got.Text("access_token"), "/oauth2/userinfo"), nil, 200)
				end(r, browser, got)
				r.refused("refresh", r.token("third", refreshing(got.Text("refresh_token"))), 400, "invalid_grant")
				must(t, "userinfo", r.bearing(got.Text("access_token"), "/oauth2/userinfo"), nil, 401)
				must(t, "another application's refresh", r.token("web", refreshing(other.Text("refresh_token"))), nil, 200)
			})
		}
		t.Run("the client unregistered", func(t *testing.T) { r.in(t).unregisters() })
	})
}

func (r *realm) unregisters() {
	made, err := r.s.Visitor().With("Authorization", "Bearer "+r.initialToken(1)).Post(r.t.Context(), "/oauth2/clients", map[string]any{
		"redirect_uris": []string{realmCallback}, "token_endpoint_auth_method": "none", "grant_types": []string{"authorization_code", "refresh_token"},
	})
	must(r.t, "registration", made, err, 201)
	id := made.Text("client_id")
	got := must(r.t, "exchange", r.token(id, r.codeFor(r.signedOn(), asking(id, "openid offline_access"))), nil, 200)
	late := r.codeFor(r.signedOn(), asking(id, "openid"))
	a, err := r.s.Visitor().With("Authorization", "Bearer "+made.Text("registration_access_token")).Do(r.t.Context(), http.MethodDelete, "/oauth2/clients/"+id, nil)
	must(r.t, "removal", a, err, 204)
	r.refused("refresh", r.token(id, refreshing(got.Text("refresh_token"))), 401, "invalid_client")
	r.refused("a code of before", r.token(id, late), 401, "invalid_client")
	r.refused("another client", r.token("spa", refreshing(got.Text("refresh_token"))), 400, "invalid_grant")
	must(r.t, "userinfo", r.bearing(got.Text("access_token"), "/oauth2/userinfo"), nil, 401)
}

// TestANewApplicationLetsPeopleIn: nobody can be registered with an application that has just registered itself. Who has an account logs in on the
// way there, with no sign-on from elsewhere, is asked for consent, and is in.
func TestANewApplicationLetsPeopleIn(t *testing.T) {
	r := newRealm(t, server.Options{})
	made, err := r.s.Visitor().With("Authorization", "Bearer "+r.initialToken(1)).Post(t.Context(), "/oauth2/clients", map[string]any{
		"redirect_uris": []string{realmCallback}, "token_endpoint_auth_method": "none",
	})
	id := must(t, "registration", made, err, 201).Text("client_id")
	got := r.tokens(id, "openid email")
	must(t, "userinfo", r.bearing(got.Text("access_token"), "/oauth2/userinfo"), nil, 200)
}

// TestRefreshBelongsToItsClient: another client, the same one unauthenticated, or the anonymous endpoint of the login API get nothing, and none
// of the tries does any harm.
func TestRefreshBelongsToItsClient(t *testing.T) {
	r := newRealm(t, server.Options{})
	refresh := r.tokens("web", "openid offline_access").Text("refresh_token")
	for _, other := range []string{"stranger", "opaque", "spa"} {
		r.refused("at "+other, r.token(other, refreshing(refresh)), 400, "invalid_grant")
	}
	a, err := r.s.Visitor().Post(t.Context(), "/oauth2/token", but(refreshing(refresh), "client_id", "web"))
	do(t, err)
	r.refused("by name only", a, 401, "invalid_client")
	for _, body := range []map[string]string{{"refresh_token": refresh}, {"refresh_token": refresh, "client_id": "web"}, {"refresh_token": refresh, "client_id": "spa"}} {
		a, err := r.s.Visitor().Post(t.Context(), "/jwt/refresh", body)
		if got := must(t, "the login API", a, err, 401).Text("reason"); got != "wrong_client" {
			t.Errorf("the login API refused for %q", got)
		}
	}
	must(t, "its own client", r.token("web", refreshing(refresh)), nil, 200)
}

// TestScopeOfARefresh (RFC 6749 section 6): narrowed for one access token, never widened, and the refresh token keeps what it has.
func TestScopeOfARefresh(t *testing.T) {
	r := newRealm(t, server.Options{})
	refresh := r.tokens("web", "openid email plants offline_access").Text("refresh_token")
	scopes := func(scope string) []string {
		a := must(t, "refresh for "+scope, r.token("web", but(refreshing(refresh), "scope", scope)), nil, 200)
		refresh = a.Text("refresh_token")
		if got := claim(t, a.Text("access_token"), "scope"); got != a.Text("scope") {
			t.Errorf("the answer says %q, the token %q", a.Text("scope"), got)
		}
		return strings.Fields(a.Text("scope"))
	}
	if got := scopes("plants"); !slices.Equal(got, []string{"plants"}) {
		t.Errorf("narrowed to %v", got)
	}
	if got := scopes(""); len(got) != 4 {
		t.Errorf("after it was narrowed once there are %v", got)
	}
	for _, wider := range []string{"profile", "openid email plants offline_access profile", "openid admin", "plants plants2"} {
		r.refused(wider, r.token("web", but(refreshing(refresh), "scope", wider)), 400, "invalid_scope")
	}
	if got := scopes("openid email plants offline_access"); len(got) != 4 {
		t.Errorf("after a refusal there are %v", got)
	}
}

// TestPasswordGrantIsMarkedAndLimited (RFC 9700 section 2.4): only the client that is marked may use it, and guesses meet the limits of a login.
func TestPasswordGrantIsMarkedAndLimited(t *testing.T) {
	r := newRealm(t, server.Options{})
	form := values("grant_type", "password", "username", r.p.Email, "password", r.p.Password, "scope", "openid offline_access")
	for _, client := range []string{"web", "stranger", "opaque", "lax", "spa", "tv", "third"} {
		r.refused("at "+client, r.token(client, form), 400, "unauthorized_client")
	}
	a, err := r.s.Visitor().Post(t.Context(), "/oauth2/token", but(form, "client_id", "legacy"))
	do(t, err)
	r.refused("by name only", a, 401, "invalid_client")
	got := must(t, "the marked client", r.token("legacy", form), nil, 200)
	r.alive("legacy", got.Text("access_token"), true)
	must(t, "its refresh", r.token("legacy", refreshing(got.Text("refresh_token"))), nil, 200)
	unknown, wrong := r.token("legacy", but(form, "username", "nobody@example.com")), r.token("legacy", but(form, "password", "not it"))
	r.refused("nobody", unknown, 400, "invalid_grant")
	r.refused("a wrong password", wrong, 400, "invalid_grant")
	if unknown.Text("error_description") != wrong.Text("error_description") || unknown.Text("reason") != wrong.Text("reason") {
		t.Errorf("nobody is told %q, somebody %q", unknown.Text("error_description"), wrong.Text("error_description"))
	}
	limited := false
	for range 150 {
		a := r.token("legacy", but(form, "password", "not it"))
		if limited = a.Status == http.StatusTooManyRequests; limited {
			r.refused("a guess too many", a, 429, "temporarily_unavailable")
			break
		}
	}
	if !limited {
		t.Fatal("150 guesses were not slowed down")
	}
	if a := r.token("legacy", form); a.Status == 200 {
		t.Error("the limit lets the right guess through")
	}
}

// TestMixUpOverTheWire (RFC 9207): each answer to a client, of every kind and mode, names the issuer of the metadata.
func TestMixUpOverTheWire(t *testing.T) {
	r := newRealm(t, server.Options{})
	browser := r.signedOn()
	doc, err := r.s.Visitor().Get(t.Context(), "/.well-known/openid-configuration")
	issuer := must(t, "metadata", doc, err, 200).Text("issuer")
	if !strings.Contains(string(doc.Body), `"authorization_response_iss_parameter_supported":true`) {
		t.Error("the metadata does not promise it")
	}
	for name, change := range map[string][]string{
		"a code": nil, "no such scope": {"scope", "none"}, "implicit": {"response_type", "token"}, "no PKCE": {"code_challenge", ""}, "plain": {"code_challenge_method", "plain"},
		"a bad prompt": {"prompt", "none login"}, "a request object": {"request", "x"}, "a resource": {"resource", "https://x.example.com"},
	} {
		q := but(asking("web", "openid"), change...)
		a, err := browser.Get(t.Context(), "/oauth2/authorize?"+q.Encode())
		do(t, err)
		to, err := url.Parse(a.Header.Get("Location"))
		if err != nil || to.Query().Get("iss") != issuer || to.Query().Has("code") != (change == nil) || to.Query().Get("state") != "the state" {
			t.Errorf("%s: %s", name, to.RawQuery)
		}
		q.Set("response_mode", "form_post")
		a, err = browser.Get(t.Context(), "/oauth2/authorize?"+q.Encode())
		if body := string(must(t, name, a, err, 200).Body); !strings.Contains(body, `name="iss" value="`+issuer+`"`) || strings.Contains(body, `name="code"`) != (change == nil) {
			t.Errorf("%s by form_post: %s", name, body)
		}
	}
}

// TestCodesAreBound (RFC 9700 section 4.5, code injection): to the client, the verifier, the address and the session that asked, and no wrong try
// spends one.
func TestCodesAreBound(t *testing.T) {
	r := newRealm(t, server.Options{})
	mine := r.code("web", "openid")
	theirs := r.codeFor(r.s.Visitor(), but(asking("web", "openid"), "code_challenge", strings.Repeat("A", 43)))
	for name, c := range map[string]struct {
		client string
		form   url.Values
	}{
		"another client's":           {"stranger", mine},
		"a public client":            {"spa", mine},
		"another session's verifier": {"web", theirs},
		"another session's code":     {"web", but(mine, "code", theirs.Get("code"))},
		"no verifier":                {"web", but(mine, "code_verifier", "")},
		"a wrong verifier":           {"web", but(mine, "code_verifier", strings.Repeat("b", 43))},
		"the challenge":              {"web", but(mine, "code_verifier", challenge)},
		"a short verifier":           {"web", but(mine, "code_verifier", "b")},
		"another address":            {"web", but(mine, "redirect_uri", realmCallback+"/")},
		"no address":                 {"web", but(mine, "redirect_uri", "")},
	} {
		r.refused(name, r.token(c.client, c.form), 400, "invalid_grant")
	}
	must(t, "afterwards, as it should be", r.token("web", mine), nil, 200)
}

// TestPKCEIsNotTakenOut (RFC 9700 section 4.8.2, downgrade): a client whose PKCE is optional is told when somebody took its challenge out, and
// where it is required there is no code without; plain there is none anywhere.
func TestPKCEIsNotTakenOut(t *testing.T) {
	r := newRealm(t, server.Options{})
	out := r.codeFor(r.s.Visitor(), but(asking("lax", "openid"), "code_challenge", "", "code_challenge_method", ""))
	r.refused("a verifier beside no challenge", r.token("lax", but(out, "code_verifier", verifier)), 400, "invalid_grant")
	must(t, "without PKCE at all", r.token("lax", out), nil, 200)
	in := r.code("lax", "openid")
	r.refused("no verifier beside a challenge", r.token("lax", but(in, "code_verifier", "")), 400, "invalid_grant")
	for _, client := range []string{"web", "spa", "lax", "opaque", "third"} {
		for name, change := range map[string][]string{
			"plain": {"code_challenge_method", "plain"}, "no method": {"code_challenge_method", ""}, "method alone": {"code_challenge", ""},
			"no PKCE": {"code_challenge", "", "code_challenge_method", ""}, "lower case": {"code_challenge_method", "s256"},
			"neither PKCE nor nonce": {"code_challenge", "", "code_challenge_method", "", "nonce", ""},
		} {
			if client == "lax" && name == "no PKCE" {
				continue
			}
			back := r.goes(r.s.Visitor(), "/oauth2/authorize?"+but(asking(client, "openid"), change...).Encode())
			if back.Query().Get("error") != "invalid_request" || back.Query().Has("code") {
				t.Errorf("%s, %s: %s", client, name, back.RawQuery)
			}
		}
	}
}
