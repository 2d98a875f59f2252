package jose

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// doubtful are vectors of wycheproof_jws.json whose label does not bind us, with the reason.
var doubtful = map[int]string{
	346: "labelled valid: the key says PS256, the token PS384; a key has one algorithm here, and neither is ours",
	347: "labelled valid: the key names ES521, an algorithm that does not exist (P-521 goes with ES512)",
	350: "labelled valid: as 346, with key_ops",
	351: "labelled valid: as 347, with key_ops",
	372: "labelled valid although a character outside the alphabet stands in the header; RFC 7515 appendix C knows no such leniency",
	373: "labelled valid although a character outside the alphabet stands in the payload; as 372",
	367: "labelled invalid, but byte for byte the token of 357, which is labelled valid: its padding was lost",
	370: "labelled invalid, but byte for byte the token of 357: its padding was lost",
}

type vectorGroup struct {
	Comment string          `json:"comment"`
	Public  json.RawMessage `json:"public"`
	Private json.RawMessage `json:"private"` // in place of Public: a symmetric key or a set with one
	Tests   []struct {
		ID      int    `json:"tcId"`
		Comment string `json:"comment"`
		JWS     form   `json:"jws"`
		Result  string `json:"result"`
	} `json:"tests"`
}

// form is a token in compact form, or the text of one in JSON form.
type form string

func (f *form) UnmarshalJSON(b []byte) error {
	var compact string
	if err := json.Unmarshal(b, &compact); err != nil {
		compact = string(b)
	}
	*f = form(compact)
	return nil
}

func readVectors(t *testing.T, file string, into any) {
	t.Helper()
	data, err := os.ReadFile("testdata/" + file)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func vectors(t *testing.T, file string) []vectorGroup {
	t.Helper()
	var all struct {
		TestGroups []vectorGroup `json:"testGroups"`
	}
	readVectors(t, file, &all)
	return all.TestGroups
}

// keys reads the group's key or set as we would any issuer's, and says whether its algorithm is one of ours: the verdict "valid" of a group
// with another algorithm (HS256, PS256, RS384, …) is "refused" here, by design.
func (g vectorGroup) keys() (keys Keys, ours bool, err error) {
	text := g.Public
	if text == nil {
		text = g.Private
	}
	ours = !strings.Contains(string(text), `"oct"`) && (strings.Contains(string(text), `"RS256"`) || strings.Contains(string(text), `"ES256"`))
	if strings.Contains(string(text), `"keys"`) {
		keys, err = ParseJWKS(text)
		return keys, ours, err
	}
	key, err := ParseJWK(text)
	if err != nil {
		return nil, ours, err
	}
	return Keys{key.kid: key}, ours, nil
}

func TestWycheproof(t *testing.T) {
	for file, want := range map[string]struct{ accepted, refused int }{
		"wycheproof_jws.json": {10, 391}, "wycheproof_jwk.json": {1, 25}, "wycheproof_crypto.json": {2, 47},
	} {
		accepted, refused := 0, 0
		for _, g := range vectors(t, file) {
			keys, ours, keyErr := g.keys()
			for _, v := range g.Tests {
				err := keyErr
				if err == nil {
					_, _, err = open(keys, string(v.JWS), 0)
				}
				if want := v.Result == "valid" && ours && (file != "wycheproof_jws.json" || doubtful[v.ID] == ""); (err == nil) != want {
					t.Errorf("%s %d %s (%s, %s): got %v", file, v.ID, v.Comment, g.Comment, v.Result, err)
				}
				if err == nil {
					accepted++
				} else {
					refused++
				}
			}
		}
		if accepted != want.accepted || refused != want.refused {
			t.Errorf("%s: %d accepted and %d refused, want %+v", file, accepted, refused, want)
		}
	}
}

// The group on base64 has a symmetric key, which we never take; its tokens show what form is strict.
func TestWycheproofForm(t *testing.T) {
	seen := 0
	for _, g := range vectors(t, "wycheproof_jws.json") {
		if g.Comment != "base64" {
			continue
		}
		for _, v := range g.Tests {
			seen++
			_, _, err := open(nil, string(v.JWS), 0)
			good := err == ErrUnknownKey
			if want := (v.Result == "valid") != (doubtful[v.ID] != ""); good != want {
				t.Errorf("%d %s (%s): got %v", v.ID, v.Comment, v.Result, err)
			}
		}
	}
	if seen != 21 {
		t.Errorf("%d vectors", seen)
	}
}

// TestCookbook: of the examples in RFC 7520 section 4, RFC 8037 and RFC 7797 the ones in compact form with RS256 or EdDSA verify. The others
// are PS384, ES512 or symmetric, detached, unencoded (b64), or in JSON form: none of that is ever taken.
func TestCookbook(t *testing.T) {
	var examples []struct {
		Section, Title string
		Algs           []string
		Keys           []json.RawMessage
		Output         map[string]form
	}
	readVectors(t, "cookbook_jws.json", &examples)
	accepted := []string{}
	for _, e := range examples {
		keys := Keys{}
		for _, text := range e.Keys {
			if key, err := pinned(text); err == nil {
				keys[key.kid] = key
			}
		}
		for kind, token := range e.Output {
			if _, _, err := open(keys, string(token), 0); err == nil {
				accepted = append(accepted, e.Section+" "+kind)
			}
		}
	}
	if want := []string{"RFC 7520 4.1 compact", "RFC 8037 A.4 compact"}; len(examples) != 11 || !slices.Equal(accepted, want) {
		t.Errorf("%d examples, accepted %q, want %q", len(examples), accepted, want)
	}
}

// pinned reads an example's key; that of RFC 8037 has no kid.
func pinned(text json.RawMessage) (*PublicKey, error) {
	var k map[string]any
	if err := json.Unmarshal(text, &k); err != nil {
		return nil, err
	}
	anonymous := k["kid"] == nil
	if anonymous {
		k["kid"] = "x"
	}
	named, err := json.Marshal(k)
	if err != nil {
		return nil, err
	}
	key, err := ParseJWK(named)
	if err == nil && anonymous {
		key.kid = ""
	}
	return key, err
}
