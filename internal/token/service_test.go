package token

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/token/kind"
)

func payload(t testing.TB, raw string) map[string]any {
	t.Helper()
	keys := strings.Split(raw, ".")
	text, err := rawURL(keys[1])
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSignAndVerifyWithEveryAlgorithm(t *testing.T) {
	d, _ := testDirectory(t, time.Now, 1)
	s := node(t, &fakeKeys{}, d, Config{Holder: inProcess{testRing()}})
	tn := d.ByID(tenantID)
	at := tn.At(time.Now())
	for _, alg := range []string{"", jose.RS256, jose.ES256, jose.EdDSA} {
		c := userClaims(at)
		c.Thumbprint, c.ACR, c.Scope, c.AMR = "thumb", "2", "a b", []string{"pwd", "otp"}
		c.Extra = map[string]any{"plan": "gold \u00e9\"<", "n": 1.5, "list": []any{"x"}}
		raw, err := s.SignAccess(t.Context(), tn, alg, c)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.VerifyAccess(tn, raw, at)
		if err != nil {
			t.Fatal(err)
		}
		want := c
		want.Issuer, want.TenantID, want.NotBefore, want.ID = issuer, tenantID, c.IssuedAt, got.ID
		for _, p := range []*time.Time{&want.ExpiresAt, &want.IssuedAt, &want.NotBefore, &want.AuthTime} {
			*p = p.Truncate(time.Second)
		}
		if diff := cmp.Diff(want, got); diff != "" || got.ID == "" {
			t.Errorf("%s: %s", alg, diff)
		}
		keys, err := jose.ParseJWKS(s.JWKS(tenantID))
		if err != nil {
			t.Fatal(err)
		}
		r := jose.Rules{Types: []string{"at+jwt"}, Issuer: issuer, Audience: "app"}
		if tok, err := jose.Verify(r, keys, raw, at); err != nil || !strings.HasPrefix(tok.KID, "d-") {
			t.Errorf("%s by its JWKS: %v", alg, err)
		}
	}
}

func instant(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }

func TestWireForm(t *testing.T) {
	b, err := appendClaims(nil, AccessClaims{
		Issuer: issuer, TenantID: "t", Subject: "s", Audience: []string{"a"}, ClientID: "c", ID: "j",
		ExpiresAt: instant(20), IssuedAt: instant(10), NotBefore: instant(10), Email: "q\"\\\n\u00e9@example.com",
	})
	want := `{"iss":"https://login.example.com","tid":"t","sub":"s","aud":"a","client_id":"c","exp":20,"iat":10,"nbf":10,"jti":"j","ep":0,"roles":[],` +
		`"email":"q\"\\\n` + "\u00e9" + `@example.com","email_verified":false}`
	if err != nil || string(b) != want {
		t.Errorf("got %s %v", b, err)
	}
	b, err = appendClaims(nil, AccessClaims{
		Audience: []string{"a", "b"}, SessionID: "sid", Epoch: 2, Roles: []string{"r1", "r2"}, Scope: "x y", PreferredUsername: "p", ApplicationID: "app",
		AuthTime: instant(5), AMR: []string{"pwd"}, ACR: "1", Thumbprint: "th", Extra: map[string]any{"z": nil, "b": 1},
		ExpiresAt: instant(0), IssuedAt: instant(0), NotBefore: instant(0),
	})
	want = `{"iss":"","tid":"","sub":"","aud":["a","b"],"client_id":"","exp":0,"iat":0,"nbf":0,"jti":"","sid":"sid","ep":2,"roles":["r1","r2"],"scope":"x y",` +
		`"preferred_username":"p","applicationId":"app","auth_time":5,"amr":["pwd"],"acr":"1","cnf":{"jkt":"th"},"b":1,"z":null}`
	if err != nil || string(b) != want {
		t.Errorf("got %s %v", b, err)
	}
}

func TestReservedClaims(t *testing.T) {
	for _, name := range []string{
		"iss", "tid", "sub", "aud", "client_id", "exp", "iat", "nbf", "jti", "sid", "ep", "roles", "scope", "email", "email_verified",
		"preferred_username", "applicationId", "auth_time", "amr", "acr", "source", "sessionHandle", "refreshTokenHash1", "act", "cnf", "tty",
		"Source", "SOURCE", "\u017fource", "sessionhandle", "Sub", "TID", // what encoding/json takes for the same
	} {
		if _, err := appendClaims(nil, AccessClaims{Extra: map[string]any{name: "x"}}); err == nil {
			t.Errorf("%s may be set as an extra claim", name)
		}
	}
	if _, err := appendClaims(nil, AccessClaims{Extra: map[string]any{"a": "\x00"}}); err == nil {
		t.Error("a NUL was signed")
	}
	if _, err := appendClaims(nil, AccessClaims{Extra: map[string]any{"a": func() {}}}); err == nil {
		t.Error("a function was signed")
	}
}

// forge signs any claims with a key of the store, as another part of the product (or a dialect) might.
func forge(t *testing.T, f *fakeKeys, pick func(SigningKey) bool, typ string, claims map[string]any) string {
	t.Helper()
	keys := f.all()
	i := slices.IndexFunc(keys, pick)
	if i < 0 {
		t.Fatal("no such key")
	}
	signer, err := quickKeys{}.Handle(keys[i])
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jose.Sign(signer, typ, claims)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestOtherTokensDoNotPass(t *testing.T) {
	d, _ := testDirectory(t, time.Now, 1)
	f := &fakeKeys{}
	s := node(t, f, d, Config{})
	tn := d.ByID(tenantID)
	at := tn.At(time.Now())
	raw, err := s.SignAccess(t.Context(), tn, jose.ES256, userClaims(at))
	if err != nil {
		t.Fatal(err)
	}
	until(t, func() bool {
		return s.Ready(tenantID) && slices.ContainsFunc(f.all(), func(k SigningKey) bool { return k.Kind == Static })
	})
	es := func(k SigningKey) bool { return k.Kind == Rotating && k.Alg == jose.ES256 && k.Slot == 0 }
	static := func(k SigningKey) bool { return k.Kind == Static }
	with := func(name string, v any) map[string]any { m := payload(t, raw); m[name] = v; return m }
	without := func(name string) map[string]any { m := payload(t, raw); delete(m, name); return m }
	for name, c := range map[string]struct {
		raw string
		ok  bool
	}{
		"as signed":            {forge(t, f, es, "at+jwt", payload(t, raw)), true},
		"JWT with tty":         {forge(t, f, es, "JWT", with("tty", "at")), true},
		"JWT with other tty":   {forge(t, f, es, "JWT", with("tty", "id")), false},
		"JWT (an ID token)":    {forge(t, f, es, "JWT", payload(t, raw)), false},
		"logout":               {forge(t, f, es, "logout+jwt", payload(t, raw)), false},
		"static key":           {forge(t, f, static, "at+jwt", payload(t, raw)), false},
		"source":               {forge(t, f, es, "at+jwt", with("source", "microservice")), false},
		"source null":          {forge(t, f, es, "at+jwt", with("source", nil)), false},
		"source by tty":        {forge(t, f, es, "JWT", func() map[string]any { m := with("tty", "at"); m["source"] = "x"; return m }()), false},
		"sessionHandle":        {forge(t, f, es, "at+jwt", with("sessionHandle", "x")), false},
		"other tenant":         {forge(t, f, es, "at+jwt", with("tid", "x")), false},
		"no tenant":            {forge(t, f, es, "at+jwt", without("tid")), false},
		"other issuer":         {forge(t, f, es, "at+jwt", with("iss", "x")), false},
		"no subject":           {forge(t, f, es, "at+jwt", without("sub")), false},
		"epoch text":           {forge(t, f, es, "at+jwt", with("ep", "3")), false},
		"roles text":           {forge(t, f, es, "at+jwt", with("roles", "admin")), false},
		"unreadable binding":   {forge(t, f, es, "at+jwt", with("cnf", map[string]any{"x5t#S256": "x"})), false},
		"empty binding":        {forge(t, f, es, "at+jwt", with("cnf", map[string]any{"jkt": ""})), false},
		"binding null":         {forge(t, f, es, "at+jwt", with("cnf", nil)), false},
		"no expiry":            {forge(t, f, es, "at+jwt", without("exp")), false},
		"from the future":      {forge(t, f, es, "at+jwt", with("iat", at.Unix()+60)), false},
		"another node's clock": {forge(t, f, es, "at+jwt", with("iat", at.Unix()+1)), true},
	} {
		_, err := s.VerifyAccess(tn, c.raw, at)
		if (err == nil) != c.ok || err != nil && fault.ReasonOf(err) != fault.ReasonInvalidToken {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := s.VerifyAccess(tn, raw, at.Add(15*time.Minute)); fault.ReasonOf(err) != fault.ReasonTokenExpired {
		t.Errorf("at its end: %v", err)
	}
	if _, err := s.VerifyAccess(tn, raw, at.Add(15*time.Minute-2*time.Second)); err != nil {
		t.Errorf("just before its end: %v", err)
	}
	old := forge(t, f, es, "at+jwt", func() map[string]any { m := with("iat", 10); m["exp"], m["nbf"] = 20, 10; return m }())
	if c, err := s.VerifyAccessAnyAge(tn, old); err != nil || c.SessionID == "" {
		t.Errorf("any age: %v", err)
	}
	for _, u := range kind.All() {
		if !slices.ContainsFunc([]kind.Usage{kind.User, kind.UserJWT}, func(o kind.Usage) bool { return o.Name == u.Name }) && u.Fits(&jose.Token{Type: "at+jwt"}) {
			t.Errorf("%s passes as at+jwt", u.Name)
		}
	}
}

func TestBadRequestsToSign(t *testing.T) {
	d, _ := testDirectory(t, time.Now, 1)
	s := node(t, &fakeKeys{}, d, Config{})
	tn := d.ByID(tenantID)
	for name, change := range map[string]func(*AccessClaims){
		"no subject":   func(c *AccessClaims) { c.Subject = "" },
		"no instant":   func(c *AccessClaims) { c.IssuedAt = time.Time{} },
		"no life":      func(c *AccessClaims) { c.ExpiresAt = c.IssuedAt },
		"other issuer": func(c *AccessClaims) { c.Issuer = "https://evil.example.com" },
		"reserved":     func(c *AccessClaims) { c.Extra = map[string]any{"source": "x"} },
	} {
		c := userClaims(time.Now())
		change(&c)
		if raw, err := s.SignAccess(t.Context(), tn, jose.ES256, c); fault.From(err) == nil || fault.From(err).Kind != fault.Internal || raw != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.SignAccess(t.Context(), tn, "none", userClaims(time.Now())); err == nil {
		t.Error("signed with none")
	}
}

func TestFirstKeyIsAwaited(t *testing.T) {
	d, _ := testDirectory(t, time.Now, 1)
	s := New(&fakeKeys{}, testRing(), d, Config{Now: time.Now, Log: quiet(), Holder: quickKeys{}})
	tn := d.ByID(tenantID)
	if s.JWKS(tenantID) != nil || s.Ready(tenantID) || s.Ready("nobody") {
		t.Error("ready before the first key")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := s.SignAccess(ctx, tn, jose.ES256, userClaims(time.Now()))
	if f := fault.From(err); f == nil || f.Kind != fault.Unavailable || f.RetryAfter <= 0 || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("without worker: %v", err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := s.SignAccess(t.Context(), tn, jose.RS256, userClaims(time.Now())); err != nil {
				t.Error(err)
			}
		})
	}
	run, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { s.Run(run); close(done) }()
	wg.Wait()
	stop()
	<-done
}

func until(t testing.TB, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatal("it does not come to pass")
		}
		select {
		case <-t.Context().Done():
			t.Fatal("ended")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func FuzzVerifyAccess(f *testing.F) {
	d, _ := testDirectory(f, time.Now, 1)
	s := node(f, &fakeKeys{}, d, Config{})
	tn := d.ByID(tenantID)
	at := tn.At(time.Now())
	mine, err := s.SignAccess(context.Background(), tn, jose.EdDSA, userClaims(at))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(mine)
	f.Add(mine[:len(mine)-4])
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, raw string) {
		_, err := s.VerifyAccess(tn, raw, at)
		if err == nil && raw != mine {
			t.Fatalf("accepted %q", raw)
		}
		if err != nil && fault.From(err).Kind != fault.Unauthenticated {
			t.Fatalf("%q: %v", raw, err)
		}
	})
}

func FuzzReadClaims(f *testing.F) {
	f.Add([]byte(`{"iss":"https://login.example.com","sub":"s","exp":99,"roles":["a"],"cnf":{"jkt":"x"},"x":[1]}`))
	key, err := jose.Generate("k", jose.EdDSA)
	if err != nil {
		f.Fatal(err)
	}
	stamp, err := jose.NewStamp(key, "at+jwt")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, claims []byte) {
		raw, err := stamp.Sign(claims)
		if err != nil {
			t.Fatal(err)
		}
		tok, err := jose.Verify(jose.Rules{Types: []string{"at+jwt"}, Issuer: issuer, AnyAge: true}, jose.Keys{"k": key.Public()}, raw, instant(50))
		if err != nil {
			return
		}
		c, ok := readClaims(tok)
		if !ok {
			return
		}
		for name := range c.Extra {
			if kind.Reserved(name) {
				t.Fatalf("%s read as an extra claim", name)
			}
		}
		if c.NotBefore.IsZero() || c.IssuedAt.IsZero() {
			return
		}
		if _, err := appendClaims(nil, c); err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
	})
}

func TestUsagesAreApart(t *testing.T) {
	// A token that satisfies one kind and carries nothing but its needs satisfies no other kind that a user or a service could be taken for.
	for _, a := range kind.All() {
		tok := &jose.Token{Type: a.Types[0]}
		for _, n := range a.Needs {
			v := `"x"`
			if n == "tty" {
				v = `"at"`
			}
			tok.Claims = append(tok.Claims, member(n, v))
		}
		for _, b := range kind.All() {
			if b.Name != a.Name && b.Fits(tok) {
				t.Errorf("a %s token passes as %s", a.Name, b.Name)
			}
		}
		if !a.Fits(tok) {
			t.Errorf("a %s token does not fit its own kind", a.Name)
		}
	}
}
