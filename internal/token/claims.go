// Package token owns the signed tokens of the product: what they carry (the table of kinds stands in package kind), and the life of the
// keys that sign them (announce, sign, retire). It also fills the ring of symmetric keys from the store. It does not own sessions: whether
// a token's holder is still welcome is decided elsewhere.
package token

import "time"

// AccessClaims are the claims of a user's access token (RFC 9068 section 2.2, plus ours).
type AccessClaims struct {
	Issuer            string
	TenantID          string // tid
	Subject           string
	Audience          []string
	ClientID          string
	ExpiresAt         time.Time
	IssuedAt          time.Time
	NotBefore         time.Time
	ID                string // jti
	SessionID         string // sid
	Epoch             int64  // ep
	Roles             []string
	Scope             string
	Email             string
	EmailVerified     bool
	PreferredUsername string
	ApplicationID     string
	AuthTime          time.Time
	AMR               []string
	ACR               string
	Thumbprint        string         // cnf.jkt, "" when unbound
	Delegated         bool           // read only: the token was exchanged, and its act claim says who acts (RFC 8693 section 4.1)
	Extra             map[string]any // by configuration; reserved names are refused
}
