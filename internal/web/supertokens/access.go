package supertokens

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/strictjson"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
	"github.com/gatehouse-auth/gatehouse/internal/token/kind"
)

// dialect is how this face takes part in the engine, for one call: access tokens of the call's version, clients of its app.
func (f *Face) dialect(r *request) *session.Dialect {
	return &session.Dialect{
		Name:   Owner,
		Client: func(id string) *tenant.Client { return f.cfg.Directory.Client(r.app.ID, id) },
		Sign:   func(ctx context.Context, m session.Making) (session.Access, error) { return f.sign(ctx, r, &m) },
	}
}

// sign makes an access token. Its instants are whole seconds, as the token carries them, and it does not outlive its session.
func (f *Face) sign(ctx context.Context, r *request, m *session.Making) (session.Access, error) {
	issued := m.At.Truncate(time.Second)
	expires := issued.Add(m.Life)
	if !m.Expires.IsZero() {
		expires = m.Expires
	}
	if !m.Until.IsZero() && expires.After(m.Until) {
		expires = m.Until.Truncate(time.Second)
	}
	shape := token.Shape{Key: token.Rotating, Alg: jose.RS256, Type: "JWT", Version: "4"}
	if r.version.from(linking) {
		shape.Version = "5"
	}
	if m.Family.StaticKey {
		shape.Key = token.Static
	}
	raw, err := f.cfg.Keys.Sign(ctx, r.app, shape, m.At, claims(r, m, issued, expires))
	return session.Access{Token: secret.NewText(raw), IssuedAt: issued, Expires: expires}, err
}

// claims writes the access token's claims: the protected ones, then the caller's own as they stand.
func claims(r *request, m *session.Making, issued, expires time.Time) []byte {
	b := make([]byte, 0, 512+len(m.Payload))
	b = appendText(append(b, '{'), "sub", m.Family.Subject)
	b = strconv.AppendInt(append(b, `,"exp":`...), expires.Unix(), 10)
	b = strconv.AppendInt(append(b, `,"iat":`...), issued.Unix(), 10)
	b = appendText(append(b, ','), "tId", orgOf(m.Family.OrgID))
	if r.version.from(linking) {
		b = appendText(append(b, ','), "rsub", m.Family.Subject)
	}
	b = appendText(append(b, ','), "sessionHandle", handle(m.Family))
	b = appendText(append(b, ','), "refreshTokenHash1", m.H1)
	b = appendMaybe(append(b, ','), "parentRefreshTokenHash1", m.ParentH1)
	b = appendMaybe(append(b, ','), "antiCsrfToken", m.AntiCSRF)
	own := bytes.TrimSpace(m.Payload)
	if len(own) <= len(`{}`) {
		return append(b, '}')
	}
	return append(append(b, ','), own[1:]...)
}

func appendText(b []byte, name, value string) []byte {
	quoted, err := json.Marshal(value)
	if err != nil { // of a string: never
		quoted = []byte(`""`)
	}
	return append(append(append(append(b, '"'), name...), `":`...), quoted...)
}

// appendMaybe writes null for an empty value.
func appendMaybe(b []byte, name, value string) []byte {
	if value == "" {
		return append(append(append(b, '"'), name...), `":null`...)
	}
	return appendText(b, name, value)
}

// A payload of maxPayload bytes makes an access token of less than maxAccess, which is the longest one read: a token that could be made and
// not read again would send its holder into endless refreshing.
const (
	maxPayload = 16 << 10
	maxAccess  = 32 << 10
)

// shown is an access token that was presented and is ours.
type shown struct {
	id, org  string // of the session
	subject  string
	h1       string
	parentH1 string // "" for null
	antiCSRF string // "" for null
	payload  json.RawMessage
	expires  time.Time
}

// read checks an access token of this face; false for whatever is wrong with it.
func (f *Face) read(r *request, raw string, anyAge bool) (shown, bool) {
	q := token.Query{Usage: kind.Super, AnyAge: anyAge, MaxSize: maxAccess}
	t, err := f.cfg.Keys.Read(r.app, q, raw, r.call.At)
	if err != nil {
		return shown{}, false
	}
	s := shown{subject: t.Subject, expires: t.ExpiresAt}
	var sessionHandle string
	for _, m := range []struct {
		name string
		into *string
		null bool
	}{
		{"sessionHandle", &sessionHandle, false}, {"refreshTokenHash1", &s.h1, false}, {"tId", new(string), false},
		{"parentRefreshTokenHash1", &s.parentH1, true}, {"antiCsrfToken", &s.antiCSRF, true},
	} {
		if !claimText(t, m.name, m.into, m.null) {
			return shown{}, false
		}
	}
	s.payload = ownClaims(t.Claims)
	s.id, s.org = parseHandle(sessionHandle)
	return s, true
}

// claimText reads a claim that is a string, or null where it may be; it must be there.
func claimText(t *jose.Token, name string, into *string, null bool) bool {
	for _, m := range t.Claims {
		if m.Name != name {
			continue
		}
		if null && string(m.Value) == "null" {
			return true
		}
		var isText bool
		*into, isText = m.Text()
		return isText
	}
	return false
}

// ownClaims is the caller's part of an access token.
func ownClaims(all []strictjson.Member) json.RawMessage {
	out := []byte{'{'}
	for _, m := range all {
		if protected[m.Name] {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		name, err := json.Marshal(m.Name)
		if err != nil { // of a string: never
			continue
		}
		out = append(append(append(out, name...), ':'), m.Value...)
	}
	return append(out, '}')
}
