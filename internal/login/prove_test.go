package login_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

func (w *world) prove(call *audit.Call, c *tenant.Client, email, pw string) (login.Proven, error) {
	return w.svc.Prove(context.Background(), call, login.PasswordRequest{Tenant: w.t, Client: c, Email: email, Password: secret.NewText(pw)})
}

func (w *world) change(call *audit.Call, userID, pw, next string) (login.Proven, error) {
	return w.svc.ChangePassword(context.Background(), call, login.ChangePasswordRequest{
		Tenant: w.t, UserID: userID, Current: secret.NewText(pw), New: secret.NewText(next),
	})
}

// TestProve: a page's login has the limits, the work and the refusals of a client's, opens nothing, and signs nobody up.
func TestProve(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		id := w.member(t, "ada@example.com")
		p, err := w.prove(w.call("b"), w.shut, " ADA@example.com", goodPassword)
		must(t, err)
		if p.User.ID != id || p.User.Registration == nil || !p.AuthTime.Equal(w.now) || !slices.Equal(p.AMR, []string{"pwd"}) || p.ACR != "1" {
			t.Errorf("proven: %+v", p)
		}
		if got := w.svc.DeviceID(w.t, p.DeviceCookie); got == "" || got != p.Device {
			t.Errorf("the device cookie is of %q, want %q", got, p.Device)
		}
		if verbs := w.j.take(); !slices.Equal(verbs, []string{"Take 3", "Known", "hash", "GiveBack 3"}) {
			t.Errorf("a proof's way to the store: %v", verbs)
		}
		p, err = w.prove(w.call("b"), nil, "ada@example.com", goodPassword)
		if must(t, err); p.User.ID != id || p.User.Registration != nil {
			t.Errorf("proven for no client: %+v", p)
		}
		_, err = w.prove(w.call("b"), w.auto, "stranger@example.com", goodPassword)
		wantReason(t, "an unknown address where auto_register is on", err, fault.ReasonInvalidCredentials)
		if m := w.j.mail("stranger@example.com"); m.To != "" {
			t.Errorf("a login on a page mailed %q", m.Template)
		}
		must(t, w.register(w.call("b1"), "pending@example.com", goodPassword))
		_, err = w.prove(w.call("b1"), w.shut, "pending@example.com", goodPassword)
		wantReason(t, "before the mailbox is proved", err, fault.ReasonEmailUnverified)
		must(t, w.b.users.SetStatus(context.Background(), w.t.ID, id, user.Disabled, w.now, noRecord))
		_, err = w.prove(w.call("b"), nil, "ada@example.com", goodPassword)
		wantReason(t, "a disabled account", err, fault.ReasonDisabled)
	})
}

// TestProveIsLimited: tries on a page and at the API come out of one purse.
func TestProveIsLimited(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.member(t, "ada@example.com")
		call := w.call("b")
		for n := range 5 {
			var err error
			if n%2 == 0 {
				_, err = w.prove(call, nil, "ada@example.com", "a wrong password")
			} else {
				_, err = w.login(call, w.shut, "ada@example.com", "a wrong password")
			}
			wantReason(t, "a wrong password", err, fault.ReasonInvalidCredentials)
		}
		_, err := w.prove(call, w.shut, "ada@example.com", goodPassword)
		wantReason(t, "the sixth try", err, fault.ReasonLimited)
	})
}

func TestChangePassword(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		id := w.member(t, "ada@example.com")
		out, err := w.login(w.call("b"), w.shut, "ada@example.com", goodPassword)
		must(t, err)
		w.j.take()
		_, err = w.change(w.call("b"), id, "a wrong password", "quiet otter lamp")
		wantReason(t, "the wrong present password", err, fault.ReasonInvalidCredentials)
		_, err = w.change(w.call("b"), id, goodPassword, "short")
		wantReason(t, "a weak new one", err, fault.ReasonWeakPassword)
		if f := fault.From(err); len(f.Fields) > 0 && f.Fields[0].Name != "new_password" {
			t.Errorf("the fault names %v", f.Fields)
		}
		if m := w.j.mail("ada@example.com"); m.To != "" {
			t.Errorf("a refused change mailed %q", m.Template)
		}
		p, err := w.change(w.call("b"), id, goodPassword, "quiet otter lamp")
		must(t, err)
		if p.User.Epoch != out.Tokens.Family.Epoch+1 || p.DeviceCookie.IsZero() || !p.AuthTime.Equal(w.now) {
			t.Errorf("proven: %+v", p)
		}
		if e := w.j.last(); e.Type != "password.changed" || e.Subject != id {
			t.Errorf("the event is %+v", e)
		}
		if m := w.j.mail("ada@example.com"); m.Template != "reset_done" {
			t.Errorf("mailed %q", m.Template)
		}
		_, err = w.prove(w.call("b"), nil, "ada@example.com", goodPassword)
		wantReason(t, "the old password", err, fault.ReasonInvalidCredentials)
		_, err = w.prove(w.call("b"), nil, "ada@example.com", "quiet otter lamp")
		must(t, err)
		_, err = w.change(w.call("b"), "nobody", goodPassword, "quiet otter lamp")
		wantReason(t, "nobody's", err, fault.ReasonNotFound)
	})
}

// TestReturnTo: a mail leads back to the request it was asked for on the way of, in the browser that asked and nowhere else.
func TestReturnTo(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		register := func(email string) {
			must(t, w.svc.Register(ctx, w.call("mine"), login.RegisterRequest{
				Tenant: w.t, Client: w.shut, Email: email, Password: secret.NewText(goodPassword), ReturnTo: "request one",
			}))
		}
		register("ada@example.com")
		token := w.token(t, "ada@example.com")
		for browser, want := range map[string]string{"mine": "request one", "other": "", "": ""} {
			p, err := w.svc.Inspect(ctx, w.call(browser), w.t, secret.NewText(token))
			if err != nil || p.ReturnTo != want {
				t.Errorf("browser %q: leads back to %q (%v), want %q", browser, p.ReturnTo, err, want)
			}
		}
		must(t, w.svc.Resend(ctx, w.call("mine"), login.MailRequest{Tenant: w.t, Client: w.shut, Email: "ada@example.com", ReturnTo: "request two"}))
		p, err := w.verify(w.call("mine"), w.token(t, "ada@example.com"), "", "")
		if err != nil || p.ReturnTo != "request two" {
			t.Errorf("after the second mail: %+v, %v", p, err)
		}
		register("bob@example.com")
		p, err = w.verify(w.call("other"), w.token(t, "bob@example.com"), goodPassword, "")
		if err != nil || p.ReturnTo != "" {
			t.Errorf("proved elsewhere: %+v, %v", p, err)
		}
		w.now = w.now.Add(24 * time.Hour)
		for browser, want := range map[string]string{"mine": "request three", "other": ""} {
			must(t, w.svc.Forgot(ctx, w.call("mine"), login.MailRequest{Tenant: w.t, Client: w.shut, Email: "ada@example.com", ReturnTo: "request three"}))
			p, err := w.reset(w.call(browser), w.token(t, "ada@example.com"), "quiet otter lamp")
			if err != nil || p.ReturnTo != want {
				t.Errorf("reset in %q: %+v, %v", browser, p, err)
			}
			w.now = w.now.Add(24 * time.Hour)
		}
	})
}
