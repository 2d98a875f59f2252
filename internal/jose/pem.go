package jose

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"

	gojose "github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-auth/gatehouse/internal/strictjson"
)

// leastPEM is the smallest RSA key, in bits, that is turned into PEM at all.
const leastPEM = 1024

// PEM writes a public JWK as PEM of a SubjectPublicKeyInfo (RFC 7468 section 13). It is for a person who pastes a key, not for keys that the
// server trusts: it reads what older servers wrote, numbers with '=' at their end and a zero byte at their beginning (against RFC 7518
// section 6.3.1.1), and takes keys that nothing here would verify with. doubts are what the person should know. Private and symmetric keys
// are refused.
func PEM(jwk []byte) (text []byte, doubts []string, err error) {
	members, err := strictjson.Object(jwk, strictjson.Limits{Bytes: maxJWK, Depth: 4})
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	k := readJWK(members)
	if k.private || k.kty == "oct" {
		return nil, nil, fmt.Errorf("%w: it has private parts", ErrKey)
	}
	var key crypto.PublicKey
	if k.kty == "RSA" {
		key, doubts, err = looseRSA(members)
	} else {
		var parsed gojose.JSONWebKey
		if err = parsed.UnmarshalJSON(jwk); err == nil {
			key = parsed.Key
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), doubts, nil
}

func looseRSA(members []strictjson.Member) (key *rsa.PublicKey, doubts []string, err error) {
	numbers := map[string]*big.Int{}
	for _, m := range members {
		if m.Name != "n" && m.Name != "e" {
			continue
		}
		text, _ := m.Text()
		raw, odd, ok := looseBase64(text)
		if !ok {
			return nil, nil, fmt.Errorf("%s is not base64url", m.Name)
		}
		if odd {
			doubts = append(doubts, m.Name+" lacks a character or has one too many: was all of it copied?")
		}
		numbers[m.Name] = new(big.Int).SetBytes(raw)
	}
	n, e := numbers["n"], numbers["e"]
	if n == nil || e == nil || !e.IsInt64() || e.Int64() < 3 || e.Int64() > 1<<31-1 || n.BitLen() < leastPEM || n.BitLen() > maxRSA {
		return nil, nil, fmt.Errorf("n and e are no RSA key of %d to %d bits", leastPEM, maxRSA)
	}
	if n.BitLen() < minRSA {
		doubts = append(doubts, fmt.Sprintf("the key has %d bits; libraries want %d", n.BitLen(), minRSA))
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, doubts, nil
}

// looseBase64 reads base64url or base64, padded or not. A last character that is alone says nothing and is left out, as Node.js does; odd
// tells of it.
func looseBase64(text string) (raw []byte, odd, ok bool) {
	text = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(text, "="))
	if odd = len(text)%4 == 1; odd {
		text = text[:len(text)-1]
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	return raw, odd, err == nil && len(raw) > 0
}
