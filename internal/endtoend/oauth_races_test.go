package endtoend

import (
	"net/url"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// TestOneTimeThingsWorkOnce: 64 callers race for each thing that works once; one gets it, the others hear the RFC's refusal.
func TestOneTimeThingsWorkOnce(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		r := newRealm(t, o)
		for name, race := range map[string]func(*realm){
			"authorization code":    (*realm).raceForCode,
			"code, opaque":          (*realm).raceForOpaqueCode,
			"request URI":           (*realm).raceForRequestURI,
			"authorization request": (*realm).raceForRequest,
			"consent":               (*realm).raceForConsent,
			"device code":           (*realm).raceForDevice,
			"client assertion":      (*realm).raceForAssertion,
			"initial access token":  (*realm).raceForInitialToken,
		} {
			t.Run(name, func(t *testing.T) { race(r.in(t)) })
		}
	})
}

// lost is told to whoever clicks with too many others at once, or too late: for the race, as good as any refusal.
const lost = 0

// race lets 64 callers do the same thing. won says who got it; every other one must be refused with the status and the error.
func (r *realm) race(status int, code string, call func(i int) (*drill.Reply, error), won func(*drill.Reply) bool) *drill.Reply {
	r.t.Helper()
	replies, err := drill.Together(parallel, call)
	do(r.t, err)
	var winner *drill.Reply
	for _, reply := range replies {
		switch {
		case won(reply) && winner != nil:
			r.t.Fatal("two callers got it")
		case won(reply):
			winner = reply
		case status == lost && (reply.Status == 409 || reply.Status == 410):
		case reply.Status != status || code != "" && reply.Text("error") != code:
			r.t.Fatalf("a loser was answered %s with error %q, want %d %s", reply, reply.Text("error"), status, code)
		case reply.Header.Get("Location") != "":
			r.t.Fatal("a loser is led on")
		}
	}
	if winner == nil {
		r.t.Fatal("nobody got it")
	}
	return winner
}

func ok(reply *drill.Reply) bool { return reply.Status == 200 || reply.Status == 201 }

// raceForCode: what the one got is dead, for the 63 others had the code too: a replay at the very time of the first use counts as one.
func (r *realm) raceForCode() { r.raceForCodeOf("web") }

func (r *realm) raceForOpaqueCode() { r.raceForCodeOf("opaque") }

func (r *realm) raceForCodeOf(client string) {
	form := r.code(client, "openid email offline_access")
	got := r.race(400, "invalid_grant", func(int) (*drill.Reply, error) { return r.tries(client, "/oauth2/token", form) }, ok)
	r.alive(client, got.Text("access_token"), false)
	r.refused("refresh", r.token(client, refreshing(got.Text("refresh_token"))), 400, "invalid_grant")
}

// raceForRequestURI: a pushed request goes on in one browser of 64, and the others see a page.
func (r *realm) raceForRequestURI() {
	pushed := must(r.t, "PAR", r.posts("web", "/oauth2/par", asking("web", "openid")), nil, 201)
	q := "/oauth2/authorize?" + values("client_id", "web", "request_uri", pushed.Text("request_uri")).Encode()
	r.race(400, "", func(int) (*drill.Reply, error) { return r.s.Visitor().Get(r.t.Context(), q) }, redirected)
}

func redirected(reply *drill.Reply) bool { return reply.Status == 303 }

// raceForRequest: a request that needs nothing more is answered once, in however many tabs it is looked at.
func (r *realm) raceForRequest() {
	v := r.s.Visitor()
	first, err := v.Get(r.t.Context(), "/oauth2/authorize?"+asking("web", "openid").Encode())
	do(r.t, err)
	page, err := url.Parse(first.Header.Get("Location"))
	do(r.t, err)
	reply, err := v.Post(r.t.Context(), page.RequestURI(), values("email", r.p.Email, "password", r.p.Password))
	must(r.t, "login", reply, err, 303)
	got := r.race(410, "", func(int) (*drill.Reply, error) { return v.Thief().Get(r.t.Context(), reply.Header.Get("Location")) }, redirected)
	if to, err := url.Parse(got.Header.Get("Location")); err != nil || to.Query().Get("code") == "" {
		r.t.Fatal("the one answer is no code")
	}
}

