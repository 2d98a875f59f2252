// Package jose owns the strict reading and writing of signed tokens and of keys: JWS compact form (RFC 7515), JWK and JWKS (RFC 7517), JWT
// (RFC 7519) with the best current practice (RFC 8725). It makes signing keys. It does not own which key signs when, nor what claims mean
// beyond the registered ones, and it never does any I/O.
package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/big"

	"github.com/golang-jwt/jwt/v5"
)

// The algorithms. There are no others: neither "none" nor a symmetric one can be named.
const (
	RS256 = "RS256" // RSASSA-PKCS1-v1_5 with SHA-256, 2048 bits when made here
	ES256 = "ES256" // ECDSA on P-256 with SHA-256
	EdDSA = "EdDSA" // Ed25519
)

// Algs lists the algorithms, the cheap ones first.
func Algs() []string { return []string{EdDSA, ES256, RS256} }

// Bounds of RSA moduli in bits: shorter ones are weak, longer ones cost the verifier too much.
const (
	minRSA  = 2048
	maxRSA  = 4096
	makeRSA = 2048
)

// Errors of keys.
var (
	ErrAlg = errors.New("unknown algorithm")
	ErrKey = errors.New("unacceptable key")
)

// Signer is a key handle that gives signatures: a key in this process, or one that a KMS or a PKCS #11 token holds.
type Signer interface {
	KID() string
	Alg() string
	// Sign gives the JWS signature of input (for ES256 the 64 bytes r ‖ s of RFC 7518 section 3.4).
	Sign(input []byte) ([]byte, error)
}

// PrivateKey is a signing key in this process with its id and its only algorithm. It does not print.
type PrivateKey struct {
	public PublicKey
	held   func() crypto.Signer // behind a function, which fmt and encoders show as an address at most
}

// PublicKey is a verifying key with its id and its only algorithm: the key decides, never the token (RFC 8725 section 3.1).
type PublicKey struct {
	kid, alg string
	key      crypto.PublicKey
	method   jwt.SigningMethod
}

// Generate makes a new key. RSA takes some tenths of a second.
func Generate(kid, alg string) (*PrivateKey, error) {
	var key crypto.Signer
	var err error
	switch alg {
	case RS256:
		key, err = rsa.GenerateKey(rand.Reader, makeRSA)
	case ES256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case EdDSA:
		_, key, err = generateEd25519()
	default:
		err = ErrAlg
	}
	if err != nil {
		return nil, fmt.Errorf("make a %q key: %w", alg, err)
	}
	return newPrivate(kid, alg, key)
}

func generateEd25519() (ed25519.PublicKey, crypto.Signer, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	return public, private, err
}

// ParsePrivate reads a PKCS #8 key that is to serve alg and nothing else.
func ParsePrivate(kid, alg string, der []byte) (*PrivateKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, ErrKey // the parser's text may quote the key
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, ErrKey
	}
	return newPrivate(kid, alg, key)
}

func newPrivate(kid, alg string, key crypto.Signer) (*PrivateKey, error) {
	public, err := NewPublic(kid, alg, key.Public())
	if err != nil {
		return nil, err
	}
	return &PrivateKey{public: *public, held: func() crypto.Signer { return key }}, nil
}

// NewPublic binds a public key to its id and its only algorithm.
func NewPublic(kid, alg string, key crypto.PublicKey) (*PublicKey, error) {
	if kid == "" || len(kid) > maxKID {
		return nil, errNoKID
	}
	return bind(kid, alg, key)
}

func bind(kid, alg string, key crypto.PublicKey) (*PublicKey, error) {
	p := &PublicKey{kid: kid, alg: alg, key: key}
	var fits bool
	switch alg {
	case RS256:
		var k *rsa.PublicKey
		if k, fits = key.(*rsa.PublicKey); fits {
			fits = k.N.BitLen() >= minRSA && k.N.BitLen() <= maxRSA && k.E >= 3 && k.E&1 == 1 && !roca(k.N)
		}
		p.method = jwt.SigningMethodRS256
	case ES256:
		var k *ecdsa.PublicKey
		if k, fits = key.(*ecdsa.PublicKey); fits {
			fits = k.Curve == elliptic.P256()
		}
		p.method = jwt.SigningMethodES256
	case EdDSA:
		var k ed25519.PublicKey
		if k, fits = key.(ed25519.PublicKey); fits {
			fits = len(k) == ed25519.PublicKeySize
		}
		p.method = jwt.SigningMethodEdDSA
	default:
		return nil, ErrAlg
	}
	if !fits {
		return nil, fmt.Errorf("%w: not one for %s", ErrKey, alg)
	}
	return p, nil
}

// KID is the key's id.
func (k *PrivateKey) KID() string { return k.public.kid }

// Alg is the only algorithm of the key.
func (k *PrivateKey) Alg() string { return k.public.alg }

// Public is the verifying half.
func (k *PrivateKey) Public() *PublicKey { return &k.public }

// PKCS8 is the key in clear, as DER; whoever calls seals it.
func (k *PrivateKey) PKCS8() ([]byte, error) { return x509.MarshalPKCS8PrivateKey(k.held()) }

// Sign implements Signer.
func (k *PrivateKey) Sign(input []byte) ([]byte, error) {
	return k.public.method.Sign(string(input), k.held())
}

// Format shows the id only, whatever the verb.
func (k *PrivateKey) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte("[private key " + k.public.kid + "]"))
}

// LogValue shows the id only.
func (k *PrivateKey) LogValue() slog.Value {
	return slog.StringValue("[private key " + k.public.kid + "]")
}

// MarshalText refuses: PKCS8 is the only way out.
func (*PrivateKey) MarshalText() ([]byte, error) {
	return nil, errors.New("a jose.PrivateKey is never encoded")
}

// KID is the key's id.
func (k *PublicKey) KID() string { return k.kid }

// Alg is the only algorithm of the key.
func (k *PublicKey) Alg() string { return k.alg }

// Equal reports whether both are the same key for the same algorithm, whatever they are called.
func (k *PublicKey) Equal(other *PublicKey) bool {
	same, ok := k.key.(interface{ Equal(crypto.PublicKey) bool })
	return ok && other != nil && k.alg == other.alg && same.Equal(other.key)
}

// verify checks a signature of exactly the length this key gives. It calls the library of the language itself: the JWT library would copy
// the token twice more.
func (k *PublicKey) verify(input, sig []byte) bool {
	switch key := k.key.(type) {
	case *rsa.PublicKey: // RFC 7518 section 3.3
		digest := sha256.Sum256(input)
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], sig) == nil
	case *ecdsa.PublicKey: // RFC 7518 section 3.4: r and s, 32 bytes each
		if len(sig) != 64 {
			return false
		}
		digest := sha256.Sum256(input)
		return ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
	case ed25519.PublicKey: // RFC 8037 section 3.1
		return ed25519.Verify(key, input, sig)
	}
	return false
}
