package oauth

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// claims are those of an access token, as they stand in a JWT and in the row of an opaque one (RFC 9068 section 2.2).
type claims struct {
	Issuer        string          `json:"iss"`
	TenantID      string          `json:"tid"`
	Subject       string          `json:"sub"`
	Audience      audience        `json:"aud"`
	ClientID      string          `json:"client_id"`
	ExpiresAt     int64           `json:"exp"`
	IssuedAt      int64           `json:"iat"`
	NotBefore     int64           `json:"nbf"`
	ID            string          `json:"jti"`
	SessionID     string          `json:"sid,omitempty"` // absent: a client's own
	Epoch         *int64          `json:"ep,omitempty"`
	Roles         []string        `json:"roles,omitempty"`
	Scope         string          `json:"scope,omitempty"`
	Email         string          `json:"email,omitempty"`
	EmailVerified *bool           `json:"email_verified,omitempty"`
	Username      string          `json:"preferred_username,omitempty"`
	ApplicationID string          `json:"applicationId,omitempty"`
	AuthTime      int64           `json:"auth_time,omitempty"`
	AMR           []string        `json:"amr,omitempty"`
	ACR           string          `json:"acr,omitempty"`
	Cnf           *confirmation   `json:"cnf,omitempty"`
	Act           json.RawMessage `json:"act,omitempty"`
}

type confirmation struct {
	Thumbprint string `json:"jkt"` // RFC 9449 section 6.1
}

// audience is one text, or a list of several (RFC 7519 section 4.1.3).
type audience []string

// MarshalJSON implements json.Marshaler.
func (a audience) MarshalJSON() ([]byte, error) {
	if len(a) == 1 {
		return json.Marshal(a[0])
	}
	return json.Marshal([]string(a))
}

// UnmarshalJSON implements json.Unmarshaler.
func (a *audience) UnmarshalJSON(raw []byte) error {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		*a = audience{text}
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(a))
}

func (c *claims) scopes() []string { return strings.Fields(c.Scope) }

func (c *claims) thumbprint() string {
	if c.Cnf == nil {
		return ""
	}
	return c.Cnf.Thumbprint
}

// access is what the session room asks for.
func (c *claims) access() *token.AccessClaims {
	out := &token.AccessClaims{SessionID: c.SessionID, Subject: c.Subject, Epoch: -1}
	if c.Epoch != nil {
		out.Epoch = *c.Epoch
	}
	return out
}

// claimsOf are those of a user's token in our form.
func claimsOf(a *token.AccessClaims) claims {
	c := claims{
		Issuer: a.Issuer, TenantID: a.TenantID, Subject: a.Subject, Audience: a.Audience, ClientID: a.ClientID, ExpiresAt: a.ExpiresAt.Unix(),
		IssuedAt: a.IssuedAt.Unix(), NotBefore: a.NotBefore.Unix(), ID: a.ID, SessionID: a.SessionID, Epoch: &a.Epoch, Roles: a.Roles, Scope: a.Scope,
		Email: a.Email, Username: a.PreferredUsername, ApplicationID: a.ApplicationID, AMR: a.AMR, ACR: a.ACR,
	}
	if a.Email != "" {
		c.EmailVerified = &a.EmailVerified
	}
	if !a.AuthTime.IsZero() {
		c.AuthTime = a.AuthTime.Unix()
	}
	if a.Thumbprint != "" {
		c.Cnf = &confirmation{a.Thumbprint}
	}
	return c
}

// opaquePrefix tells opaque access tokens from JWTs, and lets scanners of leaked secrets find them.
const opaquePrefix = "gat_"

// issue makes an access token that no session brings along: a signed one, or an opaque one with the row that is to be written for it.
func (s *Service) issue(ctx context.Context, t *tenant.Tenant, c *tenant.Client, cl *claims, at time.Time) (secret.Text, []audit.OpaqueToken, error) {
	if c.Settings.OAuth.OpaqueTokens {
		text, row, err := opaqueOf(c, cl)
		return text, []audit.OpaqueToken{row}, err
	}
	body, err := json.Marshal(cl)
	if err != nil {
		return secret.Text{}, nil, err
	}
	alg := t.For(c).Alg
	text, err := s.cfg.Back.Signer.Sign(ctx, t, token.Shape{Key: token.Rotating, Alg: alg, Type: "at+jwt"}, at, body)
	return secret.NewText(text), nil, err
}

// opaqueOf makes an opaque token and the row of what it stands for, under its hash.
func opaqueOf(c *tenant.Client, cl *claims) (secret.Text, audit.OpaqueToken, error) {
	body, err := json.Marshal(cl)
	if err != nil {
		return secret.Text{}, audit.OpaqueToken{}, err
	}
	text := opaquePrefix + secret.Random(32)
	return secret.NewText(text), audit.OpaqueToken{
		TenantID: c.TenantID, Hash: secret.Hash(text), ID: cl.ID, SessionID: cl.SessionID, ClientID: c.ID, Claims: body,
		ExpiresAt: time.Unix(cl.ExpiresAt, 0).UTC(),
	}, nil
}

