package login_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

func TestFromRegistrationToLogin(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		must(t, w.register(w.call("b1"), " Ada@Example.com", goodPassword))
		_, err := w.login(w.call("b1"), w.shut, "ada@example.com", goodPassword)
		wantReason(t, "login before proof", err, fault.ReasonEmailUnverified)
		if f := fault.From(err); f.Safe != "user has not verified their primary email" || f.Kind != fault.Unauthenticated {
			t.Errorf("login before proof says %q as %d", f.Safe, f.Kind)
		}
		token := w.token(t, "ada@example.com")
		p, err := w.svc.Inspect(context.Background(), w.call("b1"), w.t, secret.NewText(token))
		if want := (login.Pending{Kind: login.PendingSignup, Email: "ada@example.com", ClientID: "shut", SameBrowser: true}); err != nil || p != want {
			t.Errorf("Inspect gives %+v, %v", p, err)
		}
		proved, err := w.verify(w.call("b1"), token, "", "")
		if err != nil || proved.RedirectURL != "https://app.example.com/welcome" || proved.ClientID != "shut" {
			t.Fatalf("verify: %+v, %v", proved, err)
		}
		w.j.take()
		out, err := w.login(w.call("b1"), w.shut, "ADA@example.com ", goodPassword)
		if err != nil || out.Tokens.Family.UserID != proved.UserID || out.DeviceCookie.IsZero() {
			t.Fatalf("login: %+v, %v", out, err)
		}
		if !slices.Equal(out.Tokens.Family.AMR, []string{"pwd"}) || !out.Tokens.Family.AuthTime.Equal(w.now) {
			t.Errorf("the session says amr %v at %s", out.Tokens.Family.AMR, out.Tokens.Family.AuthTime)
		}
		want := []string{"Take 3", "Known", "hash", "Open with 1 events, 0 messages", "GiveBack 3"}
		if diff := cmp.Diff(want, w.j.take()); diff != "" {
			t.Errorf("a login's way to the store (-want +got):\n%s", diff)
		}
		u, err := w.b.users.Get(context.Background(), w.t.ID, proved.UserID, "shut")
		if err != nil || u.Name != "Name of b1" || !u.PrimaryEmail().Verified() || u.Registration == nil || !slices.Equal(u.Registration.Roles, []string{"reader"}) {
			t.Errorf("the user is %+v, %v", u, err)
		}
	})
}

func TestAutoRegister(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		_, err := w.login(w.call("b1"), w.auto, "ada@example.com", goodPassword)
		wantReason(t, "first login", err, fault.ReasonEmailUnverified)
		token := w.token(t, "ada@example.com")
		_, err = w.login(w.call("b1"), w.auto, "ada@example.com", goodPassword)
		wantReason(t, "again", err, fault.ReasonEmailUnverified)
		if m := w.j.mail("ada@example.com"); m.To != "" {
			t.Errorf("the right password of an attempt mailed %q again", m.Template)
		}
		_, err = w.login(w.call("b2"), w.auto, "bob@example.com", "password1")
		wantReason(t, "sign-up with a common password", err, fault.ReasonBreachedPassword)
		_, err = w.verify(w.call("b1"), token, "", "")
		must(t, err)
		_, err = w.login(w.call("b1"), w.auto, "ada@example.com", goodPassword)
		must(t, err)
		_, err = w.login(w.call("b1"), w.auto, "ada@example.com", "a wrong password")
		wantReason(t, "wrong password of an account", err, fault.ReasonInvalidCredentials)
	})
}

func TestOtherClient(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		id := w.member(t, "ada@example.com")
		_, err := w.login(w.call(""), w.auto, "ada@example.com", goodPassword)
		must(t, err)
		u, err := w.b.users.Get(context.Background(), w.t.ID, id, "auto")
		if err != nil || u.Registration == nil || !slices.Equal(u.Registration.Roles, []string{"reader"}) {
			t.Errorf("auto_register registers as %+v, %v", u.Registration, err)
		}
		_, err = w.login(w.call("b9"), w.auto, "bob@example.com", goodPassword)
		wantReason(t, "sign-up at auto", err, fault.ReasonEmailUnverified)
		_, err = w.verify(w.call("b9"), w.token(t, "bob@example.com"), "", "")
		must(t, err)
		_, err = w.login(w.call(""), w.shut, "bob@example.com", goodPassword)
		must(t, err) // auto_register says nothing about who may enter
	})
}

