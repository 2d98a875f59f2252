package servicetoken

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/strictjson"
	"github.com/gatehouse-auth/gatehouse/internal/token"
	"github.com/gatehouse-auth/gatehouse/internal/token/kind"
)

const api = "https://api.example.com"

func TestVend(t *testing.T) {
	r := newRoom(t)
	for _, c := range []struct {
		payload  string
		validity int64
		want     string
	}{
		{``, 60, `{"iat":2064312000,"exp":2064312060,"iss":"` + api + `","jti":J}`},
		{`{"source":"microservice"}`, MaxSeconds, `{"iat":2064312000,"exp":5217912000,"iss":"` + api + `","jti":J,"source":"microservice"}`},
		{` {"iss":"mine","iat":1,"exp":2064400000,"jti":"j","sub":"user","aud":["a"],"nbf":2} `, 60,
			`{"iss":"mine","iat":1,"exp":2064400000,"jti":"j","sub":"user","aud":["a"],"nbf":2}`},
		{`{"a":{"b":[null,1e400,{"c":"\u00e9"}]},"n":null,"big":123456789012345678901234567890,"email":"x","roles":["admin"],"version":"5"}`, 60,
			`{"iat":2064312000,"exp":2064312060,"iss":"` + api + `","jti":J,"a":{"b":[null,1e400,{"c":"\u00e9"}]},"n":null,"big":123456789012345678901234567890,"email":"x","roles":["admin"],"version":"5"}`},
	} {
		raw, err := r.Vend(t.Context(), r.call(), r.tenant, VendRequest{Issuer: api, Payload: []byte(c.payload), Validity: c.validity})
		if err != nil {
			t.Errorf("%s: %v", c.payload, err)
			continue
		}
		row := r.m.rows[len(r.m.rows)-1]
		if want := strings.ReplaceAll(c.want, "J", `"`+row.ID+`"`); r.m.claims != want {
			t.Errorf("%s\n%s, want\n%s", c.payload, r.m.claims, want)
		}
		head, _ := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[0])
		if string(head) != `{"alg":"RS256","kid":"s-1","typ":"JWT"}` {
			t.Errorf("header %s", head)
		}
		if good, err := r.Check(t.Context(), r.call(), r.tenant, raw); err != nil || good.Token.ID != row.ID || !row.Vended() {
			t.Errorf("%s: %v", c.payload, err)
		}
	}
	if raw, err := r.Vend(t.Context(), r.call(), r.tenant, VendRequest{Issuer: api, Validity: 60, Key: token.Rotating}); err != nil || r.m.rows[len(r.m.rows)-1].KID != "d-RS256" {
		t.Errorf("a rotating key: %s %v", raw, err)
	}
}

func TestVendRefuses(t *testing.T) {
	r := newRoom(t)
	for _, c := range []struct {
		field, issuer, payload string
		validity               int64
	}{
		{"validity", api, `{}`, 0}, {"validity", api, `{}`, -1}, {"validity", api, `{}`, MaxSeconds + 1},
		{"payload", api, `[]`, 1}, {"payload", api, `{"a":1,"a":2}`, 1}, {"payload", api, `{} {}`, 1}, {"payload", api, `{"a":"` + strings.Repeat("x", maxPayload) + `"}`, 1},
		{"issuer", "a\x00", `{}`, 1}, {"issuer", "\xff", `{}`, 1}, {"issuer", issuer, `{}`, 1}, {"issuer", issuer + "/", `{}`, 1}, {"issuer", "HTTPS://LOGIN.example.com:443", `{}`, 1}, {"issuer", " " + issuer, `{}`, 1},
		{"issuer", "https://other.example.com/t/two", `{}`, 1}, {"issuer", "plain text", `{}`, 1},
		{"payload.iss", api, `{"iss":"` + issuer + `"}`, 1}, {"payload.iss", api, `{"iss":"https:\/\/login.example.com"}`, 1}, {"payload.iss", api, `{"iss":["` + issuer + `"]}`, 1},
		{"payload.ISS", api, `{"ISS":"` + issuer + `"}`, 1}, {"payload.Exp", api, `{"Exp":1}`, 1},
		{"payload.exp", api, `{"exp":"1"}`, 1}, {"payload.exp", api, `{"exp":1.5e9}`, 1}, {"payload.exp", api, `{"exp":99999999999999}`, 1}, {"payload.exp", api, `{"exp":null}`, 1},
		{"payload.iat", api, `{"iat":"now"}`, 1}, {"payload.nbf", api, `{"nbf":{}}`, 1}, {"payload.sub", api, `{"sub":1}`, 1},
		{"payload.jti", api, `{"jti":7}`, 1}, {"payload.jti", api, `{"jti":""}`, 1}, {"payload.aud", api, `{"aud":{"a":1}}`, 1},
	} {
		_, err := r.Vend(t.Context(), r.call(), r.tenant, VendRequest{Issuer: c.issuer, Payload: []byte(c.payload), Validity: c.validity})
		r.faulty(c.field+" "+c.payload, err, c.field)
	}
	for _, name := range barred {
		for _, spelt := range []string{name, strings.ToUpper(name)} {
			_, err := r.Vend(t.Context(), r.call(), r.tenant, VendRequest{Issuer: api, Payload: fmt.Appendf(nil, `{"source":"microservice",%q:"x"}`, spelt), Validity: 1})
			r.faulty(spelt, err, "payload."+spelt)
		}
	}
	if len(r.m.rows) != 0 {
		t.Errorf("%d rows of refused requests", len(r.m.rows))
	}
	for _, fine := range []string{"https://login.example.com.evil.example", "https://login.example.com/auth", "http://login.example.com", ""} {
		if _, err := r.Vend(t.Context(), r.call(), r.tenant, VendRequest{Issuer: fine, Validity: 1}); err != nil {
			t.Errorf("the issuer %q: %v", fine, err)
		}
	}
}

// FuzzVend: whatever a caller writes, what is signed is a strict object below the size that verifiers take, and no token of another kind.
func FuzzVend(f *testing.F) {
	for _, seed := range []string{`{}`, `{"source":"microservice"}`, `{"sid":"x"}`, `{"tty":"at","sub":"u"}`, `{"iss":"` + issuer + `"}`, `{"a":[{}]}`, `{"exp":1}`, `{"Tid":1}`} {
		f.Add(seed, api)
	}
	f.Fuzz(func(t *testing.T, payload, iss string) {
		r := newRoom(t)
		raw, err := r.Vend(t.Context(), r.call(), r.tenant, VendRequest{Issuer: iss, Payload: []byte(payload), Validity: 60})
		if err != nil {
			if len(r.m.rows) != 0 || raw != "" {
				t.Fatal("a refused request left something")
			}
			return
		}
		members, err := strictjson.Object([]byte(r.m.claims), strictjson.Limits{})
		if err != nil || len(raw) > jose.DefaultMaxSize {
			t.Fatalf("signed %d bytes: %v", len(raw), err)
		}
		tok := &jose.Token{Type: "jwt", Claims: members}
		for _, m := range members {
			if m.Name == "iss" {
				tok.Issuer, _ = m.Text()
			}
		}
		for _, k := range []kind.Usage{kind.User, kind.UserJWT, kind.Super, kind.Logout} {
			if k.Fits(tok) {
				t.Fatalf("it passes as %s", k.Name)
			}
		}
		if tok.Issuer == issuer || !usage.Fits(tok) {
			t.Fatalf("issuer %q", tok.Issuer)
		}
	})
}
