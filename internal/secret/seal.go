package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
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
	derived, err := hkdf.Key(sha256.New, append(append([]byte(nil), with...), key...), nil, "gatehouse seal "+context, 32)
	if err != nil {
		return nil, err
	}
	return gcm(derived)
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
