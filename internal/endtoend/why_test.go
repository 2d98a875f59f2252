package endtoend

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/recipe"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

const whyConfig = `tenants:
- id: 0190d0c8-7c3e-7000-8000-000000000001
  slug: main
  test: true
  limits: {mail_network: "off", mail_address: "off"}
  clients:
  - {id: web, auto_register: true}
  - {id: short, auto_register: true, lives: {refresh_max_s: 3600}}
`

// crime is a server with an operator beside it and a store to plant causes in.
type crime struct {
	*server.Server
	t     *testing.T
	ctx   context.Context
	store *sqlstore.Store
}

// run runs an operator's command on the server's store.
func (c *crime) run(args ...string) []byte {
	c.t.Helper()
	cmd := exec.Command(server.Build(c.t, ""), append(args, "--dev", "--data", c.Data, "--config", filepath.Join(c.Data, "gatehouse.yaml"))...)
	out, err := cmd.Output()
	if err != nil {
		c.t.Fatalf("gatehouse %v: %v %s", args, err, cmd.Stderr)
	}
	return out
}

// victim is somebody with one session.
type victim struct {
	*drill.Person
	access, refresh, sid, sub string
}

func (c *crime) victim(client string) *victim {
	c.t.Helper()
	v := &victim{Person: signUp(c.ctx, c.t, c.Server, "victim")}
	c.login(v, client)
	return v
}

func (c *crime) login(v *victim, client string) {
	c.t.Helper()
	r, err := c.Visitor().With("X-Token-Mode", "bearer").Post(c.ctx, "/login/password",
		map[string]string{"email": v.Email, "password": v.Password, "client_id": client})
	must(c.t, "login", r, err, 200)
	v.access, v.refresh = r.Text("access_token"), r.Text("refresh_token")
	v.sid, v.sub = claim(c.t, v.access, "sid"), claim(c.t, v.access, "sub")
}

