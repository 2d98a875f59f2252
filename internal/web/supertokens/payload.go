package supertokens

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/strictjson"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token/kind"
)

// protected are the claims of an access token that no payload may carry.
var protected = map[string]bool{
	"sub": true, "exp": true, "iat": true, "tId": true, "rsub": true, "sessionHandle": true,
	"refreshTokenHash1": true, "parentRefreshTokenHash1": true, "antiCsrfToken": true,
}

// callers are claims that are reserved in our own tokens but are the backend's to write here: its libraries send iss, and the others are
// words that decide nothing about a token which is known as a session's by its sessionHandle.
var callers = map[string]bool{
	"iss": true, "email": true, "email_verified": true, "preferred_username": true, "roles": true, "scope": true,
}

// checkPayload refuses what would make a session's token pass for another kind (a service's by "source", a user's by "tid" or "sid"), or
// that claims to come from this server itself.
func checkPayload(t *tenant.Tenant, payload json.RawMessage) (json.RawMessage, error) {
	if payload == nil {
		return nil, nil
	}
	members, err := strictjson.Object(payload, strictjson.Limits{})
	if err != nil {
		return nil, bad("Invalid Json Input")
	}
	for _, m := range members {
		iss, _ := m.Text()
		if protected[m.Name] || kind.Reserved(m.Name) && !callers[strings.ToLower(m.Name)] || m.Name == "iss" && iss == t.Issuer {
			return nil, bad("The user payload contains protected field")
		}
		if _, isText := m.Text(); m.Name == "iss" && !isText { // no verifier would read the token
			return nil, bad("The user payload contains protected field")
		}
	}
	if payload = compact(payload); len(payload) > maxPayload {
		return nil, bad("The user payload is longer than 16 KiB")
	}
	return payload, nil
}

// compact takes the white space out and copies, so that a payload reads back byte for byte as its token carries it.
func compact(raw json.RawMessage) json.RawMessage {
	if raw == nil {
		return nil
	}
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil { // was checked as JSON before
		return raw
	}
	return b.Bytes()
}

// samePayload reports whether two objects have the same members, in any order; absent is empty.
func samePayload(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	of := func(raw []byte) map[string]string {
		out := map[string]string{}
		members, _ := strictjson.Object(raw, strictjson.Limits{})
		for _, m := range members {
			out[m.Name] = string(m.Value)
		}
		return out
	}
	x, y := of(a), of(b)
	if len(x) != len(y) {
		return false
	}
	for name, value := range x {
		if other, there := y[name]; !there || other != value {
			return false
		}
	}
	return true
}

// orEmpty is an object for what was never set.
func orEmpty(raw []byte) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage(`{}`)
	}
	return raw
}
