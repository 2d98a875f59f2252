// Package words owns the message catalogues: every sentence a person reads on a page or in a mail, in every language, and how dates are
// written there. It does not know what a page or a mail is, and it imports nothing of ours.
package words

import (
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/language"
)

// Lang is a language that has a catalogue, as its BCP 47 primary tag. The zero value speaks the Default.
type Lang string

// The languages. A new one is a new file beside en.json; the completeness test says what it lacks.
const (
	English Lang = "en"
	German  Lang = "de"
	Default      = English
)

//go:embed en.json de.json
var files embed.FS

var catalogues = map[Lang]map[string]string{English: load("en.json"), German: load("de.json")}

func load(name string) map[string]string {
	raw, err := files.ReadFile(name)
	if err != nil {
		panic(err) // the file is compiled in; only a broken build comes here
	}
	out := map[string]string{}
	if err := json.Unmarshal(raw, &out); err != nil {
		panic(fmt.Sprintf("catalogue %s: %v", name, err))
	}
	return out
}

// Langs lists the languages in a stable order.
func Langs() []Lang {
	out := make([]Lang, 0, len(catalogues))
	for l := range catalogues {
		out = append(out, l)
	}
	slices.Sort(out)
	return out
}

// Has reports whether some catalogue knows key.
func Has(key string) bool { return catalogues[Default][key] != "" }

// Say gives the sentence for key with {name} places filled from pairs (name, value, name, value, …). What l lacks is said in the Default
// language; an unknown key is said as itself, which looks wrong on purpose. Values are text: escaping is the renderer's.
func (l Lang) Say(key string, pairs ...string) string {
	s := catalogues[l][key]
	if s == "" {
		s = catalogues[Default][key]
	}
	if s == "" {
		return key
	}
	if len(pairs) == 0 {
		return s
	}
	old := make([]string, 0, len(pairs))
	for i := 0; i+1 < len(pairs); i += 2 {
		old = append(old, "{"+pairs[i]+"}", pairs[i+1])
	}
	return strings.NewReplacer(old...).Replace(s)
}

// Pick chooses a language: the first of the person's own wishes (tags such as "de-AT", in order of preference) that has a catalogue.
func Pick(wishes ...string) Lang {
	for _, w := range wishes {
		base, _, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(w, "_", "-")), "-")
		if catalogues[Lang(base)] != nil {
			return Lang(base)
		}
	}
	return Default
}

// Accept gives the tags of an Accept-Language header (RFC 9110 section 12.5.4) in order of preference; what does not parse is no wish.
func Accept(header string) []string {
	if len(header) > 256 { // nobody speaks that many; a stranger's long header must not cost us time
		header = header[:256]
		if i := strings.LastIndexByte(header, ','); i > 0 {
			header = header[:i]
		}
	}
	tags, _, err := language.ParseAcceptLanguage(header)
	if err != nil {
		return nil
	}
	out := make([]string, len(tags))
	for i, t := range tags {
		out[i] = t.String()
	}
	return out
}
