package oauth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/race"
)

const jwtBearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

func (b *back) auth(c oauth.Credentials) (*tenant.Client, bool, error) {
	return b.s.Authenticate(context.Background(), b.api(), b.tenant, c)
}

// TestSecrets: each method where it is registered, and nowhere else.
func TestSecrets(t *testing.T) {
	b := backOnSQLite(t)
	b.set("stranger", func(c *tenant.Client) { c.Settings.OAuth.AuthMethod = oauth.AuthPost })
	good := secret.NewText("secret")
	for name, c := range map[string]struct {
		cred   oauth.Credentials
		proved bool
		want   fault.Reason
	}{
		"basic":                {oauth.Credentials{Method: oauth.AuthBasic, ClientID: "all", Secret: good}, true, ""},
		"post":                 {oauth.Credentials{Method: oauth.AuthPost, ClientID: "all", Secret: good}, true, ""},
		"wrong":                {oauth.Credentials{Method: oauth.AuthBasic, ClientID: "all", Secret: secret.NewText("Secret")}, false, fault.ReasonOAuthClient},
		"empty":                {oauth.Credentials{Method: oauth.AuthBasic, ClientID: "all"}, false, fault.ReasonOAuthClient},
		"unknown":              {oauth.Credentials{Method: oauth.AuthBasic, ClientID: "nobody", Secret: good}, false, fault.ReasonOAuthClient},
		"nobody":               {oauth.Credentials{Method: oauth.AuthNone}, false, fault.ReasonOAuthClient},
		"post only, by basic":  {oauth.Credentials{Method: oauth.AuthBasic, ClientID: "stranger", Secret: good}, false, fault.ReasonOAuthClient},
		"post only":            {oauth.Credentials{Method: oauth.AuthPost, ClientID: "stranger", Secret: good}, true, ""},
		"named only":           {oauth.Credentials{Method: oauth.AuthNone, ClientID: "all"}, false, fault.ReasonOAuthClient},
		"public":               {oauth.Credentials{Method: oauth.AuthNone, ClientID: "spa"}, false, ""},
		"public with a secret": {oauth.Credentials{Method: oauth.AuthPost, ClientID: "spa", Secret: good}, false, fault.ReasonOAuthClient},
		"several":              {oauth.Credentials{Method: oauth.AuthBasic, ClientID: "all", Secret: good, Several: true}, false, fault.ReasonOAuthRequest},
	} {
		t.Run(name, func(t *testing.T) {
			client, proved, err := b.auth(c.cred)
			refusedFor(t, err, c.want)
			if err == nil && (client.ID != c.cred.ClientID || proved != c.proved) {
				t.Fatalf("%s, proved %v", client.ID, proved)
			}
		})
	}
}

type assertion struct {
	Issuer   string `json:"iss,omitempty"`
	Subject  string `json:"sub,omitempty"`
	Audience any    `json:"aud,omitempty"`
	Expires  int64  `json:"exp,omitempty"`
	ID       string `json:"jti,omitempty"`
}

// keyed gives "stranger" a key pair of its own and makes assertions with it.
func (b *back) keyed(kid string) func(change func(*assertion)) oauth.Credentials {
	b.t.Helper()
	key, err := jose.Generate(kid, jose.ES256)
	b.ok(err)
	jwk, err := key.Public().JWK()
	b.ok(err)
	b.set("stranger", func(c *tenant.Client) {
		c.SecretHash = nil
		c.Settings.OAuth.AuthMethod, c.Settings.OAuth.JWKS = oauth.AuthPrivateKey, jose.JWKS(jwk)
	})
	return b.signing(key)
}

func (b *back) signing(key jose.Signer) func(change func(*assertion)) oauth.Credentials {
	return func(change func(*assertion)) oauth.Credentials {
		a := assertion{Issuer: "stranger", Subject: "stranger", Audience: issuer, Expires: b.at.Add(time.Minute).Unix(), ID: secret.Random(8)}
		change(&a)
		text, err := jose.Sign(key, "JWT", a)
		b.ok(err)
		return oauth.Credentials{Method: oauth.AuthPrivateKey, Assertion: secret.NewText(text), AssertionType: jwtBearer}
	}
}

