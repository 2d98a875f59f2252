package sqlstore

import (
	"encoding/json"
	"strings"
	"time"
)

// micros is an instant as stored: microseconds since 1970 UTC, 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// instant is the reverse of micros.
func instant(m int64) time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMicro(m).UTC()
}

// orNull keeps "" as NULL, for columns with foreign keys or partial indexes.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// bytesOrNull keeps nil as NULL and empty as empty.
func bytesOrNull(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

// hashOrNull keeps an absent look-up hash as NULL, nil or empty alike, so that nothing is ever found by it.
func hashOrNull(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// raw is a free JSON column: NULL when empty.
func raw(j json.RawMessage) any {
	if len(j) == 0 {
		return nil
	}
	return string(j)
}

func rawOf(s *string) json.RawMessage {
	if s == nil {
		return nil
	}
	return json.RawMessage(*s)
}

// list keeps a list of texts as JSON; "" is nil, so that absent and empty stay apart.
func list(l []string) string {
	if l == nil {
		return ""
	}
	b, _ := json.Marshal(l) // strings always encode
	return string(b)
}

func listOf(s string) ([]string, error) {
	if s == "" {
		return nil, nil
	}
	// Every refresh reads three of them. Without a backslash nothing is escaped, so every quote is a border.
	if inner, ok := strings.CutPrefix(s, `["`); ok && strings.HasSuffix(inner, `"]`) && !strings.Contains(s, `\`) {
		return strings.Split(inner[:len(inner)-2], `","`), nil
	}
	var l []string
	err := decode(s, &l)
	return l, err
}

func encode(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", misuse("encoding %T: %w", v, err)
	}
	return string(b), nil
}

func decode(s string, into any) error {
	if err := json.Unmarshal([]byte(s), into); err != nil {
		return misuse("decoding a stored %T: %w", into, err)
	}
	return nil
}
