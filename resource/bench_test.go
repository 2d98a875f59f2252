package resource

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
)

// The whole check beside the bare signature check, and a repeated token.
func BenchmarkVerify(b *testing.B) {
	for alg, kid := range map[string]string{jose.RS256: "d-rsa", jose.ES256: "d-1"} {
		k := key(b, kid, alg)
		raw := sign(b, k, "at+jwt", userClaims())
		b.Run(alg+"/bare", bareCheck(b, k, raw))
		b.Run(alg+"/whole", func(b *testing.B) {
			w := newWorld(b, func(c *Config) { c.CacheSize = -1 })
			verifyLoop(b, w, raw)
		})
		b.Run(alg+"/repeated", func(b *testing.B) { verifyLoop(b, newWorld(b, nil), raw) })
	}
}

func verifyLoop(b *testing.B, w *world, raw string) {
	w.accepts(raw)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Verify(context.Background(), raw); err != nil {
			b.Fatal(err)
		}
	}
}

func bareCheck(tb testing.TB, k *jose.PrivateKey, raw string) func(*testing.B) {
	at := strings.LastIndexByte(raw, '.')
	input := []byte(raw[:at])
	sig, _ := base64.RawURLEncoding.DecodeString(raw[at+1:])
	der, err := k.PKCS8()
	if err != nil {
		tb.Fatal(err)
	}
	parsed, _ := x509.ParsePKCS8PrivateKey(der)
	return func(b *testing.B) {
		for b.Loop() {
			digest := sha256.Sum256(input)
			ok := false
			switch p := parsed.(type) {
			case *rsa.PrivateKey:
				ok = rsa.VerifyPKCS1v15(&p.PublicKey, crypto.SHA256, digest[:], sig) == nil
			case *ecdsa.PrivateKey:
				ok = ecdsa.Verify(&p.PublicKey, digest[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
			}
			if !ok {
				b.Fatal("the bare check fails")
			}
		}
	}
}

// A repeated token costs the copy that its handler gets, and nothing else.
func TestRepeatedTokenAllocates(t *testing.T) {
	w := newWorld(t, nil)
	raw := user(t, nil)
	w.accepts(raw)
	n := testing.AllocsPerRun(500, func() { w.accepts(raw) })
	if n > 2 { // a collection may empty the pool of buffers
		t.Errorf("%v allocations", n)
	}
}
