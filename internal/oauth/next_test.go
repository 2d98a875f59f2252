package oauth_test

import (
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/race"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// signIn is the login step of a request.
func (w *world) signIn(browser, id string, u user.User, old secret.Text) (secret.Text, *sso.Live) {
	w.t.Helper()
	cookie, live := w.signOn(browser, u, old)
	w.ok(w.s.Proved(w.t.Context(), w.call(browser), w.tenant, id, live.Session.ID))
	return cookie, live
}

// minted is the stored code of a reply.
func (w *world) minted(step oauth.Step) oauth.Code {
	w.t.Helper()
	c, err := w.store.OAuthCodes().Code(w.t.Context(), w.tenant.ID, secret.Hash(w.replied(step, "code")))
	w.ok(err)
	return c
}

// TestSignOnOnce: sign on for one application, open another: no second prompt.
func TestSignOnOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		r := w.begin("b", with(func(p *oauth.Params) { p.Scope, p.DPoPKey = []string{"openid", "offline_access"}, challenge }))
		w.wants(w.next("b", r.ID, nil), oauth.StepLogin)
		w.at = noon.Add(time.Minute)
		cookie, live := w.signIn("b", r.ID, w.ada, secret.Text{})
		w.at = noon.Add(2 * time.Minute)
		step := w.next("b", r.ID, live)
		c := w.minted(step)
		if step.Reply.RedirectURI != appCallback || step.Reply.Mode != oauth.ModeQuery || step.Reply.Params.Has("error") {
			t.Fatalf("%+v", step.Reply)
		}
		if c.ClientID != "app" || c.RedirectURI != appCallback || c.Challenge != challenge || c.Nonce != "n" || c.DPoPKey != challenge ||
			c.UserID != w.ada.ID || c.SSOID != live.Session.ID || !c.OfflineAsked || !slices.Equal(c.Scope, []string{"openid", "offline_access"}) ||
			!c.AuthTime.Equal(noon.Add(time.Minute)) || !slices.Equal(c.AMR, []string{"pwd"}) || c.ACR != "1" || !c.ExpiresAt.Equal(w.at.Add(60*time.Second)) {
			t.Fatalf("%+v", c)
		}
		_, err := w.s.Next(t.Context(), w.call("b"), w.tenant, r.ID, live)
		refusedFor(t, err, fault.ReasonOAuthUnanswerable) // answered
		_, err = w.s.Next(t.Context(), w.call("b"), w.tenant, r.ID, nil)
		refusedFor(t, err, fault.ReasonOAuthUnanswerable) // and not begun again because nobody is signed on
		other := w.begin("b", with(func(p *oauth.Params) { p.ClientID = "other" }))
		if code := w.minted(w.next("b", other.ID, w.live("b", cookie))); code.ClientID != "other" || code.OfflineAsked {
			t.Fatalf("%+v", code)
		}
	})
}

