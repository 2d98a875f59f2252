package login_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// signedIn is a member with a session in the store.
func (w *world) signedIn(t *testing.T, email string) session.Live {
	t.Helper()
	w.member(t, email)
	return w.again(t, email)
}

func (w *world) again(t *testing.T, email string) session.Live {
	t.Helper()
	got, err := w.login(w.call(""), w.shut, email, goodPassword)
	must(t, err)
	return session.Live{Loaded: session.Loaded{Family: got.Tokens.Family, Holder: got.Tokens.Holder}}
}

func (w *world) code(t *testing.T, live session.Live) login.SessionCode {
	t.Helper()
	c, err := w.svc.CreateCode(context.Background(), w.call(""), live)
	must(t, err)
	return c
}

func (w *world) claim(c *tenant.Client, code secret.Text) (login.Claim, error) {
	return w.svc.ClaimCode(context.Background(), w.call(""), login.ClaimRequest{Tenant: w.t, Client: c, Code: code})
}

func (w *world) redeem(id string, claimSecret secret.Text) (login.Redemption, error) {
	return w.svc.RedeemClaim(context.Background(), w.call(""), login.RedeemRequest{Tenant: w.t, Client: w.shut, ID: id, Secret: claimSecret})
}

func (w *world) confirm(live session.Live, id, number string) error {
	return w.svc.ConfirmCode(context.Background(), w.call(""), live, id, number)
}

// other is a number that is not n.
func other(n string) string { return string([]byte{n[0], '0' + (n[1]-'0'+1)%10}) }

func TestHandoff(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		live := w.signedIn(t, "ada@example.com")
		code := w.code(t, live)
		if code.ExpiresIn != time.Minute || !strings.HasPrefix(code.URL.Reveal(), w.t.Issuer+"/ui/handoff/") {
			t.Errorf("code for %v", code.ExpiresIn)
		}
		for range 3 { // looking takes nothing away
			o, err := w.svc.OfferOf(context.Background(), w.call(""), w.t, code.Code)
			if err != nil || !o.Confirm || o.Hint != "a…@example.com" || o.ClientID != w.shut.ID || o.Place == "" {
				t.Errorf("offer %+v, %v", o, err)
			}
		}
		wantReason(t, "a number before anybody claimed", w.confirm(live, code.ID, "00"), fault.ReasonConflict)
		_, err := w.claim(w.auto, code.Code)
		wantReason(t, "claim by another application", err, fault.ReasonWrongClient)
		phone, err := w.claim(w.shut, code.Code)
		must(t, err)
		if len(phone.Number) != 2 || phone.Hint != "a…@example.com" || phone.Place == "" || phone.Secret.IsZero() || phone.Tokens != nil {
			t.Errorf("claim %+v", phone)
		}
		_, err = w.claim(w.shut, code.Code)
		wantReason(t, "a second claim", err, fault.ReasonGone)
		got, err := w.redeem(phone.ID, phone.Secret)
		if must(t, err); !got.Waiting || got.Tokens != nil {
			t.Error("a session before the confirmation")
		}
		_, err = w.redeem(phone.ID, secret.NewText("captured nothing but the code"))
		wantReason(t, "a claim without its secret", err, fault.ReasonGone)
		_, err = w.redeem(phone.ID, code.Code)
		wantReason(t, "the code as the secret", err, fault.ReasonGone)
		view, err := w.svc.ViewCode(context.Background(), w.call(""), live, code.ID)
		if must(t, err); view.Stage != login.HandoffClaimed || !view.Code.Equal(code.Code) || view.Place == "" {
			t.Errorf("view %v", view.Stage)
		}
		w.confirmed(t, live, code, phone)
	})
}

func (w *world) confirmed(t *testing.T, live session.Live, code login.SessionCode, phone login.Claim) {
	t.Helper()
	sameUser := w.again(t, "ada@example.com")
	wantReason(t, "confirmation by another session of the same user", w.confirm(sameUser, code.ID, phone.Number), fault.ReasonGone)
	must(t, w.confirm(live, code.ID, phone.Number))
	wantReason(t, "a second confirmation", w.confirm(live, code.ID, phone.Number), fault.ReasonGone)
	w.j.mail("ada@example.com")
	got, err := w.redeem(phone.ID, phone.Secret)
	must(t, err)
	parent, child := live.Loaded.Family, got.Tokens.Family
	if child.ParentID != parent.ID || !child.AuthTime.Equal(parent.AuthTime) || !child.AbsoluteExpiry.Equal(parent.AbsoluteExpiry) ||
		fmt.Sprint(child.AMR) != fmt.Sprint(parent.AMR) || child.ID == parent.ID || child.UserID != parent.UserID {
		t.Errorf("child %+v of parent %+v", child, parent)
	}
	if m := w.j.mail("ada@example.com"); m.Template != "handoff" {
		t.Errorf("the owner was mailed %q", m.Template)
	}
	_, err = w.redeem(phone.ID, phone.Secret)
	wantReason(t, "a second redemption", err, fault.ReasonGone)
}

func TestHandoffWithoutConfirmation(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		live := w.signedIn(t, "ada@example.com")
		w.shut.Settings.HandoffNoConfirm = true
		code := w.code(t, live)
		got, err := w.claim(w.shut, code.Code)
		if must(t, err); got.Tokens == nil || got.Tokens.Family.ParentID != live.Loaded.Family.ID || got.Number != "" {
			t.Errorf("claim %+v", got)
		}
		_, err = w.claim(w.shut, code.Code)
		wantReason(t, "a second claim", err, fault.ReasonGone)
	})
}