// TestAssertions (RFC 7523 section 3): every claim missing, wrong or too generous.
func TestAssertions(t *testing.T) {
	b := backOnSQLite(t)
	sign := b.keyed("one")
	other, err := jose.Generate("one", jose.ES256)
	b.ok(err)
	forged := b.signing(other)
	for name, c := range map[string]struct {
		cred oauth.Credentials
		ok   bool
	}{
		"good":              {sign(func(*assertion) {}), true},
		"token endpoint":    {sign(func(a *assertion) { a.Audience = []string{"x", issuer + "/oauth2/token"} }), true},
		"other audience":    {sign(func(a *assertion) { a.Audience = "https://other.example.com" }), false},
		"no audience":       {sign(func(a *assertion) { a.Audience = nil }), false},
		"other issuer":      {sign(func(a *assertion) { a.Issuer = "all" }), false},
		"other subject":     {sign(func(a *assertion) { a.Subject = "all" }), false},
		"no subject":        {sign(func(a *assertion) { a.Subject = "" }), false},
		"no jti":            {sign(func(a *assertion) { a.ID = "" }), false},
		"no exp":            {sign(func(a *assertion) { a.Expires = 0 }), false},
		"expired":           {sign(func(a *assertion) { a.Expires = b.at.Add(-time.Minute).Unix() }), false},
		"an hour":           {sign(func(a *assertion) { a.Expires = b.at.Add(time.Hour).Unix() }), true},
		"too long":          {sign(func(a *assertion) { a.Expires = b.at.Add(time.Hour + time.Minute).Unix() }), false},
		"another key":       {forged(func(*assertion) {}), false},
		"another type":      {withType(sign(func(*assertion) {}), "x"), false},
		"another client_id": {withClient(sign(func(*assertion) {}), "all"), false},
		"its client_id":     {withClient(sign(func(*assertion) {}), "stranger"), true},
		"no token":          {oauth.Credentials{Method: oauth.AuthPrivateKey, AssertionType: jwtBearer, ClientID: "stranger"}, false},
		"rubbish":           {oauth.Credentials{Method: oauth.AuthPrivateKey, AssertionType: jwtBearer, Assertion: secret.NewText("a.b.c")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			client, proved, err := b.auth(c.cred)
			if c.ok {
				if err != nil || !proved || client.ID != "stranger" {
					t.Fatalf("%v", err)
				}
				return
			}
			refusedFor(t, err, fault.ReasonOAuthClient)
		})
	}
	_, _, err = b.auth(oauth.Credentials{Method: oauth.AuthBasic, ClientID: "stranger", Secret: secret.NewText("secret")})
	refusedFor(t, err, fault.ReasonOAuthClient)
}

func withType(c oauth.Credentials, typ string) oauth.Credentials { c.AssertionType = typ; return c }
func withClient(c oauth.Credentials, id string) oauth.Credentials {
	c.ClientID = id
	return c
}

// TestAssertionRace: an assertion is believed once, on every backend of values.
func TestAssertionRace(t *testing.T) {
	eachBack(t, func(t *testing.T, b *back) {
		b.remake(func(c *oauth.Config) { c.Back.Values = b.store.Values() })
		cred := b.keyed("one")(func(*assertion) {})
		won := race.Winners(t, func(int) (bool, error) {
			_, _, err := b.auth(cred)
			if fault.ReasonOf(err) == fault.ReasonOAuthClient {
				return false, nil
			}
			return err == nil, err
		})
		if won != 1 {
			t.Fatalf("believed %d times", won)
		}
	})
}

// nameless signs with a header that has no kid.
type nameless struct{ *jose.PrivateKey }

func (nameless) KID() string { return "" }