// raceForConsent: 64 clicks on "allow" give one code between them.
func (r *realm) raceForConsent() {
	v := r.signedOn()
	first, err := v.Get(r.t.Context(), "/oauth2/authorize?"+asking("asked", "openid email").Encode())
	do(r.t, err)
	page := must(r.t, "authorize", first, err, 303).Header.Get("Location")
	shown, err := v.Get(r.t.Context(), page)
	form := fieldsOf(must(r.t, "the consent page", shown, err, 200).Body)
	form.Set("answer", "allow")
	r.race(lost, "", func(int) (*drill.Reply, error) {
		tab := v.Thief()
		reply, err := tab.Post(r.t.Context(), page, form)
		if err != nil || reply.Status != 303 {
			return reply, err
		}
		return tab.Get(r.t.Context(), reply.Header.Get("Location"))
	}, redirected)
}

func (r *realm) raceForDevice() {
	asked := must(r.t, "device_authorize", r.posts("tv", "/oauth2/device_authorize", values("scope", "openid offline_access")), nil, 200)
	r.letIn(asked.Text("user_code"))
	form := values("grant_type", deviceGrant, "device_code", asked.Text("device_code"))
	got := r.race(400, "invalid_grant", func(int) (*drill.Reply, error) { return r.tries("tv", "/oauth2/token", form) }, ok)
	must(r.t, "refresh of the device", r.token("tv", refreshing(got.Text("refresh_token"))), nil, 200)
}

// letIn is the person who types the code of a device and allows it.
func (r *realm) letIn(userCode string) {
	r.t.Helper()
	v := r.signedOn()
	shown, err := v.Post(r.t.Context(), r.at+"/ui/device", values("user_code", userCode))
	form := fieldsOf(must(r.t, "the device page", shown, err, 200).Body)
	form.Set("answer", "allow")
	reply, err := v.Post(r.t.Context(), r.at+"/ui/device/answer", form)
	must(r.t, "the answer", reply, err, 303)
}

func (r *realm) raceForAssertion() {
	form := r.asserted()
	r.race(401, "invalid_client", func(int) (*drill.Reply, error) { return r.s.Visitor().Post(r.t.Context(), "/oauth2/token", form) }, ok)
}

func (r *realm) raceForInitialToken() {
	v := r.s.Visitor().With("Authorization", "Bearer "+r.initialToken(1))
	about := map[string]any{"redirect_uris": []string{"https://partner.example.com/cb"}}
	r.race(401, "invalid_token", func(int) (*drill.Reply, error) { return v.Post(r.t.Context(), "/oauth2/clients", about) }, ok)
}

// TestReplayedCodeTakesBackWhatItGave (RFC 6749 section 4.1.2): the access token is dead at the login API, userinfo and introspection, and the
// refresh token with its successor.
func TestReplayedCodeTakesBackWhatItGave(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		r := newRealm(t, o)
		for _, client := range []string{"web", "spa", "opaque"} {
			asker := client
			if client == "spa" { // a public client has no credential to introspect with, and tokens are told to their own client
				asker = "web"
			}
			form := r.code(client, "openid email offline_access")
			got := must(t, "the first use", r.token(client, form), nil, 200)
			next := must(t, "refresh", r.token(client, refreshing(got.Text("refresh_token"))), nil, 200)
			for _, access := range []string{got.Text("access_token"), next.Text("access_token")} {
				must(t, "userinfo before", r.bearing(access, "/oauth2/userinfo"), nil, 200)
			}
			if client != "spa" {
				r.alive(client, got.Text("access_token"), true)
			}
			r.refused("the replay", r.token(client, form), 400, "invalid_grant")
			for _, reply := range []*drill.Reply{got, next} {
				r.alive(asker, reply.Text("access_token"), false)
				r.refused("refresh after the replay", r.token(client, refreshing(reply.Text("refresh_token"))), 400, "invalid_grant")
			}
		}
	})
}
