package resource

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/strictjson"
	"github.com/gatehouse-auth/gatehouse/internal/token/kind"
)

// Kinds of accepted tokens.
const (
	KindUser    = "user"
	KindClient  = "client" // an application's own, by the client credentials grant: no person stands behind it
	KindService = "service"
)

// Token is an accepted token. Its slices may be shared with other requests that bring the same token: read them only.
type Token struct {
	Kind      string // KindUser, KindClient or KindService
	Subject   string // sub; often "" for services
	Source    string // the mark of a service's token, usually "microservice"; "" for users
	SessionID string // sid; "" for services
	Epoch     int64  // ep: raised by the server to revoke every token of the subject
	ID        string // jti
	KeyID     string // kid of the key that signed
	ClientID  string // client_id: the application the user logged in to
	TenantID  string // tid
	Issuer    string
	Audience  []string

	ExpiresAt time.Time
	IssuedAt  time.Time // zero when absent
	NotBefore time.Time // zero when absent

	Roles         []string
	Scopes        []string
	Email         string
	EmailVerified bool
	AuthTime      time.Time // of the last proof of who the user is; zero when absent
	AMR           []string  // how they proved it (RFC 8176)
	ACR           string
	Thumbprint    string // cnf.jkt: the holder's key (RFC 9449 section 6.1), "" when unbound

	claims []strictjson.Member
}

// Claim decodes a claim, by its exact name, into a pointer as encoding/json does, and reports whether the token has it. Names within
// objects must match exactly too. The error is about the type of the claim; it never repeats its value.
func (t *Token) Claim(name string, into any) (bool, error) {
	for _, m := range t.claims {
		if m.Name != name {
			continue
		}
		if err := strictjson.Decode(m.Value, into); err != nil {
			return true, fmt.Errorf("resource: the claim %q has another form", name)
		}
		return true, nil
	}
	return false, nil
}

// HasRole reports whether the token carries one of the roles.
func (t *Token) HasRole(anyOf ...string) bool {
	return slices.ContainsFunc(anyOf, func(r string) bool { return slices.Contains(t.Roles, r) })
}

// HasScope reports whether the token carries all of the scopes.
func (t *Token) HasScope(allOf ...string) bool {
	return !slices.ContainsFunc(allOf, func(s string) bool { return !slices.Contains(t.Scopes, s) })
}

// kindOf sorts an opened token by the table that the server signs by; "" for every kind that is no access token.
func kindOf(t *jose.Token) string {
	switch {
	case kind.User.Fits(t), kind.UserJWT.Fits(t):
		return KindUser
	case kind.Client.Fits(t):
		return KindClient
	case kind.Service.Fits(t):
		return KindService
	}
	return ""
}

var errForm = errors.New("a claim has the wrong form")

// newToken reads the claims of an opened token of a kind.
func newToken(is string, t *jose.Token) (Token, error) {
	out := Token{
		Kind: is, Subject: t.Subject, ID: t.ID, KeyID: t.KID, Issuer: t.Issuer, Audience: slices.Clip(t.Audience),
		ExpiresAt: t.ExpiresAt, IssuedAt: t.IssuedAt, NotBefore: t.NotBefore, claims: t.Claims,
	}
	if is == KindService {
		return out, out.readService()
	}
	c, ok := kind.Read(t)
	if !ok {
		return out, errForm
	}
	out.TenantID, out.ClientID, out.SessionID, out.Epoch = c.TenantID, c.ClientID, c.SessionID, c.Epoch
	out.Roles, out.Scopes = slices.Clip(c.Roles), strings.Fields(c.Scope)
	out.Email, out.EmailVerified = c.Email, c.EmailVerified
	out.AuthTime, out.AMR, out.ACR, out.Thumbprint = c.AuthTime, slices.Clip(c.AMR), c.ACR, c.Thumbprint
	return out, nil
}

// readService reads what we use of a service's token. Its other claims are whatever its maker wrote, in any form.
func (t *Token) readService() error {
	for _, m := range t.claims {
		ok := true
		switch m.Name {
		case "source":
			t.Source, ok = m.Text()
		case "cnf":
			t.Thumbprint, ok = kind.Thumbprint(m)
		case "tid":
			t.TenantID, _ = m.Text()
		case "client_id":
			t.ClientID, _ = m.Text()
		case "roles":
			t.Roles, _ = m.Texts()
		case "scope":
			text, _ := m.Text()
			t.Scopes = strings.Fields(text)
		}
		if !ok {
			return errForm
		}
	}
	return nil
}
