package jose

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// published is the public half of a key as its owner publishes it, under another kid or none.
func published(t testing.TB, k *PrivateKey, kid string) string {
	t.Helper()
	text, err := k.Public().JWK()
	if err != nil {
		t.Fatal(err)
	}
	old := `"kid":"` + k.KID() + `",`
	if !strings.Contains(string(text), old) {
		t.Fatalf("no kid in %s", text)
	}
	if kid != "" {
		kid = `"kid":"` + kid + `",`
	}
	return strings.Replace(string(text), old, kid, 1)
}

// unnamedSigner signs with a header that has no kid.
type unnamedSigner struct{ *PrivateKey }

func (unnamedSigner) KID() string { return "" }

func signedBy(t testing.TB, s Signer) string {
	t.Helper()
	text, err := Sign(s, "JWT", map[string]any{"iss": "client", "sub": "client", "exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestKeysWithoutNames: a set whose keys or tokens have no kid works as RFC 7517 section 4.5 lets it, and no key is ever tried with another
// algorithm than its own, nor more than a few of them.
func TestKeysWithoutNames(t *testing.T) {
	made := map[string]*PrivateKey{}
	for _, name := range []string{"a", "b", "c"} {
		k, err := Generate(name, ES256)
		if err != nil {
			t.Fatal(err)
		}
		made[name] = k
	}
	rsa := madeKeys()[RS256]
	a, b := made["a"], made["b"]
	set := func(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }
	var crowd []string
	for i := range maxTried {
		k, err := Generate(fmt.Sprint("crowd", i), ES256)
		if err != nil {
			t.Fatal(err)
		}
		crowd = append(crowd, published(t, k, k.KID()))
	}
	for name, c := range map[string]struct {
		set  string
		by   Signer
		want error
	}{
		"neither has a name":               {set(published(t, a, "")), unnamedSigner{a}, nil},
		"the key has none":                 {set(published(t, a, "")), a, nil},
		"the token has none":               {set(published(t, a, "a")), unnamedSigner{a}, nil},
		"both have one":                    {set(published(t, a, "a"), published(t, b, "b")), b, nil},
		"several of one algorithm":         {set(published(t, b, "b"), published(t, rsa, "r"), published(t, a, "")), unnamedSigner{a}, nil},
		"two without a name":               {set(published(t, b, ""), published(t, a, "")), unnamedSigner{a}, nil},
		"none of them":                     {set(published(t, b, ""), published(t, made["c"], "c")), unnamedSigner{a}, ErrUnknownKey},
		"another name":                     {set(published(t, a, "x")), a, ErrUnknownKey},
		"another's name":                   {set(published(t, b, "a"), published(t, a, "")), a, ErrSignature},
		"no key of the algorithm":          {set(published(t, rsa, "")), unnamedSigner{a}, ErrUnknownKey},
		"named, with another algorithm":    {set(published(t, rsa, "a")), a, ErrWrongAlg},
		"behind more than may be tried":    {set(append(crowd, published(t, a, "a"))...), unnamedSigner{a}, ErrUnknownKey},
		"named, behind more than may be":   {set(append(crowd, published(t, a, "a"))...), a, nil},
		"an empty set":                     {set(), unnamedSigner{a}, ErrUnknownKey},
		"of another algorithm's neighbour": {set(published(t, rsa, ""), published(t, a, "")), unnamedSigner{a}, nil},
	} {
		keys, err := ParseSet([]byte(c.set))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		tok, err := OpenBy(Rules{Types: []string{"jwt"}}, keys, signedBy(t, c.by))
		if !errors.Is(err, c.want) || err == nil && tok.Subject != "client" {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := ParseSet([]byte(set(published(t, a, "a"), published(t, b, "a")))); !errors.Is(err, ErrKey) {
		t.Errorf("two keys of one name: %v", err)
	}
	if keys, err := ParseJWKS([]byte(set(published(t, a, "")))); err != nil || len(keys) != 0 {
		t.Errorf("Keys took one without a kid, which would serve every token: %v, %v", keys, err)
	}
}