func claim(t *testing.T, token, name string) string {
	t.Helper()
	body, err := decodePart(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(body, &claims); err != nil {
		t.Fatal(err)
	}
	text, _ := claims[name].(string)
	return text
}

// refused refreshes and gives the trace id of the refusal.
func (c *crime) refused(refresh, client string) string {
	c.t.Helper()
	r, err := c.Visitor().Post(c.ctx, "/jwt/refresh", map[string]string{"refresh_token": refresh, "client_id": client})
	must(c.t, "a refresh that must be refused", r, err, 401)
	return r.Text("trace_id")
}

// refreshed refreshes and gives the newest token.
func (c *crime) refreshed(refresh string) string {
	c.t.Helper()
	c.MustAdvance(c.ctx, 61*time.Second)
	r, err := c.Refresh(c.ctx, "", refresh)
	return must(c.t, "an honest refresh", r, err, 200).Text("refresh_token")
}

func (c *crime) family(v *victim) session.Family {
	c.t.Helper()
	l, err := c.store.Sessions().Load(c.ctx, session.Ref{TenantID: c.TenantID, ID: v.sid})
	if err != nil {
		c.t.Fatal(err)
	}
	return l.Family
}

// planted opens a session of the victim under a token of another system's form.
func (c *crime) planted(v *victim, change func(*session.Family)) (token string) {
	c.t.Helper()
	f := c.family(v)
	token = "foreign-" + secret.Random(16)
	f.ID, f.Head, f.Pending, f.Version = secret.NewID(time.Now()), secret.RefreshHash(token), nil, 1
	f.Foreign = true
	change(&f)
	if err := c.store.Sessions().Open(c.ctx, f, nil, audit.Record{}); err != nil {
		c.t.Fatal(err)
	}
	return token
}

func (c *crime) now(v *victim) time.Time { return c.family(v).CreatedAt.Add(time.Second) }

// crimes plant one cause each and give what to ask about.
var crimes = []struct {
	cause string
	plant func(c *crime) string
}{
	{"logged_out", func(c *crime) string {
		v := c.victim("web")
		r, err := c.Logout(c.ctx, v.access)
		must(c.t, "logout", r, err, 200)
		return c.refused(v.refresh, "web")
	}},
	{"logged_out_everywhere", func(c *crime) string {
		v := c.victim("web")
		lost := *v
		c.login(v, "web")
		r, err := c.Visitor().With("Authorization", "Bearer "+v.access).Post(c.ctx, "/logout", map[string]any{"all": true})
		must(c.t, "logout everywhere", r, err, 200)
		return lost.sid
	}},
	{"ended_by_owner", func(c *crime) string {
		v := c.victim("web")
		lost := *v
		c.login(v, "web")
		r, err := c.Visitor().With("Authorization", "Bearer "+v.access).Do(c.ctx, "DELETE", "/sessions/"+lost.sid, nil)
		if err != nil || r.Status >= 300 {
			c.t.Fatal(r, err)
		}
		return c.refused(lost.refresh, "web")
	}},
	{"refresh_reused", func(c *crime) string {
		v := c.victim("web")
		c.refreshed(c.refreshed(v.refresh))
		c.MustAdvance(c.ctx, 61*time.Second)
		c.refused(v.refresh, "web")
		return v.Email
	}},
	{"refresh_reused", func(c *crime) string {
		v := c.victim("web")
		newest := c.refreshed(c.refreshed(v.refresh))
		c.MustAdvance(c.ctx, 61*time.Second)
		c.refused(v.refresh, "web")
		return c.refused(newest, "web")
	}},
	{"user_disabled", func(c *crime) string {
		v := c.victim("web")
		c.run("users", "disable", v.Email)
		return c.refused(v.refresh, "web")
	}},
	{"user_disabled", func(c *crime) string { // and enabled again since: the root is still the disabling
		v := c.victim("web")
		c.run("users", "disable", v.Email)
		c.run("users", "enable", v.Email)
		return c.refused(v.refresh, "web")
	}},
	{"user_deleted", func(c *crime) string {
		v := c.victim("web")
		r, err := c.Visitor().With("Authorization", "Bearer "+v.access).Do(c.ctx, "DELETE", "/me", nil)
		if err != nil || r.Status >= 300 {
			c.t.Fatal(r, err)
		}
		return c.refused(v.refresh, "web")
	}},
	{"user_deleted", func(c *crime) string {
		v := c.victim("web")
		c.run("users", "delete", v.sub)
		return v.sid
	}},
	{"password_reset", func(c *crime) string {
		v := c.victim("web")
		r, err := c.Visitor().Post(c.ctx, "/password/forgot", map[string]string{"email": v.Email, "client_id": "web"})
		must(c.t, "forgot", r, err, 202)
		link, err := c.Link(c.ctx, v.Email, 2)
		if err != nil {
			c.t.Fatal(err)
		}
		token := link[strings.LastIndex(link, "/")+1:]
		r, err = c.Visitor().Post(c.ctx, "/password/reset", map[string]string{"token": token, "password": "quite another long password"})
		if err != nil || r.Status >= 300 {
			c.t.Fatal(r, err)
		}
		return c.refused(v.refresh, "web")
	}},
	{"epoch_raised", func(c *crime) string {
		v := c.victim("web")
		if _, err := c.store.Users().RaiseEpoch(c.ctx, c.TenantID, v.sub, "told_to", c.now(v), audit.Record{}); err != nil {
			c.t.Fatal(err)
		}
		return c.refused(v.refresh, "web")
	}},
	{"password_changed", func(c *crime) string {
		v := c.victim("web")
		at := c.now(v)
		err := c.store.Accounts().Change(c.ctx, recipe.Change{
			TenantID: c.TenantID, UserID: v.sub, Password: &credential.Password{ID: secret.NewID(at), PHC: "$x$"}, At: at,
		}, audit.Record{})
		if err != nil {
			c.t.Fatal(err)
		}
		return c.refused(v.refresh, "web")
	}},
	{"address_proved_by_owner", func(c *crime) string {
		v := c.victim("web")
		at := c.now(v)
		if err := c.store.RecipeTokens().Unprove(c.ctx, c.TenantID, v.sub, v.Email, audit.Record{}); err != nil {
			c.t.Fatal(err)
		}
		a := login.Attempt{
			TenantID: c.TenantID, ID: secret.NewID(at), ClientID: "web", Email: v.Email, Typed: v.Email, TokenHash: secret.Bytes(32),
			Password: credential.Password{ID: secret.NewID(at), PHC: "$x$"}, CreatedAt: at, ExpiresAt: at.Add(time.Hour),
		}
		if err := c.store.Logins().SaveAttempt(c.ctx, a, audit.Record{}); err != nil {
			c.t.Fatal(err)
		}
		p := login.Proof{Attempt: a, UserID: secret.NewID(at), Password: a.Password, At: at}
		if err := c.store.Logins().Prove(c.ctx, p, audit.Record{}); err != nil {
			c.t.Fatal(err)
		}
		return v.sid
	}},
	{"revoked_by_operator", func(c *crime) string {
		v := c.victim("web")
		c.run("sessions", "revoke", v.sid)
		return c.refused(v.refresh, "web")
	}},
	{"revoked_by_operator", func(c *crime) string {
		v := c.victim("web")
		c.run("sessions", "revoke", "--user", v.Email)
		return v.Email
	}},
	{"wrong_client", func(c *crime) string { return c.refused(c.victim("web").refresh, "short") }},
	{"binding_mismatch", func(c *crime) string {
		return c.refused(c.planted(c.victim("web"), func(f *session.Family) { f.Binding = "thumbprint" }), "web")
	}},
	{"token_made_up", func(c *crime) string { return c.refused("gr_AAAA", "web") }},
	{"token_of_another_server", func(c *crime) string {
		v := c.victim("web")
		return c.refused(v.refresh[:len(v.refresh)-8]+"AAAAAAAA", "web")
	}},
	{"parent_ended", func(c *crime) string {
		v := c.victim("web")
		child := c.planted(v, func(f *session.Family) { f.ParentID = v.sid })
		r, err := c.Logout(c.ctx, v.access)
		must(c.t, "logout of the parent", r, err, 200)
		return c.refused(child, "web")
	}},
	{"superseded", func(c *crime) string {
		v := c.victim("web")
		second := c.refreshed(v.refresh)
		r, err := c.Refresh(c.ctx, "", second)
		must(c.t, "the successor's first use", r, err, 200)
		f := c.family(v)
		bare := f
		bare.SealedHead = nil
		if ok, err := c.store.Sessions().Swap(c.ctx, f, bare, audit.Record{}); err != nil || !ok {
			c.t.Fatal(ok, err)
		}
		return c.refused(v.refresh, "web")
	}},
	{"store_behind", func(c *crime) string {
		v := c.victim("web")
		old := c.family(v)
		newest := c.refreshed(v.refresh)
		if ok, err := c.store.Sessions().Swap(c.ctx, c.family(v), old, audit.Record{}); err != nil || !ok {
			c.t.Fatal(ok, err)
		}
		return c.refused(newest, "web")
	}},
	{"rate_limited", func(c *crime) string {
		v := c.victim("web")
		for range 400 {
			r, err := c.Visitor().Post(c.ctx, "/login/password", map[string]string{"email": v.Email, "password": "wrong every time", "client_id": "web"})
			if err == nil && r.Text("reason") == "rate_limited" {
				return r.Text("trace_id")
			}
		}
		c.t.Fatal("no limit")
		return ""
	}},
	{"login_refused", func(c *crime) string {
		v := c.victim("web")
		r, err := c.Visitor().Post(c.ctx, "/login/password", map[string]string{"email": v.Email, "password": "wrong this time", "client_id": "web"})
		return must(c.t, "a wrong password", r, err, 401).Text("trace_id")
	}},
	{"live", func(c *crime) string { return c.victim("web").sid }},
	{"absolute_expiry", func(c *crime) string {
		v := c.victim("short")
		c.MustAdvance(c.ctx, 61*time.Minute)
		return c.refused(v.refresh, "short")
	}},
	{"client_removed", func(c *crime) string {
		v := c.victim("short")
		config := whyConfig[:strings.Index(whyConfig, "  - {id: short")]
		if err := os.WriteFile(filepath.Join(c.Data, "gatehouse.yaml"), []byte(config), 0o600); err != nil {
			c.t.Fatal(err)
		}
		c.run("apply", "--prune")
		return v.sid
	}},
	{"idle_expiry", func(c *crime) string {
		v := c.victim("web")
		c.MustAdvance(c.ctx, 31*day)
		return c.refused(v.refresh, "web")
	}},
	{"session_forgotten", func(c *crime) string {
		v := c.victim("web")
		r, err := c.Logout(c.ctx, v.access)
		must(c.t, "logout", r, err, 200)
		if _, err := c.store.Sessions().Purge(c.ctx, c.TenantID, time.Now().AddDate(30, 0, 0), 1000); err != nil {
			c.t.Fatal(err)
		}
		return c.refused(v.refresh, "web")
	}},
}

// TestWhyNamesTheCause plants causes of lost sessions and asks once about each.
func TestWhyNamesTheCause(t *testing.T) {
	s := server.Start(t, server.Options{Config: whyConfig})
	c := &crime{Server: s, ctx: t.Context(), store: testbed.Open(t, "sqlite:"+filepath.Join(s.Data, "gatehouse.db"), sqlstore.Config{})}
	for i, crime := range crimes {
		t.Run(fmt.Sprintf("%02d %s", i+1, crime.cause), func(t *testing.T) {
			c.t = t
			id := crime.plant(c)
			var answer struct {
				Cause, Root string
				Chain       []struct{ Text string }
			}
			out := c.run("why", "--json", id)
			if err := json.Unmarshal(out, &answer); err != nil {
				t.Fatal(err)
			}
			if answer.Cause != crime.cause || answer.Root == "" || len(answer.Chain) == 0 {
				t.Errorf("why answers %s", out)
			}
			if strings.HasPrefix(crime.cause, "revoked_by") && !strings.Contains(answer.Root, "operator") {
				t.Errorf("the operator is not named: %s", answer.Root)
			}
		})
	}
}

func decodePart(part string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(part) }
