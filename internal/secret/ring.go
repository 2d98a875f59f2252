package secret

import (
	"bytes"
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
)

// Purpose says what a ring key is for. A key serves one purpose.
type Purpose string

// The purposes.
const (
	PurposeSeal   Purpose = "seal"   // sealing values at rest
	PurposeMAC    Purpose = "mac"    // classifying refresh tokens, device cookies
	PurposePepper Purpose = "pepper" // low-entropy codes and passwords
)

// RingKey is one key in clear. The store only ever holds it wrapped by a Master.
type RingKey struct {
	ID      uint32 // stands in every sealed value and token, so that old keys are found
	Purpose Purpose
	Key     []byte // 32 bytes
	Active  bool   // used for new values; the newest active one of a purpose wins
}

// Format hides the key from every verb of fmt.
func (k RingKey) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "[%s key %d]", string(k.Purpose), k.ID)
}

// LogValue hides the key from slog.
func (k RingKey) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(k)) }

// MarshalText refuses: a ring key in clear that reaches an encoder is a fault of ours.
func (RingKey) MarshalText() ([]byte, error) {
	return nil, errors.New("a secret.RingKey is never encoded")
}

// Ring is a replaceable snapshot of ring keys, safe for concurrent use.
type Ring struct{ p atomic.Pointer[ringState] }

type ringState struct {
	byID   map[uint32]RingKey
	active map[Purpose]RingKey
	aeads  aeadCache
}

// Errors of the ring.
var (
	ErrNoKey  = errors.New("no such ring key")
	ErrSealed = errors.New("sealed value does not open")
)

// NewRing makes a ring of the given keys.
func NewRing(keys ...RingKey) *Ring {
	r := &Ring{}
	r.Replace(keys)
	return r
}

// Replace swaps the whole set in, for rotation without restart. Keys shorter than 32 bytes are left out: better no key than an empty one.
func (r *Ring) Replace(keys []RingKey) {
	s := &ringState{byID: map[uint32]RingKey{}, active: map[Purpose]RingKey{}}
	for _, k := range keys {
		if len(k.Key) < 32 {
			continue
		}
		k.Key = bytes.Clone(k.Key)
		s.byID[k.ID] = k
		if k.Active && (len(s.active[k.Purpose].Key) == 0 || k.ID > s.active[k.Purpose].ID) {
			s.active[k.Purpose] = k
		}
	}
	r.p.Store(s)
}

// Seal encrypts plain under the active sealing key and, where given, a second secret (the predecessor token of a refresh token): without
// both nothing opens. context separates uses and is authenticated. The form is {key id, nonce, ciphertext}. Nonces are random: one
// context without a second secret is good for 2^32 values a key (NIST SP 800-38D section 8.3).
func (r *Ring) Seal(context string, with, plain []byte) ([]byte, error) {
	s := r.p.Load()
	k, ok := s.active[PurposeSeal]
	if !ok {
		return nil, fmt.Errorf("seal: %w", ErrNoKey)
	}
	aead, err := s.aead(k, with, context)
	if err != nil {
		return nil, err
	}
	var id [4]byte
	binary.BigEndian.PutUint32(id[:], k.ID)
	return sealWith(aead, id, context, plain), nil
}

// Open reverses Seal.
func (r *Ring) Open(context string, with, sealed []byte) ([]byte, error) {
	if len(sealed) < 4 {
		return nil, ErrSealed
	}
	s := r.p.Load()
	k, ok := s.byID[binary.BigEndian.Uint32(sealed)]
	if !ok || k.Purpose != PurposeSeal {
		return nil, fmt.Errorf("open: %w", ErrNoKey)
	}
	aead, err := s.aead(k, with, context)
	if err != nil {
		return nil, err
	}
	return openWith(aead, context, sealed)
}

// MAC gives the 32-byte HMAC-SHA-256 of msg under the active MAC key and that key's id. context separates uses.
func (r *Ring) MAC(context string, msg []byte) (id uint32, mac []byte, err error) {
	k, ok := r.p.Load().active[PurposeMAC]
	if !ok {
		return 0, nil, fmt.Errorf("mac: %w", ErrNoKey)
	}
	return k.ID, sum(k.Key, context, msg), nil
}

// ActiveMAC is the id of the key that MAC would use, so that the id can stand inside the message. 0 when there is none.
func (r *Ring) ActiveMAC() uint32 { return r.p.Load().active[PurposeMAC].ID }

// MACWith is MAC under the named key.
func (r *Ring) MACWith(id uint32, context string, msg []byte) ([]byte, error) {
	k, ok := r.p.Load().byID[id]
	if !ok || k.Purpose != PurposeMAC {
		return nil, ErrNoKey
	}
	return sum(k.Key, context, msg), nil
}

// CheckMAC reports in constant time whether mac is right under the named key; an unknown key is a plain no.
func (r *Ring) CheckMAC(id uint32, context string, msg, mac []byte) bool {
	want, err := r.MACWith(id, context, msg)
	return err == nil && hmac.Equal(want, mac)
}

// Pepper turns a low-entropy value into one that a stolen database cannot guess offline. It returns the key's id, to be stored.
func (r *Ring) Pepper(context string, msg []byte) (id uint32, out []byte, err error) {
	k, ok := r.p.Load().active[PurposePepper]
	if !ok {
		return 0, nil, fmt.Errorf("pepper: %w", ErrNoKey)
	}
	return k.ID, sum(k.Key, context, msg), nil
}

// PepperWith is Pepper under the named key, to check a stored value.
func (r *Ring) PepperWith(id uint32, context string, msg []byte) ([]byte, error) {
	k, ok := r.p.Load().byID[id]
	if !ok || k.Purpose != PurposePepper {
		return nil, ErrNoKey
	}
	return sum(k.Key, context, msg), nil
}

func sum(key []byte, context string, msg []byte) []byte {
	mac := mac256(key, context, []byte{0}, msg)
	return mac[:]
}
