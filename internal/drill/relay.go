package drill

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// The relay of a hand-off is played this often; 20 codes are made by each login, as many as the limit lets one person make in a minute.
const (
	relays      = 1000
	relayBatch  = 20
	codeMinutes = time.Minute
)

// qrRelay: the attacker films the QR code on the victim's screen and claims it first, live, before the victim's own phone (or has the
// victim show it under a pretext). Without the victim typing the number that the attacker's device shows there must be no session, also
// not with guesses, with another account's confirmation, or with the claim's id alone.
func qrRelay(ctx context.Context, t *Target) (Verdict, error) {
	victim, err := t.SignUp(ctx, "relay")
	if err != nil {
		return Verdict{}, err
	}
	attacker, err := t.SignUp(ctx, "relayer")
	if err != nil {
		return Verdict{}, err
	}
	for range relays / relayBatch {
		got, err := relayBatchOf(ctx, t, victim, attacker)
		if err != nil || got > 0 {
			return relayed(got, err)
		}
		if err := t.Advance(ctx, codeMinutes); err != nil {
			return Verdict{}, err
		}
	}
	return refused("0 of %d captured codes gave a session without the number", relays)
}

func relayed(got int, err error) (Verdict, error) {
	if err != nil {
		return Verdict{}, err
	}
	return succeeded("%d of %d captured codes gave a session that nobody confirmed", got, relayBatch)
}

// relayBatchOf relays one login's worth of codes and counts the sessions won.
func relayBatchOf(ctx context.Context, t *Target, victim, attacker *Person) (won int, err error) {
	own, _, err := victim.Bearer(ctx)
	if err != nil {
		return 0, err
	}
	foreign, _, err := attacker.Bearer(ctx)
	if err != nil {
		return 0, err
	}
	for range relayBatch {
		ok, err := t.relay(ctx, own, foreign)
		if err != nil {
			return won, err
		}
		if ok {
			won++
		}
	}
	return won, nil
}

// relay plays one captured code and reports whether it gave a session.
func (t *Target) relay(ctx context.Context, own, foreign string) (bool, error) {
	as := func(token string) *Visitor { return t.Visitor().With("Authorization", "Bearer "+token) }
	app := t.Visitor().With("X-Token-Mode", "bearer")
	code, err := as(own).Post(ctx, "/session/create", nil)
	if err != nil || code.Status != http.StatusOK {
		return false, fmt.Errorf("making a code: %v %w", code, err)
	}
	claim, err := app.Post(ctx, "/session/login/"+code.Text("session_code"), map[string]string{"client_id": t.ClientID})
	if err != nil || claim.Status != http.StatusAccepted {
		return claim != nil && claim.Status == http.StatusOK, err
	}
	confirm := map[string]string{"code_id": code.Text("code_id"), "number": claim.Text("number")}
	if r, err := as(foreign).Post(ctx, "/session/confirm", confirm); err != nil || r.Status == http.StatusOK {
		return r != nil, err // confirmed by somebody else's session
	}
	for _, secret := range []string{code.Text("session_code"), claim.Text("claim_id"), claim.Text("claim_secret")} {
		r, err := app.Post(ctx, "/session/claim", map[string]string{"claim_id": claim.Text("claim_id"), "claim_secret": secret, "client_id": t.ClientID})
		if err != nil || r.Status == http.StatusOK {
			return err == nil, err
		}
	}
	return false, nil
}

// stolenClaim: a phone claims a code with a proof of its key; the thief has read all that it sent and heard (its secret and number), and asks
// for the session first, once the owner has typed the number.
func stolenClaim(ctx context.Context, t *Target) (Verdict, error) {
	phone, err := NewHolder()
	if err != nil {
		return Verdict{}, err
	}
	thief, err := NewHolder()
	if err != nil {
		return Verdict{}, err
	}
	p, err := t.SignUp(ctx, "claimed")
	if err != nil {
		return Verdict{}, err
	}
	access, _, err := p.Bearer(ctx)
	if err != nil {
		return Verdict{}, err
	}
	desktop := t.Visitor().With("Authorization", "Bearer "+access)
	code, err := desktop.Post(ctx, "/session/create", nil)
	if err != nil || code.Status != http.StatusOK {
		return Verdict{}, fmt.Errorf("making a code: %v %v", code, err)
	}
	claim, err := phone.post(ctx, t, "/session/login/"+code.Text("session_code"), map[string]string{"client_id": t.ClientID})
	if err != nil || claim.Status != http.StatusAccepted {
		return Verdict{}, fmt.Errorf("the claim: %v %v", claim, err)
	}
	r, err := desktop.Post(ctx, "/session/confirm", map[string]string{"code_id": code.Text("code_id"), "number": claim.Text("number")})
	if err != nil || r.Status != http.StatusOK {
		return Verdict{}, fmt.Errorf("the confirmation: %v %v", r, err)
	}
	body := map[string]string{"claim_id": claim.Text("claim_id"), "claim_secret": claim.Text("claim_secret"), "client_id": t.ClientID}
	for name, try := range map[string]func() (*Reply, error){
		"without a key": func() (*Reply, error) {
			return t.Visitor().With("X-Token-Mode", "bearer").Post(ctx, "/session/claim", body)
		},
		"with his own key": func() (*Reply, error) { return thief.post(ctx, t, "/session/claim", body) },
	} {
		if r, err := try(); err != nil || r.Status == http.StatusOK {
			return stolen(name, err)
		}
	}
	if r, err := phone.post(ctx, t, "/session/claim", body); err != nil || r.Status != http.StatusOK || r.Text("token_type") != "DPoP" {
		return Verdict{}, fmt.Errorf("the phone itself: %v %v", r, err)
	}
	return refused("the session goes to the key that claimed it, and the tries did not end it")
}

func stolen(how string, err error) (Verdict, error) {
	if err != nil {
		return Verdict{}, err
	}
	return succeeded("a stolen claim gives a session %s", how)
}
