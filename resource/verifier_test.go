package resource

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
)

func TestUser(t *testing.T) {
	w := newWorld(t, nil)
	raw := user(t, nil)
	for range 2 { // the second is remembered
		tok := w.accepts(raw)
		if tok.Kind != KindUser || tok.Subject != "u1" || tok.SessionID != "s1" || tok.Epoch != 3 || tok.ID != "j1" || tok.KeyID != "d-1" ||
			tok.ClientID != "web" || tok.TenantID != "t1" || tok.Issuer != issuer || !slices.Equal(tok.Audience, []string{audience}) {
			t.Errorf("%+v", tok)
		}
		if !tok.ExpiresAt.Equal(start.Add(15*time.Minute)) || !tok.IssuedAt.Equal(start) || !tok.NotBefore.Equal(start) || !tok.AuthTime.Equal(start.Add(-time.Minute)) {
			t.Errorf("%+v", tok)
		}
		if !slices.Equal(tok.Roles, []string{"member", "admin"}) || !slices.Equal(tok.Scopes, []string{"read", "write"}) ||
			tok.Email != "ada@example.com" || !tok.EmailVerified || !slices.Equal(tok.AMR, []string{"pwd"}) || tok.ACR != "1" || tok.Source != "" {
			t.Errorf("%+v", tok)
		}
		var plan struct {
			Name  string
			Seats int
		}
		if ok, err := tok.Claim("plan", &struct{}{}); !ok || err != nil {
			t.Errorf("plan: %v %v", ok, err)
		}
		if ok, err := tok.Claim("plan", &plan); !ok || err == nil { // "name" is not "Name"
			t.Errorf("other capitals: %v %v", ok, err)
		}
		if ok, err := tok.Claim("nothing", &plan); ok || err != nil {
			t.Errorf("nothing: %v %v", ok, err)
		}
		tok.Subject, tok.Roles = "changed", append(tok.Roles, "owner") // by a careless handler
	}
	typed := sign(t, key(t, "d-rsa", jose.RS256), "JWT", userClaims().with(claims{"tty": "at"}))
	if tok := w.accepts(typed); tok.Kind != KindUser || tok.KeyID != "d-rsa" {
		t.Errorf("%+v", tok)
	}
}

func TestService(t *testing.T) {
	w := newWorld(t, nil)
	tok := w.accepts(service(t, nil))
	var region string
	if ok, err := tok.Claim("region", &region); !ok || err != nil || region != "eu" {
		t.Errorf("region %q %v %v", region, ok, err)
	}
	if tok.Kind != KindService || tok.Source != "microservice" || tok.ID != "m1" || tok.Subject != "" {
		t.Errorf("%+v", tok)
	}
	century := service(t, claims{"exp": start.AddDate(100, 0, 0).Unix()})
	w.accepts(century)
	w.accepts(sign(t, key(t, "d-1", jose.ES256), "JWT", serviceClaims())) // by a rotating key
	w.accepts(service(t, claims{"roles": "x", "email": 1, "scope": 2}))   // its maker's own claims
}

// Every other kind of token the server signs, and mixtures: none passes.
func TestOtherKinds(t *testing.T) {
	w := newWorld(t, nil)
	d, s := key(t, "d-1", jose.ES256), key(t, "s-1", jose.RS256)
	u, m := userClaims(), serviceClaims()
	for what, raw := range map[string]string{
		"user with source":              user(t, claims{"source": "microservice"}),
		"user JWT with source":          sign(t, d, "JWT", u.with(claims{"tty": "at", "source": "microservice"})),
		"user JWT with source, no sid":  sign(t, d, "JWT", u.with(claims{"tty": "at", "source": "microservice", "sid": nil, "ep": nil})),
		"user with sessionHandle":       user(t, claims{"sessionHandle": "h"}),
		"user without subject":          user(t, claims{"sub": nil}),
		"user without tenant":           user(t, claims{"tid": nil}),
		"user by a static key":          sign(t, s, "at+jwt", u),
		"user JWT by a static key":      sign(t, s, "JWT", u.with(claims{"tty": "at"})),
		"ID token":                      sign(t, d, "JWT", claims{"iss": issuer, "sub": "u1", "aud": audience, "exp": start.Unix() + 900, "iat": start.Unix(), "nonce": "n", "at_hash": "x"}),
		"ID token with the mark of tty": sign(t, d, "JWT", u.with(claims{"tty": "id"})),
		"logout token":                  sign(t, d, "logout+jwt", claims{"iss": issuer, "aud": audience, "exp": start.Unix() + 900, "iat": start.Unix(), "jti": "x", "sub": "u1", "events": claims{}}),
		"SuperTokens session":           sign(t, d, "JWT", claims{"iss": issuer, "sub": "u1", "aud": audience, "exp": start.Unix() + 900, "sessionHandle": "h", "tId": "public"}),
		"SuperTokens session, static":   sign(t, s, "JWT", claims{"sub": "u1", "exp": start.Unix() + 900, "sessionHandle": "h", "iss": issuer, "aud": audience}),
		"session with source":           sign(t, s, "JWT", m.with(claims{"sessionHandle": "h"})),
		"service with sid":              sign(t, s, "JWT", m.with(claims{"sid": "s1"})),
		"service with epoch":            sign(t, s, "JWT", m.with(claims{"ep": 1})),
		"service as at+jwt":             sign(t, s, "at+jwt", m),
		"service without source":        sign(t, s, "JWT", m.with(claims{"source": nil})),
		"proof":                         sign(t, d, "dpop+jwt", u),
		"security event":                sign(t, d, "secevent+jwt", u),
		"no typ":                        sign(t, d, "", u),
		"a feed's batch":                sign(t, d, "revocations+jwt", claims{"iss": issuer, "aud": audience, "exp": start.Unix() + 900}),
	} {
		w.refuses(what, raw, ReasonKind)
	}
	w.refuses("source is a number", service(t, claims{"source": 1}), ReasonInvalid)
	w.refuses("roles are a text", user(t, claims{"roles": "admin"}), ReasonInvalid)
}

