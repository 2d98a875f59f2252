package storetest

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// OAuth is the suite of oauth.Requests and oauth.Codes.
func OAuth(t *testing.T, r Rooms) {
	play(t, r, []step{
		{"request round trip", requestRoundTrip},
		{"a step is taken once", requestStep},
		{"finishing is done once", requestFinish},
		{"a code needs a person who is still signed on", requestGuards},
		{"consents", consents},
		{"withdrawal ends sessions and codes", withdrawal},
		{"a code is exchanged once", codeOnce},
		{"an exchange is guarded", codeGuards},
		{"an exchange races with the end of the sign-on", codeAgainstEnd},
		{"purge", oauthPurge},
	})
}

func (s *scene) request() oauth.Request {
	maxAge := int64(0)
	return oauth.Request{
		TenantID: s.tenant.ID, ID: secret.Random(24), Browser: "browser", CreatedAt: noon, ExpiresAt: noon.Add(time.Hour), Version: 1,
		Params: oauth.Params{
			ClientID: "app", RedirectURI: "https://app.example.com/cb?x=1&y=ü", ResponseType: "code", Scope: []string{"openid", "email"}, State: `"<&>`,
			Nonce: "n", CodeChallenge: "c", CodeChallengeMethod: "S256", Prompt: []string{"login"}, MaxAge: &maxAge, Resource: []string{"https://api.example.com"},
			Pushed: true,
		},
	}
}

func (s *scene) begun() oauth.Request {
	s.Helper()
	r := s.request()
	s.ok(s.Requests.Begin(s.ctx, r))
	return r
}

func (s *scene) code(n sso.Session) (oauth.Code, []byte) {
	hash := secret.Hash(secret.Random(8))
	return oauth.Code{
		TenantID: s.tenant.ID, Hash: hash, ClientID: "app", RedirectURI: "https://app.example.com/cb", Challenge: "c", Nonce: "n", DPoPKey: "k",
		UserID: n.UserID, Epoch: n.Epoch, SSOID: n.ID, Scope: []string{"openid"}, Resource: []string{"r"}, AuthTime: noon, AMR: []string{"pwd"}, ACR: "1",
		OfflineAsked: true, CreatedAt: noon, ExpiresAt: noon.Add(time.Minute),
	}, hash
}

// minted is a stored code of n.
func (s *scene) minted(n sso.Session) oauth.Code {
	s.Helper()
	c, _ := s.code(n)
	ok, err := s.Requests.Finish(s.ctx, s.begun(), &c, nil, noon, audit.Record{})
	if err != nil || !ok {
		s.Fatalf("finish: %v, %v", ok, err)
	}
	return c
}

func (s *scene) reread(r oauth.Request) oauth.Request {
	s.Helper()
	got, err := s.Requests.Request(s.ctx, s.tenant.ID, r.ID, noon)
	s.ok(err)
	return got
}

func requestRoundTrip(s *scene) {
	r := s.begun()
	s.same("request", s.reread(r), r)
	_, err := s.Requests.Request(s.ctx, s.tenant.ID, r.ID, r.ExpiresAt)
	s.refused(err, fault.NotFound, fault.ReasonNotFound)
	_, err = s.Requests.Request(s.ctx, s.elsewhere().tenant.ID, r.ID, noon)
	s.refused(err, fault.NotFound, fault.ReasonNotFound)
	_, err = s.Requests.Request(s.ctx, s.tenant.ID, "a\x00b", noon)
	s.refused(err, fault.Invalid, "")
	s.refused(s.Requests.Begin(s.ctx, r), fault.Conflict, "")
	bad := s.request()
	bad.Browser = "\xff"
	s.refused(s.Requests.Begin(s.ctx, bad), fault.Invalid, "")
}

