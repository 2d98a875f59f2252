package testbed

import (
	"context"
	"sync"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// SameKeys is a token.Holder with one key of each algorithm for the whole run: making RSA keys is what tests would wait for.
type SameKeys struct{}

var made = struct {
	sync.Mutex
	pkcs8 map[string][]byte
}{pkcs8: map[string][]byte{}}

func sameKey(alg string) ([]byte, error) {
	made.Lock()
	defer made.Unlock()
	if der, ok := made.pkcs8[alg]; ok {
		return der, nil
	}
	k, err := jose.Generate("k", alg)
	if err != nil {
		return nil, err
	}
	der, err := k.PKCS8()
	made.pkcs8[alg] = der
	return der, err
}

// Make gives the run's key of an algorithm under a kid. It seals nothing.
func (SameKeys) Make(_ context.Context, _, kid, alg string) (jwk, sealed []byte, err error) {
	sealed, err = sameKey(alg)
	if err != nil {
		return nil, nil, err
	}
	k, err := jose.ParsePrivate(kid, alg, sealed)
	if err != nil {
		return nil, nil, err
	}
	jwk, err = k.Public().JWK()
	return jwk, sealed, err
}

// Handle opens what Make gave.
func (SameKeys) Handle(k token.SigningKey) (jose.Signer, error) {
	return jose.ParsePrivate(k.KID, k.Alg, k.Sealed)
}
