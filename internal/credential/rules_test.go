package credential

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

func TestCheckNew(t *testing.T) {
	p := NewPasswords(secret.NewRing(pepper(1, true)), cheap())
	strict := tenant.PasswordRules{MinLength: 12, MaxLength: 20}
	about := []string{"ada.lovelace@example.com", "Gatehouse", "Web"}
	for _, c := range []struct {
		pw    string
		rules tenant.PasswordRules
		want  fault.Reason
	}{
		{"plum tractor 91", tenant.PasswordRules{}, ""},
		{"pässwörd-ünd-mehr", tenant.PasswordRules{}, ""},
		{"short77", tenant.PasswordRules{}, fault.ReasonWeakPassword},
		{"", tenant.PasswordRules{}, fault.ReasonWeakPassword},
		{"äöüäöüß", tenant.PasswordRules{}, fault.ReasonWeakPassword}, // seven characters, fourteen bytes
		{"äöüßäöü1", tenant.PasswordRules{}, ""},
		{strings.Repeat("ab1é", 64), tenant.PasswordRules{}, ""},
		{strings.Repeat("ab1é", 64) + "x", tenant.PasswordRules{}, fault.ReasonWeakPassword},
		{"plum tractor", strict, ""},
		{"plum tracto", strict, fault.ReasonWeakPassword},
		{"plum tractor and more", strict, fault.ReasonWeakPassword},
		{"Password1", tenant.PasswordRules{}, fault.ReasonBreachedPassword},
		{"P@$$word2024!", tenant.PasswordRules{}, ""},
		{"P@ssw0rd2024!", tenant.PasswordRules{}, fault.ReasonBreachedPassword},
		{"QWERTYuiop", tenant.PasswordRules{}, fault.ReasonBreachedPassword},
		{"Welcome123!", tenant.PasswordRules{}, fault.ReasonBreachedPassword},
		{"12345678", tenant.PasswordRules{}, fault.ReasonBreachedPassword},
		{"zzzzzzzzzzzz", tenant.PasswordRules{}, fault.ReasonBreachedPassword},
		{"abcabcabcabc", tenant.PasswordRules{}, fault.ReasonBreachedPassword},
		{"ada.lovelace@example.com", tenant.PasswordRules{}, fault.ReasonWeakPassword},
		{"Ada.Lovelace", tenant.PasswordRules{}, fault.ReasonWeakPassword},
		{"ada.lovelace1!", tenant.PasswordRules{}, fault.ReasonWeakPassword},
		{"ada.lovelace counts engines", tenant.PasswordRules{}, ""},
		{"GateHouse2026", tenant.PasswordRules{}, fault.ReasonWeakPassword},
		{"webwebwebweb-7", tenant.PasswordRules{}, ""}, // a short word says nothing
	} {
		err := p.CheckNew(text(c.pw), c.rules, about...)
		if fault.ReasonOf(err) != c.want {
			t.Errorf("CheckNew(%q) = %v, want %q", c.pw, err, c.want)
			continue
		}
		if f := fault.From(err); f != nil {
			if f.Kind != fault.Unprocessable || len(f.Fields) != 1 || f.Fields[0].Name != "password" {
				t.Errorf("CheckNew(%q) refuses as %+v", c.pw, f)
			}
			if c.pw != "" && strings.Contains(f.Error()+f.Fields[0].Message, c.pw) {
				t.Errorf("the refusal of %q shows it", c.pw)
			}
		}
	}
}

func TestBlocklist(t *testing.T) {
	entries := strings.Fields(words + tails + walks)
	for _, word := range entries {
		if word != strings.ToLower(word) {
			t.Errorf("%q would never match", word)
		}
	}
	list := blocklist()
	if n := len(list.stems)*len(strings.Fields(tails)) + len(list.whole); n < 5000 {
		t.Errorf("the list stands for %d passwords only", n)
	}
	for pw, want := range map[string]bool{"summer2025!": true, "$ummer2025!": false, "$umm3r2025!": true, "summertime in june": false, "xsummer2025!": false} {
		if common(pw) != want {
			t.Errorf("common(%q) is %t", pw, !want)
		}
	}
}
