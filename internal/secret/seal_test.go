package secret

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"strings"
	"testing"
)

// What is sealed and signed today must open after every upgrade: our short forms give what the standard library gives.
func TestDerivationIsTheStandardOne(t *testing.T) {
	for n := range 700 {
		secret, info := Bytes(n), strings.Repeat("i", n%150)
		want, err := hkdf.Key(sha256.New, secret, nil, info, 32)
		if err != nil {
			t.Fatal(err)
		}
		if got := hkdf32(secret, info); !bytes.Equal(got[:], want) {
			t.Fatalf("HKDF of %d bytes differs", n)
		}
		key := Bytes(1 + n%150)
		h := hmac.New(sha256.New, key)
		h.Write([]byte(info))
		h.Write([]byte{0})
		h.Write(secret)
		if got := mac256(key, info, []byte{0}, secret); !bytes.Equal(got[:], h.Sum(nil)) {
			t.Fatalf("HMAC of %d bytes under %d differs", n, len(key))
		}
	}
}
