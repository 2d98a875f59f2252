package jose

import (
	"crypto"
	"encoding/base64"
	"strings"
	"time"

	gojose "github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-auth/gatehouse/internal/strictjson"
	"github.com/gatehouse-auth/gatehouse/internal/weak"
)

// Bounds of a proof: what strangers send with every request.
const (
	maxProof   = 4 << 10
	maxProofID = 256
)

// Proof is a DPoP proof (RFC 9449 section 4.2) whose form and signature are right. What it says is not judged: whose request, when, and
// whether it was seen before is the caller's to know.
type Proof struct {
	Thumbprint string // of its key, RFC 7638 with SHA-256: what cnf.jkt holds
	ID         string // jti
	Method     string // htm
	URL        string // htu
	IssuedAt   time.Time
	AccessHash string // ath, "" when absent
	Nonce      string // "" when absent
}

// ParseProof reads a proof and checks its signature by the key it brings, which proves that its maker holds that key and nothing else
// (RFC 9449 section 4.3, checks 2 to 7). The key's type decides the algorithm: neither "none" nor a symmetric one can be named, and a
// private key in the header is refused. Errors are those of this package.
func ParseProof(raw string) (*Proof, error) {
	if len(raw) > maxProof {
		return nil, ErrMalformed
	}
	head, rest, ok1 := strings.Cut(raw, ".")
	body, tail, ok2 := strings.Cut(rest, ".")
	if !ok1 || !ok2 {
		return nil, ErrMalformed
	}
	header, ok1 := decode(nil, head)
	payload, ok2 := decode(nil, body)
	sig, ok3 := decode(nil, tail)
	if !ok1 || !ok2 || !ok3 {
		return nil, ErrMalformed
	}
	key, thumbprint, err := proofKey(header)
	if err != nil {
		return nil, err
	}
	if !key.verify([]byte(raw[:len(head)+1+len(body)]), sig) && !weak.Off("proof-signature") {
		return nil, ErrSignature
	}
	p := &Proof{Thumbprint: thumbprint}
	return p, p.read(payload)
}

// proofKey reads the header: typ dpop+jwt, an algorithm of ours, and the public key that it belongs to.
func proofKey(header []byte) (*PublicKey, string, error) {
	members, err := strictjson.Object(header, strictjson.Limits{Bytes: maxHeader, Depth: 8})
	if err != nil {
		return nil, "", ErrMalformed
	}
	var alg, typ string
	var raw []byte
	for _, m := range members {
		ok := true
		switch m.Name {
		case "alg":
			alg, ok = m.Text()
		case "typ":
			typ, ok = m.Text()
		case "jwk":
			raw = m.Value
		case "crit", "b64": // we understand no extension
			return nil, "", ErrHeader
		}
		if !ok {
			return nil, "", ErrMalformed
		}
	}
	if mediaType(typ) != "dpop+jwt" {
		return nil, "", ErrType
	}
	if raw == nil {
		return nil, "", ErrUnknownKey
	}
	key, thumbprint, err := parseProofKey(raw)
	if err != nil {
		return nil, "", err
	}
	if key.alg != alg {
		return nil, "", ErrWrongAlg
	}
	return key, thumbprint, nil
}

func parseProofKey(raw []byte) (*PublicKey, string, error) {
	members, err := strictjson.Object(raw, strictjson.Limits{Bytes: maxJWK, Depth: 4})
	if err != nil {
		return nil, "", ErrMalformed
	}
	k := readJWK(members)
	k.kid = "proof" // it is nobody's name: the key is known by its thumbprint alone
	key, err := parseJWK(raw, k)
	if err != nil {
		return nil, "", err
	}
	thumbprint, err := key.Thumbprint()
	return key, thumbprint, err
}

// Thumbprint is the JWK thumbprint of the key (RFC 7638) with SHA-256, in base64url.
func (k *PublicKey) Thumbprint() (string, error) {
	sum, err := (&gojose.JSONWebKey{Key: k.key}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

func (p *Proof) read(payload []byte) error {
	members, err := strictjson.Object(payload, strictjson.Limits{Bytes: len(payload)})
	if err != nil {
		return ErrClaims
	}
	for _, m := range members {
		ok := true
		switch m.Name {
		case "jti":
			p.ID, ok = m.Text()
		case "htm":
			p.Method, ok = m.Text()
		case "htu":
			p.URL, ok = m.Text()
		case "iat":
			p.IssuedAt, ok = instant(m)
		case "ath":
			p.AccessHash, ok = m.Text()
			ok = ok && p.AccessHash != ""
		case "nonce":
			p.Nonce, ok = m.Text()
			ok = ok && p.Nonce != ""
		}
		if !ok {
			return ErrClaims
		}
	}
	if p.ID == "" || len(p.ID) > maxProofID || p.Method == "" || p.URL == "" || p.IssuedAt.IsZero() {
		return ErrClaims
	}
	return nil
}
