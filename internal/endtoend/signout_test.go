package endtoend

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// TestOneLogoutEndsAll: signed on in one application, a person opens others without a prompt; a logout begun by the first ends them all. Each
// hears a valid logout token, also the one that fails at first; the ones that are down for ever hold up nobody; nobody hears anything twice
// after it said yes, also when two nodes send.
func TestOneLogoutEndsAll(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		endsAll(t, o, func(o server.Options) *server.Server { return server.Start(t, o) })
	})
	t.Run("two nodes on postgres", func(t *testing.T) {
		o := server.Options{Store: testbed.Postgres(t)}
		endsAll(t, o, func(o server.Options) *server.Server { return server.StartPair(t, o).Server })
	})
}

func endsAll(t *testing.T, o server.Options, start func(server.Options) *server.Server) {
	shop, forum, flaky, stuck, down := rely(t, "shop"), rely(t, "forum"), rely(t, "flaky"), rely(t, "stuck"), rely(t, "down")
	flaky.status = func(n int) int { return []int{500, 503, 200}[min(n, 2)] }
	stuck.hangs = true
	o.Config = reliers(shop, forum, flaky, stuck, down)
	down.server.Close()
	s := start(o)
	a := surfer(t, s, signUp(t.Context(), t, s, "leaver"))
	first := a.opens(shop, "")
	others := []opened{a.opens(forum, "none"), a.opens(flaky, "none"), a.opens(stuck, "none"), a.opens(down, "none")}
	stranger := surfer(t, s, signUp(t.Context(), t, s, "stayer"))
	stays := stranger.opens(forum, "")

	began := time.Now()
	a.leavesBy(first)
	for _, one := range append(others, first) {
		one.isDead(t, s)
	}
	ids, ended, tries := map[string]bool{}, []opened{first, others[0], others[1]}, []int{1, 1, 3}
	for i := range ended {
		for _, h := range ended[i].hears(t, s, began) {
			ids[claim(t, h.raw, "jti")] = true
		}
	}
	// What is delivered has left the outbox: nothing can be sent again. Only the two that cannot be reached are still tried.
	store := beside(t, s, o)
	until(t, patience, "two messages wait", func() bool { n, err := store.Outbox().Backlog(t.Context()); do(t, err); return n == 2 })
	for i := range ended {
		if got := ended[i].app.of(t, ended[i].sid); len(got) != tries[i] {
			t.Errorf("%s heard %d tokens, want %d", ended[i].app.client, len(got), tries[i])
		}
	}
	if len(ids) != 5 {
		t.Errorf("%d different jti in 5 tokens", len(ids))
	}
	stays.lives(t, s)
}

// leavesBy is a logout that an application begins; the browser comes back to it.
func (a *party) leavesBy(o opened) {
	a.t.Helper()
	began := time.Now()
	back := a.visits(a.s.URL + "/oauth2/logout?" + url.Values{
		"id_token_hint": {o.idToken}, "post_logout_redirect_uri": {a.URL + "/bye"}, "state": {"and so"},
	}.Encode())
	if back.Path != "/bye" || back.Query().Get("state") != "and so" {
		a.t.Fatalf("the logout led to %s", back)
	}
	a.t.Logf("the logout answered after %s", time.Since(began).Round(time.Millisecond))
}

// ending is an act that ends sessions of a person: by hand of a browser of theirs, or of an operator.
type ending struct {
	name string
	act  func(t *testing.T, s *server.Server, o server.Options, p *drill.Person, browser *party)
}

