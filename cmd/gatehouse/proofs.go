package main

import (
	"github.com/gatehouse-auth/gatehouse/internal/dpop"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/web"
)

// proved judges the proof of possession of a call for both faces. Where tokens are asked for it must repeat a nonce; every answer to a proof
// brings the next one, so that a client that goes on needs no second try.
func (b *building) proved(x *web.Exchange, access secret.Text) (string, error) {
	text, err := x.Proof()
	if err != nil || text == "" {
		return "", err
	}
	nonce, err := b.proofs.Nonce(x.Call, x.Tenant.ID)
	if err != nil {
		return "", err
	}
	x.W.Header().Set(web.NonceHeader, nonce)
	return b.proofs.Check(x.R.Context(), x.Call, dpop.Request{
		TenantID: x.Tenant.ID, Method: x.R.Method, URL: x.URL(), Proof: text, Access: access, WithNonce: access.IsZero(),
	})
}
