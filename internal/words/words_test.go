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

// Every key is said somewhere, whole or by a prefix that is put together with a name: a sentence nobody reads is not kept in any language.
func TestKeysAreUsed(t *testing.T) {
	code := sources(t)
	spelled, begun := map[string]bool{}, map[string]bool{}
	for _, m := range regexp.MustCompile(`"([a-z]+(?:\.[a-z_]+)+)"`).FindAllStringSubmatch(code, -1) {
		spelled[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`"([a-z]+\.(?:[a-z_]+\.)*)" ?\+`).FindAllStringSubmatch(code, -1) {
		begun[m[1]] = true
	}
	for key := range catalogues[Default] {
		used := spelled[key] || spelled[strings.TrimSuffix(key, "s")]
		for i, r := range key {
			used = used || r == '.' && begun[key[:i+1]]
		}
		if !used {
			t.Errorf("nobody says %s", key)
		}
	}
}

// sources is the text of all code that may say something.
func sources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") || !(strings.HasSuffix(path, ".go") || strings.HasSuffix(path, ".templ")) {
			return err
		}
		raw, err := os.ReadFile(path)
		all.Write(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// A key stands once in a file: of two, the later would win unseen.
func TestKeysStandOnce(t *testing.T) {
	for _, l := range Langs() {
		raw, err := os.ReadFile(string(l) + ".json")
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, m := range regexp.MustCompile(`(?m)^\s*"([^"]+)":`).FindAllStringSubmatch(string(raw), -1) {
			if seen[m[1]] {
				t.Errorf("%s says %s twice", l, m[1])
			}
			seen[m[1]] = true
		}
		if len(seen) != len(catalogues[l]) {
			t.Errorf("%s: %d keys of %d read", l, len(seen), len(catalogues[l]))
		}
	}
}

// Two pages never have the same name: somebody with several open must find the right one.
func TestTitlesAreUnique(t *testing.T) {
	for _, l := range Langs() {
		seen := map[string]string{}
		for key, s := range catalogues[l] {
			if !strings.HasSuffix(key, ".title") {
				continue
			}
			if seen[s] != "" {
				t.Errorf("%s: %s and %s are both %q", l, key, seen[s], s)
			}
			seen[s] = key
		}
	}
}

// alike are keys that may read the same in both languages: names, and words that both have.
var alike = map[string]bool{"lang.en": true, "lang.de": true, "sessions.app": true, "account.tab.applications": true, "device.code": true,
	"device.ask.code": true, "account.name": true}

// Nothing was left in the other language.
func TestEverySentenceIsTranslated(t *testing.T) {
	english := regexp.MustCompile(`(?i)\b(the|your|you|and|with|not|password|email|account|log|address)\b`)
	for key, s := range catalogues[German] {
		if s == catalogues[English][key] && !alike[key] {
			t.Errorf("%s is the same in both languages: %q", key, s)
		}
		if m := english.FindString(place.ReplaceAllString(s, "")); m != "" {
			t.Errorf("%s says %q in German: %s", key, m, s)
		}
		if strings.Contains(s, "\u2011") && !strings.HasSuffix(key, ".title") {
			t.Errorf("%s has a hyphen that no search finds; only headings need it, which would be torn there: %s", key, s)
		}
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

func TestRelativeTimes(t *testing.T) {
	now := time.Date(2026, 3, 5, 15, 4, 0, 0, time.UTC)
	for d, want := range map[time.Duration][2]string{
		-time.Second: {"just now", "gerade eben"}, 59 * time.Second: {"just now", "gerade eben"}, time.Minute: {"a minute ago", "vor einer Minute"},
		59 * time.Minute: {"59 minutes ago", "vor 59 Minuten"}, 119 * time.Minute: {"an hour ago", "vor einer Stunde"},
		23 * time.Hour: {"23 hours ago", "vor 23 Stunden"}, 24 * time.Hour: {"a day ago", "vor einem Tag"}, 29 * 24 * time.Hour: {"29 days ago", "vor 29 Tagen"},
		31 * 24 * time.Hour: {"2 February 2026, 15:04 UTC", "2. Februar 2026, 15:04 UTC"},
	} {
		if got := [2]string{English.Ago(now.Add(-d), now), German.Ago(now.Add(-d), now)}; got != want {
			t.Errorf("%s ago: %v, want %v", d, got, want)
		}
	}
	for d, want := range map[time.Duration][2]string{
		0: {"in a minute", "in einer Minute"}, time.Minute: {"in a minute", "in einer Minute"}, 61 * time.Second: {"in 2 minutes", "in 2 Minuten"},
		time.Hour: {"in 60 minutes", "in 60 Minuten"}, time.Hour + time.Second: {"in 2 hours", "in 2 Stunden"},
	} {
		if got := [2]string{English.In(d), German.In(d)}; got != want {
			t.Errorf("wait %s: %v, want %v", d, got, want)
		}
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
