package servicetoken

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/strictjson"
	"github.com/gatehouse-auth/gatehouse/internal/token/kind"
)

// Bounds of what stands in a token: it travels in a header of every request.
const (
	maxName      = 64
	maxAudiences = 16
	maxAudience  = 256
	maxClaimName = 128
	maxClaims    = 4 << 10 // bytes of all custom claims
	maxDepth     = 16
)

// open are reserved claims that the maker of a service's token may set. APIs let services in by them; a token that is by typ, source and
// the lack of a session no user's does not become one by a role.
var open = []string{"source", "scope", "roles"}

// object writes a JSON object member by member; values are JSON already.
type object struct{ b strings.Builder }

func (o *object) raw(name string, value []byte) {
	if o.b.Len() == 0 {
		o.b.WriteByte('{')
	} else {
		o.b.WriteByte(',')
	}
	o.b.Write(quote(name))
	o.b.WriteByte(':')
	o.b.Write(value)
}

func (o *object) text(name, value string) { o.raw(name, quote(value)) }

func (o *object) seconds(name string, at time.Time) {
	o.raw(name, strconv.AppendInt(nil, at.Unix(), 10))
}

func (o *object) done() []byte {
	if o.b.Len() == 0 {
		return []byte("{}")
	}
	return []byte(o.b.String() + "}")
}

func quote(s string) []byte {
	b, _ := json.Marshal(s) // a string always encodes
	return b
}

func invalid(field, message string) error {
	return fault.New(fault.Invalid, fault.ReasonInvalid, "the field "+field+" "+message).WithFields(fault.Field{Name: field, Message: message})
}

// custom checks the claims that the maker of a token chose and gives them as one object, sorted, with source among them.
func custom(claims map[string]json.RawMessage, source string) ([]byte, error) {
	var out object
	_, there := claims["source"]
	switch {
	case there && source != "":
		return nil, invalid("source", "stands among the claims as well")
	case source != "" && !oneLine(source, maxClaimName):
		return nil, invalid("source", "must be a line of text")
	case !there:
		out.text("source", cmp.Or(source, DefaultSource))
	}
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		if err := checkClaim(name, claims[name]); err != nil {
			return nil, err
		}
		out.raw(name, claims[name])
	}
	body := out.done()
	if len(body) > maxClaims {
		return nil, invalid("claims", "are longer than 4 KiB together")
	}
	return body, nil
}

func checkClaim(name string, value json.RawMessage) error {
	if !oneLine(name, maxClaimName) {
		return invalid("claims", "need names of one line of 1 to 128 characters")
	}
	field := "claims." + name
	if kind.Reserved(name) && !slices.Contains(open, name) {
		return invalid(field, "is reserved: no token of a service may carry it")
	}
	if strictjson.Check(value, strictjson.Limits{Bytes: maxClaims, Depth: maxDepth}) != nil {
		return invalid(field, "is not JSON")
	}
	m := strictjson.Member{Name: name, Value: value}
	text, isText := m.Text()
	_, isTexts := m.Texts()
	switch {
	case name == "source" && (!isText || !oneLine(text, maxClaimName)):
		return invalid(field, "must be a line of text")
	case name == "scope" && !isText:
		return invalid(field, "must be text")
	case name == "roles" && !isTexts:
		return invalid(field, "must be a list of texts")
	}
	return nil
}

// plainName reports whether a service may be called so: it stands in sub, in lists and in commands.
func plainName(s string) bool {
	return s != "" && len(s) <= maxName && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~-") == "" &&
		!strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

func oneLine(s string, most int) bool {
	return s != "" && utf8.ValidString(s) && utf8.RuneCountInString(s) <= most && !strings.ContainsFunc(s, unicode.IsControl)
}

func checkAudience(all []string) error {
	if len(all) > maxAudiences {
		return invalid("audience", "has more than 16 entries")
	}
	for _, a := range all {
		if !oneLine(a, maxAudience) {
			return invalid("audience", "needs lines of 1 to 256 characters")
		}
	}
	return nil
}
