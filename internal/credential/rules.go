package credential

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// Bounds of a new password in characters after NFC, unless the tenant's rules say otherwise (NIST SP 800-63B section 3.1.1.2).
const (
	DefaultMinLength = 8
	DefaultMaxLength = 256
)

// slack is how many characters must remain of a password when a word about the person is taken out of it.
const slack = 6

// CheckNew refuses (422) a new password that is too short or long, commonly used, or made of a word about the person or the product: about
// holds e-mail addresses (their local part counts) and names. There are no rules about kinds of characters: they make people choose worse.
func (p *Passwords) CheckNew(pw secret.Text, rules tenant.PasswordRules, about ...string) error {
	text := norm.NFC.String(pw.Reveal())
	low, high := rules.MinLength, rules.MaxLength
	if low <= 0 {
		low = DefaultMinLength
	}
	if high <= 0 {
		high = DefaultMaxLength
	}
	if n := utf8.RuneCountInString(text); n < low || n > high {
		return refuse(fault.ReasonWeakPassword, fmt.Sprintf("must have %d to %d characters", low, high))
	}
	lower := strings.ToLower(text)
	if common(lower) || monotone(lower) {
		return refuse(fault.ReasonBreachedPassword, "is among the most used passwords; choose another one")
	}
	for _, word := range about {
		if obvious(lower, word) {
			return refuse(fault.ReasonWeakPassword, "must not be made of your address or of the name of this service")
		}
	}
	return nil
}

func refuse(reason fault.Reason, message string) error {
	return fault.New(fault.Unprocessable, reason, "this password "+message).
		WithFields(fault.Field{Name: "password", Message: message})
}

// obvious reports whether password is word, or word with little around it. Short words say nothing about a password.
func obvious(password, word string) bool {
	word = strings.ToLower(norm.NFC.String(strings.TrimSpace(word)))
	if word == "" {
		return false
	}
	if local, _, isMail := strings.Cut(word, "@"); isMail && (password == word || obvious(password, local)) {
		return true
	}
	if utf8.RuneCountInString(word) < 4 || !strings.Contains(password, word) {
		return false
	}
	return utf8.RuneCountInString(strings.ReplaceAll(password, word, "")) < slack
}

// monotone reports whether the whole password repeats a piece of at most three characters ("aaaaaaaa", "abcabcabc").
func monotone(password string) bool {
	r := []rune(password)
	for size := 1; size <= 3 && size < len(r); size++ {
		same := true
		for i := size; i < len(r) && same; i++ {
			same = r[i] == r[i-size]
		}
		if same {
			return true
		}
	}
	return false
}
