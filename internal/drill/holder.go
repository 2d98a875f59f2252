package drill

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// nonceWanted is the error code of an answer that asks for a proof with the nonce it brings (RFC 9449 section 8).
const nonceWanted = "use_dpop_nonce"

// Holder has a key of its own and makes proofs of possession with it (RFC 9449).
type Holder struct{ key *jose.PrivateKey }

// NewHolder makes a holder with a new key.
func NewHolder() (Holder, error) { return HolderOf(jose.ES256) }

// HolderOf is NewHolder for a signature algorithm.
func HolderOf(alg string) (Holder, error) {
	key, err := jose.Generate("holder", alg)
	return Holder{key}, err
}

// Claims are those of a proof of one request at the instant; access and nonce may be empty.
func Claims(at time.Time, method, address, access, nonce string) map[string]any {
	claims := map[string]any{"jti": secret.Random(16), "htm": method, "htu": address, "iat": at.Unix()}
	if access != "" {
		sum := sha256.Sum256([]byte(access))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	return claims
}

// JWK is the public key as a JWK.
func (h Holder) JWK() (json.RawMessage, error) {
	key, err := h.key.Public().JWK()
	return key, err
}

// Thumbprint names the key in tokens (RFC 7638).
func (h Holder) Thumbprint() (string, error) { return h.key.Public().Thumbprint() }

// Proof signs claims as a proof should be signed.
func (h Holder) Proof(claims map[string]any) (string, error) {
	jwk, err := h.JWK()
	if err != nil {
		return "", err
	}
	return h.Sign(map[string]any{"typ": "dpop+jwt", "alg": h.key.Alg(), "jwk": jwk}, claims)
}

// Sign signs whatever the header says.
func (h Holder) Sign(header, claims map[string]any) (string, error) {
	input, err := Unsigned(header, claims)
	if err != nil {
		return "", err
	}
	sig, err := h.key.Sign([]byte(input))
	return input + "." + base64.RawURLEncoding.EncodeToString(sig), err
}

// Unsigned is what a signature is made over: the first two parts of a compact JWS.
func Unsigned(header, claims map[string]any) (string, error) {
	head, err := json.Marshal(header)
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(claims)
	return base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(body), err
}

// Post sends a request with a proof, and a second time with the nonce that the first answer asks for. The target's own paths only.
func (h Holder) Post(ctx context.Context, v *Visitor, path string, body any) (*Reply, error) {
	nonce := ""
	for {
		proof, err := h.Proof(Claims(v.Target.Now(), http.MethodPost, v.Target.URL+path, "", nonce))
		if err != nil {
			return nil, err
		}
		r, err := v.With("DPoP", proof).Post(ctx, path, body)
		if err != nil || nonce != "" || r.Text("reason") != nonceWanted {
			return r, err
		}
		if nonce = r.Header.Get("DPoP-Nonce"); nonce == "" {
			return nil, fmt.Errorf("a nonce was asked for and none was sent: %s", r)
		}
	}
}

// post is Post from an app that keeps no cookies.
func (h Holder) post(ctx context.Context, t *Target, path string, body any) (*Reply, error) {
	return h.Post(ctx, t.Visitor().With("X-Token-Mode", "bearer"), path, body)
}

// Get reads an address with a bound token and a fresh proof.
func (h Holder) Get(ctx context.Context, t *Target, address, access string) (r *Reply, proof string, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, "", err
	}
	u.RawQuery = ""
	if proof, err = h.Proof(Claims(t.Now(), http.MethodGet, u.String(), access, "")); err != nil {
		return nil, "", err
	}
	r, err = t.Visitor().With("Authorization", "DPoP "+access).With("DPoP", proof).Get(ctx, address)
	return r, proof, err
}

func (h Holder) me(ctx context.Context, t *Target, access string) (r *Reply, proof string, err error) {
	return h.Get(ctx, t, t.URL+"/me", access)
}

// LogIn logs a person in whose session is bound to the key.
func (h Holder) LogIn(ctx context.Context, p *Person) (access, refresh string, err error) {
	t := p.Target
	r, err := h.post(ctx, t, "/login/password", map[string]string{"email": p.Email, "password": p.Password, "client_id": t.ClientID})
	if err != nil {
		return "", "", err
	}
	if r.Status != http.StatusOK || r.Text("token_type") != "DPoP" {
		return "", "", fmt.Errorf("a login with a proof: %s, token_type %q", r, r.Text("token_type"))
	}
	return r.Text("access_token"), r.Text("refresh_token"), nil
}

// boundPair signs somebody up and logs them in with a key of their own.
func boundPair(ctx context.Context, t *Target) (owner Holder, access, refresh string, err error) {
	if owner, err = NewHolder(); err != nil {
		return owner, "", "", err
	}
	p, err := t.SignUp(ctx, "bound")
	if err != nil {
		return owner, "", "", err
	}
	access, refresh, err = owner.LogIn(ctx, p)
	return owner, access, refresh, err
}