// TestRequiredRegistration: a client that requires a registration lets in who has one and nobody else, and only the right password hears
// why not; by no road does anybody sign up there.
func TestRequiredRegistration(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const email = "ada@example.com"
		ctx, id := context.Background(), w.member(t, email)
		hosted := func() error {
			_, err := w.svc.Prove(ctx, w.call(""), login.PasswordRequest{Tenant: w.t, Client: w.listed, Email: email, Password: secret.NewText(goodPassword)})
			return err
		}
		_, err := w.login(w.call(""), w.listed, email, goodPassword)
		wantReason(t, "a member elsewhere", err, fault.ReasonNotRegistered)
		if fault.From(err).Kind != fault.Forbidden {
			t.Errorf("it is %+v", err)
		}
		wantReason(t, "on a page of ours", hosted(), fault.ReasonNotRegistered)
		_, err = w.login(w.call(""), w.listed, email, "a wrong password")
		wantReason(t, "with a wrong password", err, fault.ReasonInvalidCredentials)
		_, err = w.login(w.call(""), w.listed, "nobody@example.com", goodPassword)
		wantReason(t, "nobody", err, fault.ReasonInvalidCredentials)
		must(t, w.b.users.Register(ctx, w.t.ID, id, user.Registration{ClientID: "listed", CreatedAt: w.now}, w.now, noRecord))
		_, err = w.login(w.call(""), w.listed, email, goodPassword)
		must(t, err)
		must(t, hosted())
		must(t, w.b.users.Unregister(ctx, w.t.ID, id, "listed", w.now, noRecord))
		_, err = w.login(w.call(""), w.listed, email, goodPassword)
		wantReason(t, "removed again", err, fault.ReasonNotRegistered)
	})
}

// TestNobodySignsUpAtAListedClient: not by the form, not by a sign-up elsewhere and a forgotten password here, not by an attempt from before.
func TestNobodySignsUpAtAListedClient(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const email = "eve@example.com"
		at := func(c *tenant.Client) login.RegisterRequest {
			return login.RegisterRequest{Tenant: w.t, Client: c, Email: email, Password: secret.NewText(goodPassword)}
		}
		w.j.take()
		wantReason(t, "the form", w.svc.Register(context.Background(), w.call("b"), at(w.listed)), fault.ReasonRegistrationClosed)
		if m := w.j.mail(email); m.To != "" {
			t.Errorf("a refused sign-up mailed %q", m.Template)
		}
		must(t, w.svc.Register(context.Background(), w.call("b"), at(w.shut)))
		elsewhere := w.token(t, email)
		must(t, w.svc.Forgot(context.Background(), w.call("b"), login.MailRequest{Tenant: w.t, Client: w.listed, Email: email}))
		if m := w.j.mail(email); m.Template == "reset_signup" || m.Link != "" {
			t.Errorf("a forgotten password of nobody mails %q: spending it would sign up", m.Template)
		}
		w.shut.Settings.RequireRegistration = true // closed while the mail was on its way
		_, err := w.verify(w.call("b"), elsewhere, "", "")
		wantReason(t, "an attempt from before", err, fault.ReasonRegistrationClosed)
		w.shut.Settings.RequireRegistration = false
		_, err = w.verify(w.call("b"), elsewhere, "", "")
		must(t, err) // the refusal spent nothing
	})
}

func TestDisabled(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		id := w.member(t, "ada@example.com")
		must(t, w.b.users.SetStatus(context.Background(), w.t.ID, id, user.Disabled, w.now, noRecord))
		_, err := w.login(w.call(""), w.shut, "ada@example.com", goodPassword)
		wantReason(t, "right password", err, fault.ReasonDisabled)
		if fault.From(err).Kind != fault.Forbidden {
			t.Errorf("disabled is %+v", err)
		}
		_, err = w.login(w.call(""), w.shut, "ada@example.com", "a wrong password")
		wantReason(t, "wrong password", err, fault.ReasonInvalidCredentials)
		if e := w.j.last(); e.Type != "login.refused" || e.Subject != id || e.Reason != "invalid_credentials" || e.Person.Email != "ada@example.com" {
			t.Errorf("the refusal is recorded as %+v", e)
		}
	})
}

