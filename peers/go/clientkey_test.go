package peers

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// ownKey is the key by which a client authenticates instead of a secret (private_key_jwt).
type ownKey struct{ alg, private, public string }

// ownKeys are the clients that have one.
var ownKeys = map[string]ownKey{
	"authlib-rs256": newOwnKey("authlib-rs256", "RS256", func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) }),
	"authlib-es256": newOwnKey("authlib-es256", "ES256", func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }),
}

func newOwnKey(kid, alg string, generate func() (crypto.Signer, error)) ownKey {
	key, err := generate()
	if err != nil {
		panic(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	public, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: kid, Algorithm: alg, Use: "sig"}}})
	if err != nil {
		panic(err)
	}
	return ownKey{alg, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})), string(public)}
}

// setting is what the client's configuration says of it.
func (k ownKey) setting() string {
	if k.public == "" {
		return ""
	}
	return fmt.Sprintf("      token_endpoint_auth_method: private_key_jwt\n      jwks: %s\n", k.public)
}
