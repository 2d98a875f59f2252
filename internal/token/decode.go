package token

import (
	"encoding/json"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/strictjson"
	"github.com/gatehouse-auth/gatehouse/internal/token/kind"
)

// readClaims turns a verified token into claims; false when a claim of ours has the wrong type.
func readClaims(t *jose.Token) (AccessClaims, bool) {
	c := AccessClaims{
		Issuer: t.Issuer, Subject: t.Subject, Audience: t.Audience, ID: t.ID,
		ExpiresAt: t.ExpiresAt, IssuedAt: t.IssuedAt, NotBefore: t.NotBefore,
	}
	for _, m := range t.Claims {
		if !c.read(m) {
			return AccessClaims{}, false
		}
	}
	return c, true
}

func (c *AccessClaims) read(m strictjson.Member) (ok bool) {
	switch m.Name {
	case "tid":
		c.TenantID, ok = m.Text()
	case "client_id":
		c.ClientID, ok = m.Text()
	case "sid":
		c.SessionID, ok = m.Text()
	case "ep":
		c.Epoch, ok = m.Int()
	case "roles":
		c.Roles, ok = m.Texts()
	case "scope":
		c.Scope, ok = m.Text()
	case "email":
		c.Email, ok = m.Text()
	case "email_verified":
		c.EmailVerified, ok = m.Bool()
	case "preferred_username":
		c.PreferredUsername, ok = m.Text()
	case "applicationId":
		c.ApplicationID, ok = m.Text()
	case "auth_time":
		var seconds int64
		seconds, ok = m.Int()
		c.AuthTime = instant(seconds)
	case "amr":
		c.AMR, ok = m.Texts()
	case "acr":
		c.ACR, ok = m.Text()
	case "cnf":
		c.Thumbprint, ok = thumbprint(m)
	default:
		return c.readExtra(m)
	}
	return ok
}

func (c *AccessClaims) readExtra(m strictjson.Member) bool {
	if kind.Reserved(m.Name) {
		return true // registered ones are read by jose, the rest judged by the Usage
	}
	var v any
	if json.Unmarshal(m.Value, &v) != nil {
		return false
	}
	if c.Extra == nil {
		c.Extra = map[string]any{}
	}
	c.Extra[m.Name] = v
	return true
}

// thumbprint reads cnf.jkt (RFC 9449 section 6.1). Another kind of confirmation must not read as "unbound".
func thumbprint(m strictjson.Member) (string, bool) {
	members, err := strictjson.Object(m.Value, strictjson.Limits{})
	if err != nil || len(members) != 1 || members[0].Name != "jkt" {
		return "", false
	}
	text, ok := members[0].Text()
	return text, ok && text != ""
}