// TestPrompts: prompt, max_age, acr_values, hints (OpenID Connect Core section 3.1.2.1), each against a person who signed on a minute ago.
func TestPrompts(t *testing.T) {
	w := onSQLite(t)
	cookie, live := w.signOn("b", w.ada, secret.Text{})
	w.at = noon.Add(time.Minute)
	seconds := func(n int64) *int64 { return &n }
	for name, c := range map[string]struct {
		change func(*oauth.Params)
		nobody bool
		want   string
	}{
		"nothing":                      {func(*oauth.Params) {}, false, "code"},
		"nobody is there":              {func(*oauth.Params) {}, true, "login"},
		"none, nobody":                 {func(p *oauth.Params) { p.Prompt = []string{"none"} }, true, "login_required"},
		"none":                         {func(p *oauth.Params) { p.Prompt = []string{"none"} }, false, "code"},
		"login":                        {func(p *oauth.Params) { p.Prompt = []string{"login"} }, false, "login"},
		"login and consent":            {func(p *oauth.Params) { p.Prompt = []string{"consent", "login"} }, false, "login"},
		"select_account":               {func(p *oauth.Params) { p.Prompt = []string{"select_account"} }, false, "choose"},
		"select_account, nobody":       {func(p *oauth.Params) { p.Prompt = []string{"select_account"} }, true, "login"},
		"consent":                      {func(p *oauth.Params) { p.Prompt = []string{"consent"} }, false, "consent"},
		"max_age 60":                   {func(p *oauth.Params) { p.MaxAge = seconds(60) }, false, "code"},
		"max_age 59":                   {func(p *oauth.Params) { p.MaxAge = seconds(59) }, false, "login"},
		"max_age 0":                    {func(p *oauth.Params) { p.MaxAge = seconds(0) }, false, "login"},
		"max_age 59, none":             {func(p *oauth.Params) { p.MaxAge, p.Prompt = seconds(59), []string{"none"} }, false, "login_required"},
		"the client's own max age":     {func(p *oauth.Params) { p.ClientID = "fresh" }, false, "code"},
		"acr reached":                  {func(p *oauth.Params) { p.ACRValues = []string{"9", "1"} }, false, "code"},
		"acr, a stronger one beside":   {func(p *oauth.Params) { p.ACRValues = []string{"1", "2"} }, false, "login"},
		"acr, the strongest is none":   {func(p *oauth.Params) { p.ACRValues = []string{"9", "1", "8"} }, false, "code"},
		"acr to be reached, none":      {func(p *oauth.Params) { p.ACRValues, p.Prompt = []string{"2"}, []string{"none"} }, false, "login_required"},
		"acr that a login can reach":   {func(p *oauth.Params) { p.ACRValues = []string{"2"} }, false, "login"},
		"acr that nothing can reach":   {func(p *oauth.Params) { p.ACRValues = []string{"9"} }, false, "code"},
		"hint of whoever is signed on": {func(p *oauth.Params) { p.IDTokenHint = w.ada.ID + " app" }, false, "code"},
		"hint of somebody else":        {func(p *oauth.Params) { p.IDTokenHint = "eve app" }, false, "login"},
		"hint of somebody else, none":  {func(p *oauth.Params) { p.IDTokenHint, p.Prompt = "eve app", []string{"none"} }, false, "login_required"},
		"login_hint of who is here":    {func(p *oauth.Params) { p.LoginHint = "Ada@Example.com" }, false, "code"},
		"login_hint of another":        {func(p *oauth.Params) { p.LoginHint = "eve@example.com" }, false, "choose"},
		"login_hint of another, none":  {func(p *oauth.Params) { p.LoginHint, p.Prompt = "eve@example.com", []string{"none"} }, false, "code"},
		"third party":                  {func(p *oauth.Params) { p.ClientID = "third" }, false, "consent"},
		"third party, none":            {func(p *oauth.Params) { p.ClientID, p.Prompt = "third", []string{"none"} }, false, "consent_required"},
		"always, none":                 {func(p *oauth.Params) { p.ClientID, p.Prompt = "wary", []string{"none"} }, false, "consent_required"},
	} {
		t.Run(name, func(t *testing.T) {
			live := live
			if c.nobody {
				live = nil
			}
			step := w.next("b", w.begin("b", with(c.change)).ID, live)
			got := string(step.Kind)
			if step.Kind == oauth.StepReply {
				if got = w.replied(step, "error"); got == "" && w.replied(step, "code") != "" {
					got = "code"
				}
			}
			if got != c.want {
				t.Fatalf("%s, want %s", got, c.want)
			}
		})
	}
	w.at = noon.Add(61 * time.Second)
	w.wants(w.next("b", w.begin("b", with(func(p *oauth.Params) { p.ClientID = "fresh" })).ID, w.live("b", cookie)), oauth.StepLogin)
}