var endings = []ending{
	{"a reset by mail", func(t *testing.T, s *server.Server, _ server.Options, p *drill.Person, _ *party) {
		r, err := s.Visitor().Post(t.Context(), "/password/forgot", map[string]string{"email": p.Email})
		must(t, "forgot", r, err, 202)
		link, err := s.Link(t.Context(), p.Email, 2)
		do(t, err)
		r, err = s.Visitor().Post(t.Context(), link, url.Values{"new_password": {"a wholly new password"}})
		if err != nil || r.Status >= 400 {
			t.Fatalf("the reset: %v %v", r, err)
		}
	}},
	{"a reset by the API", func(t *testing.T, s *server.Server, _ server.Options, p *drill.Person, _ *party) {
		r, err := s.Visitor().Post(t.Context(), "/password/forgot", map[string]string{"email": p.Email})
		must(t, "forgot", r, err, 202)
		link, err := s.Link(t.Context(), p.Email, 2)
		do(t, err)
		r, err = s.Visitor().Post(t.Context(), "/password/reset", map[string]string{"token": tail(link), "password": "a wholly new password"})
		must(t, "the reset", r, err, 200)
	}},
	{"a password change", func(_ *testing.T, _ *server.Server, _ server.Options, p *drill.Person, browser *party) {
		browser.submits("/ui/account/password", url.Values{"password": {p.Password}, "new_password": {"a wholly new password"}})
	}},
	{"a disable", func(t *testing.T, s *server.Server, o server.Options, p *drill.Person, _ *party) {
		commanded(t, s.Data, o, "users", "disable", p.Email)
	}},
	{"a delete by an operator", func(t *testing.T, s *server.Server, o server.Options, p *drill.Person, _ *party) {
		commanded(t, s.Data, o, "users", "delete", p.Email)
	}},
	{"a delete by the person", func(t *testing.T, s *server.Server, _ server.Options, p *drill.Person, _ *party) {
		access, _ := bearer(t.Context(), t, p)
		r, err := as(s, access).Do(t.Context(), http.MethodDelete, "/me", nil)
		must(t, "delete me", r, err, 204)
	}},
	{"log out everywhere", func(t *testing.T, s *server.Server, _ server.Options, p *drill.Person, _ *party) {
		access, _ := bearer(t.Context(), t, p)
		r, err := as(s, access).Post(t.Context(), "/logout", map[string]bool{"all": true})
		must(t, "logout of all", r, err, 200)
	}},
}

// submits sends a form of the account pages.
func (a *party) submits(page string, form url.Values) {
	a.t.Helper()
	r, err := a.p.Post(a.t.Context(), page, form)
	must(a.t, page, r, err, http.StatusSeeOther)
}

// TestWhateverEndsASignOnIsHeardByItsApplications: by the applications of every browser of the person, once each, whoever ended it and how.
func TestWhateverEndsASignOnIsHeardByItsApplications(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		shop, forum := rely(t, "shop"), rely(t, "forum")
		o.Config = reliers(shop, forum)
		s := server.Start(t, o)
		for _, e := range endings {
			p := signUp(t.Context(), t, s, "ending")
			laptop, phone := surfer(t, s, p), surfer(t, s, p)
			sessions := []opened{laptop.opens(shop, ""), laptop.opens(forum, "none"), phone.opens(shop, "")}
			began := time.Now()
			t.Log(e.name)
			e.act(t, s, o, p, laptop)
			for _, one := range sessions {
				one.isDead(t, s)
				one.hears(t, s, began)
			}
			settled(t, s, o)
			for _, one := range sessions {
				if all := one.app.of(t, one.sid); len(all) != 1 {
					t.Errorf("%s: %s was told %d times", e.name, one.app.client, len(all))
				}
			}
		}
	})
}

// settled waits until the outbox is empty: then nothing more can come.
func settled(t *testing.T, s *server.Server, o server.Options) {
	t.Helper()
	store := beside(t, s, o)
	until(t, patience, "the outbox is empty", func() bool { n, err := store.Outbox().Backlog(t.Context()); do(t, err); return n == 0 })
}

// TestOtherBrowsersOfTheAccountPages: who ends all others, or one of them, is heard where those were signed on, and stays signed on here.
func TestOtherBrowsersOfTheAccountPages(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		shop, forum := rely(t, "shop"), rely(t, "forum")
		o.Config = reliers(shop, forum)
		s := server.Start(t, o)
		p := signUp(t.Context(), t, s, "others")
		laptop, phone, lost := surfer(t, s, p), surfer(t, s, p), surfer(t, s, p)
		stays := laptop.opens(forum, "")
		gone := []opened{phone.opens(shop, ""), phone.opens(forum, "none"), lost.opens(shop, "")}
		began := time.Now()
		laptop.submits("/ui/account/sessions", url.Values{"all": {"others"}})
		for _, one := range gone {
			one.isDead(t, s)
			one.hears(t, s, began)
		}
		settled(t, s, o)
		for _, one := range gone {
			if all := one.app.of(t, one.sid); len(all) != 1 {
				t.Errorf("%s was told %d times", one.app.client, len(all))
			}
		}
		stays.lives(t, s)
		laptop.opens(shop, "none")
	})
}