func TestClaimRules(t *testing.T) {
	sec := start.Unix()
	w := newWorld(t, nil)
	w.accepts(user(t, claims{"aud": []string{"other", audience}}))
	w.accepts(user(t, claims{"nbf": sec + 2, "iat": sec + 2}))
	w.accepts(user(t, claims{"exp": sec - 1, "iat": sec - 9}))
	for what, c := range map[string]struct {
		change claims
		reason string
	}{
		"expired":         {claims{"exp": sec - 2, "iat": sec - 9}, ReasonExpired},
		"no exp":          {claims{"exp": nil}, ReasonInvalid},
		"early":           {claims{"nbf": sec + 3}, ReasonEarly},
		"from the future": {claims{"iat": sec + 3}, ReasonEarly},
		"other issuer":    {claims{"iss": issuer + "/"}, ReasonIssuer},
		"no issuer":       {claims{"iss": nil}, ReasonIssuer},
		"other audience":  {claims{"aud": "shop"}, ReasonAudience},
		"no audience":     {claims{"aud": nil}, ReasonAudience},
		"both wrong":      {claims{"aud": "shop", "exp": sec - 3, "iat": sec - 9}, ReasonAudience}, // "expired" says that all else is right
	} {
		w.refuses("user "+what, user(t, c.change), c.reason)
		w.refuses("service "+what, service(t, c.change), c.reason)
	}
	w.refuses("nothing", "", ReasonMissing)
	w.refuses("long", strings.Repeat("a", 9<<10), ReasonInvalid)
	strict := newWorld(t, func(c *Config) { c.Leeway = -1 })
	strict.refuses("without leeway", user(t, claims{"nbf": sec + 1}), ReasonEarly)
}

func TestServicesOfTheRecipe(t *testing.T) {
	bare := service(t, claims{"aud": nil, "iss": "https://api.example.com/auth"})
	w := newWorld(t, func(c *Config) { c.ServiceIssuer = "https://api.example.com/auth" })
	w.refuses("no audience", bare, ReasonAudience)
	w = newWorld(t, func(c *Config) { c.ServiceIssuer, c.ServiceWithoutAudience = "https://api.example.com/auth", true })
	w.accepts(bare)
	w.accepts(service(t, nil))
	w.refuses("another audience", service(t, claims{"aud": "shop"}), ReasonAudience)
	w.refuses("a user of that issuer", user(t, claims{"iss": "https://api.example.com/auth"}), ReasonIssuer)
	w.refuses("a user without audience", user(t, claims{"aud": nil}), ReasonAudience)
	w = newWorld(t, func(c *Config) { c.Audience, c.AnyAudience = "", true })
	w.accepts(user(t, claims{"aud": nil}))
	w.accepts(service(t, claims{"aud": "shop"}))
}

func TestBoundTokens(t *testing.T) {
	bound := claims{"cnf": claims{"jkt": "thumb"}}
	w := newWorld(t, nil)
	w.refuses("bound user", user(t, bound), ReasonProof)
	w.refuses("bound service", service(t, bound), ReasonProof)
	w.refuses("bound to a certificate", user(t, claims{"cnf": claims{"x5t#S256": "x"}}), ReasonInvalid)
	w = newWorld(t, func(c *Config) { c.AcceptBound = true })
	if tok := w.accepts(user(t, bound)); tok.Thumbprint != "thumb" {
		t.Errorf("%+v", tok)
	}
	w.refuses("bound to a certificate", service(t, claims{"cnf": claims{"x5t#S256": "x"}}), ReasonInvalid)
}

