package jose

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	gojose "github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-auth/gatehouse/internal/strictjson"
)

// Bounds of what strangers may send.
const (
	maxKID     = 256
	maxJWK     = 8 << 10
	maxJWKS    = 256 << 10
	maxSetKeys = 256
)

// JWK is the public key as JSON (RFC 7517): kty, its numbers, use, alg and kid.
func (k *PublicKey) JWK() ([]byte, error) {
	return gojose.JSONWebKey{Key: k.key, KeyID: k.kid, Algorithm: k.alg, Use: "sig"}.MarshalJSON()
}

// JWKS joins ready JWKs to a set (RFC 7517 section 5).
func JWKS(keys ...[]byte) []byte {
	out := append([]byte(`{"keys":[`), bytes.Join(keys, []byte(","))...)
	return append(out, ']', '}')
}

// jwk are the members that decide what a key may do.
type jwk struct {
	kty, use, alg, kid, crv string
	ops                     []string
	private                 bool
	bad                     bool
}

// ParseJWK reads one public key that may verify signatures. A key without alg gets the one algorithm of its type. A private or symmetric
// key is refused: whoever publishes one must hear of it, and must not be trusted with it.
func ParseJWK(data []byte) (*PublicKey, error) {
	members, err := strictjson.Object(data, strictjson.Limits{Bytes: maxJWK, Depth: 4})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	k := readJWK(members)
	if k.kid == "" {
		return nil, errNoKID
	}
	return parseJWK(data, k)
}

func readJWK(members []strictjson.Member) jwk {
	var k jwk
	for _, m := range members {
		ok := true
		switch m.Name {
		case "kty":
			k.kty, ok = m.Text()
		case "use":
			k.use, ok = m.Text()
		case "alg":
			k.alg, ok = m.Text()
		case "kid":
			k.kid, ok = m.Text()
		case "crv":
			k.crv, ok = m.Text()
		case "key_ops":
			k.ops, ok = m.Texts()
			ok = ok && len(k.ops) > 0
		case "d", "p", "q", "dp", "dq", "qi", "oth", "k":
			k.private = true
		}
		k.bad = k.bad || !ok
	}
	return k
}

func parseJWK(data []byte, k jwk) (*PublicKey, error) {
	switch {
	case k.bad:
		return nil, fmt.Errorf("%w: a member has the wrong type", ErrKey)
	case k.private || k.kty == "oct":
		return nil, fmt.Errorf("%w: it has private parts", ErrKey)
	case !k.verifies():
		return nil, fmt.Errorf("%w: not for verifying signatures", ErrKey)
	}
	alg := k.only()
	if alg == "" || k.alg != "" && k.alg != alg {
		return nil, fmt.Errorf("%w: its type and algorithm are not ours", ErrKey)
	}
	var parsed gojose.JSONWebKey
	if err := parsed.UnmarshalJSON(data); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	if k.kid == "" { // of a Set: NewPublic makes none
		return bind("", alg, parsed.Key)
	}
	return NewPublic(k.kid, alg, parsed.Key)
}

// verifies reports whether use and key_ops let the key verify (RFC 7517 sections 4.2 and 4.3).
func (k jwk) verifies() bool {
	return (k.use == "" || k.use == "sig") && (k.ops == nil || slices.Contains(k.ops, "verify"))
}

// only is the one algorithm we use with this type of key, "" for foreign types.
func (k jwk) only() string {
	switch {
	case k.kty == "RSA":
		return RS256
	case k.kty == "EC" && k.crv == "P-256":
		return ES256
	case k.kty == "OKP" && k.crv == "Ed25519":
		return EdDSA
	}
	return ""
}

// Keys are verifying keys by kid. The kid of a token is looked up here and used for nothing else. A pinned key (ParsePEM) stands under ""
// and serves every token whose kid is not there; no JWKS can bring one.
type Keys map[string]*PublicKey

// Find gives the key for a kid, nil when there is none.
func (ks Keys) Find(kid string) *PublicKey {
	if key := ks[kid]; key != nil {
		return key
	}
	return ks[""]
}

// ParseJWKS reads a set. Keys of other types, algorithms or uses and keys without a kid are left out, as RFC 7517 section 5 advises; a
// private key, a broken key and two usable keys of one kid spoil the whole set.
func ParseJWKS(data []byte) (Keys, error) {
	keys := Keys{}
	err := eachJWK(data, false, func(key *PublicKey) error {
		if keys[key.kid] != nil {
			return errTwice
		}
		keys[key.kid] = key
		return nil
	})
	if err != nil {
		return nil, err
	}
	return keys, nil
}

var (
	errTwice = fmt.Errorf("%w: two keys of one kid", ErrKey)
	errNoKID = fmt.Errorf("%w: no kid, or one too long", ErrKey)
)

// eachJWK gives the usable keys of a set, in their order; those without a kid when unnamed.
func eachJWK(data []byte, unnamed bool, take func(*PublicKey) error) error {
	members, err := strictjson.Object(data, strictjson.Limits{Bytes: maxJWKS, Depth: 8})
	if err != nil {
		return fmt.Errorf("key set: %w", err)
	}
	var raw []json.RawMessage
	for _, m := range members {
		if m.Name == "keys" {
			err = json.Unmarshal(m.Value, &raw)
		}
	}
	if err != nil || raw == nil || len(raw) > maxSetKeys {
		return fmt.Errorf("key set: %w: no list of keys, or too many", ErrKey)
	}
	for _, one := range raw {
		key, err := usableJWK(one, unnamed)
		if err == nil && key != nil {
			err = take(key)
		}
		if err != nil {
			return fmt.Errorf("key set: %w", err)
		}
	}
	return nil
}

// usableJWK reads one key of a set, nil for one that is to be left out.
func usableJWK(data []byte, unnamed bool) (*PublicKey, error) {
	members, err := strictjson.Object(data, strictjson.Limits{Bytes: maxJWK, Depth: 4})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	k := readJWK(members)
	foreign := k.only() == "" || k.alg != "" && k.alg != k.only() || !k.verifies() || k.kid == "" && !unnamed
	if foreign && !k.private && !k.bad && k.kty != "oct" {
		return nil, nil
	}
	return parseJWK(data, k)
}
