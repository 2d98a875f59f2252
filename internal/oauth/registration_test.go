package oauth_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// closes makes a client let in only who is registered with it.
func (b *back) closes(id string) {
	b.t.Helper()
	b.set(id, func(c *tenant.Client) { c.Settings.RequireRegistration = true })
}

func (b *back) register(client string) {
	b.t.Helper()
	r := user.Registration{ClientID: client, Roles: []string{"clerk"}, CreatedAt: b.at}
	b.ok(b.store.Users().Register(b.t.Context(), b.tenant.ID, b.ada.ID, r, b.at, noRecord))
}

func (b *back) unregister(client string) {
	b.t.Helper()
	b.ok(b.store.Users().Unregister(b.t.Context(), b.tenant.ID, b.ada.ID, client, b.at, noRecord))
}

func (b *back) registered(client string) bool {
	b.t.Helper()
	u, err := b.store.Users().Get(b.t.Context(), b.tenant.ID, b.ada.ID, client)
	b.ok(err)
	return u.Registration != nil
}

// asNotRegistered wants what the token endpoint tells as invalid_grant, with the reason beside it.
func asNotRegistered(t testing.TB, err error) {
	t.Helper()
	if f := fault.From(err); f == nil || f.Reason != fault.ReasonNotRegistered || f.Kind != fault.Unauthenticated {
		t.Fatalf("refused with %v, want not_registered", err)
	}
}

// enter asks for a code for whoever is signed on and gives it, or the error that the client hears.
func (b *back) enter(live *sso.Live, change func(*oauth.Params)) (form url.Values, refused string) {
	b.t.Helper()
	browser := secret.Random(8)
	r := b.begin(browser, with(change))
	step := b.next(browser, r.ID, live)
	if refused = b.replied(step, "error"); refused != "" {
		return nil, refused
	}
	return url.Values{
		"grant_type": {tenant.GrantCode}, "code": {b.replied(step, "code")}, "redirect_uri": {appCallback}, "code_verifier": {verifier},
	}, ""
}

// TestOneSignOnTwoApplications: one sign-on opens every application but those that require a registration, until the person is registered there;
// then without a second prompt (CWE-863: who may sign on says nothing about who may enter).
func TestOneSignOnTwoApplications(t *testing.T) {
	eachBack(t, func(t *testing.T, b *back) {
		b.closes("stranger")
		live := b.liveOf(b.ada)
		closed := func(p *oauth.Params) { p.ClientID, p.Scope = "stranger", []string{"openid", "offline_access"} }
		silent := func(p *oauth.Params) { closed(p); p.Prompt = []string{"none"} }

		form, refused := b.enter(live, func(p *oauth.Params) { p.ClientID = "all" })
		if refused != "" || !b.got("all", form).RefreshToken.IsZero() || !b.registered("all") {
			t.Fatalf("the open application: %q", refused)
		}
		for name, ask := range map[string]func(*oauth.Params){
			"closed": closed, "silent": silent,
			"asking for consent": func(p *oauth.Params) { closed(p); p.Prompt = []string{"consent"} },
		} {
			if _, refused := b.enter(live, ask); refused != "access_denied" {
				t.Fatalf("%s: %q, want access_denied", name, refused)
			}
		}
		if b.registered("stranger") {
			t.Fatal("asking made a registration")
		}
		b.register("stranger")
		form, refused = b.enter(live, silent)
		if refused != "" {
			t.Fatalf("registered, and refused with %q", refused)
		}
		out := b.got("stranger", form)
		again := b.got("stranger", url.Values{"grant_type": {tenant.GrantRefresh}, "refresh_token": {out.RefreshToken.Reveal()}})
		b.active("stranger", again.AccessToken, true)

		waiting, _ := b.enter(live, closed) // a code that is out when the person is removed
		b.unregister("stranger")
		b.active("stranger", again.AccessToken, false)
		_, err := b.ask("stranger", waiting)
		if f := fault.From(err); f == nil || f.Kind != fault.Invalid && f.Kind != fault.Unauthenticated {
			t.Fatalf("a code outlives the registration: %v", err)
		}
		_, err = b.ask("stranger", url.Values{"grant_type": {tenant.GrantRefresh}, "refresh_token": {again.RefreshToken.Reveal()}})
		if f := fault.From(err); f == nil || f.Kind != fault.Unauthenticated {
			t.Fatalf("a refresh token outlives the registration: %v", err)
		}
		if b.registered("stranger") {
			t.Fatal("a grant made a registration")
		}
	})
}