// TestClasses: a sign-on of a weaker class than the strongest asked for that a login can reach is asked to prove itself once more, and only
// once: acr_values is voluntary (OpenID Connect Core section 3.1.2.1), so a login that falls short is answered with what it reached.
func TestClasses(t *testing.T) {
	w := onSQLite(t)
	wants := with(func(p *oauth.Params) { p.ACRValues = []string{"2"} })
	cookie, live := w.signOn("b", w.ada, secret.Text{})
	r := w.begin("b", wants)
	w.wants(w.next("b", r.ID, live), oauth.StepLogin)
	cookie, live = w.signIn("b", r.ID, w.ada, cookie) // a password again: class 1
	if code := w.minted(w.next("b", r.ID, live)); code.ACR != "1" {
		t.Fatalf("answered with %q", code.ACR)
	}
	w.wants(w.next("b", w.begin("b", wants).ID, live), oauth.StepLogin) // the next request asks anew

	strong := sso.Proof{User: &w.ada, AMR: []string{"pwd", "otp"}, ACR: "2"}
	cookie, _, err := w.sso.Open(t.Context(), w.call("b"), w.tenant, strong, cookie)
	w.ok(err)
	live = w.live("b", cookie)
	for _, asked := range [][]string{{"2"}, {"1"}, {"2", "1"}, {"9"}, nil} {
		r := w.begin("b", with(func(p *oauth.Params) { p.ACRValues = asked }))
		if code := w.minted(w.next("b", r.ID, live)); code.ACR != "2" {
			t.Fatalf("asked for %v, answered with %q", asked, code.ACR)
		}
	}
}

// TestProofCountsOnce: prompt=login is satisfied by a proof of this very request, by the one who is signed on now, and by nothing else.
func TestProofCountsOnce(t *testing.T) {
	w := onSQLite(t)
	cookie, live := w.signOn("b", w.ada, secret.Text{})
	again := with(func(p *oauth.Params) { p.Prompt = []string{"login"} })
	r, twin := w.begin("b", again), w.begin("b", again)
	w.wants(w.next("b", r.ID, live), oauth.StepLogin)
	cookie, live = w.signIn("b", r.ID, w.ada, cookie)
	w.wants(w.next("b", twin.ID, live), oauth.StepLogin) // another request's proof
	eve := w.person("eve@example.com")
	elsewhere, stranger := w.signOn("b", eve, secret.Text{})
	w.wants(w.next("b", r.ID, stranger), oauth.StepLogin) // somebody else is signed on meanwhile
	w.minted(w.next("b", r.ID, w.live("b", cookie)))
	_ = elsewhere

	// Who was expected, and who came.
	r = w.begin("b", with(func(p *oauth.Params) { p.IDTokenHint = w.ada.ID + " app" }))
	w.wants(w.next("b", r.ID, nil), oauth.StepLogin)
	_, live = w.signIn("b", r.ID, eve, secret.Text{})
	if got := w.replied(w.next("b", r.ID, live), "error"); got != "login_required" {
		t.Fatalf("another person than the hint's: %q", got)
	}
}

// TestChoose: an account chosen in this request is asked for no more; a login is a choice as well.
func TestChoose(t *testing.T) {
	w := onSQLite(t)
	_, live := w.signOn("b", w.ada, secret.Text{})
	pick := with(func(p *oauth.Params) { p.Prompt = []string{"select_account"} })
	r := w.begin("b", pick)
	w.wants(w.next("b", r.ID, live), oauth.StepChoose)
	w.ok(w.s.Choose(t.Context(), w.call("b"), w.tenant, r.ID, live))
	w.minted(w.next("b", r.ID, live))
	r = w.begin("b", pick)
	_, live = w.signIn("b", r.ID, w.person("eve@example.com"), secret.Text{})
	w.minted(w.next("b", r.ID, live))
	refusedFor(t, w.s.Choose(t.Context(), w.call("b"), w.tenant, w.begin("b", pick).ID, nil), fault.ReasonOAuthUnanswerable)
}