// requestStep is also what makes a pushed request good for one browser.
func requestStep(s *scene) {
	r := s.request()
	r.Browser = ""
	s.ok(s.Requests.Begin(s.ctx, r))
	to := r
	to.Browser, to.ExpiresAt, to.SSOID, to.ProvedAt, to.Chosen, to.Consent, to.Refused = "mine", noon.Add(2*time.Hour), "sso", noon, true, []string{}, true
	won := s.together(func(int) (bool, error) { return s.Requests.Step(s.ctx, r, to, audit.Record{}) })
	if won != 1 {
		s.Fatalf("%d of %d steps were taken", won, callers)
	}
	got := s.reread(r)
	to.Version = r.Version + 1
	s.same("after the step", got, to)
	if got.Consent == nil {
		s.Fatal("nothing allowed came back as nothing said")
	}
	m := s.mark()
	if ok, err := s.Requests.Step(s.ctx, got, r, m.Record); err != nil || !ok {
		s.Fatalf("next step: %v, %v", ok, err)
	}
	s.wrote(m, true)
}

func requestFinish(s *scene) {
	n := s.signedOn(s.person(s.address()))
	r := s.begun()
	codes := make([]oauth.Code, callers)
	for i := range codes {
		codes[i], _ = s.code(n)
	}
	won := s.together(func(i int) (bool, error) { return s.Requests.Finish(s.ctx, r, &codes[i], nil, noon, audit.Record{}) })
	if won != 1 {
		s.Fatalf("%d of %d finished", won, callers)
	}
	stored := 0
	for _, c := range codes {
		got, err := s.Codes.Code(s.ctx, s.tenant.ID, c.Hash)
		if err == nil {
			stored++
			s.same("code", got, c)
		}
	}
	if stored != 1 {
		s.Fatalf("%d codes were stored", stored)
	}
	done := s.reread(r)
	if !done.DoneAt.Equal(noon) {
		s.Fatalf("%+v", done)
	}
	m := s.mark()
	if ok, err := s.Requests.Step(s.ctx, done, done, m.Record); ok || err != nil {
		s.Fatalf("a step after the end: %v, %v", ok, err)
	}
	if ok, err := s.Requests.Finish(s.ctx, done, nil, nil, noon, m.Record); ok || err != nil {
		s.Fatalf("a second end: %v, %v", ok, err)
	}
	s.wrote(m, false)
	refusal := s.mark()
	if ok, err := s.Requests.Finish(s.ctx, s.begun(), nil, nil, noon, refusal.Record); !ok || err != nil {
		s.Fatalf("an end without a code: %v, %v", ok, err)
	}
	s.wrote(refusal, true)
}

func requestGuards(s *scene) {
	for name, act := range map[string]func(u user.User, n sso.Session) error{
		"signed off": func(_ user.User, n sso.Session) error {
			_, err := s.SignOns.Revoke(s.ctx, sso.End{Match: sso.Match{TenantID: s.tenant.ID, ID: n.ID}, At: noon, Reason: "x"}, audit.Record{})
			return err
		},
		"disabled": func(u user.User, _ sso.Session) error {
			return s.Users.SetStatus(s.ctx, s.tenant.ID, u.ID, user.Disabled, noon, audit.Record{})
		},
		"epoch": func(u user.User, _ sso.Session) error {
			_, err := s.Users.RaiseEpoch(s.ctx, s.tenant.ID, u.ID, "x", noon, audit.Record{})
			return err
		},
	} {
		u := s.person(s.address())
		n := s.signedOn(u)
		r := s.begun()
		c, hash := s.code(n)
		s.ok(act(u, n))
		m := s.mark()
		_, err := s.Requests.Finish(s.ctx, r, &c, &oauth.Consent{TenantID: s.tenant.ID, UserID: u.ID, ClientID: "app"}, noon, m.Record)
		s.refused(err, fault.Conflict, fault.ReasonUserChanged)
		s.wrote(m, false)
		_, err = s.Codes.Code(s.ctx, s.tenant.ID, hash)
		s.refused(err, fault.NotFound, fault.ReasonNotFound)
		if got := s.reread(r); !got.DoneAt.IsZero() {
			s.Fatalf("%s: the request is done", name)
		}
	}
	n := s.signedOn(s.person(s.address()))
	c, _ := s.code(n)
	_, err := s.Requests.Finish(s.ctx, s.begun(), &c, nil, n.IdleExpiry, audit.Record{})
	s.refused(err, fault.Conflict, fault.ReasonUserChanged)
}