// TestEveryGrantAsks: whatever leads to a session of a closed application asks for the registration at its very end.
func TestEveryGrantAsks(t *testing.T) {
	b := backOnSQLite(t)
	b.closes("stranger")
	ctx, live := t.Context(), b.liveOf(b.ada)

	b.register("stranger")
	code, _ := b.enter(live, func(p *oauth.Params) { p.ClientID = "stranger" })
	// Removed behind the verb's back: the code itself still stands, and its exchange has to notice.
	person, err := b.store.Users().Get(ctx, b.tenant.ID, b.ada.ID, "stranger")
	b.ok(err)
	dev := b.device("stranger", "openid")
	d, _, err := b.s.DeviceByCode(ctx, b.api(), b.tenant, dev.UserCode, b.ada.ID)
	b.ok(err)
	b.ok(b.s.AllowDevice(ctx, b.api(), b.tenant, d, live, d.Scope))
	b.unregister("stranger")
	b.remake(func(c *oauth.Config) { c.Codes = unvoided{c.Codes} })
	_, err = b.ask("stranger", code)
	asNotRegistered(t, err)
	_, err = b.ask("stranger", url.Values{"grant_type": {tenant.GrantDevice}, "device_code": {dev.DeviceCode.Reveal()}})
	asNotRegistered(t, err)
	password := url.Values{"grant_type": {tenant.GrantPassword}, "username": {"ada@example.com"}, "password": {"right"}, "scope": {"openid"}}
	_, err = b.ask("stranger", password)
	asNotRegistered(t, err)
	b.login.person = person // was registered when the login looked, and is not at the commit
	_, err = b.ask("stranger", password)
	asNotRegistered(t, err)

	// The person is not asked about a device that they may not let in, nor can they let it in.
	other := b.device("stranger", "openid")
	_, _, err = b.s.DeviceByCode(ctx, b.api(), b.tenant, other.UserCode, b.ada.ID)
	refusedFor(t, err, fault.ReasonNotRegistered)
	d, _, err = b.s.DeviceByCode(ctx, b.api(), b.tenant, other.UserCode, "")
	b.ok(err)
	refusedFor(t, b.s.AllowDevice(ctx, b.api(), b.tenant, d, live, d.Scope), fault.ReasonNotRegistered)

	// Nor does anybody enter it in the hands of another application.
	b.closes("gateway")
	out := b.forAPI()
	_, err = b.ask("gateway", exchange(out.AccessToken))
	if f := fault.From(err); f == nil || f.Reason != fault.ReasonNotRegistered || f.Kind != fault.Invalid { // RFC 8693 section 2.2.2: invalid_request
		t.Fatalf("exchanged by an application that the person may not enter: %v", err)
	}
	b.register("gateway")
	b.got("gateway", exchange(out.AccessToken))
	if b.registered("stranger") {
		t.Fatal("a grant made a registration")
	}
}

// unvoided shows codes as if nobody had voided them.
type unvoided struct{ oauth.Codes }

func (u unvoided) Code(ctx ctx, tenantID string, hash []byte) (oauth.Code, error) {
	c, err := u.Codes.Code(ctx, tenantID, hash)
	c.SpentAt = time.Time{}
	return c, err
}

// TestRefusalOfTheUnregisteredIsRecorded: `gatehouse why` finds the reason behind access_denied.
func TestRefusalOfTheUnregisteredIsRecorded(t *testing.T) {
	b := backOnSQLite(t)
	b.closes("stranger")
	var seen []audit.Event
	b.remake(func(c *oauth.Config) { c.Requests = heardRequests{c.Requests, &seen} })
	if _, refused := b.enter(b.liveOf(b.ada), func(p *oauth.Params) { p.ClientID = "stranger" }); refused != "access_denied" {
		t.Fatalf("%q", refused)
	}
	last := seen[len(seen)-1]
	if last.Type != oauth.EventRefused || last.Reason != string(fault.ReasonNotRegistered) || last.Client != "stranger" || last.Subject != b.ada.ID {
		t.Fatalf("%+v", last)
	}
}
