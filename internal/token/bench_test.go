package token

import (
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
)

// The cost of a token beside the bare cost of its signature, of which it should stay near.
func BenchmarkSignAccess(b *testing.B) {
	d, _ := testDirectory(b, time.Now, 1)
	s := node(b, &fakeKeys{}, d, Config{})
	tn := d.ByID(tenantID)
	c := userClaims(tn.At(time.Now()))
	for _, alg := range jose.Algs() {
		raw, err := s.SignAccess(b.Context(), tn, alg, c)
		if err != nil {
			b.Fatal(err)
		}
		signer, err := quickKeys{}.Handle(s.peek(tenantID).signer(alg, c.IssuedAt).row)
		if err != nil {
			b.Fatal(err)
		}
		input := []byte(raw[:strings.LastIndexByte(raw, '.')])
		b.Run(alg+"/bare", func(b *testing.B) {
			for b.Loop() {
				if _, err := signer.Sign(input); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(alg+"/whole", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.SignAccess(b.Context(), tn, alg, c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerifyAccess(b *testing.B) {
	d, _ := testDirectory(b, time.Now, 1)
	s := node(b, &fakeKeys{}, d, Config{})
	tn := d.ByID(tenantID)
	at := tn.At(time.Now())
	for _, alg := range jose.Algs() {
		raw, err := s.SignAccess(b.Context(), tn, alg, userClaims(at))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(alg, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.VerifyAccess(tn, raw, at); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendClaims(b *testing.B) {
	c := userClaims(time.Now())
	b.ReportAllocs()
	for b.Loop() {
		_, _ = appendClaims(make([]byte, 0, 1024), c)
	}
}
