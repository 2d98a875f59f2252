package login

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// Bounds of profile fields. Typed addresses are kept for show and cut nowhere: the normal form bounds them.
const (
	maxName     = 128      // characters
	maxLocale   = 35       // bytes, RFC 5646 section 4.4.1
	maxData     = 16 << 10 // bytes
	maxPassword = 4096     // bytes, before any rule: a bound on what is normalised and mixed
	maxToken    = 128      // bytes
)

func invalid(field, message string) error {
	return fault.New(fault.Invalid, fault.ReasonInvalid, "the field "+field+" is not valid").
		WithFields(fault.Field{Name: field, Message: message})
}

// needPassword refuses an absent or absurd password before any work.
func needPassword(field string, pw secret.Text) error {
	if pw.IsZero() {
		return invalid(field, "must not be empty")
	}
	if len(pw.Reveal()) > maxPassword {
		return invalid(field, "is too long")
	}
	return nil
}

// cleanName trims a display name and refuses what could not be shown on one line, direction overrides included.
func cleanName(name string) (string, error) {
	name = norm.NFC.String(strings.TrimSpace(name))
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxName || strings.ContainsFunc(name, unprintable) {
		return "", invalid("name", "must be one line of at most 128 characters")
	}
	return name, nil
}

// unprintable spares the zero-width joiners, which names in several scripts need.
func unprintable(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || (unicode.Is(unicode.Cf, r) && r != '\u200c' && r != '\u200d')
}

// cleanLocale checks the shape of a language tag (RFC 5646 section 2.1), "" for none.
func cleanLocale(tag string) (string, error) {
	if tag == "" {
		return "", nil
	}
	parts := strings.Split(tag, "-")
	ok := len(tag) <= maxLocale && len(parts[0]) >= 2 && !strings.ContainsAny(parts[0], "0123456789")
	for _, p := range parts {
		ok = ok && len(p) >= 1 && len(p) <= 8 && !strings.ContainsFunc(p, func(r rune) bool {
			return r > unicode.MaxASCII || (!unicode.IsLetter(r) && !unicode.IsDigit(r))
		})
	}
	if !ok {
		return "", invalid("locale", "must be a language tag, for example en or de-CH")
	}
	return tag, nil
}

// cleanData wants a JSON object; null empties it.
func cleanData(raw json.RawMessage) (json.RawMessage, error) {
	raw = bytes.TrimSpace(raw)
	if bytes.Equal(raw, []byte("null")) || len(raw) == 0 {
		return nil, nil
	}
	if len(raw) > maxData || raw[0] != '{' || !json.Valid(raw) {
		return nil, invalid("data", "must be a JSON object of at most 16 KiB")
	}
	return raw, nil
}

// tokenHash is the look-up hash of a mailed token; what cannot be one is Gone like any unknown token.
func tokenHash(token secret.Text) ([]byte, error) {
	if text := token.Reveal(); text != "" && len(text) <= maxToken {
		return secret.Hash(text), nil
	}
	return nil, gone()
}

func gone() *fault.Error {
	return fault.New(fault.Gone, fault.ReasonGone, "this link was used already, has expired, or was never sent")
}
