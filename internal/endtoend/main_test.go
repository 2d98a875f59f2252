package endtoend

import (
	"context"
	"net/http"
	"os"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

func TestMain(m *testing.M) {
	code := m.Run()
	server.Cleanup()
	os.Exit(code)
}

// engines runs a story against the built binary on every engine.
func engines(t *testing.T, story func(t *testing.T, o server.Options)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { story(t, server.Options{}) })
	many(t, story)
}

// many runs a story on every engine that several nodes can share.
func many(t *testing.T, story func(t *testing.T, o server.Options)) {
	t.Helper()
	t.Run("postgres", func(t *testing.T) { story(t, server.Options{Store: testbed.Postgres(t)}) })
	t.Run("postgres and redis", func(t *testing.T) { story(t, server.Options{Store: testbed.Postgres(t), Redis: testbed.Redis(t)}) })
}

// must fails the test unless the answer has the status; it never prints a body that could hold a token.
func must(t *testing.T, what string, r *drill.Reply, err error, status int) *drill.Reply {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if r.Status != status {
		t.Fatalf("%s: answered %s, want %d", what, r, status)
	}
	return r
}

func refusedFor(t *testing.T, what string, r *drill.Reply, err error, status int, reason string) *drill.Reply {
	t.Helper()
	must(t, what, r, err, status)
	if got := r.Text("reason"); got != reason {
		t.Fatalf("%s: reason %q, want %q", what, got, reason)
	}
	if ct := r.Header.Get("Content-Type"); ct != "application/problem+json" {
		t.Fatalf("%s: content type %q", what, ct)
	}
	if r.Text("trace_id") == "" || r.Text("message") == "" {
		t.Fatalf("%s: a refusal without trace_id or message", what)
	}
	return r
}

func signUp(ctx context.Context, t *testing.T, s *server.Server, name string) *drill.Person {
	t.Helper()
	p, err := s.SignUp(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func bearer(ctx context.Context, t *testing.T, p *drill.Person) (access, refresh string) {
	t.Helper()
	access, refresh, err := p.Bearer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return access, refresh
}

func cookie(r *drill.Reply, name string) *http.Cookie {
	for _, c := range r.Cookies {
		if c.Name == name {
			return c
		}
	}
	return nil
}