func consents(s *scene) {
	u := s.person(s.address())
	n := s.signedOn(u)
	allow := func(clientID string, at time.Time, scope ...string) oauth.Consent {
		c, _ := s.code(n)
		row := oauth.Consent{TenantID: s.tenant.ID, UserID: u.ID, ClientID: clientID, Scope: scope, Resource: []string{"r"}, GrantedAt: at, UpdatedAt: at}
		ok, err := s.Requests.Finish(s.ctx, s.begun(), &c, &row, noon, audit.Record{})
		if err != nil || !ok {
			s.Fatalf("%v %v", ok, err)
		}
		return row
	}
	other := allow("other", noon, "openid")
	allow("app", noon, "openid")
	app := allow("app", noon.Add(time.Hour), "openid", "email")
	app.GrantedAt = noon
	all, err := s.Requests.Consents(s.ctx, s.tenant.ID, u.ID, "")
	s.ok(err)
	s.same("all", all, []oauth.Consent{app, other})
	one, err := s.Requests.Consents(s.ctx, s.tenant.ID, u.ID, "other")
	s.ok(err)
	s.same("one", one, []oauth.Consent{other})
	far, err := s.Requests.Consents(s.ctx, s.elsewhere().tenant.ID, u.ID, "")
	s.ok(err)
	if len(far) != 0 {
		s.Fatal("consents of another tenant")
	}
}

func withdrawal(s *scene) {
	u, friend := s.person(s.address()), s.person(s.address())
	n, away := s.signedOn(u), s.signedOn(friend)
	row := oauth.Consent{TenantID: s.tenant.ID, UserID: u.ID, ClientID: "app", Scope: []string{"openid"}, GrantedAt: noon, UpdatedAt: noon}
	c, _ := s.code(n)
	_, err := s.Requests.Finish(s.ctx, s.begun(), &c, &row, noon, audit.Record{})
	s.ok(err)
	apart := s.minted(away)
	mine, other, theirs := s.opened(u), s.opened(u, func(f *session.Family) { f.ClientID = "other" }), s.opened(friend)
	m := s.mark()
	ended, err := s.Requests.Withdraw(s.ctx, s.tenant.ID, u.ID, "app", noon.Add(time.Hour), m.Record)
	s.ok(err)
	s.wrote(m, true)
	s.same("ended", ended, []oauth.Ended{{ID: mine.ID, ClientID: "app", Subject: u.ID}})
	s.ended("consent_withdrawn", mine)
	s.live(other, theirs)
	f := s.family(u)
	if ok, err := s.Codes.Exchange(s.ctx, s.tenant.ID, c.Hash, f, nil, audit.Record{}); ok || err != nil {
		s.Fatalf("a code outlives the consent: %v, %v", ok, err)
	}
	if ok, err := s.Codes.Exchange(s.ctx, s.tenant.ID, apart.Hash, s.family(friend), nil, audit.Record{}); !ok || err != nil {
		s.Fatalf("another's code: %v, %v", ok, err)
	}
	left, err := s.Requests.Consents(s.ctx, s.tenant.ID, u.ID, "")
	s.ok(err)
	if len(left) != 0 {
		s.Fatalf("%+v", left)
	}
	_, err = s.Requests.Withdraw(s.ctx, s.tenant.ID, u.ID, "", noon, audit.Record{})
	s.refused(err, fault.Internal, "")
}

func codeOnce(s *scene) {
	u := s.person(s.address())
	n := s.signedOn(u)
	c := s.minted(n)
	families := make([]session.Family, callers)
	for i := range families {
		families[i] = s.family(u)
		families[i].SSOID, families[i].ClientID = n.ID, "other"
	}
	m := s.mark()
	winner := -1
	register := &user.Registration{ClientID: "other", Roles: []string{"member"}, CreatedAt: noon}
	won := s.together(func(i int) (bool, error) {
		rec := audit.Record{}
		if i == 0 {
			rec = m.Record
		}
		ok, err := s.Codes.Exchange(s.ctx, s.tenant.ID, c.Hash, families[i], register, rec)
		if ok {
			winner = i
		}
		return ok, err
	})
	if won != 1 {
		s.Fatalf("%d of %d exchanged the code", won, callers)
	}
	s.wrote(m, winner == 0)
	for i, f := range families {
		_, err := s.Sessions.Load(s.ctx, session.Ref{TenantID: s.tenant.ID, ID: f.ID})
		if (err == nil) != (i == winner) {
			s.Fatalf("family %d of winner %d: %v", i, winner, err)
		}
	}
	got, err := s.Codes.Code(s.ctx, s.tenant.ID, c.Hash)
	s.ok(err)
	c.SpentAt, c.SessionID = noon, families[winner].ID
	s.same("spent code", got, c)
	k, err := s.Users.Get(s.ctx, s.tenant.ID, u.ID, "other")
	s.ok(err)
	if k.Registration == nil || len(k.Registration.Roles) != 1 {
		s.Fatal("the registration was not made")
	}
	if ok, err := s.Codes.Exchange(s.ctx, s.tenant.ID, secret.Hash("no such code"), s.family(u), nil, audit.Record{}); ok || err != nil {
		s.Fatalf("an unknown code: %v, %v", ok, err)
	}
	if ok, err := s.Codes.Exchange(s.ctx, s.elsewhere().tenant.ID, c.Hash, s.family(u), nil, audit.Record{}); ok || err != nil {
		s.Fatalf("in another tenant: %v, %v", ok, err)
	}
}

