package jose

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

// ParsePEM reads one public key in its SPKI form (RFC 5280 section 4.1, "BEGIN PUBLIC KEY"), which has no id: it is meant to be pinned, as
// Keys{"": key}. It gets the one algorithm of its type. A second block, a certificate and a private key are refused.
func ParsePEM(data []byte) (*PublicKey, error) {
	block, rest := pem.Decode(data)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("%w: not one PEM block", ErrKey)
	}
	if block.Type != "PUBLIC KEY" {
		return nil, fmt.Errorf("%w: not a PUBLIC KEY block", ErrKey)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: the PEM block is broken", ErrKey)
	}
	return bind("", algOf(key), key)
}

// algOf is the one algorithm we use with this type of key, "" for foreign ones.
func algOf(key crypto.PublicKey) string {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return RS256
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return ES256
		}
	case ed25519.PublicKey:
		return EdDSA
	}
	return ""
}
