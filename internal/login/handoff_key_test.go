package login_test

import (
	"context"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

func (w *world) claimBy(key string, code login.SessionCode) (login.Claim, error) {
	return w.svc.ClaimCode(context.Background(), w.call(""), login.ClaimRequest{Tenant: w.t, Client: w.shut, Code: code.Code, Binding: key})
}

func (w *world) redeemBy(key string, c login.Claim) (login.Redemption, error) {
	return w.svc.RedeemClaim(context.Background(), w.call(""), login.RedeemRequest{Tenant: w.t, Client: w.shut, ID: c.ID, Secret: c.Secret, Binding: key})
}

// handed hands the session over to a device with the key at its claim and the key at its redemption.
func (w *world) handed(t *testing.T, live session.Live, claimKey, redeemKey string) (login.Claim, login.Redemption, error) {
	t.Helper()
	code := w.code(t, live)
	phone, err := w.claimBy(claimKey, code)
	must(t, err)
	must(t, w.confirm(live, code.ID, phone.Number))
	got, err := w.redeemBy(redeemKey, phone)
	return phone, got, err
}

// TestHandedOffSessionIsBoundToItsOwnKey: to the key that the second device proved, at its claim or at the latest when it takes the session;
// never to the first device's.
func TestHandedOffSessionIsBoundToItsOwnKey(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		live := w.signedIn(t, "ada@example.com")
		live.Loaded.Family.Binding = "the first device's"
		for _, c := range []struct{ claim, redeem, want string }{
			{"", "", ""}, {"phone", "phone", "phone"}, {"", "phone", "phone"},
		} {
			_, got, err := w.handed(t, live, c.claim, c.redeem)
			if must(t, err); got.Tokens.Family.Binding != c.want {
				t.Errorf("claimed with key %q, redeemed with %q: bound to %q", c.claim, c.redeem, got.Tokens.Family.Binding)
			}
		}
		w.shut.Settings.HandoffNoConfirm = true
		got, err := w.claimBy("phone", w.code(t, live))
		if must(t, err); got.Tokens.Family.Binding != "phone" {
			t.Errorf("without confirmation: bound to %q", got.Tokens.Family.Binding)
		}
	})
}

// TestAClaimIsItsKeysAlone: whoever has seen all that the second device sent has no session without its key, and ends nothing.
func TestAClaimIsItsKeysAlone(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		live := w.signedIn(t, "ada@example.com")
		for _, key := range []string{"", "thief"} {
			phone, _, err := w.handed(t, live, "phone", key)
			wantReason(t, "redemption with key "+key, err, fault.ReasonBindingMismatch)
			_, err = w.svc.PeekClaim(context.Background(), w.call(""), login.RedeemRequest{Tenant: w.t, Client: w.shut, ID: phone.ID, Secret: phone.Secret, Binding: key})
			wantReason(t, "a look with key "+key, err, fault.ReasonBindingMismatch)
			_, err = w.redeemBy("phone", phone)
			must(t, err)
		}
	})
}

// TestClientThatMustBindClaimsWithAKey: also from a page, which has none. The code is not used up.
func TestClientThatMustBindClaimsWithAKey(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		live := w.signedIn(t, "ada@example.com")
		w.shut.Settings.OAuth.DPoPRequired = true
		code := w.code(t, live)
		_, err := w.claimBy("", code)
		wantReason(t, "a claim without a key", err, fault.ReasonOAuthProof)
		_, err = w.claimBy("phone", code)
		must(t, err)
	})
}
