package endtoend

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

func as(s *server.Server, access string) *drill.Visitor {
	return s.Visitor().With("Authorization", "Bearer "+access)
}

type sessionPage struct {
	Items []struct {
		ID, Device, Place, Bound string
		ClientID                 string `json:"client_id"`
		Current                  bool
		CreatedAt                time.Time `json:"created_at"`
		LastSeen                 time.Time `json:"last_seen"`
		ExpiresAt                time.Time `json:"expires_at"`
	}
	Next string
}

func sessionsOf(ctx context.Context, t *testing.T, s *server.Server, access, query string) (p sessionPage) {
	t.Helper()
	r, err := as(s, access).Get(ctx, "/sessions"+query)
	must(t, "sessions", r, err, 200)
	do(t, json.Unmarshal(r.Body, &p))
	return p
}

func TestOwnSessions(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		ctx := t.Context()
		s := server.Start(t, o)
		p, stranger := signUp(ctx, t, s, "sessions"), signUp(ctx, t, s, "other")
		var access, refresh [5]string
		for i := range access {
			access[i], refresh[i] = bearer(ctx, t, p)
		}
		foreign, _ := bearer(ctx, t, stranger)
		seen := map[string]bool{}
		var ids []string
		for query, pages := "?limit=2", 0; ; pages++ {
			page := sessionsOf(ctx, t, s, access[0], query)
			for _, it := range page.Items {
				if seen[it.ID] || it.ClientID != s.ClientID || it.Place != "127.0.0.0/24" || it.Device == "" || it.Bound != "none" ||
					it.CreatedAt.IsZero() || it.LastSeen.IsZero() || it.ExpiresAt.Sub(it.CreatedAt) != 30*day {
					t.Fatalf("item %+v", it)
				}
				seen[it.ID] = true
				ids = append(ids, it.ID)
				if it.Current != (it.ID == sid(t, access[0])) {
					t.Errorf("current is %v on %s", it.Current, it.ID)
				}
			}
			if page.Next == "" {
				if pages != 2 {
					t.Fatalf("%d pages of 2 for 5 sessions", pages+1)
				}
				break
			}
			query = "?limit=2&after=" + page.Next
		}
		if len(ids) != 5 || ids[0] != sid(t, access[4]) {
			t.Fatalf("sessions %v, want 5, newest first", ids)
		}
		for _, bad := range []string{"?limit=0", "?limit=101", "?limit=x", "?after=x", "?after=" + strings.Repeat("A", 500)} {
			r, err := as(s, access[0]).Get(ctx, "/sessions"+bad)
			refusedFor(t, bad, r, err, 400, "invalid_field")
		}

		r, err := as(s, foreign).Do(ctx, http.MethodDelete, "/sessions/"+ids[1], nil)
		must(t, "ending somebody else's session", r, err, 404)
		r, err = as(s, access[0]).Do(ctx, http.MethodDelete, "/sessions/"+sid(t, access[1]), nil)
		must(t, "ending one session", r, err, 204)
		r, err = s.Refresh(ctx, "", refresh[1])
		refusedFor(t, "refresh of the ended session", r, err, 401, "session_revoked")
		r, err = as(s, access[0]).Do(ctx, http.MethodDelete, "/sessions", nil)
		must(t, "ending all without saying so", r, err, 400)
		r, err = as(s, access[0]).Do(ctx, http.MethodDelete, "/sessions?except=current", nil)
		must(t, "ending the others", r, err, 200)
		if r.Number("ended") != 3 {
			t.Errorf("ended %v, want 3", r.Number("ended"))
		}
		for i, a := range access {
			want := 401
			if i == 0 {
				want = 200
			}
			r, err := s.Me(ctx, a)
			must(t, "me afterwards", r, err, want)
		}
		r, err = s.Me(ctx, foreign)
		must(t, "the other person", r, err, 200)
	})
}

// sid reads the session of an access token without checking it.
func sid(t *testing.T, access string) string {
	t.Helper()
	return claimsOf(t, access)["sid"].(string)
}