// TestConsent: asked once, remembered, asked again for more, withdrawn.
func TestConsent(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		_, live := w.signOn("b", w.ada, secret.Text{})
		ask := func(change func(*oauth.Params)) oauth.Request {
			return w.begin("b", with(func(p *oauth.Params) {
				p.ClientID = "third"
				if change != nil {
					change(p)
				}
			}))
		}
		allow := func(r oauth.Request, scopes ...string) oauth.Code {
			t.Helper()
			w.ok(w.s.Allow(t.Context(), w.call("b"), w.tenant, r.ID, live, scopes))
			return w.minted(w.next("b", r.ID, live))
		}
		r := ask(nil)
		step := w.next("b", r.ID, live)
		w.wants(step, oauth.StepConsent)
		if !slices.Equal(step.Ask, []string{"openid", "email"}) {
			t.Fatalf("asks for %v", step.Ask)
		}
		refusedFor(t, w.s.Allow(t.Context(), w.call("b"), w.tenant, r.ID, live, []string{"orders"}), fault.ReasonOAuthScope)
		if c := allow(r); !slices.Equal(c.Scope, []string{"openid"}) { // openid is not to be had apart
			t.Fatalf("%v", c.Scope)
		}
		r = ask(nil)
		if step := w.next("b", r.ID, live); !slices.Equal(step.Ask, []string{"email"}) {
			t.Fatalf("asks again for %v", step.Ask)
		}
		if c := allow(r, "email"); !slices.Equal(c.Scope, []string{"openid", "email"}) {
			t.Fatalf("%v", c.Scope)
		}
		w.minted(w.next("b", ask(nil).ID, live)) // remembered
		w.minted(w.next("b", ask(func(p *oauth.Params) { p.Prompt = []string{"none"} }).ID, live))
		step = w.next("b", ask(func(p *oauth.Params) { p.Scope, p.Prompt = []string{"openid"}, []string{"consent"} }).ID, live)
		if w.wants(step, oauth.StepConsent); !slices.Equal(step.Ask, []string{"openid"}) {
			t.Fatalf("prompt=consent asks for %v", step.Ask)
		}
		w.wants(w.next("b", ask(func(p *oauth.Params) { p.Resource = []string{"https://api.example.com"} }).ID, live), oauth.StepConsent)
		have, err := w.s.Consents(t.Context(), w.call("b"), w.tenant, w.ada.ID)
		if err != nil || len(have) != 1 || !slices.Equal(have[0].Scope, []string{"openid", "email"}) {
			t.Fatalf("%+v %v", have, err)
		}
		w.ok(w.s.WithdrawConsent(t.Context(), w.call("b"), w.tenant, w.ada.ID, "third"))
		w.wants(w.next("b", ask(nil).ID, live), oauth.StepConsent)
		r = ask(nil)
		w.ok(w.s.Refuse(t.Context(), w.call("b"), w.tenant, r.ID))
		if got := w.replied(w.next("b", r.ID, live), "error"); got != "access_denied" {
			t.Fatalf("%q", got)
		}
		r = ask(func(p *oauth.Params) { p.Scope = []string{"orders"} })
		w.ok(w.s.Allow(t.Context(), w.call("b"), w.tenant, r.ID, live, nil))
		if got := w.replied(w.next("b", r.ID, live), "error"); got != "access_denied" {
			t.Fatalf("allowed nothing: %q", got)
		}
	})
}

// TestConsentIsOnesOwn: what one person allowed in a request is not what the next one who signs on in it allowed.
func TestConsentIsOnesOwn(t *testing.T) {
	w := onSQLite(t)
	_, ada := w.signOn("b", w.ada, secret.Text{})
	r := w.begin("b", with(func(p *oauth.Params) { p.ClientID = "wary" }))
	w.ok(w.s.Allow(t.Context(), w.call("b"), w.tenant, r.ID, ada, []string{"email"}))
	person := w.person("eve@example.com")
	_, stranger := w.signOn("b", person, secret.Text{}) // in another tab
	w.wants(w.next("b", r.ID, stranger), oauth.StepConsent)
	_, eve := w.signIn("b", r.ID, person, secret.Text{})
	w.wants(w.next("b", r.ID, eve), oauth.StepConsent)
}