func publicPEM(t testing.TB, k *jose.PrivateKey) []byte {
	t.Helper()
	der, err := k.PKCS8()
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(private.(crypto.Signer).Public())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})
}

// noNetwork fails the test when anything is fetched.
type noNetwork struct{ t *testing.T }

func (n noNetwork) RoundTrip(r *http.Request) (*http.Response, error) {
	n.t.Errorf("%s was asked", r.URL)
	return nil, http.ErrServerClosed
}

func TestPinnedKeys(t *testing.T) {
	d, s := key(t, "d-1", jose.ES256), key(t, "s-1", jose.RS256)
	jwk, _ := s.Public().JWK()
	for form, keys := range map[string][]byte{"PEM": publicPEM(t, s), "JWK": jwk, "JWKS": jwksOf(t, s, d)} {
		w := newWorld(t, func(c *Config) { c.JWKSURL, c.Keys, c.HTTP = "", keys, &http.Client{Transport: noNetwork{t}} })
		for range 2 {
			if tok := w.accepts(service(t, nil)); tok.Kind != KindService {
				t.Errorf("%s: %+v", form, tok)
			}
		}
		w.clock.advance(23 * time.Hour)
		w.accepts(service(t, nil))
		w.refuses(form+": a user by a pinned static key", sign(t, s, "at+jwt", userClaims()), ReasonKind)
		w.refuses(form+": foreign key under the kid", sign(t, foreignKey(t, "s-1"), "JWT", serviceClaims()), ReasonInvalid)
		w.refuses(form+": HS256", encode(`{"alg":"HS256","kid":"s-1","typ":"JWT"}`)+"."+encode(serviceClaims())+".AA", ReasonInvalid)
		if form == "JWKS" {
			w.refuses("stranger", sign(t, key(t, "d-2", jose.ES256), "JWT", serviceClaims()), ReasonUnknownKey)
		}
	}
	w := newWorld(t, func(c *Config) { c.JWKSURL, c.Keys = "", publicPEM(t, key(t, "d-rsa", jose.RS256)) })
	w.refuses("a user's token by a key pinned without its id", sign(t, key(t, "d-rsa", jose.RS256), "at+jwt", userClaims()), ReasonKind)
}

func foreignKey(t testing.TB, kid string) *jose.PrivateKey {
	t.Helper()
	k, err := jose.Generate(kid, jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestConfig(t *testing.T) {
	good := Config{Issuer: issuer, Audience: audience, Keys: jwksOf(t, key(t, "d-1", jose.ES256))}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	private, _ := key(t, "s-1", jose.RS256).PKCS8()
	for what, change := range map[string]func(*Config){
		"Issuer is missing":   func(c *Config) { c.Issuer = "" },
		"Audience is missing": func(c *Config) { c.Audience = "" },
		"exclude each other":  func(c *Config) { c.AnyAudience = true },
		"JWKSURL or Keys":     func(c *Config) { c.Keys = nil },
		"more than a minute":  func(c *Config) { c.Leeway = time.Hour },
		"not an https URL":    func(c *Config) { c.JWKSURL = "http://login.example.com/jwks.json" },
		"not an https URL (":  func(c *Config) { c.JWKSURL = "https://me:secret@login.example.com/" },
		"pinned PEM":          func(c *Config) { c.JWKSURL, c.Keys = keysURL, publicPEM(t, key(t, "s-1", jose.RS256)) },
		"PUBLIC KEY":          func(c *Config) { c.Keys = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}) },
		"not one PEM block": func(c *Config) {
			c.Keys = slices.Concat(publicPEM(t, key(t, "s-1", jose.RS256)), publicPEM(t, key(t, "d-1", jose.ES256)))
		},
		"private parts":           func(c *Config) { c.Keys = []byte(`{"keys":[{"kty":"oct","kid":"k","k":"AA"}]}`) },
		"no key for":              func(c *Config) { c.Keys = []byte(`{"keys":[]}`) },
		"Keys: key set":           func(c *Config) { c.Keys = []byte(`{`) },
		"StaleFor":                func(c *Config) { c.StaleFor = -1 },
		"invalid origin":          func(c *Config) { c.TrustedOrigins = []string{"app.example.com"} },
		"is missing\nresource: A": func(c *Config) { *c = Config{} }, // all faults at once
	} {
		cfg := good
		change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: got %v", what, err)
		}
	}
}

func TestNothingIsWaitedFor(t *testing.T) {
	w := newWorld(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	w.warm()
	cancel()
	if _, err := w.Verify(ctx, user(t, nil)); err != nil {
		t.Error(err)
	}
}