// TestDangerZonesNeedAFreshLogin: a refreshed token is not a fresh login.
func TestDangerZonesNeedAFreshLogin(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		ctx := t.Context()
		s := server.Start(t, o)
		p := signUp(ctx, t, s, "stale")
		_, refresh := bearer(ctx, t, p)
		s.MustAdvance(ctx, 11*time.Minute)
		r, err := s.Refresh(ctx, "", refresh)
		must(t, "refresh", r, err, 200)
		access := r.Text("access_token")
		r, err = as(s, access).Do(ctx, http.MethodPatch, "/me", map[string]any{"name": "Ada", "locale": "de", "data": map[string]int{"n": 1}})
		must(t, "harmless change", r, err, 200)
		if r.Text("name") != "Ada" || r.Text("locale") != "de" || r.Number("data.n") != 1 {
			t.Errorf("the changed profile is %s", r.Body)
		}
		changed := string(r.Body) // read from the user's own rows; GET shows what came with the session
		next := drill.Fresh("next")
		r, err = as(s, access).Do(ctx, http.MethodPatch, "/me", map[string]string{"email": next, "name": "Not Ada"})
		refusedFor(t, "change of address after a stale login", r, err, 403, "step_up_required")
		r, err = as(s, access).Do(ctx, http.MethodDelete, "/me", nil)
		refusedFor(t, "delete after a stale login", r, err, 403, "step_up_required")
		r, err = s.Me(ctx, access)
		if must(t, "me", r, err, 200); string(r.Body) != changed || r.Text("email") != p.Email {
			t.Errorf("a refused change was partly made, or two profiles of one person: %s, %s", r.Body, changed)
		}
		changeOfAddress(ctx, t, s, p, next)
		if len(mustMail(ctx, t, s, next, 1)) != 1 {
			t.Error("a refused change mailed the new address")
		}
	})
}

func mustMail(ctx context.Context, t *testing.T, s *server.Server, to string, n int) []drill.Mail {
	t.Helper()
	mails, err := s.Mailbox(ctx, to, n)
	if err != nil || len(mails) < n {
		t.Fatalf("%d mails, want %d: %v", len(mails), n, err)
	}
	return mails
}

func changeOfAddress(ctx context.Context, t *testing.T, s *server.Server, p *drill.Person, next string) {
	t.Helper()
	r, err := p.LogIn(ctx, p.Visitor)
	must(t, "a fresh login", r, err, 200)
	r, err = p.Do(ctx, http.MethodPatch, "/me", map[string]string{"email": next})
	must(t, "change of address", r, err, 200)
	if r.Text("email") != p.Email || !strings.Contains(string(r.Body), `"email_pending":true`) {
		t.Errorf("before the proof the address is %q", r.Text("email"))
	}
	link, err := s.Link(ctx, next, 1)
	do(t, err)
	r, err = s.Visitor().Post(ctx, link, map[string]string{})
	refusedFor(t, "the link in a stranger's browser", r, err, 401, "invalid_credentials")
	r, err = p.Post(ctx, link, map[string]string{})
	if err != nil || r.Status >= 400 {
		t.Fatalf("the link in the owner's browser: %v %v", r, err)
	}
	r, err = p.Get(ctx, "/me")
	if must(t, "me", r, err, 200); r.Text("email") != next {
		t.Errorf("after the proof the address is %q", r.Text("email"))
	}
	mustMail(ctx, t, s, p.Email, 2) // sign-up, and the notice
	r, err = p.LogIn(ctx, s.Visitor())
	must(t, "login with the old address", r, err, 401)
	p.Email = next
	r, err = p.LogIn(ctx, s.Visitor())
	must(t, "login with the new address", r, err, 200)
}