// TestLoginCSRF: a request goes on in the browser that began it, or where the session is that a step of it made; anybody else is sent away
// from every verb alike (RFC 9700 section 4.7).
func TestLoginCSRF(t *testing.T) {
	w := onSQLite(t)
	r := w.begin("attacker", good())
	_, victim := w.signOn("victim", w.ada, secret.Text{})
	for _, browser := range []string{"victim", ""} {
		call := w.call(browser)
		_, err := w.s.Next(t.Context(), call, w.tenant, r.ID, victim)
		refusedFor(t, err, fault.ReasonOAuthUnanswerable)
		_, _, err = w.s.Peek(t.Context(), call, w.tenant, r.ID, victim)
		refusedFor(t, err, fault.ReasonOAuthUnanswerable)
		refusedFor(t, w.s.Proved(t.Context(), call, w.tenant, r.ID, victim.Session.ID), fault.ReasonOAuthUnanswerable)
		refusedFor(t, w.s.Choose(t.Context(), call, w.tenant, r.ID, victim), fault.ReasonOAuthUnanswerable)
		refusedFor(t, w.s.Allow(t.Context(), call, w.tenant, r.ID, victim, []string{"openid"}), fault.ReasonOAuthUnanswerable)
		refusedFor(t, w.s.Refuse(t.Context(), call, w.tenant, r.ID), fault.ReasonOAuthUnanswerable)
	}
	// A request that was pushed and not taken up belongs to nobody, not to whoever has no cookie.
	uri, _, err := w.s.Push(t.Context(), w.call(""), w.tenant, w.clients.Client("", "par"), with(func(p *oauth.Params) { p.ClientID = "par" }))
	w.ok(err)
	_, err = w.s.Next(t.Context(), w.call(""), w.tenant, uri[len(oauth.RequestURIPrefix):], nil)
	refusedFor(t, err, fault.ReasonOAuthUnanswerable)
	// The cookie of the browser may be renewed after the proof: the session it made knows the request then.
	r = w.begin("before", good())
	_, live := w.signIn("before", r.ID, w.ada, secret.Text{})
	w.minted(w.next("after", r.ID, live))
	for _, id := range []string{"", "nobody's", "a\x00b", string(make([]byte, 4000)), "\xff"} {
		_, err := w.s.Next(t.Context(), w.call("b"), w.tenant, id, nil)
		refusedFor(t, err, fault.ReasonOAuthUnanswerable)
	}
	r = w.begin("b", good())
	w.at = noon.Add(oauth.RequestLife)
	_, err = w.s.Next(t.Context(), w.call("b"), w.tenant, r.ID, nil)
	refusedFor(t, err, fault.ReasonOAuthUnanswerable)
}

// TestClientChangesUnderway: what is answered is registered at that moment, not when the request began.
func TestClientChangesUnderway(t *testing.T) {
	w := onSQLite(t)
	_, live := w.signOn("b", w.ada, secret.Text{})
	r := w.begin("b", good())
	c := *w.clients.Client("", "app")
	c.Settings.RedirectURIs = []string{"https://new.example.com/callback"}
	w.clients.put(c)
	_, err := w.s.Next(t.Context(), w.call("b"), w.tenant, r.ID, live)
	refusedFor(t, err, fault.ReasonOAuthRedirectURI)
	w.clients.clients.Delete("app")
	_, err = w.s.Next(t.Context(), w.call("b"), w.tenant, r.ID, live)
	refusedFor(t, err, fault.ReasonUnknownClient)
}

// TestSignedOffMeanwhile: between the look and the code the person was disabled or signed off; there is no code then.
func TestSignedOffMeanwhile(t *testing.T) {
	w := onSQLite(t)
	_, live := w.signOn("b", w.ada, secret.Text{})
	r, silent := w.begin("b", good()), w.begin("b", with(func(p *oauth.Params) { p.Prompt = []string{"none"} }))
	w.ok(w.store.Users().SetStatus(t.Context(), w.tenant.ID, w.ada.ID, user.Disabled, noon, audit.Record{}))
	w.wants(w.next("b", r.ID, live), oauth.StepLogin)
	if got := w.replied(w.next("b", silent.ID, live), "error"); got != "login_required" {
		t.Fatalf("%q", got)
	}
}

