package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"sync"
	"sync/atomic"
)

// sealWith writes {id, nonce, ciphertext}.
func sealWith(aead cipher.AEAD, id [4]byte, context string, plain []byte) []byte {
	out := make([]byte, 4+aead.NonceSize(), 4+aead.NonceSize()+len(plain)+aead.Overhead())
	copy(out, id[:])
	copy(out[4:], Bytes(aead.NonceSize()))
	return aead.Seal(out, out[4:], plain, []byte(context))
}

// openWith reverses sealWith; the id has chosen the key already.
func openWith(aead cipher.AEAD, context string, sealed []byte) ([]byte, error) {
	if len(sealed) < 4+aead.NonceSize()+aead.Overhead() {
		return nil, ErrSealed
	}
	nonce, box := sealed[4:4+aead.NonceSize()], sealed[4+aead.NonceSize():]
	plain, err := aead.Open(nil, nonce, box, []byte(context))
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

func gcm(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// derive makes the key of one use. The ring key has a fixed length and stands last, so the two secrets cannot be split otherwise.
func derive(key, with []byte, context string) (cipher.AEAD, error) {
	var room [256]byte
	derived := hkdf32(append(append(room[:0], with...), key...), "gatehouse seal "+context)
	return gcm(derived[:])
}

// hkdf32 is HKDF-SHA-256 (RFC 5869) without salt for 32 bytes, crypto/hkdf's result without its allocations: every refresh derives a key of
// its own.
func hkdf32(secret []byte, info string) [32]byte {
	var noSalt [sha256.Size]byte
	extracted := mac256(noSalt[:], "", nil, secret)
	return mac256(extracted[:], info, nil, []byte{1}) // one block is all that is wanted
}

// mac256 is HMAC-SHA-256 (RFC 2104) of three parts in a row, crypto/hmac's result on the stack.
func mac256(key []byte, a string, b, c []byte) [sha256.Size]byte {
	var pad [sha256.BlockSize]byte
	if len(key) > len(pad) {
		short := sha256.Sum256(key)
		key = short[:]
	}
	copy(pad[:], key)
	var innerRoom [512]byte
	inner := innerRoom[:sha256.BlockSize]
	for i, k := range pad {
		inner[i] = k ^ 0x36
	}
	inner = append(append(append(inner, a...), b...), c...)
	sum := sha256.Sum256(inner)
	var outer [sha256.BlockSize + sha256.Size]byte
	for i, k := range pad {
		outer[i] = k ^ 0x5c
	}
	copy(outer[sha256.BlockSize:], sum[:])
	return sha256.Sum256(outer[:])
}

// aeadCache keeps the ready ciphers of uses without a second secret. It is bounded, since a context may name one of many things; with a
// second secret every use has its own key and nothing is kept.
type aeadCache struct {
	m sync.Map // aeadKey → cipher.AEAD
	n atomic.Int32
}

type aeadKey struct {
	id      uint32
	context string
}

const maxAEADs = 256

func (s *ringState) aead(k RingKey, with []byte, context string) (cipher.AEAD, error) {
	if len(with) > 0 {
		return derive(k.Key, with, context)
	}
	at := aeadKey{k.ID, context}
	if known, ok := s.aeads.m.Load(at); ok {
		return known.(cipher.AEAD), nil
	}
	made, err := derive(k.Key, nil, context)
	if err == nil && s.aeads.n.Load() < maxAEADs {
		s.aeads.m.Store(at, made)
		s.aeads.n.Add(1)
	}
	return made, err
}
