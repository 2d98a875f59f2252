package oauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"testing"
	"time"

	josekeys "github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// TestAssertionWithoutKID: published libraries sign assertions that name no key (OpenID Connect Core section 10.1 asks for a name only where
// there are several). Then each of the client's keys may be the one; a name that is nobody's is never the only key's.
func TestAssertionWithoutKID(t *testing.T) {
	b := backOnSQLite(t)
	var keys []*ecdsa.PrivateKey
	var set josekeys.JSONWebKeySet
	for _, kid := range []string{"one", "two"} {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		b.ok(err)
		keys = append(keys, k)
		set.Keys = append(set.Keys, josekeys.JSONWebKey{Key: k.Public(), KeyID: kid, Algorithm: "ES256", Use: "sig"})
	}
	for _, c := range []struct {
		name, kid string
		published int
		signer    int
		ok        bool
	}{
		{"one key", "", 1, 0, true},
		{"one key, by its name", "one", 1, 0, true},
		{"one key, by another name", "two", 1, 0, false},
		{"another key", "", 1, 1, false},
		{"two keys", "", 2, 1, true},
		{"two keys, by name", "two", 2, 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, err := json.Marshal(josekeys.JSONWebKeySet{Keys: set.Keys[:c.published]})
			b.ok(err)
			b.set("stranger", func(s *tenant.Client) {
				s.SecretHash, s.Settings.OAuth.AuthMethod, s.Settings.OAuth.JWKS = nil, oauth.AuthPrivateKey, text
			})
			tok := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
				"iss": "stranger", "sub": "stranger", "aud": issuer, "exp": b.at.Add(time.Minute).Unix(), "jti": secret.Random(8),
			})
			if c.kid != "" {
				tok.Header["kid"] = c.kid
			}
			raw, err := tok.SignedString(keys[c.signer])
			b.ok(err)
			_, proved, err := b.auth(oauth.Credentials{Method: oauth.AuthPrivateKey, Assertion: secret.NewText(raw), AssertionType: jwtBearer})
			if c.ok && (err != nil || !proved) {
				t.Fatalf("refused: %v", err)
			}
			if !c.ok {
				refusedFor(t, err, fault.ReasonOAuthClient)
			}
		})
	}
}
