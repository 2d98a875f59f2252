package endtoend

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

func service(s *server.Server, key string) *drill.Visitor {
	return s.Visitor().With("X-Internal-Api-Key", key)
}

func TestInternalEndpoints(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		ctx := t.Context()
		s := server.Start(t, o)
		p := signUp(ctx, t, s, "internal")
		access, refresh := bearer(ctx, t, p)
		mine := service(s, s.APIKey)
		active := func(token string) *drill.Reply {
			t.Helper()
			r, err := mine.Post(ctx, "/internal/token/verify", map[string]string{"token": token})
			return must(t, "verify", r, err, 200)
		}
		good := active(access)
		if !strings.Contains(string(good.Body), `"active":true`) || good.Text("email") != p.Email || good.Text("iss") != s.URL || good.Text("client_id") != s.ClientID {
			t.Fatal("a good token is not told as it is")
		}
		for what, token := range map[string]string{"a refresh token": refresh, "rubbish": "x", "an internal key": s.APIKey} {
			if r := active(token); string(r.Body) != `{"active":false}` {
				t.Errorf("%s is told to be more than inactive", what)
			}
		}
		r, err := mine.Get(ctx, "/internal/users/"+good.Text("sub"))
		if must(t, "user", r, err, 200); r.Text("email") != p.Email || r.Text("status") != "active" {
			t.Fatal("the user is not told as they are")
		}
		r, err = mine.Get(ctx, "/internal/users/0190d0c8-7c3e-7000-8000-00000000dead")
		refusedFor(t, "an unknown user", r, err, 404, "no_such_thing")
		r, err = mine.Post(ctx, "/internal/sessions/revoke", map[string]string{"session_id": good.Text("sid")})
		if must(t, "revoke", r, err, 200); r.Number("ended") != 1 {
			t.Fatal("the session was not ended")
		}
		if r := active(access); string(r.Body) != `{"active":false}` {
			t.Fatal("a token of an ended session is active")
		}
		r, err = s.Refresh(ctx, "", refresh)
		refusedFor(t, "a refresh after the revoke", r, err, 401, "session_revoked")
		access, _ = bearer(ctx, t, p)
		r, err = mine.Post(ctx, "/internal/sessions/revoke", map[string]string{"user_id": good.Text("sub")})
		must(t, "revoke of a user", r, err, 200)
		r, err = s.Me(ctx, access)
		refusedFor(t, "the user's other session", r, err, 401, "session_revoked")
	})
}

// TestInternalKeyOfACommand: a key made by a command beside a running server works within 250 ms, and a revoked one stops within them.
func TestInternalKeyOfACommand(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		ctx := t.Context()
		s := server.Start(t, o)
		command := func(args ...string) []byte {
			t.Helper()
			return commanded(t, s.Data, o, append([]string{"internal-key"}, append(args, "--json")...)...)
		}
		var made struct{ ID, Key string }
		do(t, json.Unmarshal(command("create", "--name", "billing", "--scope", "tokens:verify"), &made))
		status := func() int {
			r, err := service(s, made.Key).Post(ctx, "/internal/token/verify", map[string]string{"token": "x"})
			do(t, err)
			return r.Status
		}
		seen := func(what string, want int) {
			t.Helper()
			began := time.Now()
			until(t, patience, what+" is seen", func() bool { return status() == want })
			t.Logf("%s is seen after %s, promised in 250 ms", what, time.Since(began))
		}
		seen("a new key", 200)
		command("revoke", made.ID)
		seen("a revoked key", 401)
		if strings.Contains(s.Logs(), made.Key) {
			t.Fatal("the key is in the log")
		}
	})
}

func storeOf(o server.Options) string {
	if o.Store != "" {
		return o.Store
	}
	return "sqlite:gatehouse.db"
}