func codeGuards(s *scene) {
	u := s.person(s.address())
	n := s.signedOn(u)
	c := s.minted(n)
	f := s.family(u)
	f.SSOID, f.Epoch = n.ID, u.Epoch+1
	m := s.mark()
	_, err := s.Codes.Exchange(s.ctx, s.tenant.ID, c.Hash, f, nil, m.Record)
	s.refused(err, fault.Conflict, fault.ReasonUserChanged)
	_, err = s.SignOns.Revoke(s.ctx, sso.End{Match: sso.Match{TenantID: s.tenant.ID, ID: n.ID}, At: noon, Reason: "x"}, audit.Record{})
	s.ok(err)
	f.Epoch = u.Epoch
	_, err = s.Codes.Exchange(s.ctx, s.tenant.ID, c.Hash, f, nil, m.Record)
	s.refused(err, fault.Unauthenticated, fault.ReasonSessionRevoked)
	s.wrote(m, false)
	if got, err := s.Codes.Code(s.ctx, s.tenant.ID, c.Hash); err != nil || !got.SpentAt.IsZero() {
		s.Fatalf("a refused exchange spent the code: %+v, %v", got, err)
	}
}

func codeAgainstEnd(s *scene) {
	u := s.person(s.address())
	for range 8 {
		n := s.signedOn(u)
		c := s.minted(n)
		f := s.family(u)
		f.SSOID = n.ID
		s.together(func(i int) (bool, error) {
			if i%2 == 0 {
				_, err := s.SignOns.Revoke(s.ctx, sso.End{Match: sso.Match{TenantID: s.tenant.ID, ID: n.ID}, At: noon, Reason: "race"}, audit.Record{})
				return false, err
			}
			ok, err := s.Codes.Exchange(s.ctx, s.tenant.ID, c.Hash, f, nil, audit.Record{})
			if fault.ReasonOf(err) == fault.ReasonSessionRevoked {
				err = nil
			}
			return ok, err
		})
		l, err := s.Sessions.Load(s.ctx, session.Ref{TenantID: s.tenant.ID, ID: f.ID})
		if err == nil && !l.Family.Revoked() {
			s.Fatal("a session outlives its sign-on")
		}
	}
}

func oauthPurge(s *scene) {
	n := s.signedOn(s.person(s.address()))
	old, kept, c := s.begun(), s.request(), s.minted(n)
	kept.ExpiresAt = noon.Add(24 * time.Hour)
	s.ok(s.Requests.Begin(s.ctx, kept))
	total := 0
	for range 4 {
		k, err := s.Requests.Purge(s.ctx, s.tenant.ID, noon.Add(2*time.Hour), 2)
		s.ok(err)
		if k > 2 {
			s.Fatalf("purged %d at once", k)
		}
		total += k
	}
	if total != 3 { // two requests, one code
		s.Fatalf("purged %d", total)
	}
	s.reread(kept)
	_, err := s.Requests.Request(s.ctx, s.tenant.ID, old.ID, noon)
	s.refused(err, fault.NotFound, "")
	_, err = s.Codes.Code(s.ctx, s.tenant.ID, c.Hash)
	s.refused(err, fault.NotFound, "")
}
