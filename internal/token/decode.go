package token

import (
	"encoding/json"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/token/kind"
)

// readClaims turns a verified token into claims; false when a claim of ours has the wrong type.
func readClaims(t *jose.Token) (AccessClaims, bool) {
	k, ok := kind.Read(t)
	if !ok {
		return AccessClaims{}, false
	}
	c := AccessClaims{
		Issuer: t.Issuer, Subject: t.Subject, Audience: t.Audience, ID: t.ID,
		ExpiresAt: t.ExpiresAt, IssuedAt: t.IssuedAt, NotBefore: t.NotBefore,
		TenantID: k.TenantID, ClientID: k.ClientID, SessionID: k.SessionID, Epoch: k.Epoch, Roles: k.Roles, Scope: k.Scope,
		Email: k.Email, EmailVerified: k.EmailVerified, PreferredUsername: k.PreferredUsername, ApplicationID: k.ApplicationID,
		AuthTime: k.AuthTime, AMR: k.AMR, ACR: k.ACR, Thumbprint: k.Thumbprint,
	}
	_, c.Delegated = t.Claim("act")
	return c, c.readExtra(t)
}

// readExtra takes the configured claims. Registered ones are read by jose, ours by kind, and the marks of other kinds are judged there.
func (c *AccessClaims) readExtra(t *jose.Token) bool {
	for _, m := range t.Claims {
		if kind.Reserved(m.Name) {
			continue
		}
		var v any
		if json.Unmarshal(m.Value, &v) != nil {
			return false
		}
		if c.Extra == nil {
			c.Extra = map[string]any{}
		}
		c.Extra[m.Name] = v
	}
	return true
}
