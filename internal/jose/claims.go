package jose

import (
	"math"
	"strconv"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/strictjson"
)

// registered reads the registered claims (RFC 7519 section 4.1) and reports whether they have the right types. exp is required: a token
// without one would live for ever.
func (t *Token) registered() bool {
	for _, m := range t.Claims {
		ok := true
		switch m.Name {
		case "iss":
			t.Issuer, ok = m.Text()
		case "sub":
			t.Subject, ok = m.Text()
		case "jti":
			t.ID, ok = m.Text()
		case "aud":
			t.Audience, ok = audience(m)
		case "exp":
			t.ExpiresAt, ok = instant(m)
		case "nbf":
			t.NotBefore, ok = instant(m)
		case "iat":
			t.IssuedAt, ok = instant(m)
		}
		if !ok {
			return false
		}
	}
	return !t.ExpiresAt.IsZero()
}

func audience(m strictjson.Member) ([]string, bool) {
	if one, ok := m.Text(); ok {
		return []string{one}, true
	}
	return m.Texts()
}

const lastSecond = 253402300799 // 9999-12-31T23:59:59Z: later ones overflow elsewhere

// instant reads a NumericDate: seconds since 1970, whole or with a fraction.
func instant(m strictjson.Member) (time.Time, bool) {
	if n, ok := m.Int(); ok {
		return time.Unix(n, 0).UTC(), n >= 0 && n <= lastSecond
	}
	f, err := strconv.ParseFloat(string(m.Value), 64)
	if err != nil || f < 0 || f > lastSecond {
		return time.Time{}, false
	}
	whole, part := math.Modf(f)
	return time.Unix(int64(whole), int64(part*1e9)).UTC(), true
}
