// Package secret owns random values, look-up hashes, sealing and types that do not print. It is the only place where randomness is
// drawn (keys for signatures are made in jose). It does not own storage of anything.
package secret

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"time"
)

const hidden = "[secret]"

// Text is a secret string that no formatter, logger or encoder shows. Reveal is the only way to the value, so every use is found by
// searching for it. It stands behind a pointer because fmt calls no method of a value in an unexported field: a struct with such a field
// then prints an address, not the secret.
type Text struct{ v *string }

// NewText takes a secret in hand.
func NewText(v string) Text {
	if v == "" {
		return Text{}
	}
	return Text{v: &v}
}

// Reveal gives the secret itself.
func (t Text) Reveal() string {
	if t.v == nil {
		return ""
	}
	return *t.v
}

// IsZero reports whether there is no secret.
func (t Text) IsZero() bool { return t.v == nil }

// Equal compares in constant time for equal lengths.
func (t Text) Equal(o Text) bool {
	return subtle.ConstantTimeCompare([]byte(t.Reveal()), []byte(o.Reveal())) == 1
}

// String hides the value.
func (Text) String() string { return hidden }

// GoString hides the value from %#v.
func (Text) GoString() string { return hidden }

// Format hides the value from every verb of fmt; without it %d would show the fields.
func (Text) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// LogValue hides the value from slog.
func (Text) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText refuses: a secret that reaches an encoder is a fault of ours.
func (Text) MarshalText() ([]byte, error) { return nil, errors.New("a secret.Text is never encoded") }

// Bytes gives n random bytes.
func Bytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails since Go 1.24: it ends the program instead
	return b
}

// Random gives a URL-safe text of n random bytes.
func Random(n int) string { return base64.RawURLEncoding.EncodeToString(Bytes(n)) }

// Digits gives n random decimal digits.
func Digits(n int) string {
	out := make([]byte, n)
	for i := range out {
		d, _ := rand.Int(rand.Reader, big.NewInt(10))
		out[i] = byte('0' + d.Int64())
	}
	return string(out)
}

// NewID gives a UUIDv7 (RFC 9562 section 5.7) for the instant at, so that ids sort by time and index pages stay warm.
func NewID(at time.Time) string {
	b := Bytes(16)
	ms := uint64(at.UnixMilli())
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80
	return FormatID([16]byte(b))
}

// FormatID writes 16 bytes as UUID text.
func FormatID(b [16]byte) string {
	var out [36]byte
	hex.Encode(out[0:8], b[0:4])
	hex.Encode(out[9:13], b[4:6])
	hex.Encode(out[14:18], b[6:8])
	hex.Encode(out[19:23], b[8:10])
	hex.Encode(out[24:36], b[10:16])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	return string(out[:])
}

// ParseID reads UUID text in its one canonical form (lower case, hyphens).
func ParseID(s string) ([16]byte, bool) {
	var b [16]byte
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return b, false
	}
	raw := s[0:8] + s[9:13] + s[14:18] + s[19:23] + s[24:36]
	if _, err := hex.Decode(b[:], []byte(raw)); err != nil || FormatID(b) != s {
		return b, false
	}
	return b, true
}

// Hash is the look-up hash of a random one-time value. A random secret needs one SHA-256 and no more.
func Hash(text string) []byte {
	h := sha256.Sum256([]byte(text))
	return h[:]
}

// H1 is hex(SHA-256(token)), the form a SuperTokens access token carries to confirm its refresh token.
func H1(token string) string {
	h := sha256.Sum256([]byte(token))
	return hex.EncodeToString(h[:])
}

// RefreshHash is what the store keeps of a refresh token: SHA-256(h1).
func RefreshHash(token string) [32]byte { return HashH1(H1(token)) }

// HashH1 is the stored hash for a token known only by its h1.
func HashH1(h1 string) [32]byte { return sha256.Sum256([]byte(h1)) }