func TestProofElsewhere(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		must(t, w.register(w.call("b1"), "ada@example.com", goodPassword))
		token := w.token(t, "ada@example.com")
		for name, call := range map[string]string{"no browser cookie": "", "another browser": "b2"} {
			_, err := w.verify(w.call(call), token, "", "")
			wantReason(t, name+", no password", err, fault.ReasonInvalidCredentials)
			_, err = w.verify(w.call(call), token, "not the password", "")
			wantReason(t, name+", wrong password", err, fault.ReasonInvalidCredentials)
			_, err = w.verify(w.call(call), token, "", "password1")
			wantReason(t, name+", common new password", err, fault.ReasonBreachedPassword)
			if f := fault.From(err); len(f.Fields) != 1 || f.Fields[0].Name != "new_password" {
				t.Errorf("%s: fields %+v", name, f.Fields)
			}
		}
		_, err := w.verify(w.call("b2"), token, goodPassword, "")
		must(t, err)
		_, err = w.login(w.call(""), w.shut, "ada@example.com", goodPassword)
		must(t, err)
		_, err = w.verify(w.call("b1"), token, "", "")
		wantReason(t, "the link again", err, fault.ReasonGone)
		for _, rubbish := range []string{"", "x", secret.Random(32), string(make([]byte, 4000))} {
			_, err = w.verify(w.call("b1"), rubbish, "", "")
			wantReason(t, "made-up token", err, fault.ReasonGone)
			_, err = w.reset(w.call("b1"), rubbish, goodPassword)
			wantReason(t, "made-up reset token", err, fault.ReasonGone)
		}
	})
}

func TestLinksExpire(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		must(t, w.register(w.call("b1"), "ada@example.com", goodPassword))
		signup := w.token(t, "ada@example.com")
		w.member(t, "bob@example.com")
		must(t, w.forgot(w.call(""), "bob@example.com"))
		reset := w.token(t, "bob@example.com")
		w.now = w.now.Add(time.Duration(tenant.DefaultAttemptS) * time.Second)
		_, err := w.verify(w.call("b1"), signup, "", "")
		wantReason(t, "sign-up link after its life", err, fault.ReasonGone)
		_, err = w.reset(w.call(""), reset, "another tractor 92")
		wantReason(t, "reset link after its life", err, fault.ReasonGone)
		swept, err := w.svc.Sweep(context.Background(), w.now.Add(time.Second))
		if err != nil || swept.Expired < 2 {
			t.Errorf("Sweep: %+v, %v", swept, err)
		}
	})
}

func TestResend(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		must(t, w.register(w.call("b1"), "ada@example.com", goodPassword))
		w.token(t, "ada@example.com")
		must(t, w.resend(w.call("stranger"), "ada@example.com"))
		token := w.token(t, "ada@example.com")
		_, err := w.verify(w.call("stranger"), token, "", "")
		wantReason(t, "button in the browser that only asked for the mail", err, fault.ReasonInvalidCredentials)
		_, err = w.verify(w.call("b1"), token, "", "")
		must(t, err)
		must(t, w.resend(w.call("b1"), "ada@example.com"))
		if m := w.j.mail("ada@example.com"); m.To != "" {
			t.Errorf("a member is sent %q", m.Template)
		}
	})
}

