package dpop

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/weak"
)

// nonceLife is how long a nonce may wait to be used.
const nonceLife = 5 * time.Minute

// A nonce is the instant of its making (8 bytes, milliseconds), 12 random bytes, the id of the MAC key (4) and half of the MAC: no row is
// kept for one that is handed out, only for one that was spent.
const (
	nonceRandom = 8
	nonceKey    = 20
	nonceMAC    = 24
	nonceSize   = 40
	nonceLabel  = "dpop nonce"
)

// Nonce makes a nonce for the tenant's callers, for the DPoP-Nonce header.
func (p *Proofs) Nonce(call *audit.Call, tenantID string) (string, error) {
	b := make([]byte, nonceMAC, nonceSize)
	binary.BigEndian.PutUint64(b, uint64(call.Wall.UnixMilli()))
	copy(b[nonceRandom:nonceKey], secret.Bytes(nonceKey-nonceRandom))
	id := p.ring.ActiveMAC()
	binary.BigEndian.PutUint32(b[nonceKey:nonceMAC], id)
	mac, err := p.ring.MACWith(id, nonceLabel, append([]byte(tenantID+"\n"), b...))
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(append(b, mac[:nonceSize-nonceMAC]...)), nil
}

// spendNonce judges the nonce of a proof and spends it. One that is missing where it is asked for, foreign, old or used asks for another.
func (p *Proofs) spendNonce(ctx context.Context, call *audit.Call, q *Request, proof *jose.Proof) error {
	if proof.Nonce == "" {
		if q.WithNonce && !weak.Off("proof-nonce") {
			return another("the proof of possession must repeat a nonce of this server")
		}
		return nil
	}
	if !p.genuine(call, q.TenantID, proof.Nonce) {
		return another("the nonce is not known here, or too old")
	}
	first, err := p.values.Lease(ctx, "dpop-nonce:"+proof.Nonce, secret.Random(16), call.Wall, nonceLife+maxAhead)
	if err != nil {
		return err
	}
	if !first {
		return another("the nonce was used before")
	}
	return nil
}

func another(safe string) error {
	return fault.New(fault.Unauthenticated, fault.ReasonOAuthNonce, safe)
}

func (p *Proofs) genuine(call *audit.Call, tenantID, nonce string) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(nonce)
	if err != nil || len(b) != nonceSize || len(nonce) != base64.RawURLEncoding.EncodedLen(nonceSize) {
		return false
	}
	mac, err := p.ring.MACWith(binary.BigEndian.Uint32(b[nonceKey:]), nonceLabel, append([]byte(tenantID+"\n"), b[:nonceMAC]...))
	if err != nil || subtle.ConstantTimeCompare(mac[:nonceSize-nonceMAC], b[nonceMAC:]) != 1 {
		return false
	}
	age := call.Wall.Sub(time.UnixMilli(int64(binary.BigEndian.Uint64(b))))
	return age <= nonceLife && age >= -maxAhead
}
