package token

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/gatehouse-auth/gatehouse/internal/strictjson"
	"github.com/gatehouse-auth/gatehouse/internal/token/kind"
)

// appendClaims writes the claims as a JSON object, by hand because every request pays for it.
func appendClaims(b []byte, c AccessClaims) ([]byte, error) {
	b = append(b, '{')
	b = appendText(b, "iss", c.Issuer)
	b = appendText(b, "tid", c.TenantID)
	b = appendText(b, "sub", c.Subject)
	b = appendAudience(b, c.Audience)
	b = appendText(b, "client_id", c.ClientID)
	b = appendInt(b, "exp", c.ExpiresAt.Unix())
	b = appendInt(b, "iat", c.IssuedAt.Unix())
	b = appendInt(b, "nbf", c.NotBefore.Unix())
	b = appendText(b, "jti", c.ID)
	b = appendSome(b, "sid", c.SessionID)
	b = appendInt(b, "ep", c.Epoch)
	b = appendTexts(b, "roles", c.Roles)
	b = appendSome(b, "scope", c.Scope)
	if c.Email != "" {
		b = appendText(b, "email", c.Email)
		b = append(appendName(b, "email_verified"), strconv.FormatBool(c.EmailVerified)...)
	}
	b = appendSome(b, "preferred_username", c.PreferredUsername)
	b = appendSome(b, "applicationId", c.ApplicationID)
	if !c.AuthTime.IsZero() {
		b = appendInt(b, "auth_time", c.AuthTime.Unix())
	}
	if len(c.AMR) > 0 {
		b = appendTexts(b, "amr", c.AMR)
	}
	b = appendSome(b, "acr", c.ACR)
	if c.Thumbprint != "" {
		b = append(appendName(b, "cnf"), '{')
		b = append(appendText(b, "jkt", c.Thumbprint), '}')
	}
	b, err := appendExtra(b, c.Extra)
	return append(b, '}'), err
}

// appendExtra adds the configured claims; a reserved one is refused, not dropped, so that the fault is seen.
func appendExtra(b []byte, extra map[string]any) ([]byte, error) {
	if len(extra) == 0 {
		return b, nil
	}
	for name := range extra {
		if kind.Reserved(name) {
			return b, fmt.Errorf("the claim %q is reserved", name)
		}
	}
	text, err := json.Marshal(extra)
	if err != nil {
		return b, fmt.Errorf("extra claims: %w", err)
	}
	if err := strictjson.Check(text, strictjson.Limits{}); err != nil { // a NUL, say: our own verifier would refuse the token
		return b, fmt.Errorf("extra claims: %w", err)
	}
	return append(append(b, ','), text[1:len(text)-1]...), nil
}

func appendName(b []byte, name string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = append(append(b, '"'), name...)
	return append(b, '"', ':')
}

func appendText(b []byte, name, value string) []byte { return appendString(appendName(b, name), value) }

func appendSome(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return appendText(b, name, value)
}

func appendInt(b []byte, name string, value int64) []byte {
	return strconv.AppendInt(appendName(b, name), value, 10)
}

func appendTexts(b []byte, name string, values []string) []byte {
	b = append(appendName(b, name), '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, v)
	}
	return append(b, ']')
}

// appendAudience writes one audience as a string and several as an array (RFC 7519 section 4.1.3).
func appendAudience(b []byte, audience []string) []byte {
	if len(audience) == 1 {
		return appendText(b, "aud", audience[0])
	}
	return appendTexts(b, "aud", audience)
}

// appendString writes plain text as it is and leaves everything else to encoding/json.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string always encodes
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
