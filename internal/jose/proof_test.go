package jose

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// TestThumbprintOfRFC7638: the example of section 3.1.
func TestThumbprintOfRFC7638(t *testing.T) {
	const key = `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`
	k, err := ParseJWK([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.Thumbprint(); err != nil || got != "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" {
		t.Errorf("%q %v", got, err)
	}
}

// proofOf signs a header and claims with k; the header may name {jwk}.
func proofOf(t *testing.T, k *PrivateKey, header, claims string) string {
	t.Helper()
	public, err := k.Public().JWK()
	if err != nil {
		t.Fatal(err)
	}
	input := b64.EncodeToString([]byte(strings.ReplaceAll(header, "{jwk}", string(public)))) + "." + b64.EncodeToString([]byte(claims))
	sig, err := k.Sign([]byte(input))
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64.EncodeToString(sig)
}

const (
	goodHead  = `{"typ":"dpop+jwt","alg":"ES256","jwk":{jwk}}`
	goodProof = `{"jti":"a","htm":"POST","htu":"https://a.example.com/","iat":1}`
)

func TestProofForm(t *testing.T) {
	k, err := Generate("k", ES256)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		head, claims string
		want         error
	}{
		"right":               {goodHead, goodProof, nil},
		"typ in capitals":     {strings.Replace(goodHead, "dpop+jwt", "DPoP+JWT", 1), goodProof, nil},
		"another typ":         {strings.Replace(goodHead, "dpop+jwt", "jwt", 1), goodProof, ErrType},
		"no typ":              {`{"alg":"ES256","jwk":{jwk}}`, goodProof, ErrType},
		"no key":              {`{"typ":"dpop+jwt","alg":"ES256"}`, goodProof, ErrUnknownKey},
		"another alg":         {strings.Replace(goodHead, "ES256", "RS256", 1), goodProof, ErrWrongAlg},
		"none":                {strings.Replace(goodHead, "ES256", "none", 1), goodProof, ErrWrongAlg},
		"no alg":              {`{"typ":"dpop+jwt","jwk":{jwk}}`, goodProof, ErrWrongAlg},
		"critical":            {strings.Replace(goodHead, `"alg"`, `"crit":["x"],"alg"`, 1), goodProof, ErrHeader},
		"two keys":            {strings.Replace(goodHead, `"alg"`, `"jwk":{jwk},"alg"`, 1), goodProof, ErrMalformed},
		"symmetric key":       {`{"typ":"dpop+jwt","alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}}`, goodProof, ErrKey},
		"key as text":         {`{"typ":"dpop+jwt","alg":"ES256","jwk":"x"}`, goodProof, ErrMalformed},
		"no jti":              {goodHead, `{"htm":"POST","htu":"https://a.example.com/","iat":1}`, ErrClaims},
		"long jti":            {goodHead, strings.Replace(goodProof, `"a"`, `"`+strings.Repeat("a", 257)+`"`, 1), ErrClaims},
		"jti as a number":     {goodHead, strings.Replace(goodProof, `"a"`, `5`, 1), ErrClaims},
		"iat as text":         {goodHead, strings.Replace(goodProof, `"iat":1`, `"iat":"1"`, 1), ErrClaims},
		"empty ath":           {goodHead, strings.Replace(goodProof, `"iat"`, `"ath":"","iat"`, 1), ErrClaims},
		"a claim twice":       {goodHead, strings.Replace(goodProof, `"iat"`, `"htm":"GET","iat"`, 1), ErrClaims},
		"claims no object":    {goodHead, `[]`, ErrClaims},
		"longer than a proof": {goodHead, strings.Replace(goodProof, `"iat"`, `"x":"`+strings.Repeat("a", maxProof)+`","iat"`, 1), ErrMalformed},
	} {
		p, err := ParseProof(proofOf(t, k, c.head, c.claims))
		if !errors.Is(err, c.want) || err == nil && (len(p.Thumbprint) != 43 || p.ID != "a") {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestProofWithAPrivateKeyIsRefused(t *testing.T) {
	k, err := Generate("k", ES256)
	if err != nil {
		t.Fatal(err)
	}
	public, err := k.Public().JWK()
	if err != nil {
		t.Fatal(err)
	}
	private := strings.Replace(string(public), `{`, `{"d":"AAAA",`, 1)
	if _, err := ParseProof(proofOf(t, k, strings.Replace(goodHead, "{jwk}", private, 1), goodProof)); !errors.Is(err, ErrKey) {
		t.Errorf("%v", err)
	}
}

func TestProofSignature(t *testing.T) {
	k, err := Generate("k", ES256)
	if err != nil {
		t.Fatal(err)
	}
	other, err := Generate("o", ES256)
	if err != nil {
		t.Fatal(err)
	}
	public, _ := k.Public().JWK()
	foreign := proofOf(t, other, strings.Replace(goodHead, "{jwk}", string(public), 1), goodProof)
	if _, err := ParseProof(foreign); !errors.Is(err, ErrSignature) {
		t.Errorf("signed by another key: %v", err)
	}
	// The public key as the secret of an HMAC.
	input := foreign[:strings.LastIndexByte(foreign, '.')]
	mac := hmac.New(sha256.New, public)
	mac.Write([]byte(input))
	if _, err := ParseProof(input + "." + b64.EncodeToString(mac.Sum(nil))); !errors.Is(err, ErrSignature) {
		t.Errorf("HMAC: %v", err)
	}
}

func FuzzParseProof(f *testing.F) {
	k, err := Generate("k", EdDSA)
	if err != nil {
		f.Fatal(err)
	}
	public, _ := k.Public().JWK()
	head := b64.EncodeToString([]byte(strings.NewReplacer("{jwk}", string(public), "ES256", "EdDSA").Replace(goodHead)))
	input := head + "." + b64.EncodeToString([]byte(goodProof))
	sig, _ := k.Sign([]byte(input))
	f.Add(input + "." + b64.EncodeToString(sig))
	f.Add("a.b.c")
	f.Add("..")
	f.Fuzz(func(t *testing.T, raw string) {
		p, err := ParseProof(raw)
		if err == nil && (p.Thumbprint == "" || p.ID == "" || p.Method == "" || p.URL == "" || !json.Valid([]byte(`"`+p.Thumbprint+`"`))) {
			t.Errorf("accepted %q as %+v", raw, p)
		}
	})
}