// opaque is how a session of this client makes its access tokens: nil, which signs them, unless they are opaque.
func opaque(c *tenant.Client) session.Opaque {
	if !c.Settings.OAuth.OpaqueTokens {
		return nil
	}
	return func(ac *token.AccessClaims) (secret.Text, audit.OpaqueToken, error) {
		cl := claimsOf(ac)
		return opaqueOf(c, &cl)
	}
}

// answered is what a session of a person brings its client.
type answered struct {
	client *tenant.Client
	tokens *session.Tokens
	nonce  string
	hand   bool // the refresh token too
}

// tokens makes the response for a person's session. Without offline access nothing outlives the access token, so no refresh token is shown.
func (s *Service) tokens(ctx context.Context, call *audit.Call, t *tenant.Tenant, a answered) (TokenAnswer, error) {
	ac := &a.tokens.AccessClaims
	out := TokenAnswer{
		AccessToken: a.tokens.Access, TokenType: tokenType(ac.Thumbprint), ExpiresIn: ac.ExpiresAt.Sub(call.At), Scope: strings.Fields(ac.Scope),
	}
	if a.hand {
		out.RefreshToken = a.tokens.Refresh
	}
	var err error
	if slices.Contains(out.Scope, ScopeOpenID) {
		out.IDToken, err = s.idToken(ctx, call, t, &a, out.AccessToken)
	}
	return out, err
}

func tokenType(thumbprint string) string {
	if thumbprint != "" {
		return "DPoP"
	}
	return "Bearer"
}

// identity are the claims of an ID token (OpenID Connect Core section 2). It never has tid beside tty, nor ep: no part of the house takes
// it for an access token.
type identity struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience string   `json:"aud"`
	Expires  int64    `json:"exp"`
	Issued   int64    `json:"iat"`
	AuthTime int64    `json:"auth_time,omitempty"`
	Nonce    string   `json:"nonce,omitempty"`
	AtHash   string   `json:"at_hash"`
	AMR      []string `json:"amr,omitempty"`
	ACR      string   `json:"acr,omitempty"`
	Session  string   `json:"sid"`
	person
}

// person are the claims about a person that scopes open (OpenID Connect Core section 5.4).
type person struct {
	Name          string `json:"name,omitempty"`
	Locale        string `json:"locale,omitempty"`
	Username      string `json:"preferred_username,omitempty"`
	Email         string `json:"email,omitempty"`
	EmailVerified *bool  `json:"email_verified,omitempty"`
}

func personOf(h *session.Holder, scope []string) person {
	var p person
	if slices.Contains(scope, ScopeProfile) {
		p.Name, p.Locale = h.Name, h.Locale
	}
	if slices.Contains(scope, ScopeEmail) && h.Email != "" {
		p.Email, p.EmailVerified, p.Username = h.Email, &h.Verified, h.Email
	}
	return p
}

func (s *Service) idToken(ctx context.Context, call *audit.Call, t *tenant.Tenant, a *answered, access secret.Text) (secret.Text, error) {
	f, alg := &a.tokens.Family, a.client.Settings.OAuth.IDTokenAlg
	if alg == "" {
		alg = jose.RS256 // OpenID Connect Dynamic Client Registration section 2
	}
	issued := call.At.Truncate(time.Second)
	body, err := json.Marshal(identity{
		Issuer: t.Issuer, Subject: f.Subject, Audience: a.client.ID, Expires: issued.Add(t.For(a.client).AccessLife).Unix(), Issued: issued.Unix(),
		AuthTime: f.AuthTime.Unix(), Nonce: a.nonce, AtHash: halfHash(alg, access.Reveal()), AMR: f.AMR, ACR: f.ACR, Session: f.ID,
		person: personOf(&a.tokens.Holder, strings.Fields(a.tokens.AccessClaims.Scope)),
	})
	if err != nil {
		return secret.Text{}, fault.From(err)
	}
	text, err := s.cfg.Back.Signer.Sign(ctx, t, token.Shape{Key: token.Rotating, Alg: alg, Type: "JWT"}, call.At, body)
	return secret.NewText(text), err
}

// halfHash is at_hash (OpenID Connect Core section 3.1.3.6): the left half of the hash that the algorithm signs with.
func halfHash(alg, text string) string {
	if alg == jose.EdDSA {
		sum := sha512.Sum512([]byte(text))
		return base64.RawURLEncoding.EncodeToString(sum[:32])
	}
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}
