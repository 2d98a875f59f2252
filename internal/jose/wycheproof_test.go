package jose

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// doubtful are vectors whose label does not bind us, with the reason.
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
	Tests   []struct {
		ID      int    `json:"tcId"`
		Comment string `json:"comment"`
		JWS     string `json:"jws"`
		Result  string `json:"result"`
	} `json:"tests"`
}

func vectors(t *testing.T) []vectorGroup {
	t.Helper()
	data, err := os.ReadFile("testdata/wycheproof_jws.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		TestGroups []vectorGroup `json:"testGroups"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	return file.TestGroups
}

func TestWycheproof(t *testing.T) {
	accepted, refused := 0, 0
	for _, g := range vectors(t) {
		if g.Public == nil {
			continue
		}
		key, keyErr := ParseJWK(g.Public)
		ours := strings.Contains(string(g.Public), `"RS256"`) || strings.Contains(string(g.Public), `"ES256"`)
		for _, v := range g.Tests {
			err := keyErr
			if err == nil {
				_, _, err = open(Keys{key.kid: key}, v.JWS, 0)
			}
			want := v.Result == "valid" && ours && doubtful[v.ID] == ""
			if (err == nil) != want {
				t.Errorf("%d %s (%s, %s): got %v", v.ID, v.Comment, g.Comment, v.Result, err)
			}
			if err == nil {
				accepted++
			} else {
				refused++
			}
		}
	}
	if accepted < 9 || refused < 300 {
		t.Errorf("only %d accepted and %d refused: vectors are missing", accepted, refused)
	}
}

// The group on base64 has a symmetric key, which we never take; its tokens show what form is strict.
func TestWycheproofForm(t *testing.T) {
	seen := 0
	for _, g := range vectors(t) {
		if g.Comment != "base64" {
			continue
		}
		for _, v := range g.Tests {
			seen++
			_, _, err := open(nil, v.JWS, 0)
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