func TestResetEndsEverything(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		id := w.member(t, "ada@example.com")
		out, err := w.login(w.call(""), w.shut, "ada@example.com", goodPassword)
		must(t, err)
		must(t, w.forgot(w.call(""), "ada@example.com"))
		token := w.token(t, "ada@example.com")
		_, err = w.verify(w.call(""), token, "", "another tractor 92")
		wantReason(t, "a reset link at the verify page", err, fault.ReasonGone)
		p, err := w.reset(w.call(""), token, "another tractor 92")
		if err != nil || p.UserID != id || p.RedirectURL != "https://app.example.com/login" {
			t.Fatalf("reset: %+v, %v", p, err)
		}
		if m := w.j.mail("ada@example.com"); m.Template != "reset_done" {
			t.Errorf("the owner is sent %q", m.Template)
		}
		if w.sessionLives(t, out) {
			t.Error("a session survived the reset")
		}
		_, err = w.login(w.call(""), w.shut, "ada@example.com", goodPassword)
		wantReason(t, "old password", err, fault.ReasonInvalidCredentials)
		_, err = w.login(w.call(""), w.shut, "ada@example.com", "another tractor 92")
		must(t, err)
	})
}

func TestResetOfASignup(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		must(t, w.register(w.call("b1"), "ada@example.com", goodPassword))
		must(t, w.forgot(w.call(""), "ada@example.com"))
		if m := w.j.mails[len(w.j.mails)-1]; m.Template != "reset_signup" {
			t.Fatalf("mail is %q", m.Template)
		}
		_, err := w.reset(w.call(""), w.token(t, "ada@example.com"), "another tractor 92")
		must(t, err)
		_, err = w.login(w.call(""), w.shut, "ada@example.com", goodPassword)
		wantReason(t, "the attempt's password", err, fault.ReasonInvalidCredentials)
		_, err = w.login(w.call(""), w.shut, "ada@example.com", "another tractor 92")
		must(t, err)
	})
}

func TestMalformedRequests(t *testing.T) {
	w := newWorld(t, memoryBackend(t), login.Config{})
	ctx := context.Background()
	reg := func(name, locale string) error {
		return w.svc.Register(ctx, w.call(""), login.RegisterRequest{
			Tenant: w.t, Client: w.shut, Email: "a@b", Password: secret.NewText(goodPassword), Name: name, Locale: locale})
	}
	_, errEmail := w.login(w.call(""), w.shut, "nobody", "x")
	_, errPassword := w.login(w.call(""), w.shut, "a@b", "")
	_, errLong := w.login(w.call(""), w.shut, "a@b", string(make([]byte, 5000)))
	for field, errs := range map[string][]error{
		"email":    {errEmail, w.forgot(w.call(""), ""), w.resend(w.call(""), "@"), w.register(w.call(""), "a", goodPassword)},
		"password": {errPassword, errLong, w.register(w.call(""), "a@b", "")},
		"name":     {reg("a\nb", ""), reg(string(make([]rune, 129)), ""), reg("a\u202eb", "")},
		"locale":   {reg("", "d"), reg("", "de_DE"), reg("", "de-"), reg("", "1e"), reg("", "de-abcdefghi")},
	} {
		for i, err := range errs {
			f := fault.From(err)
			if f == nil || f.Kind != fault.Invalid || len(f.Fields) != 1 || f.Fields[0].Name != field {
				t.Errorf("%s, case %d: %+v", field, i, f)
			}
		}
	}
	wantReason(t, "weak", w.register(w.call(""), "a@b", "short"), fault.ReasonWeakPassword)
	wantReason(t, "the client's name", w.register(w.call(""), "a@b", "App shut 1"), fault.ReasonWeakPassword)
	if got := w.j.take(); len(got) != 0 {
		t.Errorf("malformed requests reached %v", got)
	}
}

func TestRehashAtLogin(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.member(t, "ada@example.com")
		stronger := credential.NewPasswords(w.ring, credential.Config{MemoryKiB: 128, Passes: 1})
		v := newWorldOn(t, w, login.Config{Passwords: watchedPasswords{stronger, w.j}})
		_, err := v.login(v.call(""), v.shut, "ada@example.com", goodPassword)
		must(t, err)
		if got := v.j.take(); !slices.Contains(got, "Rehash with 1 events, 0 messages") {
			t.Errorf("no rehash in %v", got)
		}
		_, err = v.login(v.call(""), v.shut, "ada@example.com", goodPassword)
		must(t, err)
		if got := v.j.take(); slices.ContainsFunc(got, func(s string) bool { return s[:3] == "Reh" }) {
			t.Errorf("rehashed again: %v", got)
		}
	})
}
