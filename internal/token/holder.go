package token

import (
	"context"
	"fmt"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// Holder makes and holds private keys; what it hands out is a handle that signs. The default keeps keys in the process and sealed in the
// store. A KMS or a PKCS #11 token fits the same place: its "sealed" bytes are a reference.
type Holder interface {
	// Make makes a key and gives its public JWK and what the store is to keep of the private half.
	Make(ctx context.Context, tenantID, kid, alg string) (publicJWK, sealed []byte, err error)
	// Handle gives the signer of a stored key. It is called once per key and node, when the key first signs.
	Handle(k SigningKey) (jose.Signer, error)
}

// inProcess seals keys under the ring. The seal names tenant and kid, so that rows cannot be swapped.
type inProcess struct{ ring *secret.Ring }

func sealContext(tenantID, kid string) string { return "signing key " + tenantID + " " + kid }

// Make implements Holder.
func (h inProcess) Make(_ context.Context, tenantID, kid, alg string) (publicJWK, sealed []byte, err error) {
	key, err := jose.Generate(kid, alg)
	if err != nil {
		return nil, nil, err
	}
	der, err := key.PKCS8()
	if err != nil {
		return nil, nil, err
	}
	defer clear(der)
	if publicJWK, err = key.Public().JWK(); err != nil {
		return nil, nil, err
	}
	sealed, err = h.ring.Seal(sealContext(tenantID, kid), nil, der)
	return publicJWK, sealed, err
}

// Handle implements Holder.
func (h inProcess) Handle(k SigningKey) (jose.Signer, error) {
	der, err := h.ring.Open(sealContext(k.TenantID, k.KID), nil, k.Sealed)
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", k.KID, err)
	}
	defer clear(der)
	return jose.ParsePrivate(k.KID, k.Alg, der)
}
