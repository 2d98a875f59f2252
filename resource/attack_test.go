package resource

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
)

// forgery is a token that nobody may accept.
type forgery struct{ what, raw string }

// corpus mutates headers of otherwise good tokens: algorithm "none" in its spellings, algorithm confusion, keys and addresses of keys inside
// the token, critical extensions, key ids that are paths, SQL or URLs, and headers that two parsers could read differently. Each stands
// with the old signature, with none, with that of the attacker's own key, and with MACs made from the public keys.
func corpus(t testing.TB) []forgery {
	own := foreignKey(t, "own")
	ownJWK, _ := own.Public().JWK()
	var out []forgery
	for _, b := range []struct {
		of      string
		k       *jose.PrivateKey
		typ     string
		payload claims
	}{
		{"user", key(t, "d-1", jose.ES256), "at+jwt", userClaims()},
		{"service", key(t, "s-1", jose.RS256), "JWT", serviceClaims()},
	} {
		good := strings.Split(sign(t, b.k, b.typ, b.payload), ".")
		for _, header := range headers(b.k.KID(), b.k.Alg(), b.typ, string(ownJWK)) {
			input := encode(header) + "." + good[1]
			for name, sig := range signatures(t, input, good[2], own) {
				out = append(out, forgery{fmt.Sprintf("%s, header %.90s, signature %s", b.of, header, name), input + "." + sig})
			}
		}
	}
	return out
}

func headers(kid, alg, typ, ownJWK string) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for _, a := range []string{"none", "None", "NONE", "nOnE", "", " ", "HS256", "HS384", "HS512", "RS384", "RS512", "PS256", "ES384", "ES512", "ES256K", "RSA1_5", "dir",
		"A128KW", "RS256 ", "rs256", "es256", "EdDSA", "Ed25519", "RS256\\u0000", "ES256,RS256"} {
		add(`{"alg":"%s","kid":"%s","typ":"%s"}`, a, kid, typ)
	}
	if alg == jose.ES256 {
		add(`{"alg":"RS256","kid":"%s","typ":"%s"}`, kid, typ)
	} else {
		add(`{"alg":"ES256","kid":"%s","typ":"%s"}`, kid, typ)
	}
	for _, a := range []string{`null`, `1`, `true`, `["ES256"]`, `{"x":"ES256"}`} {
		add(`{"alg":%s,"kid":"%s","typ":"%s"}`, a, kid, typ)
	}
	for _, k := range []string{"", " ", "/dev/null", "../../../../dev/null", "..\\\\..\\\\x", "file:///etc/passwd", "/proc/self/environ", "' OR '1'='1", "x' UNION SELECT 'k'--", "x; DROP TABLE keys",
		"http://127.0.0.1/jwks.json", "https://evil.example.com/k", "//evil.example.com", "ldap://evil.example.com/x", "${jndi:ldap://evil.example.com}", "$(id)", "`id`", "%00", "\\u0000",
		"own", "*", kid + " ", " " + kid, kid + "\\u000a", strings.ToUpper(kid), strings.Repeat("k", 1000)} {
		add(`{"alg":"%s","kid":"%s","typ":"%s"}`, alg, k, typ)
	}
	for _, k := range []string{`null`, `1`, `["d-1"]`, `{"$ne":""}`} {
		add(`{"alg":"%s","kid":%s,"typ":"%s"}`, alg, k, typ)
	}
	for _, more := range []string{
		`"jwk":` + ownJWK, `"jku":"https://evil.example.com/jwks.json"`, `"jku":"` + keysURL + `"`, `"x5u":"https://evil.example.com/cert.pem"`, `"x5c":["MIIB"]`, `"x5t":"AA"`,
		`"crit":["exp"]`, `"crit":["b64"],"b64":false`, `"crit":["b64"],"b64":true`, `"crit":[]`, `"crit":null`, `"b64":false`, `"b64":true`, `"enc":"A128GCM"`, `"zip":"DEF"`,
	} {
		for _, k := range []string{kid, "own"} {
			add(`{"alg":"%s","kid":"%s","typ":"%s",%s}`, alg, k, typ, more)
			add(`{"alg":"ES256","kid":"%s","typ":"%s",%s}`, k, typ, more)
		}
		add(`{"alg":"%s","typ":"%s",%s}`, alg, typ, more)
	}
	add(`{"alg":"none","alg":"%s","kid":"%s","typ":"%s"}`, alg, kid, typ)
	add(`{"alg":"%s","alg":"none","kid":"%s","typ":"%s"}`, alg, kid, typ)
	add(`{"alg":"%s","kid":"own","kid":"%s","typ":"%s"}`, alg, kid, typ)
	add(`{"alg":"%s","kid":"%s","typ":"%s"}{}`, alg, kid, typ)
	add(`{"alg":"%s","typ":"%s"}`, alg, typ)
	add(`[{"alg":"%s"}]`, alg)
	add(`"%s"`, alg)
	out = append(out, ``, `{}`, `null`, strings.Repeat(`[`, 3000))
	return out
}

