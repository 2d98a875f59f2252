package user

import (
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

func TestNormaliseEmail(t *testing.T) {
	long := strings.Repeat("a", 242) + "@example.com"
	for typed, want := range map[string]string{
		"ada@example.com":             "ada@example.com",
		"  Ada@Example.COM\t":         "ada@example.com",
		"a@b":                         "a@b",
		"ada+tag@example.com":         "ada+tag@example.com",
		"Zoe\u0308@example.com":       "zo\u00eb@example.com", // decomposed, composed
		"\u212aim@example.com":        "kim@example.com",      // Kelvin sign
		"\u00c4rger@example.com":      "\u00e4rger@example.com",
		long:                          long,
		"x" + long:                    "",
		"":                            "",
		"@b":                          "",
		"a@":                          "",
		"ab":                          "",
		"a@b@c":                       "",
		"a b@example.com":             "",
		"a\u00a0b@example.com":        "",
		"a\x00@example.com":           "",
		"a\r\nbcc: b@example.com":     "",
		"a\u200b@example.com":         "", // zero-width space
		"a\u202e@example.com":         "", // right-to-left override
		"a,b@example.com":             "",
		"<a@example.com>":             "",
		"a\xff@example.com":           "",
		strings.Repeat("\u0958", 400): "",
	} {
		got, err := NormaliseEmail(typed)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("NormaliseEmail(%q) = %q, %v; want %q", typed, got, err, want)
		}
		if err != nil && (fault.ReasonOf(err) != fault.ReasonInvalid || fault.From(err).Fields[0].Name != "email") {
			t.Errorf("NormaliseEmail(%q) refuses with %v, want invalid_field on email", typed, err)
		}
	}
}

func FuzzNormaliseEmail(f *testing.F) {
	for _, s := range []string{"ada@example.com", " A@B ", "\u0130@x", "Zoe\u0308@e", "\u1e9e@x", "a@\u03a3", "\u0345\u0391@x", "a@@b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		got, err := NormaliseEmail(typed)
		if err != nil {
			if got != "" {
				t.Fatalf("a refusal of %q gives %q", typed, got)
			}
			return
		}
		if again, err := NormaliseEmail(got); err != nil || again != got {
			t.Fatalf("%q → %q → %q, %v: not one form", typed, got, again, err)
		}
		if !utf8.ValidString(got) || !norm.NFC.IsNormalString(got) || len(got) > MaxEmailBytes || strings.Count(got, "@") != 1 {
			t.Fatalf("%q → %q", typed, got)
		}
	})
}
