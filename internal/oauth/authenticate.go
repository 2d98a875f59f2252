package oauth

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/strictjson"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/weak"
)

// The ways in which clients authenticate (RFC 7591 section 2).
const (
	AuthBasic      = "client_secret_basic"
	AuthPost       = "client_secret_post"
	AuthPrivateKey = "private_key_jwt"
	AuthNone       = "none"
)

// AuthMethods are all of them.
func AuthMethods() []string { return []string{AuthBasic, AuthPost, AuthPrivateKey, AuthNone} }

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" // RFC 7523 section 2.2

// Bounds of client assertions.
const (
	assertionLife   = time.Hour // the furthest exp: how long a jti must be remembered (RFC 7523 section 3); some libraries always sign for an hour
	assertionLeeway = 30 * time.Second
	maxAssertionID  = 256
)

func badClient() *fault.Error {
	return fault.New(fault.Unauthenticated, fault.ReasonOAuthClient, "the client is not authenticated")
}

// Authenticate says who the client is (RFC 6749 section 2.3). A public one is only named, and authenticated is false for it; a confidential
// one must prove itself by the method it is registered for. Unknown, wrong and missing are refused alike, as invalid_client.
func (s *Service) Authenticate(ctx context.Context, call *audit.Call, t *tenant.Tenant, cred Credentials) (*tenant.Client, bool, error) {
	if cred.Several {
		return nil, false, badRequest("the client authenticated by more than one method")
	}
	id := cred.ClientID
	if cred.Method == AuthPrivateKey {
		claimed := assertedClient(cred.Assertion.Reveal())
		if id == "" {
			id = claimed
		}
		if claimed != id { // RFC 7521 section 4.2
			return nil, false, badClient()
		}
	}
	c := s.cfg.Directory.Client(t.ID, id)
	if c == nil || id == "" || !slices.Contains(methodsOf(c), cred.Method) {
		return nil, false, badClient()
	}
	switch cred.Method {
	case AuthNone:
		return c, false, nil
	case AuthPrivateKey:
		if err := s.byAssertion(ctx, call, t, c, &cred); err != nil {
			return nil, false, err
		}
	default:
		if subtle.ConstantTimeCompare(secret.Hash(cred.Secret.Reveal()), c.SecretHash) != 1 && !weak.Off("client-secret") {
			return nil, false, badClient()
		}
	}
	return c, true, nil
}

// methodsOf are the methods that a client may use: the registered one, or both ways of showing a secret when none is named.
func methodsOf(c *tenant.Client) []string {
	switch m := c.Settings.OAuth.AuthMethod; {
	case m == AuthBasic || m == AuthPost:
		if len(c.SecretHash) == 0 {
			return nil
		}
		return []string{m}
	case m != "":
		return []string{m}
	case len(c.SecretHash) > 0:
		return []string{AuthBasic, AuthPost}
	}
	return []string{AuthNone}
}

// assertedClient is whom an assertion speaks of, before anything of it is believed; "" for none.
func assertedClient(raw string) string {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 || len(raw) > jose.DefaultMaxSize {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	members, err := strictjson.Object(payload, strictjson.Limits{})
	if err != nil {
		return ""
	}
	for _, m := range members {
		if m.Name == "sub" {
			sub, _ := m.Text()
			return sub
		}
	}
	return ""
}

// byAssertion is RFC 7523 section 3: signed by a key of the client, by and about itself, for us, for a short while, and never seen before.
// The instants are another party's stamps, so they are judged by the wall.
func (s *Service) byAssertion(ctx context.Context, call *audit.Call, t *tenant.Tenant, c *tenant.Client, cred *Credentials) error {
	if cred.AssertionType != assertionType {
		return badClient()
	}
	rules := jose.Rules{Types: []string{"", "jwt", "client-authentication+jwt"}, Issuer: c.ID, Leeway: assertionLeeway}
	tok, err := s.openAssertion(ctx, call, c, rules, cred.Assertion.Reveal())
	if err != nil {
		return err
	}
	if rules.Judge(tok, call.Wall) != nil || tok.Subject != c.ID || !s.meantForUs(t, tok.Audience) {
		return badClient()
	}
	if tok.ID == "" || len(tok.ID) > maxAssertionID || tok.ExpiresAt.IsZero() || tok.ExpiresAt.Sub(call.Wall) > assertionLife+assertionLeeway {
		return badClient()
	}
	// The lease is held by one caller, who never renews it: of any number that show one assertion, one is believed.
	key := "assertion:" + t.ID + ":" + c.ID + ":" + secret.H1(tok.ID)
	first, err := s.cfg.Back.Values.Lease(ctx, key, secret.Random(16), call.Wall, tok.ExpiresAt.Sub(call.Wall)+2*assertionLeeway)
	if err != nil {
		return err
	}
	if !first && !weak.Off("assertion-once") {
		return badClient()
	}
	return nil
}

func (s *Service) openAssertion(ctx context.Context, call *audit.Call, c *tenant.Client, rules jose.Rules, raw string) (*jose.Token, error) {
	set, err := s.keys.of(ctx, c, call.Wall, false)
	if err != nil {
		return nil, err
	}
	tok, err := jose.OpenBy(rules, set, raw)
	if unknownKey(err) && c.Settings.OAuth.JWKSURI != "" { // the client may have rotated
		if set, err = s.keys.of(ctx, c, call.Wall, true); err != nil {
			return nil, err
		}
		tok, err = jose.OpenBy(rules, set, raw)
	}
	if err != nil {
		return nil, badClient()
	}
	return tok, nil
}

// meantForUs takes the issuer or the token endpoint as audience (RFC 7523 section 3, OpenID Connect Core section 9).
func (s *Service) meantForUs(t *tenant.Tenant, audience []string) bool {
	return slices.Contains(audience, t.Issuer) || slices.Contains(audience, s.reached(t, pathToken))
}
