package drill

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// holder has a key of its own and makes proofs of possession with it (RFC 9449).
type holder struct{ key *jose.PrivateKey }

func newHolder() (holder, error) {
	key, err := jose.Generate("holder", jose.ES256)
	return holder{key}, err
}

// proof speaks of one request at the instant; access and nonce may be empty.
func (h holder) proof(at time.Time, method, url, access, nonce string) (string, error) {
	claims := map[string]any{"jti": secret.Random(16), "htm": method, "htu": url, "iat": at.Unix()}
	b64 := base64.RawURLEncoding.EncodeToString
	if access != "" {
		sum := sha256.Sum256([]byte(access))
		claims["ath"] = b64(sum[:])
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	key, err := h.key.Public().JWK()
	if err != nil {
		return "", err
	}
	head, err := json.Marshal(map[string]any{"typ": "dpop+jwt", "alg": h.key.Alg(), "jwk": json.RawMessage(key)})
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	input := b64(head) + "." + b64(body)
	sig, err := h.key.Sign([]byte(input))
	return input + "." + b64(sig), err
}

// post sends a request with a proof, and a second time with the nonce that the first answer brings.
func (h holder) post(ctx context.Context, t *Target, path string, body any) (*Reply, error) {
	nonce := ""
	for {
		proof, err := h.proof(t.Now(), http.MethodPost, t.URL+path, "", nonce)
		if err != nil {
			return nil, err
		}
		r, err := t.Visitor().With("DPoP", proof).With("X-Token-Mode", "bearer").Post(ctx, path, body)
		if err != nil || nonce != "" || r.Text("reason") != "use_dpop_nonce" {
			return r, err
		}
		if nonce = r.Header.Get("DPoP-Nonce"); nonce == "" {
			return nil, fmt.Errorf("a nonce was asked for and none was sent: %s", r)
		}
	}
}

func (h holder) me(ctx context.Context, t *Target, access string) (r *Reply, proof string, err error) {
	if proof, err = h.proof(t.Now(), http.MethodGet, t.URL+"/me", access, ""); err != nil {
		return nil, "", err
	}
	r, err = t.Visitor().With("Authorization", "DPoP "+access).With("DPoP", proof).Get(ctx, "/me")
	return r, proof, err
}

// boundPair logs somebody in whose session is bound to a key.
func boundPair(ctx context.Context, t *Target, h holder) (access, refresh string, err error) {
	p, err := t.SignUp(ctx, "bound")
	if err != nil {
		return "", "", err
	}
	r, err := h.post(ctx, t, "/login/password", map[string]string{"email": p.Email, "password": p.Password, "client_id": t.ClientID})
	if err != nil {
		return "", "", err
	}
	if r.Status != http.StatusOK || r.Text("token_type") != "DPoP" {
		return "", "", fmt.Errorf("a login with a proof: %s, token_type %q", r, r.Text("token_type"))
	}
	return r.Text("access_token"), r.Text("refresh_token"), nil
}

// stolenBound: both tokens of a session that is bound to a key are copied, and a proof of it is overheard; the key stays where it is.
func stolenBound(ctx context.Context, t *Target) (Verdict, error) {
	owner, err := newHolder()
	if err != nil {
		return Verdict{}, err
	}
	thief, err := newHolder()
	if err != nil {
		return Verdict{}, err
	}
	access, refresh, err := boundPair(ctx, t, owner)
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
	owner, err := newHolder()
	if err != nil {
		return Verdict{}, err
	}
	access, _, err := boundPair(ctx, t, owner)
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
