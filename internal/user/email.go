package user

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

// Bounds of an e-mail address in bytes after normalisation (RFC 5321 section 4.5.3.1.3 gives the upper one).
const (
	MinEmailBytes = 3
	MaxEmailBytes = 254
)

// NormaliseEmail gives the one form under which an address is stored, looked up, limited and written to: trimmed, NFC, lower case. It
// refuses (Invalid, ReasonInvalid, field "email") what is not UTF-8, has not exactly one "@" with something on both sides, is too long,
// or holds control, format or space characters or ones that separate addresses in a mail header.
//
// Folding may map two typed forms to one address ("K", the Kelvin sign, to "k"). So mail must always go to the normalised form, never to the
// typed one: else who types a look-alike of a victim's address would be sent the victim's reset link.
func NormaliseEmail(typed string) (string, error) {
	if len(typed) > 4*MaxEmailBytes || !utf8.ValidString(typed) {
		return "", badEmail()
	}
	s := norm.NFC.String(strings.ToLower(norm.NFC.String(strings.TrimSpace(typed))))
	if len(s) < MinEmailBytes || len(s) > MaxEmailBytes {
		return "", badEmail()
	}
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || domain == "" || strings.ContainsFunc(s, notInEmail) || strings.Contains(domain, "@") {
		return "", badEmail()
	}
	return s, nil
}

// notInEmail names characters that no address we accept holds. Quoted local parts (RFC 5321 section 4.1.2) are legal and unused; a comma or
// an angle bracket let through would reach mail headers.
func notInEmail(r rune) bool {
	return unicode.IsControl(r) || unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || strings.ContainsRune(`,;:<>()[]"\`, r)
}

func badEmail() error {
	return fault.New(fault.Invalid, fault.ReasonInvalid, "the e-mail address is not valid").
		WithFields(fault.Field{Name: "email", Message: "must be an e-mail address"})
}
