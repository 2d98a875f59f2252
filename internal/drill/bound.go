package drill

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// stolenBound: both tokens of a session that is bound to a key are copied, and a proof of it is overheard; the key stays where it is.
func stolenBound(ctx context.Context, t *Target) (Verdict, error) {
	thief, err := NewHolder()
	if err != nil {
		return Verdict{}, err
	}
	owner, access, refresh, err := boundPair(ctx, t)
	if err != nil {
		return Verdict{}, err
	}
	body := map[string]string{"refresh_token": refresh, "client_id": t.ClientID}
	for name, try := range map[string]func() (*Reply, error){
		"as a bearer token": func() (*Reply, error) { return t.Me(ctx, access) },
		"without a proof": func() (*Reply, error) {
			return t.Visitor().With("Authorization", "DPoP "+access).Get(ctx, "/me")
		},
		"with a proof of another key":   func() (*Reply, error) { r, _, err := thief.me(ctx, t, access); return r, err },
		"refresh without a proof":       func() (*Reply, error) { return t.Visitor().Post(ctx, "/jwt/refresh", body) },
		"refresh with a key of its own": func() (*Reply, error) { return thief.post(ctx, t, "/jwt/refresh", body) },
	} {
		r, err := try()
		if err != nil {
			return Verdict{}, err
		}
		if r.Status == http.StatusOK {
			return succeeded("a stolen token works %s", name)
		}
	}
	if r, _, err := owner.me(ctx, t, access); err != nil || r.Status != http.StatusOK {
		return Verdict{}, fmt.Errorf("the owner's own call: %v %v", r, err)
	}
	if r, err := owner.post(ctx, t, "/jwt/refresh", body); err != nil || r.Status != http.StatusOK {
		return Verdict{}, fmt.Errorf("the owner's own refresh: %v %v", r, err)
	}
	return refused("neither token works without the key, and the owner's session lives on")
}

// replayedProof: a proof is overheard together with the token it names, and sent again.
func replayedProof(ctx context.Context, t *Target) (Verdict, error) {
	owner, access, _, err := boundPair(ctx, t)
	if err != nil {
		return Verdict{}, err
	}
	r, proof, err := owner.me(ctx, t, access)
	if err != nil || r.Status != http.StatusOK {
		return Verdict{}, fmt.Errorf("the owner's own call: %v %v", r, err)
	}
	if r, err = t.Visitor().With("Authorization", "DPoP "+access).With("DPoP", proof).Get(ctx, "/me"); err != nil {
		return Verdict{}, err
	}
	if r.Status == http.StatusOK {
		return succeeded("an overheard proof works a second time")
	}
	return refused("a proof works once")
}

// forgedProof: the thief has the tokens, and knows the owner's public key, which stands in every proof. He writes a proof under that key and
// cannot sign it.
func forgedProof(ctx context.Context, t *Target) (Verdict, error) {
	thief, err := NewHolder()
	if err != nil {
		return Verdict{}, err
	}
	owner, access, _, err := boundPair(ctx, t)
	if err != nil {
		return Verdict{}, err
	}
	jwk, err := owner.JWK()
	if err != nil {
		return Verdict{}, err
	}
	head := map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}
	claims := func() map[string]any { return Claims(t.Now(), http.MethodGet, t.URL+"/me", access, "") }
	byThief, err := thief.Sign(head, claims())
	if err != nil {
		return Verdict{}, err
	}
	bare, err := Unsigned(head, claims())
	if err != nil {
		return Verdict{}, err
	}
	for name, proof := range map[string]string{
		"signed by another key": byThief, "with noise for a signature": bare + "." + strings.Repeat("A", 86), "without a signature": bare + ".",
	} {
		r, err := t.Visitor().With("Authorization", "DPoP "+access).With("DPoP", proof).Get(ctx, "/me")
		if err != nil {
			return Verdict{}, err
		}
		if r.Status == http.StatusOK {
			return succeeded("a proof %s passes for the owner's", name)
		}
	}
	if r, _, err := owner.me(ctx, t, access); err != nil || r.Status != http.StatusOK {
		return Verdict{}, fmt.Errorf("the owner's own call: %v %v", r, err)
	}
	return refused("only the owner of a key signs with it")
}

