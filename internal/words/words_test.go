package words

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var place = regexp.MustCompile(`\{[a-z_]+\}`)

func TestCataloguesAreComplete(t *testing.T) {
	for _, l := range Langs() {
		for key, s := range catalogues[Default] {
			other := catalogues[l][key]
			if strings.TrimSpace(other) == "" {
				t.Errorf("%s lacks %s", l, key)
			}
			a, b := place.FindAllString(s, -1), place.FindAllString(other, -1)
			slices.Sort(a)
			slices.Sort(b)
			if !slices.Equal(slices.Compact(a), slices.Compact(b)) {
				t.Errorf("%s %s: places %v, want %v", l, key, b, a)
			}
		}
		for key := range catalogues[l] {
			if !Has(key) {
				t.Errorf("%s has %s, which %s lacks", l, key, Default)
			}
		}
	}
}

// Every key spelled out in code exists, so that no page ever shows a key.
func TestKeysInCodeExist(t *testing.T) {
	used := regexp.MustCompile(`\.(?:Say|say)\("([a-z_.]+)"[,)]`)
	seen := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !(strings.HasSuffix(path, ".go") || strings.HasSuffix(path, ".templ")) || strings.HasSuffix(path, "_test.go") {
			return err
		}
		raw, err := os.ReadFile(path)
		for _, m := range used.FindAllStringSubmatch(string(raw), -1) {
			seen++
			if !Has(m[1]) {
				t.Errorf("%s says %q, which no catalogue has", path, m[1])
			}
		}
		return err
	})
	if err != nil || seen == 0 {
		t.Fatalf("searched the code: %v, found %d uses", err, seen)
	}
}

func TestSayFillsPlaces(t *testing.T) {
	if got := German.Say("mailbox.to", "to", "a@example.com"); got != "An a@example.com" {
		t.Error(got)
	}
	if got := Lang("xx").Say("mail.code"); got != "Your code" {
		t.Errorf("a language without catalogue said %q", got)
	}
	if got := English.Say("no.such.key"); got != "no.such.key" {
		t.Error(got)
	}
	if got := English.Say("layout.trace", "trace", "{trace}{app}"); got != "Reference {trace}{app}" {
		t.Errorf("a value was filled again: %q", got)
	}
}

func TestPick(t *testing.T) {
	for header, want := range map[string]Lang{
		"": English, "de-AT,de;q=0.9,en;q=0.8": German, "fr,en;q=0.5,de;q=0.9": German, "fr": English, "en-GB": English,
		"!!": English, "*": English, strings.Repeat("x-", 5000): English, "de;q=0": English,
	} {
		if got := Pick(Accept(header)...); got != want {
			t.Errorf("%.40q → %s, want %s", header, got, want)
		}
	}
	if got := Pick("de_DE"); got != German {
		t.Error(got)
	}
}

func TestInstant(t *testing.T) {
	at := time.Date(2026, 3, 5, 15, 4, 0, 0, time.FixedZone("", 3600))
	if got := English.Instant(at); got != "5 March 2026, 14:04 UTC" {
		t.Error(got)
	}
	if got := German.Instant(at); got != "5. März 2026, 14:04 UTC" {
		t.Error(got)
	}
}

func FuzzAccept(f *testing.F) {
	f.Add("de-AT,de;q=0.9,en;q=0.8")
	f.Fuzz(func(t *testing.T, header string) {
		if l := Pick(Accept(header)...); catalogues[l] == nil {
			t.Errorf("%q picked %q", header, l)
		}
	})
}