// TestDeletedAccountIsErased: soft for 30 days, then nothing of the person is left and the address is free.
func TestDeletedAccountIsErased(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		ctx := t.Context()
		o.Data = t.TempDir()
		s := server.Start(t, o)
		p := signUp(ctx, t, s, "erased")
		access, refresh := bearer(ctx, t, p)
		id := claimsOf(t, access)["sub"].(string)
		r, err := as(s, access).Do(ctx, http.MethodDelete, "/me", nil)
		must(t, "delete", r, err, 204)
		for what, call := range map[string]func() (*drill.Reply, error){
			"me":      func() (*drill.Reply, error) { return s.Me(ctx, access) },
			"refresh": func() (*drill.Reply, error) { return s.Refresh(ctx, "", refresh) },
			"login":   func() (*drill.Reply, error) { return p.LogIn(ctx, s.Visitor()) },
		} {
			r, err := call()
			must(t, what+" of a deleted account", r, err, 401)
		}
		mustMail(ctx, t, s, p.Email, 2) // sign-up, and the notice
		store := beside(t, s, o)
		known := func() login.Known {
			k, err := store.Logins().Known(ctx, login.KnownQuery{TenantID: s.TenantID, Email: p.Email, At: time.Now()})
			do(t, err)
			return k
		}
		s.MustAdvance(ctx, 29*day)
		if _, err := store.Users().Get(ctx, s.TenantID, id, ""); err != nil || !known().Closed {
			t.Fatalf("before its time the account is gone: %v", err)
		}
		s.MustAdvance(ctx, 2*day)
		until(t, 90*time.Second, "the janitor erases the account", func() bool { return !known().Closed })
		if _, err := store.Users().Get(ctx, s.TenantID, id, ""); err == nil {
			t.Error("the user's row is still there")
		}
		r, err = s.Visitor().Post(ctx, "/register", map[string]string{"email": p.Email, "password": "a second life's password"})
		must(t, "registering again", r, err, 202)
		link, err := s.Link(ctx, p.Email, 3)
		do(t, err)
		r, err = s.Visitor().Post(ctx, link, map[string]string{"password": "a second life's password"})
		if err != nil || r.Status >= 400 {
			t.Fatalf("the second proof: %v %v", r, err)
		}
		p.Password = "a second life's password"
		again, _ := bearer(ctx, t, p)
		if claimsOf(t, again)["sub"] == id {
			t.Error("the erased account came back")
		}
	})
}

// TestResetEndsEverything: all sessions of all clients, other links, and the old password.
func TestResetEndsEverything(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		ctx := t.Context()
		s := server.Start(t, withStrictClient(o))
		p := signUp(ctx, t, s, "reset")
		access, refresh := bearer(ctx, t, p)
		r, err := p.LogIn(ctx, p.Visitor)
		must(t, "a second session", r, err, 200)
		r, err = p.Do(ctx, http.MethodPatch, "/me", map[string]string{"email": drill.Fresh("pending")})
		must(t, "a pending change", r, err, 200)
		var mails []drill.Mail
		for n := range 2 { // one after the other: mails may overtake each other
			r, err = s.Visitor().Post(ctx, "/password/forgot", map[string]string{"email": p.Email})
			must(t, "forgot", r, err, 202)
			mails = mustMail(ctx, t, s, p.Email, 2+n)
		}
		older, newer := tail(drill.Path(mails[1].Links[0])), tail(drill.Path(mails[0].Links[0]))
		fresh := func(token, pw string) (*drill.Reply, error) {
			return s.Visitor().Post(ctx, "/password/reset", map[string]string{"token": token, "password": pw})
		}
		r, err = fresh(newer, "password")
		must(t, "a weak password", r, err, 422)
		r, err = fresh(newer, "the second password of mine")
		must(t, "reset", r, err, 200)
		for _, token := range []string{older, newer} {
			r, err = fresh(token, "yet another password")
			refusedFor(t, "any reset link afterwards", r, err, 410, "gone")
		}
		r, err = s.Me(ctx, access)
		must(t, "access token afterwards", r, err, 401)
		r, err = s.Refresh(ctx, "", refresh)
		must(t, "refresh token afterwards", r, err, 401)
		r, err = p.Get(ctx, "/me")
		must(t, "the other session afterwards", r, err, 401)
		r, err = p.LogIn(ctx, s.Visitor())
		refusedFor(t, "the old password", r, err, 401, "invalid_credentials")
		p.Password = "the second password of mine"
		r, err = p.LogIn(ctx, s.Visitor())
		must(t, "the new password", r, err, 200)
	})
}

// until polls a condition of a running server.
func until(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(within); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}
