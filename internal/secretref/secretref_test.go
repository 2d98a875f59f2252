package secretref_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/secretref"
)

func TestResolve(t *testing.T) {
	t.Setenv("GH_REF_SET", " from-env \n")
	t.Setenv("GH_REF_EMPTY", "")
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, blank, big := write("good", "from-file\n"), write("blank", "\n"), write("big", strings.Repeat("x", secretref.MaxBytes+1))
	r := secretref.New()
	r.Register("vault", func(_ context.Context, name string) (string, error) { return "vault of " + name, nil })
	for _, c := range []struct{ ref, want, fault string }{
		{"env:GH_REF_SET", "from-env", ""},
		{"file:" + good, "from-file", ""},
		{"vault:a", "vault of a", ""},
		{"env:GH_REF_EMPTY", "", "empty"},
		{"env:GH_REF_UNSET", "", "not set"},
		{"file:" + blank, "", "empty"},
		{"file:" + big, "", "longer"},
		{"file:" + dir + "/none", "", "no such file"},
		{"env:", "", "must be a reference"},
		{"hunter2", "", "must be a reference"},
		{"other:hunter2", "", "must be a reference"},
		{"", "", "must be a reference"},
	} {
		got, err := r.Resolve(t.Context(), c.ref)
		if c.fault == "" {
			if err != nil || got.Reveal() != c.want {
				t.Errorf("%s: %q, %v", c.ref, got.Reveal(), err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: error %v, want one with %q", c.ref, err, c.fault)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows the text, which may be the secret", c.ref)
		}
	}
}