// TestOneAnswer: of 64 that find a request ready, one gets its code; and 64 exchanges of that code open one session.
func TestOneAnswer(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		_, live := w.signOn("b", w.ada, secret.Text{})
		r := w.begin("b", good())
		codes := make([]string, 64)
		won := race.Winners(t, func(i int) (bool, error) {
			step, err := w.s.Next(t.Context(), w.call("b"), w.tenant, r.ID, live)
			if fault.ReasonOf(err) == fault.ReasonOAuthUnanswerable {
				return false, nil
			}
			if err == nil {
				codes[i] = step.Reply.Params.Get("code")
			}
			return err == nil, err
		})
		if won != 1 {
			t.Fatalf("%d answers", won)
		}
		i := slices.IndexFunc(codes, func(c string) bool { return c != "" })
		opened := race.Winners(t, func(int) (bool, error) {
			f := session.Family{
				TenantID: w.tenant.ID, ID: secret.NewID(noon), ClientID: "app", Subject: w.ada.ID, UserID: w.ada.ID, Epoch: w.ada.Epoch, SSOID: live.Session.ID,
				Head: session.Hash(secret.Bytes(32)), CreatedAt: noon, IdleExpiry: noon.Add(time.Hour), AbsoluteExpiry: noon.Add(time.Hour), Version: 1,
			}
			return w.store.OAuthCodes().Exchange(t.Context(), w.tenant.ID, secret.Hash(codes[i]), f, nil, audit.Record{})
		})
		if opened != 1 {
			t.Fatalf("%d sessions for one code", opened)
		}
		ended, err := w.sso.End(t.Context(), w.call("b"), w.tenant, sso.Match{ID: live.Session.ID}, sso.EndedByLogout)
		if err != nil || len(ended) != 1 {
			t.Fatalf("%v %v", ended, err)
		}
	})
}

// TestPushed: a pushed request works once, for 90 s, for its own client, in one browser of 64.
func TestPushed(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		par := w.clients.Client("", "par")
		push := func() string {
			t.Helper()
			uri, life, err := w.s.Push(t.Context(), w.call(""), w.tenant, par, with(func(p *oauth.Params) { p.ClientID = "" }))
			if err != nil || life != oauth.PushedLife {
				t.Fatalf("%v %v", life, err)
			}
			return uri
		}
		take := func(browser, client, uri string) error {
			_, err := w.s.Begin(t.Context(), w.call(browser), w.tenant, oauth.Params{ClientID: client, RequestURI: uri, RedirectURI: "https://attacker.example/", Scope: []string{"orders"}})
			if _, redirects := isRedirect(err); redirects {
				t.Error("redirected")
			}
			return err
		}
		uri := push()
		requests := make([]oauth.Request, 64)
		won := race.Winners(t, func(i int) (bool, error) {
			r, err := w.s.Begin(t.Context(), w.call(browserOf(i)), w.tenant, oauth.Params{ClientID: "par", RequestURI: uri, State: "changed"})
			requests[i] = r
			if fault.ReasonOf(err) == fault.ReasonOAuthRequestURI {
				return false, nil
			}
			return err == nil, err
		})
		if won != 1 {
			t.Fatalf("taken up %d times", won)
		}
		i := slices.IndexFunc(requests, func(r oauth.Request) bool { return r.ID != "" })
		if got := requests[i].Params; got.State != "xyz" || got.RedirectURI != appCallback {
			t.Fatalf("what came by the browser counts: %+v", got)
		}
		_, live := w.signIn(browserOf(i), requests[i].ID, w.ada, secret.Text{})
		w.minted(w.next(browserOf(i), requests[i].ID, live))
		for name, err := range map[string]error{
			"again": take("b", "par", uri), "another client": take("b", "app", push()), "no client": take("b", "", push()),
			"unknown": take("b", "par", oauth.RequestURIPrefix+"x"), "empty": take("b", "par", oauth.RequestURIPrefix), "elsewhere": take("b", "par", "https://attacker.example/request"),
			"a request that was not pushed": take("b", "app", oauth.RequestURIPrefix+w.begin("b", good()).ID), "NUL": take("b", "par", oauth.RequestURIPrefix+"\x00"),
		} {
			if fault.ReasonOf(err) != fault.ReasonOAuthRequestURI {
				t.Errorf("%s: %v", name, err)
			}
		}
		late := push()
		w.at = noon.Add(oauth.PushedLife)
		refusedFor(t, take("b", "par", late), fault.ReasonOAuthRequestURI)
		_, _, err := w.s.Push(t.Context(), w.call(""), w.tenant, par, good()) // names another client
		refusedFor(t, err, fault.ReasonOAuthRequest)
		_, _, err = w.s.Push(t.Context(), w.call(""), w.tenant, par, with(func(p *oauth.Params) { p.ClientID, p.RequestURI = "par", uri }))
		refusedFor(t, err, fault.ReasonOAuthRequest)
	})
}
