package endtoend

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// twoRealms is one server with two tenants below paths. Everything but the tenant is the same: clients, secrets, people, passwords.
func twoRealms(t *testing.T, o server.Options) (red, blue *realm) {
	t.Helper()
	one := strings.TrimPrefix(realmConfig, "\ntenants:\n")
	tenant := func(slug, id string) string {
		return strings.NewReplacer("slug: main", "slug: "+slug+"\n  issuer: "+slug, "000000000001", id).Replace(one)
	}
	o.Config = "\ntenants:\n" + tenant("red", "000000000001") + tenant("blue", "000000000002")
	first := newServer(t, o)
	email := drill.Fresh("both")
	realms := map[string]*realm{}
	for _, slug := range []string{"red", "blue"} {
		r := *first
		r.at, r.issuer = "/t/"+slug, slug
		v, _ := enrolAt(t.Context(), t, r.s, slug, email, drill.Password, 1)
		r.p = &drill.Person{Email: email, Password: drill.Password, Visitor: v}
		realms[slug] = &r
	}
	return realms["red"], realms["blue"]
}

// TestTenantsShareNothingOfOAuth: a code, token, cookie, request or consent of one tenant is nothing at another, and the try does not spend it.
func TestTenantsShareNothingOfOAuth(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		red, blue := twoRealms(t, o)
		for name, test := range map[string]func(red, blue *realm){
			"codes": codesApart, "tokens": tokensApart, "pushed requests": pushedApart, "requests": requestsApart, "sign-on": signOnApart,
			"consent": consentApart, "devices": devicesApart, "hints": hintsApart, "assertions": assertionsApart, "registration": registrationApart,
		} {
			t.Run(name, func(t *testing.T) { test(red.in(t), blue.in(t)) })
		}
	})
}

func codesApart(red, blue *realm) {
	form := red.code("web", "openid")
	blue.refused("red's code at blue", blue.token("web", form), 400, "invalid_grant")
	must(red.t, "red's code at red", red.token("web", form), nil, 200)
}

func tokensApart(red, blue *realm) {
	for _, client := range []string{"web", "opaque"} {
		got := red.tokens(client, "openid email offline_access")
		access, refresh := got.Text("access_token"), got.Text("refresh_token")
		for _, path := range []string{"/me", "/oauth2/userinfo"} {
			must(red.t, "red's token at blue"+path, blue.bearing(access, path), nil, 401)
		}
		for _, token := range []string{access, refresh} {
			if body := blue.introspected(client, token); body != inactive {
				red.t.Errorf("blue says of red's token: %s", body)
			}
			must(red.t, "revocation at blue", blue.posts(client, "/oauth2/revoke", values("token", token)), nil, 200)
		}
		blue.refused("red's token exchanged at blue", blue.token("web", values("grant_type", exchangeGrant, "subject_token", access, "subject_token_type", accessType)),
			400, "invalid_request")
		blue.refused("red's refresh token at blue", blue.token(client, refreshing(refresh)), 400, "invalid_grant")
		red.alive(client, access, true)
		must(red.t, "red's refresh token at red", red.token(client, refreshing(refresh)), nil, 200)
	}
}

func pushedApart(red, blue *realm) {
	uri := must(red.t, "PAR", red.posts("web", "/oauth2/par", asking("web", "openid")), nil, 201).Text("request_uri")
	q := "/oauth2/authorize?" + values("client_id", "web", "request_uri", uri).Encode()
	a, err := blue.s.Visitor().Get(blue.t.Context(), blue.at+q)
	must(red.t, "red's request URI at blue", a, err, 400)
	a, err = red.s.Visitor().Get(red.t.Context(), red.at+q)
	must(red.t, "red's request URI at red", a, err, 303)
}

// requestsApart: the browser is the same, and has all of its cookies.
func requestsApart(red, blue *realm) {
	v := red.s.Visitor()
	a, err := v.Get(red.t.Context(), red.at+"/oauth2/authorize?"+asking("web", "openid").Encode())
	to := must(red.t, "authorize", a, err, 303).Header.Get("Location")
	_, id, _ := strings.Cut(to, "?i=")
	for _, path := range []string{"/oauth2/continue", "/ui/login", "/ui/register", "/ui/consent", "/ui/choose"} {
		a, err := v.Get(blue.t.Context(), blue.at+path+"?i="+id)
		must(red.t, "red's request at blue"+path, a, err, 410)
	}
	a, err = v.Get(red.t.Context(), to)
	must(red.t, "red's request at red", a, err, 200)
}

// silently is what a client hears that asks in silence.
func (r *realm) silently(v *drill.Visitor, client, scope string) string {
	r.t.Helper()
	back := r.goes(v, r.at+"/oauth2/authorize?"+but(asking(client, scope), "prompt", "none").Encode())
	return back.Query().Get("error")
}