func TestWrongNumberEndsTheHandoff(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		live := w.signedIn(t, "ada@example.com")
		code := w.code(t, live)
		phone, err := w.claim(w.shut, code.Code)
		must(t, err)
		wantReason(t, "the wrong number", w.confirm(live, code.ID, other(phone.Number)), fault.ReasonWrongNumber)
		if e := w.j.last(); e.Type != "handoff.refused" || e.Reason != string(fault.ReasonWrongNumber) {
			t.Errorf("event %s %s", e.Type, e.Reason)
		}
		wantReason(t, "the right number afterwards", w.confirm(live, code.ID, phone.Number), fault.ReasonGone)
		_, err = w.redeem(phone.ID, phone.Secret)
		wantReason(t, "redemption after a wrong number", err, fault.ReasonWrongNumber)
	})
}

func TestHandoffExpires(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		live := w.signedIn(t, "ada@example.com")
		first, second := w.code(t, live), w.code(t, live)
		phone, err := w.claim(w.shut, second.Code)
		must(t, err)
		must(t, w.confirm(live, second.ID, phone.Number))
		w.now = w.now.Add(login.HandoffLife - time.Microsecond)
		_, err = w.svc.OfferOf(context.Background(), w.call(""), w.t, first.Code)
		must(t, err)
		w.now = w.now.Add(time.Microsecond)
		_, err = w.claim(w.shut, first.Code)
		wantReason(t, "claim after a minute", err, fault.ReasonGone)
		_, err = w.redeem(phone.ID, phone.Secret)
		wantReason(t, "redemption after a minute", err, fault.ReasonGone)
	})
}

func TestHandoffNeedsAFreshOrBoundSession(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		live := w.signedIn(t, "ada@example.com")
		w.now = w.now.Add(10 * time.Minute)
		w.code(t, live)
		w.now = w.now.Add(time.Microsecond)
		_, err := w.svc.CreateCode(context.Background(), w.call(""), live)
		wantReason(t, "a login of ten minutes ago", err, fault.ReasonStepUpRequired)
		live.Loaded.Family.Binding = "thumbprint"
		w.code(t, live)
		w.t.Policy.Limits.HandoffUser = "1/1m"
		live = w.again(t, "ada@example.com")
		w.now = w.now.Add(2 * time.Minute)
		_, err = w.svc.CreateCode(context.Background(), w.call(""), live)
		must(t, err)
		_, err = w.svc.CreateCode(context.Background(), w.call(""), live)
		wantReason(t, "more than the limit", err, fault.ReasonLimited)
	})
}

// A parent that ends between confirmation and redemption takes the hand-off with it.
func TestHandoffEndsWithItsParent(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		live := w.signedIn(t, "ada@example.com")
		code := w.code(t, live)
		phone, err := w.claim(w.shut, code.Code)
		must(t, err)
		must(t, w.confirm(live, code.ID, phone.Number))
		w.b.revoke(t, w.t.ID, live.Loaded.Family.ID, w.now)
		_, err = w.redeem(phone.ID, phone.Secret)
		wantReason(t, "redemption after the parent ended", err, fault.ReasonGone)
	})
}

// Whatever 64 callers do at once: one claims, one confirms with one number, one gets the session.
func TestHandoffStepsAreTakenOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		live := w.signedIn(t, "ada@example.com")
		code := w.code(t, live)
		claims := make([]login.Claim, parallel)
		wantOneOf(t, "claim", raced(func(n int) (err error) {
			claims[n], err = w.claim(w.shut, code.Code)
			return err
		}))
		var phone login.Claim
		for _, c := range claims {
			if c.ID != "" {
				phone = c
			}
		}
		wantOneOf(t, "confirmation", raced(func(int) error { return w.confirm(live, code.ID, phone.Number) }))
		wantOneOf(t, "redemption", raced(func(int) error {
			_, err := w.redeem(phone.ID, phone.Secret)
			return err
		}))

		code = w.code(t, live)
		phone, err := w.claim(w.shut, code.Code)
		must(t, err)
		got := raced(func(n int) error { return w.confirm(live, code.ID, fmt.Sprintf("%02d", n)) }) // 64 of 100 numbers at once
		if got[""]+got[fault.ReasonWrongNumber] != 1 || got[fault.ReasonGone] != parallel-1 {
			t.Errorf("64 numbers at once: %v, want exactly one judged", got)
		}

		w.shut.Settings.HandoffNoConfirm = true
		code = w.code(t, live)
		wantOneOf(t, "claim without confirmation", raced(func(int) error {
			_, err := w.claim(w.shut, code.Code)
			return err
		}))
	})
}

func TestNoMadeUpCodes(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		live := w.signedIn(t, "ada@example.com")
		code := w.code(t, live).Code.Reveal()
		w.j.take()
		flipped := code[:30] + string([]byte{code[30] ^ 1}) + code[31:]
		for _, text := range []string{"", "x", code + "A", code[:len(code)-1], flipped, strings.Repeat("A", 43), strings.Repeat("A", 10_000), "\x00" + code} {
			_, err := w.claim(w.shut, secret.NewText(text))
			wantReason(t, fmt.Sprintf("%.50q", text), err, fault.ReasonGone)
			_, err = w.svc.ViewCode(context.Background(), w.call(""), live, text)
			wantReason(t, "view", err, fault.ReasonGone)
			_, err = w.redeem(text, secret.NewText(text))
			wantReason(t, "redeem", err, fault.ReasonGone)
		}
		for _, v := range w.j.take() {
			if v != "Record with 1 events, 0 messages" {
				t.Errorf("a made-up code reached %s", v)
			}
		}
		elsewhere := *w.t
		elsewhere.ID = secret.NewID(w.now)
		_, err := w.svc.OfferOf(context.Background(), w.call(""), &elsewhere, secret.NewText(code))
		wantReason(t, "the code at another tenant", err, fault.ReasonGone)
	})
}
