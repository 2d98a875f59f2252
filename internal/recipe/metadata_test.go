package recipe

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

func TestMerge(t *testing.T) {
	for _, c := range []struct{ old, update, want string }{
		{``, `{}`, `{}`}, {``, `{"a":1}`, `{"a":1}`}, {`{"a":1}`, `{"b":null}`, `{"a":1}`}, {`{"a":1,"b":2}`, `{"a":null}`, `{"b":2}`},
		{`{"a":{"x":1}}`, `{"a":{"y":null}}`, `{"a":{"y":null}}`}, {`{"a":1}`, `{"A":2}`, `{"A":2,"a":1}`}, {``, `{"n":1e400}`, `{"n":1e400}`},
		{`{"a":[null]}`, `{"b":"null"}`, `{"a":[null],"b":"null"}`},
	} {
		got, err := Merge(json.RawMessage(c.old), json.RawMessage(c.update))
		if err != nil || string(got) != c.want {
			t.Errorf("Merge(%s, %s) = %s, %v; want %s", c.old, c.update, got, err, c.want)
		}
	}
	for _, bad := range []string{`[]`, `"x"`, `7`, `null x`, ``} {
		if _, err := Merge(nil, json.RawMessage(bad)); fault.From(err).Kind != fault.Invalid {
			t.Errorf("Merge(%s): %v", bad, err)
		}
	}
	if _, err := Merge(nil, json.RawMessage(`{"a":"`+strings.Repeat("x", maxMetadata)+`"}`)); fault.From(err).Kind != fault.TooLarge {
		t.Errorf("a large one: %v", err)
	}
}

func TestImportable(t *testing.T) {
	const bcrypt = "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"
	const argon2 = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b4dWRWJTmaaJObG"
	for _, c := range []struct {
		hash, form string
		ok         bool
	}{
		{bcrypt, "", true}, {bcrypt, "BCRYPT", true}, {bcrypt, "bcrypt", true}, {bcrypt, "ARGON2", false}, {bcrypt, "FIREBASE_SCRYPT", false}, {bcrypt, "MD5", false},
		{argon2, "", true}, {argon2, "argon2", true}, {argon2, "BCRYPT", false}, {"", "", false}, {"$2b$99$" + bcrypt[7:], "", false}, {"{SSHA}abc", "", false},
	} {
		if _, err := importable(c.hash, c.form); (err == nil) != c.ok {
			t.Errorf("importable(%.12s…, %q): %v", c.hash, c.form, err)
		}
	}
}
