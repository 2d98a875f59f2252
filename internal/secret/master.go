package secret

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/weak"
)

// MasterSize is the length of a master key in bytes.
const MasterSize = 32

// sealedAtRest names the defence that a weakened test build can switch off, so that the drill of a stolen database is seen to go red.
const sealedAtRest = "sealed-at-rest"

// Errors of master keys.
var (
	ErrMasterForm = errors.New("a master key is 32 random bytes, written as base64 or hex")
	ErrNoMaster   = errors.New("no master key given")
	ErrUnwrap     = errors.New("none of the master keys opens the wrapped key")
)

// Master is a key from outside the store (file, environment, secrets manager) that wraps the ring's keys. Like Text it does not print;
// the key stands behind a pointer because fmt calls no method of a value in an unexported field.
type Master struct {
	wrapping *string // to a string: fmt follows pointers to arrays and structs when the verb is wrong
	id       [4]byte
}

// ParseMaster reads a master key: 32 bytes as hex, or as base64 in either alphabet, padded or not. White space around it is dropped,
// since files end in newlines. The error never shows the text.
func ParseMaster(text string) (Master, error) {
	text = strings.TrimSpace(text)
	if len(text) > 2*MasterSize {
		return Master{}, ErrMasterForm
	}
	for _, decode := range []func(string) ([]byte, error){
		hex.DecodeString,
		base64.StdEncoding.Strict().DecodeString, base64.RawStdEncoding.Strict().DecodeString,
		base64.URLEncoding.Strict().DecodeString, base64.RawURLEncoding.Strict().DecodeString,
	} {
		if key, err := decode(text); err == nil && len(key) == MasterSize {
			return newMaster(key)
		}
	}
	return Master{}, ErrMasterForm
}

// newMaster derives the wrapping key and the public id apart from each other, so that the id, which stands in the store, says nothing
// about the key. A constant key is refused: it is a placeholder that someone forgot to fill.
func newMaster(key []byte) (Master, error) {
	if bytes.Count(key, key[:1]) == len(key) {
		return Master{}, ErrMasterForm
	}
	wrapping, err := hkdf.Key(sha256.New, key, nil, "gatehouse master wrap", MasterSize)
	if err != nil {
		return Master{}, ErrMasterForm
	}
	label, err := hkdf.Key(sha256.New, key, nil, "gatehouse master id", MasterSize)
	if err != nil {
		return Master{}, ErrMasterForm
	}
	sum := sha256.Sum256(label)
	held := string(wrapping)
	return Master{wrapping: &held, id: [4]byte(sum[:4])}, nil
}

// ID names the master key in logs and manuals; it does not help to guess the key.
func (m Master) ID() string { return hex.EncodeToString(m.id[:]) }

// Format hides the key from every verb of fmt, %#v and %x included.
func (m Master) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[master key " + m.ID() + "]")) }

// LogValue hides the key from slog.
func (m Master) LogValue() slog.Value { return slog.StringValue("[master key " + m.ID() + "]") }

// MarshalText refuses: a master key that reaches an encoder is a fault of ours.
func (Master) MarshalText() ([]byte, error) {
	return nil, errors.New("a secret.Master is never encoded")
}

// Masters are the master keys of a configuration: the first wraps, all unwrap, so that a new one can be put in front of the old one.
type Masters []Master

// Wrap encrypts plain under the first master key. context is authenticated and must be given again to unwrap. The form is {master id,
// nonce, ciphertext}.
func (m Masters) Wrap(context string, plain []byte) ([]byte, error) {
	if len(m) == 0 || m[0].wrapping == nil {
		return nil, ErrNoMaster
	}
	if weak.Off(sealedAtRest) {
		return bytes.Clone(plain), nil
	}
	aead, err := gcm([]byte(*m[0].wrapping))
	if err != nil {
		return nil, err
	}
	return sealWith(aead, m[0].id, "wrap "+context, plain), nil
}

// Unwrap reverses Wrap with the master key that wrapped names. Ids are short, so every key of that id is tried.
func (m Masters) Unwrap(context string, wrapped []byte) ([]byte, error) {
	if len(m) == 0 {
		return nil, ErrNoMaster
	}
	if weak.Off(sealedAtRest) {
		return bytes.Clone(wrapped), nil
	}
	for i := range m {
		if m[i].wrapping == nil || !bytes.HasPrefix(wrapped, m[i].id[:]) {
			continue
		}
		aead, err := gcm([]byte(*m[i].wrapping))
		if err != nil {
			return nil, err
		}
		if plain, err := openWith(aead, "wrap "+context, wrapped); err == nil {
			return plain, nil
		}
	}
	return nil, ErrUnwrap
}

// Current reports whether wrapped stands under the first master key; if not, it is due to be wrapped anew.
func (m Masters) Current(wrapped []byte) bool {
	return len(m) > 0 && bytes.HasPrefix(wrapped, m[0].id[:])
}