func signatures(t testing.TB, input, old string, own *jose.PrivateKey) map[string]string {
	t.Helper()
	sig, err := own.Sign([]byte(input))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{"old": old, "none": "", "own": base64.RawURLEncoding.EncodeToString(sig), "zero": base64.RawURLEncoding.EncodeToString(make([]byte, 64))}
	for i, k := range []*jose.PrivateKey{key(t, "d-1", jose.ES256), key(t, "s-1", jose.RS256)} {
		jwk, _ := k.Public().JWK()
		spki := publicPEM(t, k)
		for name, secret := range map[string][]byte{"PEM": spki, "PEM trimmed": bytes.TrimSpace(spki), "JWK": jwk, "nothing": nil} {
			for length, h := range map[string]func() hash.Hash{"256": sha256.New, "512": sha512.New} {
				m := hmac.New(h, secret)
				m.Write([]byte(input))
				out[fmt.Sprint("HS", length, " by ", name, i)] = base64.RawURLEncoding.EncodeToString(m.Sum(nil))
			}
		}
	}
	return out
}

func TestForgedHeaders(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.ServiceWithoutAudience = true })
	w.warm()
	list := corpus(t)
	if len(list) < 4000 {
		t.Fatalf("only %d forgeries", len(list))
	}
	for _, f := range list {
		tok, err := w.Verify(context.Background(), f.raw)
		if err == nil || tok != nil {
			t.Errorf("accepted: %s", f.what)
		}
		if e := asError(err); e.Status != 401 || len(f.raw) > 40 && strings.Contains(e.Error(), f.raw[:40]) {
			t.Errorf("%s: %v", f.what, e)
		}
	}
	w.fetches(1) // the clock stood still: not one more, and none elsewhere
	pinned := newWorld(t, func(c *Config) { c.JWKSURL, c.Keys = "", publicPEM(t, key(t, "s-1", jose.RS256)) })
	for _, f := range list {
		// A pinned key serves every kid; what it did not sign it refuses all the same.
		if _, err := pinned.Verify(context.Background(), f.raw); err == nil {
			t.Errorf("accepted by a pinned key: %s", f.what)
		}
	}
	pinned.fetches(0)
}

// FuzzVerify: nothing but what was signed here is accepted, and nothing is fetched but the keys.
func FuzzVerify(f *testing.F) {
	w := newWorld(f, nil)
	w.warm()
	good := map[string]bool{user(f, nil): true, service(f, nil): true}
	for raw := range good {
		f.Add(raw)
		f.Add(raw[:len(raw)-2])
		f.Add(strings.Replace(raw, ".", "..", 1))
	}
	for i, forged := range corpus(f) {
		if i%97 == 0 {
			f.Add(forged.raw)
		}
	}
	f.Fuzz(func(t *testing.T, raw string) {
		tok, err := w.Verify(context.Background(), raw)
		if (err == nil) != good[raw] || (tok == nil) != (err != nil) {
			t.Fatalf("%q: %v %v", raw, tok, err)
		}
		if e := asError(err); err != nil && (e.Status != 401 || e.Reason == "") {
			t.Fatalf("%q: %v", raw, err)
		}
	})
}