// proofMadeBefore: the thief had a minute at the device. He copied the refresh token and had the device make a proof, which he uses elsewhere: it
// is fresh, right and unused, but knows no nonce of the server's.
func proofMadeBefore(ctx context.Context, t *Target) (Verdict, error) {
	owner, _, refresh, err := boundPair(ctx, t)
	if err != nil {
		return Verdict{}, err
	}
	body := map[string]string{"refresh_token": refresh, "client_id": t.ClientID}
	for name, nonce := range map[string]string{"without a nonce": "", "with a nonce of his own making": secret.Random(40)} {
		proof, err := owner.Proof(Claims(t.Now(), http.MethodPost, t.URL+"/jwt/refresh", "", nonce))
		if err != nil {
			return Verdict{}, err
		}
		r, err := t.Visitor().With("DPoP", proof).Post(ctx, "/jwt/refresh", body)
		if err != nil {
			return Verdict{}, err
		}
		if r.Status == http.StatusOK {
			return succeeded("a proof made beforehand, %s, renews the session", name)
		}
	}
	if r, err := owner.post(ctx, t, "/jwt/refresh", body); err != nil || r.Status != http.StatusOK {
		return Verdict{}, fmt.Errorf("the owner's own refresh: %v %v", r, err)
	}
	return refused("where tokens are asked for, a proof must know a nonce that the server has just made")
}

// stolenBoundElsewhere: a bound token is copied and brought to an API that asks nobody: it has the key's name in the token, and the proof must
// be that key's, for this call and this token.
func stolenBoundElsewhere(ctx context.Context, t *Target) (Verdict, error) {
	if t.API == "" {
		return Verdict{}, fmt.Errorf("the target has no API")
	}
	thief, err := NewHolder()
	if err != nil {
		return Verdict{}, err
	}
	owner, access, _, err := boundPair(ctx, t)
	if err != nil {
		return Verdict{}, err
	}
	overheard, err := owner.served(ctx, t, access)
	if err != nil {
		return Verdict{}, err
	}
	other, err := owner.Proof(Claims(t.Now(), http.MethodGet, t.API+"/orders", "another token", ""))
	if err != nil {
		return Verdict{}, err
	}
	with := func(scheme, proof string) func() (*Reply, error) {
		return func() (*Reply, error) {
			v := t.Visitor().With("Authorization", scheme+" "+access)
			if proof != "" {
				v = v.With("DPoP", proof)
			}
			return v.Get(ctx, t.API+"/orders")
		}
	}
	for name, try := range map[string]func() (*Reply, error){
		"as a bearer token": with("Bearer", ""), "without a proof": with("DPoP", ""), "with an overheard proof": with("DPoP", overheard),
		"with a proof for another token": with("DPoP", other),
		"with a proof of another key":    func() (*Reply, error) { r, _, err := thief.Get(ctx, t, t.API+"/orders", access); return r, err },
	} {
		r, err := try()
		if err != nil {
			return Verdict{}, err
		}
		if r.Status == http.StatusOK {
			return succeeded("an API takes the stolen token %s", name)
		}
	}
	return refused("an API that asks nobody takes a bound token from its key alone")
}

// served calls the API as the owner does, and gives the proof. An API that has just started may know no key of a server that has just started,
// and asks for keys at most once a second.
func (h Holder) served(ctx context.Context, t *Target, access string) (proof string, err error) {
	patience, stop := context.WithTimeout(ctx, 20*time.Second)
	defer stop()
	for {
		r, proof, err := h.Get(ctx, t, t.API+"/orders", access)
		if err != nil || r.Status == http.StatusOK {
			return proof, err
		}
		select {
		case <-patience.Done():
			return "", fmt.Errorf("the owner's own call: %s", r)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
