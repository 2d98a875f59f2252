package jose

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestJWKRoundTrip(t *testing.T) {
	var all [][]byte
	for _, alg := range Algs() {
		k := madeKeys()[alg]
		text, err := k.Public().JWK()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
		var m map[string]string
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		if m["use"] != "sig" || m["alg"] != alg || m["kid"] != k.KID() || m["d"] != "" || strings.ContainsAny(m["n"]+m["x"]+m["y"], "=+/") {
			t.Errorf("%s: %s", alg, text)
		}
		if _, err := ParseJWK(text); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
	keys, err := ParseJWKS(JWKS(all...))
	if err != nil || len(keys) != 3 {
		t.Fatalf("%v %v", keys, err)
	}
	for _, alg := range Algs() {
		if _, err := Verify(rules(), keys, good(t, alg), now); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
	if got := string(JWKS()); got != `{"keys":[]}` {
		t.Errorf("empty set %s", got)
	}
}

func TestPKCS8RoundTrip(t *testing.T) {
	for _, alg := range Algs() {
		der, err := madeKeys()[alg].PKCS8()
		if err != nil {
			t.Fatal(err)
		}
		k, err := ParsePrivate("kid-"+alg, alg, der)
		if err != nil {
			t.Fatal(err)
		}
		tok, _ := Sign(k, "at+jwt", claims())
		if _, err := Verify(rules(), testKeys(), tok, now); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
		for _, other := range []string{RS256, ES256, EdDSA, "none", "HS256", ""} {
			if _, err := ParsePrivate("k", other, der); other != alg && err == nil {
				t.Errorf("a key of %s was taken for %q", alg, other)
			}
		}
	}
	for _, alg := range []string{"none", "HS256", "PS256", ""} {
		if _, err := Generate("k", alg); err == nil {
			t.Errorf("made a key for %q", alg)
		}
	}
	if _, err := Generate("", ES256); err == nil {
		t.Error("made a key without kid")
	}
}

// member gives a JWK of alg with one member replaced, or removed when value is "".
func member(t *testing.T, alg, name, value string) string {
	t.Helper()
	text, err := madeKeys()[alg].Public().JWK()
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	m[name] = json.RawMessage(value)
	if value == "" {
		delete(m, name)
	}
	out, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestParseJWKS(t *testing.T) {
	es := member(t, ES256, "extra", "1")
	weak := `{"kty":"RSA","kid":"w","alg":"RS256","e":"AQAB","n":"` + seg(strings.Repeat("\xff", 128)) + `"}`
	long := `{"kty":"RSA","kid":"w","alg":"RS256","e":"AQAB","n":"` + seg(strings.Repeat("\xff", 513)) + `"}`
	for name, c := range map[string]struct {
		set  string
		want int // -1: refused
	}{
		"one":               {`{"keys":[` + es + `]}`, 1},
		"none":              {`{"keys":[]}`, 0},
		"verify op":         {`{"keys":[` + member(t, ES256, "key_ops", `["verify"]`) + `]}`, 1},
		"sign op":           {`{"keys":[` + member(t, ES256, "key_ops", `["sign"]`) + `]}`, 0},
		"empty ops":         {`{"keys":[` + member(t, ES256, "key_ops", `[]`) + `]}`, -1},
		"use enc":           {`{"keys":[` + member(t, ES256, "use", `"enc"`) + `]}`, 0},
		"no use":            {`{"keys":[` + member(t, ES256, "use", ``) + `]}`, 1},
		"no alg":            {`{"keys":[` + member(t, RS256, "alg", ``) + `]}`, 1},
		"RS384":             {`{"keys":[` + member(t, RS256, "alg", `"RS384"`) + `]}`, 0},
		"alg of other type": {`{"keys":[` + member(t, RS256, "alg", `"ES256"`) + `]}`, 0},
		"no kid":            {`{"keys":[` + member(t, ES256, "kid", ``) + `]}`, 0},
		"kid number":        {`{"keys":[` + member(t, ES256, "kid", `1`) + `]}`, -1},
		"long kid":          {`{"keys":[` + member(t, ES256, "kid", `"`+strings.Repeat("k", 300)+`"`) + `]}`, -1},
		"foreign type":      {`{"keys":[{"kty":"XYZ","kid":"a"},` + es + `]}`, 1},
		"foreign curve":     {`{"keys":[{"kty":"EC","crv":"P-384","kid":"a","x":"AA","y":"AA"}]}`, 0},
		"private":           {`{"keys":[` + member(t, ES256, "d", `"AAAA"`) + `]}`, -1},
		"private RSA":       {`{"keys":[` + member(t, RS256, "dp", `"AAAA"`) + `]}`, -1},
		"private foreign":   {`{"keys":[{"kty":"XYZ","kid":"a","d":"AA"}]}`, -1},
		"symmetric":         {`{"keys":[{"kty":"oct","kid":"a","k":"AAAA"}]}`, -1},
		"duplicate kid":     {`{"keys":[` + es + `,` + es + `]}`, -1},
		"duplicate member":  {`{"keys":[{"kid":"x",` + es[1:] + `]}`, -1},
		"duplicate keys":    {`{"keys":[],"keys":[` + es + `]}`, -1},
		"off the curve":     {`{"keys":[` + member(t, ES256, "x", `"`+seg(strings.Repeat("\x01", 32))+`"`) + `]}`, -1},
		"short x":           {`{"keys":[` + member(t, EdDSA, "x", `"AAAA"`) + `]}`, -1},
		"weak RSA":          {`{"keys":[` + weak + `]}`, -1},
		"long RSA":          {`{"keys":[` + long + `]}`, -1},
		"e 1":               {`{"keys":[` + member(t, RS256, "e", `"AQ"`) + `]}`, -1},
		"e even":            {`{"keys":[` + member(t, RS256, "e", `"Ag"`) + `]}`, -1},
		"not a list":        {`{"keys":{}}`, -1},
		"null":              {`{"keys":null}`, -1},
		"no keys":           {`{}`, -1},
		"list":              {`[]`, -1},
		"key a text":        {`{"keys":["x"]}`, -1},
		"trailing":          {`{"keys":[]} x`, -1},
		"too many":          {`{"keys":[` + strings.Repeat(`{},`, 300) + `{}]}`, -1},
		"too long":          {`{"keys":[],"x":"` + strings.Repeat("x", maxJWKS) + `"}`, -1},
	} {
		keys, err := ParseJWKS([]byte(c.set))
		if (err == nil) != (c.want >= 0) || err == nil && len(keys) != c.want {
			t.Errorf("%s: %d keys, %v", name, len(keys), err)
		}
	}
}

func FuzzParseJWKS(f *testing.F) {
	var all [][]byte
	for _, alg := range Algs() {
		text, _ := madeKeys()[alg].Public().JWK()
		all = append(all, text)
	}
	f.Add(JWKS(all...))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AAAA"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := ParseJWKS(data)
		if err != nil {
			return
		}
		for kid, k := range keys {
			if kid == "" || k.KID() != kid || k.method == nil || k.method.Alg() != k.alg {
				t.Fatalf("a half key from %s", data)
			}
			text, err := k.JWK()
			if err != nil || bytes.Contains(text, []byte(`"d":`)) {
				t.Fatalf("%s: %v", text, err)
			}
		}
	})
}
