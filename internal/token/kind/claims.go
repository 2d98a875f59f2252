package kind

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/strictjson"
)

// Claims are what we write into a user's access token beside the registered claims (RFC 9068 section 2.2, plus ours).
type Claims struct {
	TenantID          string // tid
	ClientID          string
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
	Thumbprint        string // cnf.jkt, "" when unbound
}

// Read gives the claims of a verified token; false when one of them has the wrong type. Names that are not ours are left alone.
func Read(t *jose.Token) (Claims, bool) {
	var c Claims
	for _, m := range t.Claims {
		if known, ok := c.read(m); known && !ok {
			return Claims{}, false
		}
	}
	return c, true
}

func (c *Claims) read(m strictjson.Member) (known, ok bool) {
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
		c.AuthTime = time.Unix(seconds, 0).UTC()
	case "amr":
		c.AMR, ok = m.Texts()
	case "acr":
		c.ACR, ok = m.Text()
	case "cnf":
		c.Thumbprint, ok = Thumbprint(m)
	default:
		return false, false
	}
	return true, ok
}

// Thumbprint reads cnf.jkt (RFC 9449 section 6.1). Another kind of confirmation must not read as "unbound".
func Thumbprint(m strictjson.Member) (string, bool) {
	members, err := strictjson.Object(m.Value, strictjson.Limits{})
	if err != nil || len(members) != 1 || members[0].Name != "jkt" {
		return "", false
	}
	text, ok := members[0].Text()
	return text, ok && text != ""
}
