package jose

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

var now = time.Unix(1_800_000_000, 0).UTC()

const issuer = "https://login.example.com"

var madeKeys = sync.OnceValue(func() map[string]*PrivateKey {
	out := map[string]*PrivateKey{}
	for _, alg := range Algs() {
		k, err := Generate("kid-"+alg, alg)
		if err != nil {
			panic(err)
		}
		out[alg] = k
	}
	return out
})

func testKeys() Keys {
	ks := Keys{}
	for _, k := range madeKeys() {
		ks[k.KID()] = k.Public()
	}
	return ks
}

func rules() Rules {
	return Rules{Types: []string{"at+jwt"}, Issuer: issuer, Audience: "app", Leeway: 5 * time.Second}
}

func claims() map[string]any {
	return map[string]any{
		"iss": issuer, "sub": "u1", "aud": "app", "exp": now.Unix() + 900, "iat": now.Unix(), "nbf": now.Unix(), "jti": "j1", "x": []int{1},
	}
}

func seg(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// raw signs any header and payload text, however wrong.
func raw(t testing.TB, k *PrivateKey, header, payload string) string {
	t.Helper()
	input := seg(header) + "." + seg(payload)
	sig, err := k.Sign([]byte(input))
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func body(t testing.TB, change func(map[string]any)) string {
	t.Helper()
	c := claims()
	if change != nil {
		change(c)
	}
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func good(t testing.TB, alg string) string {
	t.Helper()
	tok, err := Sign(madeKeys()[alg], "at+jwt", claims())
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestSignAndVerify(t *testing.T) {
	for _, alg := range Algs() {
		tok, err := Verify(rules(), testKeys(), good(t, alg), now)
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		x, _ := tok.Claim("x")
		if tok.Subject != "u1" || tok.ID != "j1" || tok.Alg != alg || tok.KID != "kid-"+alg || tok.Type != "at+jwt" || string(x) != "[1]" ||
			!tok.ExpiresAt.Equal(now.Add(900*time.Second)) || !tok.IssuedAt.Equal(now) || !tok.NotBefore.Equal(now) {
			t.Errorf("%s: %+v", alg, tok)
		}
	}
}

func TestTypesFold(t *testing.T) {
	k := madeKeys()[ES256]
	for typ, want := range map[string]bool{
		"at+jwt": true, "AT+JWT": true, "application/at+jwt": true, "Application/At+Jwt": true, "JWT": false, "": false, "at+jw": false,
		"application/application/at+jwt": false, "at\u212ajwt": false, "application/jwt": false, "at+jwt ": false,
	} {
		tok, _ := Sign(k, typ, claims())
		if _, err := Verify(rules(), testKeys(), tok, now); (err == nil) != want {
			t.Errorf("%q: %v", typ, err)
		}
	}
}

// header is a header text for alg with more members.
func head(alg, more string) string {
	return `{"alg":"` + alg + `","kid":"kid-` + alg + `","typ":"at+jwt"` + more + `}`
}

func hs256(secret []byte, header, payload string) string {
	input := seg(header) + "." + seg(payload)
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(input))
	return input + "." + base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

type attack struct {
	name, token string
	cause       error
}

func attacks(t testing.TB) []attack {
	rs, es := madeKeys()[RS256], madeKeys()[ES256]
	ok := body(t, nil)
	var list []attack
	add := func(cause error, name, token string) { list = append(list, attack{name, token, cause}) }

	for _, none := range []string{"none", "None", "NONE", "nOnE", "nONE"} {
		h := `{"alg":"` + none + `","kid":"kid-RS256","typ":"at+jwt"}`
		add(ErrWrongAlg, "alg "+none+" without signature", seg(h)+"."+seg(ok)+".")
		add(ErrWrongAlg, "alg "+none+" with signature", raw(t, rs, h, ok))
	}
	for _, kid := range []string{"kid-RS256", "kid-ES256"} {
		pub := testKeys()[kid]
		der, _ := x509.MarshalPKIXPublicKey(pub.key)
		jwk, _ := pub.JWK()
		pemText := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		for name, secret := range map[string][]byte{"DER": der, "PEM": pemText, "PEM trimmed": bytes.TrimSpace(pemText), "JWK": jwk, "empty": nil} {
			add(ErrWrongAlg, "HS256 with the public key as secret, "+name, hs256(secret, `{"alg":"HS256","kid":"`+kid+`","typ":"at+jwt"}`, ok))
		}
	}
	for _, alg := range []string{"ES256", "EdDSA", "RS384", "RS512", "PS256", "HS256", "rs256", "RS256 ", ""} {
		add(ErrWrongAlg, "RS256's key under "+alg, raw(t, rs, `{"alg":"`+alg+`","kid":"kid-RS256","typ":"at+jwt"}`, ok))
	}
	add(ErrWrongAlg, "ES256's key under RS256", raw(t, es, `{"alg":"RS256","kid":"kid-ES256","typ":"at+jwt"}`, ok))
	add(ErrSignature, "ES256's signature under RS256's kid", raw(t, es, head(RS256, ""), ok))
	add(ErrSignature, "RS256's signature under ES256's kid", raw(t, rs, head(ES256, ""), ok))
	add(ErrWrongAlg, "no alg", raw(t, rs, `{"kid":"kid-RS256","typ":"at+jwt"}`, ok))
	add(ErrMalformed, "alg as list", raw(t, rs, `{"alg":["RS256"],"kid":"kid-RS256","typ":"at+jwt"}`, ok))
	add(ErrWrongAlg, "ALG", raw(t, rs, `{"ALG":"RS256","kid":"kid-RS256","typ":"at+jwt"}`, ok))

	for _, kid := range []string{
		"../../../../dev/null", "/dev/null", "' OR 1=1 --", "x' UNION SELECT 'key", "http://127.0.0.1/jwks.json", "file:///etc/passwd", "kid-RS256\\u000a", "KID-RS256",
		" kid-RS256", "$(id)", "", "kid-RS256/", "%00",
	} {
		add(ErrUnknownKey, "kid "+kid, raw(t, rs, `{"alg":"RS256","kid":"`+kid+`","typ":"at+jwt"}`, ok))
	}
	add(ErrMalformed, "kid NUL", raw(t, rs, `{"alg":"RS256","kid":"kid-RS256\u0000","typ":"at+jwt"}`, ok))
	add(ErrMalformed, "kid number", raw(t, rs, `{"alg":"RS256","kid":1,"typ":"at+jwt"}`, ok))
	add(ErrMalformed, "kid long", raw(t, rs, `{"alg":"RS256","kid":"`+strings.Repeat("k", 300)+`","typ":"at+jwt"}`, ok))
	add(ErrUnknownKey, "no kid", raw(t, rs, `{"alg":"RS256","typ":"at+jwt"}`, ok))

	own, _ := Generate("mine", ES256)
	jwk, _ := own.Public().JWK()
	add(ErrUnknownKey, "own key embedded", raw(t, own, `{"alg":"ES256","kid":"mine","typ":"at+jwt","jwk":`+string(jwk)+`}`, ok))
	add(ErrSignature, "own key embedded under our kid", raw(t, own, `{"alg":"ES256","kid":"kid-ES256","typ":"at+jwt","jwk":`+string(jwk)+`}`, ok))
	add(ErrSignature, "jku", raw(t, own, head(ES256, `,"jku":"https://evil.example.com/jwks.json"`), ok))
	add(ErrSignature, "x5u", raw(t, own, head(ES256, `,"x5u":"https://evil.example.com/cert.pem"`), ok))
	add(ErrHeader, "crit", raw(t, es, head(ES256, `,"crit":["exp"]`), ok))
	add(ErrHeader, "empty crit", raw(t, es, head(ES256, `,"crit":[]`), ok))
	add(ErrHeader, "null crit", raw(t, es, head(ES256, `,"crit":null`), ok))
	add(ErrHeader, "b64", raw(t, es, head(ES256, `,"b64":false`), ok))
	add(ErrHeader, "b64 true", raw(t, es, head(ES256, `,"b64":true`), ok))

	add(ErrMalformed, "duplicate alg", raw(t, es, `{"alg":"none","alg":"ES256","kid":"kid-ES256","typ":"at+jwt"}`, ok))
	add(ErrMalformed, "duplicate by escape", raw(t, es, `{"\u0061lg":"none","alg":"ES256","kid":"kid-ES256","typ":"at+jwt"}`, ok))
	add(ErrMalformed, "header trailing", raw(t, es, head(ES256, "")+"{}", ok))
	add(ErrMalformed, "header list", raw(t, es, `["ES256"]`, ok))
	add(ErrMalformed, "header UTF-8", raw(t, es, head(ES256, `,"a":"`+"\xff"+`"`), ok))
	add(ErrMalformed, "huge header", raw(t, es, head(ES256, `,"a":"`+strings.Repeat("a", 4000)+`"`), ok))
	add(ErrMalformed, "deep header", raw(t, es, head(ES256, `,"a":`+strings.Repeat("[", 40)+strings.Repeat("]", 40)), ok))
	add(ErrMalformed, "huge token", raw(t, es, head(ES256, ""), body(t, func(c map[string]any) { c["a"] = strings.Repeat("a", 8000) })))
	add(ErrClaims, "duplicate claim", raw(t, es, head(ES256, ""), `{"sub":"victim",`+ok[1:]))
	add(ErrClaims, "duplicate inner claim", raw(t, es, head(ES256, ""), `{"cnf":{"jkt":"a","jkt":"b"},`+ok[1:]))
	add(ErrClaims, "claims trailing", raw(t, es, head(ES256, ""), ok+"{}"))
	add(ErrClaims, "claims NUL", raw(t, es, head(ES256, ""), `{"a":"\u0000",`+ok[1:]))
	add(ErrClaims, "claims text", raw(t, es, head(ES256, ""), `"x"`))
	add(ErrClaims, "claims empty", raw(t, es, head(ES256, ""), ``))
	add(ErrType, "ID token", raw(t, es, `{"alg":"ES256","kid":"kid-ES256","typ":"JWT"}`, ok))
	add(ErrType, "no typ", raw(t, es, `{"alg":"ES256","kid":"kid-ES256"}`, ok))
	return append(list, shapes(t)...)
}

// shapes are attacks on the compact form.
func shapes(t testing.TB) []attack {
	tok := good(t, ES256)
	p := strings.Split(tok, ".")
	other := strings.Split(good(t, EdDSA), ".")
	var list []attack
	add := func(cause error, name, token string) { list = append(list, attack{name, token, cause}) }
	add(ErrSignature, "empty signature", p[0]+"."+p[1]+".")
	add(ErrMalformed, "two segments", p[0]+"."+p[1])
	add(ErrMalformed, "one segment", p[0])
	add(ErrMalformed, "nothing", "")
	add(ErrMalformed, "dots", "..")
	add(ErrMalformed, "four segments", tok+".")
	add(ErrMalformed, "five segments", tok+"."+p[0]+"."+p[1])
	add(ErrMalformed, "padding", tok+"==")
	add(ErrMalformed, "line break", p[0]+"."+p[1]+"."+p[2][:10]+"\n"+p[2][10:])
	add(ErrMalformed, "carriage return in header", p[0][:4]+"\r"+p[0][4:]+"."+p[1]+"."+p[2])
	add(ErrMalformed, "blank before", " "+tok)
	add(ErrMalformed, "blank after", tok+" ")
	add(ErrMalformed, "standard alphabet", p[0]+"."+p[1]+"."+strings.NewReplacer("-", "+", "_", "/").Replace(p[2][:84])+"+/")
	add(ErrMalformed, "JSON form", `{"payload":"`+p[1]+`","protected":"`+p[0]+`","signature":"`+p[2]+`"}`)
	last := strings.IndexByte(alphabet, p[2][len(p[2])-1])
	add(ErrMalformed, "unused bits of the signature", tok[:len(tok)-1]+string(alphabet[last|1]))
	add(ErrSignature, "payload of another token", p[0]+"."+seg(`{"sub":"victim"}`)+"."+p[2])
	add(ErrSignature, "signature of another token", p[0]+"."+p[1]+"."+other[2])
	add(ErrSignature, "short signature", p[0]+"."+p[1]+"."+p[2][:84])
	add(ErrSignature, "zero signature", p[0]+"."+p[1]+"."+base64.RawURLEncoding.EncodeToString(make([]byte, 64)))
	return list
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

func TestAttacks(t *testing.T) {
	keys := testKeys()
	for _, a := range attacks(t) {
		_, err := Verify(rules(), keys, a.token, now)
		if fault.ReasonOf(err) != fault.ReasonInvalidToken || !errors.Is(err, a.cause) {
			t.Errorf("%s: got %v, want %v", a.name, err, a.cause)
		}
		if err != nil && len(a.token) > 20 && strings.Contains(err.Error(), a.token[:20]) {
			t.Errorf("%s: the error shows the token", a.name)
		}
	}
}

func TestClaimRules(t *testing.T) {
	set := func(name string, v any) func(map[string]any) { return func(c map[string]any) { c[name] = v } }
	sec := now.Unix()
	for name, c := range map[string]struct {
		change func(map[string]any)
		want   error
	}{
		"audience among many": {set("aud", []string{"x", "app"}), nil},
		"fraction":            {set("exp", float64(sec)+0.5), nil},
		"just expired":        {func(c map[string]any) { c["exp"], c["iat"] = sec-4, sec-9 }, nil}, // within the leeway of 5 s
		"expired":             {func(c map[string]any) { c["exp"], c["iat"] = sec-5, sec-9 }, ErrExpired},
		"exp before iat":      {set("exp", sec-1), ErrClaims},
		"no exp":              {func(c map[string]any) { delete(c, "exp") }, ErrClaims},
		"exp text":            {set("exp", "1900000000"), ErrClaims},
		"exp null":            {set("exp", nil), ErrClaims},
		"exp huge":            {set("exp", 1e300), ErrClaims},
		"exp far":             {set("exp", json.Number("99999999999999999999")), ErrClaims},
		"exp negative":        {set("exp", -1), ErrClaims},
		"nbf soon":            {set("nbf", sec+5), nil},
		"nbf later":           {set("nbf", sec+6), ErrEarly},
		"nbf text":            {set("nbf", "x"), ErrClaims},
		"iat soon":            {set("iat", sec+5), nil},
		"iat later":           {set("iat", sec+6), ErrEarly},
		"iat list":            {set("iat", []int{1}), ErrClaims},
		"no iat":              {func(c map[string]any) { delete(c, "iat"); delete(c, "nbf") }, nil},
		"other issuer":        {set("iss", issuer+"/"), ErrIssuer},
		"issuer list":         {set("iss", []string{issuer}), ErrClaims},
		"no issuer":           {func(c map[string]any) { delete(c, "iss") }, ErrIssuer},
		"other audience":      {set("aud", "app2"), ErrAudience},
		"no audience":         {func(c map[string]any) { delete(c, "aud") }, ErrAudience},
		"audience numbers":    {set("aud", []any{"app", 1}), ErrClaims},
		"audience null":       {set("aud", nil), ErrClaims},
		"subject number":      {set("sub", 1), ErrClaims},
		"jti object":          {set("jti", map[string]int{}), ErrClaims},
	} {
		tok := raw(t, madeKeys()[EdDSA], head(EdDSA, ""), body(t, c.change))
		if _, err := Verify(rules(), testKeys(), tok, now); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	old := good(t, EdDSA)
	if _, err := Verify(rules(), testKeys(), old, now.Add(time.Hour)); fault.ReasonOf(err) != fault.ReasonTokenExpired {
		t.Errorf("an hour later: %v", err)
	}
	r := rules()
	r.AnyAge = true
	if _, err := Verify(r, testKeys(), old, now.Add(time.Hour)); err != nil {
		t.Errorf("any age: %v", err)
	}
	if _, err := Verify(Rules{}, testKeys(), old, now); err == nil {
		t.Error("the zero rules accept a token")
	}
	if _, err := Verify(Rules{Types: []string{"at+jwt"}}, testKeys(), old, now); err == nil {
		t.Error("rules without issuer accept a token")
	}
}

func TestKeysDoNotPrint(t *testing.T) {
	k := madeKeys()[EdDSA]
	der, _ := k.PKCS8()
	seed := der[len(der)-32:]
	type holder struct{ key *PrivateKey }
	for _, v := range []any{k, *k, holder{k}, []*PrivateKey{k}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			out := fmt.Sprintf(verb, v)
			if strings.Contains(out, fmt.Sprintf("%x", seed)) || strings.Contains(out, strings.Trim(fmt.Sprint(seed[:8]), "[]")) {
				t.Errorf("%s of %T shows the key", verb, v)
			}
		}
	}
	if _, err := json.Marshal(k); err == nil {
		t.Error("a private key was encoded")
	}
}

func FuzzVerify(f *testing.F) {
	keys := testKeys()
	for _, a := range attacks(f) {
		f.Add(a.token)
	}
	mine := map[string]bool{}
	for _, alg := range Algs() {
		tok := good(f, alg)
		mine[tok] = true
		f.Add(tok)
	}
	f.Fuzz(func(t *testing.T, tok string) {
		got, err := Verify(rules(), keys, tok, now)
		if err == nil && !mine[tok] && got.Subject != "u1" { // seeds of other fuzzing processes have other keys and fail
			t.Fatalf("accepted %q", tok)
		}
		if err != nil && fault.From(err).Kind != fault.Unauthenticated {
			t.Fatalf("%q: %v", tok, err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	for _, alg := range Algs() {
		tok, keys := good(b, alg), testKeys()
		key := keys["kid-"+alg]
		at := strings.LastIndexByte(tok, '.')
		sig, _ := decode(nil, tok[at+1:])
		b.Run(alg+"/bare", func(b *testing.B) {
			for b.Loop() {
				key.verify([]byte(tok[:at]), sig)
			}
		})
		b.Run(alg+"/whole", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Verify(rules(), keys, tok, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