// TestAssertionsWithoutKid: a client with one key often gives it no name, or none in its assertions (RFC 7517 section 4.5); libraries take
// both. Inline and published.
func TestAssertionsWithoutKid(t *testing.T) {
	b := backOnSQLite(t)
	key, err := jose.Generate("mine", jose.ES256)
	b.ok(err)
	other, err := jose.Generate("mine", jose.ES256)
	b.ok(err)
	jwk, err := key.Public().JWK()
	b.ok(err)
	bare := bytes.Replace(jwk, []byte(`"kid":"mine",`), nil, 1)
	if bytes.Equal(bare, jwk) {
		t.Fatalf("no kid in %s", jwk)
	}
	for name, c := range map[string]struct {
		jwk  []byte
		by   jose.Signer
		want fault.Reason
	}{
		"the key has none":       {bare, key, ""},
		"the assertion has none": {jwk, nameless{key}, ""},
		"neither has one":        {bare, nameless{key}, ""},
		"another key":            {bare, nameless{other}, fault.ReasonOAuthClient},
	} {
		t.Run(name, func(t *testing.T) {
			b.set("stranger", func(cl *tenant.Client) {
				cl.SecretHash = nil
				cl.Settings.OAuth.AuthMethod, cl.Settings.OAuth.JWKS, cl.Settings.OAuth.JWKSURI = oauth.AuthPrivateKey, jose.JWKS(c.jwk), ""
			})
			_, _, err := b.auth(b.signing(c.by)(func(*assertion) {}))
			refusedFor(t, err, c.want)
			b.fetched.body = jose.JWKS(c.jwk)
			b.set("stranger", func(cl *tenant.Client) {
				cl.Settings.OAuth.JWKS, cl.Settings.OAuth.JWKSURI = nil, "https://client.example.com/"+secret.Random(8)
			})
			_, _, err = b.auth(b.signing(c.by)(func(*assertion) {}))
			refusedFor(t, err, c.want)
		})
	}
}

// TestFetchedKeys: jwks_uri is read when needed, kept, read again for an unknown key but not at anybody's will, and served stale.
func TestFetchedKeys(t *testing.T) {
	b := backOnSQLite(t)
	first, err := jose.Generate("first", jose.ES256)
	b.ok(err)
	second, err := jose.Generate("second", jose.ES256)
	b.ok(err)
	publish := func(keys ...*jose.PrivateKey) {
		var all [][]byte
		for _, k := range keys {
			jwk, err := k.Public().JWK()
			b.ok(err)
			all = append(all, jwk)
		}
		b.fetched.body = jose.JWKS(all...)
	}
	publish(first)
	b.set("stranger", func(c *tenant.Client) {
		c.SecretHash = nil
		c.Settings.OAuth.AuthMethod, c.Settings.OAuth.JWKSURI = oauth.AuthPrivateKey, "https://client.example.com/jwks"
	})
	try := func(k *jose.PrivateKey, want fault.Reason, asked int) {
		t.Helper()
		_, _, err := b.auth(b.signing(k)(func(*assertion) {}))
		refusedFor(t, err, want)
		if b.fetched.asked != asked {
			t.Fatalf("asked %d times, want %d", b.fetched.asked, asked)
		}
	}
	try(first, "", 1)
	try(first, "", 1)
	try(second, fault.ReasonOAuthClient, 1) // unknown, but only just read
	publish(second, first)
	b.at = b.at.Add(31 * time.Second)
	try(second, "", 2)
	b.fetched.fail = true
	b.at = b.at.Add(6 * time.Minute)
	try(second, "", 3) // stale beats down
	b.at = b.at.Add(2 * time.Hour)
	try(second, fault.ReasonOAuthClient, 4)
}