func signOnApart(red, blue *realm) {
	v := red.signedOn()
	name := ssoCookie(v)
	if got := blue.silently(v.Thief(), "web", "openid"); got != "login_required" {
		red.t.Fatalf("signed on at red, blue says %q", got)
	}
	other := blue.s.Visitor()
	other.Cookies[ssoCookie(blue.signedOn())] = v.Cookies[name] // under blue's own name
	if got := blue.silently(other, "web", "openid"); got != "login_required" {
		red.t.Fatalf("with red's cookie blue says %q", got)
	}
	if got := red.silently(v, "web", "openid"); got != "" {
		red.t.Fatalf("red says %q", got)
	}
}

func consentApart(red, blue *realm) {
	v := red.signedOn()
	red.codeFor(v, asking("third", "openid email"))
	if got := red.silently(v, "third", "openid email"); got != "" {
		red.t.Fatalf("what was allowed at red is asked again: %q", got)
	}
	if got := blue.silently(blue.signedOn(), "third", "openid email"); got != "consent_required" {
		red.t.Fatalf("allowed at red, blue says %q", got)
	}
}

func devicesApart(red, blue *realm) {
	asked := must(red.t, "device_authorize", red.posts("tv", "/oauth2/device_authorize", values("scope", "openid")), nil, 200)
	form := values("grant_type", deviceGrant, "device_code", asked.Text("device_code"))
	blue.refused("red's device at blue", blue.token("tv", form), 400, "invalid_grant")
	a, err := blue.signedOn().Post(blue.t.Context(), blue.at+"/ui/device", values("user_code", asked.Text("user_code")))
	must(red.t, "red's user code at blue", a, err, 422)
	red.letIn(asked.Text("user_code"))
	blue.refused("red's device at blue", blue.token("tv", form), 400, "invalid_grant")
	must(red.t, "red's device at red", red.token("tv", form), nil, 200)
}

func hintsApart(red, blue *realm) {
	id := red.tokens("web", "openid").Text("id_token")
	if !red.hints(id) || !red.leavesBy(id) {
		red.t.Fatal("red does not know its own ID token")
	}
	if blue.hints(id) || blue.leavesBy(id) {
		red.t.Fatal("blue takes red's ID token")
	}
}

func assertionsApart(red, blue *realm) {
	form := red.asserted()
	a, err := blue.s.Visitor().Post(blue.t.Context(), blue.at+"/oauth2/token", form)
	do(red.t, err)
	blue.refused("an assertion for red at blue", a, 401, "invalid_client")
	a, err = red.s.Visitor().Post(red.t.Context(), red.at+"/oauth2/token", form)
	must(red.t, "an assertion for red at red", a, err, 200)
}

func registrationApart(red, blue *realm) {
	about := map[string]any{"redirect_uris": []string{"https://partner.example.com/cb"}}
	with := red.s.Visitor().With("Authorization", "Bearer "+initialToken(red.t, red.s, red.o, 1, "--tenant", "red"))
	a, err := with.Post(blue.t.Context(), blue.at+"/oauth2/clients", about)
	do(red.t, err)
	blue.refused("red's initial access token at blue", a, 401, "invalid_token")
	made, err := with.Post(red.t.Context(), red.at+"/oauth2/clients", about)
	must(red.t, "registration at red", made, err, 201)
	own := red.s.Visitor().With("Authorization", "Bearer "+made.Text("registration_access_token"))
	a, err = own.Get(blue.t.Context(), blue.at+"/oauth2/clients/"+made.Text("client_id"))
	do(red.t, err)
	blue.refused("red's registration at blue", a, 401, "invalid_token")
	a, err = own.Get(red.t.Context(), red.at+"/oauth2/clients/"+made.Text("client_id"))
	must(red.t, "red's registration at red", a, err, 200)
}

// TestAddressesOfATenantWithoutURL: an issuer that is a mere name has no document, but what is handed out one by one leads somewhere.
func TestAddressesOfATenantWithoutURL(t *testing.T) {
	red, _ := twoRealms(t, server.Options{})
	asked := must(t, "device_authorize", red.posts("tv", "/oauth2/device_authorize", values("scope", "openid")), nil, 200)
	made, err := red.s.Visitor().With("Authorization", "Bearer "+initialToken(t, red.s, red.o, 1, "--tenant", "red")).Post(t.Context(), red.at+"/oauth2/clients",
		map[string]any{"redirect_uris": []string{"https://partner.example.com/cb"}})
	must(t, "registration", made, err, 201)
	for what, address := range map[string]string{
		"verification_uri": asked.Text("verification_uri"), "verification_uri_complete": asked.Text("verification_uri_complete"),
		"registration_client_uri": made.Text("registration_client_uri"),
	} {
		if !strings.HasPrefix(address, red.s.URL+red.at+"/oauth2/") {
			t.Errorf("%s is %q", what, address)
		}
		a, err := red.s.Visitor().With("Authorization", "Bearer "+made.Text("registration_access_token")).Get(t.Context(), strings.TrimPrefix(address, red.s.URL))
		if do(t, err); a.Status != 200 && a.Status != 303 {
			t.Errorf("%s answers %s", what, a)
		}
	}
}