// TestRegistration walks RFC 7591 and RFC 7592, with what a client may not say of itself.
func TestRegistration(t *testing.T) {
	eachBack(t, func(t *testing.T, b *back) {
		ctx := t.Context()
		initial, text := oauth.DrawInitial(b.tenant.ID, "ci", 2, b.at, time.Time{})
		b.ok(b.store.OAuthRegistrations().AddInitial(ctx, initial, noRecord))
		meta := oauth.ClientMetadata{
			Name: "App", RedirectURIs: []string{"https://new.example.com/cb"}, GrantTypes: []string{"authorization_code", "refresh_token"}, Scope: "openid orders",
		}
		_, err := b.s.Register(ctx, b.api(), b.tenant, secret.NewText("git_wrong"), meta)
		refusedFor(t, err, fault.ReasonInvalidToken)
		for name, c := range map[string]struct {
			change func(*oauth.ClientMetadata)
			want   fault.Reason
		}{
			"no redirect":    {func(m *oauth.ClientMetadata) { m.RedirectURIs = nil }, fault.ReasonOAuthRedirectURI},
			"fragment":       {func(m *oauth.ClientMetadata) { m.RedirectURIs = []string{"https://a.example.com/#x"} }, fault.ReasonOAuthRedirectURI},
			"strong grant":   {func(m *oauth.ClientMetadata) { m.GrantTypes = []string{"client_credentials"} }, fault.ReasonOAuthMetadata},
			"password":       {func(m *oauth.ClientMetadata) { m.GrantTypes = []string{"password"} }, fault.ReasonOAuthMetadata},
			"implicit":       {func(m *oauth.ClientMetadata) { m.ResponseTypes = []string{"token"} }, fault.ReasonOAuthMetadata},
			"unknown scope":  {func(m *oauth.ClientMetadata) { m.Scope = "admin" }, fault.ReasonOAuthMetadata},
			"unknown method": {func(m *oauth.ClientMetadata) { m.AuthMethod = "tls_client_auth" }, fault.ReasonOAuthMetadata},
			"keys missing":   {func(m *oauth.ClientMetadata) { m.AuthMethod = oauth.AuthPrivateKey }, fault.ReasonOAuthMetadata},
			"http jwks_uri":  {func(m *oauth.ClientMetadata) { m.AuthMethod, m.JWKSURI = oauth.AuthPrivateKey, "http://a.example.com" }, fault.ReasonOAuthMetadata},
			"private key": {func(m *oauth.ClientMetadata) {
				m.AuthMethod, m.JWKS = oauth.AuthPrivateKey, json.RawMessage(`{"keys":[{"kty":"EC","d":"x"}]}`)
			}, fault.ReasonOAuthMetadata},
			"unknown alg":     {func(m *oauth.ClientMetadata) { m.IDTokenAlg = "none" }, fault.ReasonOAuthMetadata},
			"control in name": {func(m *oauth.ClientMetadata) { m.Name = "a\nb" }, fault.ReasonOAuthMetadata},
		} {
			bad := meta
			c.change(&bad)
			_, err := b.s.Register(ctx, b.api(), b.tenant, text, bad)
			if fault.ReasonOf(err) != c.want {
				t.Fatalf("%s: %v, want %s", name, err, c.want)
			}
		}
		out, err := b.s.Register(ctx, b.api(), b.tenant, text, meta)
		b.ok(err)
		c := b.client(out.ClientID) // known at once on this node
		if out.Secret.IsZero() || out.Access.IsZero() || c.Settings.OAuth.Consent != "once" || c.ManagedBy != "api" {
			t.Fatalf("%+v", c)
		}
		_, proved, err := b.auth(oauth.Credentials{Method: oauth.AuthBasic, ClientID: out.ClientID, Secret: out.Secret})
		if err != nil || !proved {
			t.Fatal(err)
		}
		read, err := b.s.Registration(ctx, b.api(), b.tenant, out.ClientID, out.Access)
		b.ok(err)
		if !read.Secret.IsZero() || !read.Access.IsZero() || read.Name != "App" {
			t.Fatalf("%+v", read)
		}
		for _, wrong := range []struct{ id, access string }{{out.ClientID, "gra_x"}, {"all", out.Access.Reveal()}, {"nobody", out.Access.Reveal()}} {
			_, err = b.s.Registration(ctx, b.api(), b.tenant, wrong.id, secret.NewText(wrong.access))
			refusedFor(t, err, fault.ReasonInvalidToken)
		}
		meta.Name = "Renamed"
		_, err = b.s.ChangeRegistration(ctx, b.api(), b.tenant, out.ClientID, out.Access, meta)
		b.ok(err)
		if b.client(out.ClientID).Name != "Renamed" || len(b.client(out.ClientID).SecretHash) == 0 {
			t.Fatal("the change is not there, or the secret is gone")
		}
		b.ok(b.s.Unregister(ctx, b.api(), b.tenant, out.ClientID, out.Access))
		if b.dir.Client(b.tenant.ID, out.ClientID) != nil {
			t.Fatal("still there")
		}
		refusedFor(t, b.s.Unregister(ctx, b.api(), b.tenant, out.ClientID, out.Access), fault.ReasonInvalidToken)
		if _, err = b.s.Register(ctx, b.api(), b.tenant, text, meta); err != nil {
			t.Fatal(err)
		}
		_, err = b.s.Register(ctx, b.api(), b.tenant, text, meta) // two uses are two
		refusedFor(t, err, fault.ReasonInvalidToken)
		off := *b.tenant
		off.Policy.OAuth.Registration = false
		_, err = b.s.Register(ctx, b.api(), &off, text, meta)
		refusedFor(t, err, fault.ReasonNoRoute)
	})
}
