package session_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

func (c *scene) logout(edit func(r *session.LogoutRequest)) {
	c.Helper()
	req := session.LogoutRequest{Tenant: c.w.Tenant, Client: c.w.Client, Revoke: true}
	edit(&req)
	if err := c.s.Logout(context.Background(), c.call(), req); err != nil {
		c.Fatal(err)
	}
}

func (c *scene) live(id string) bool { row := c.m.Row(id); return !row.Revoked() }

func TestLogout(t *testing.T) {
	tests := map[string]struct {
		do       func(c *scene, other session.Tokens)
		own, all bool // ended
	}{
		"access token": {func(c *scene, _ session.Tokens) {
			c.logout(func(r *session.LogoutRequest) { r.Access = c.open.Access })
		}, true, false},
		"expired access token": {func(c *scene, _ session.Tokens) {
			c.pass(time.Hour)
			c.logout(func(r *session.LogoutRequest) { r.Access = c.open.Access })
		}, true, false},
		"head": {func(c *scene, _ session.Tokens) {
			c.logout(func(r *session.LogoutRequest) { r.Refresh = c.open.Refresh })
		}, true, false},
		"pending": {func(c *scene, _ session.Tokens) {
			c.pass(time.Hour)
			next := c.must(c.open.Refresh).Refresh
			c.logout(func(r *session.LogoutRequest) { r.Refresh = next })
		}, true, false},
		"an older token of the family": {func(c *scene, _ session.Tokens) {
			c.pass(time.Hour)
			c.must(c.must(c.open.Refresh).Refresh)
			c.pass(time.Hour)
			c.logout(func(r *session.LogoutRequest) { r.Refresh, r.All = c.open.Refresh, true })
		}, true, false},
		"revoke false": {func(c *scene, _ session.Tokens) {
			c.logout(func(r *session.LogoutRequest) { r.Access, r.Refresh, r.Revoke = c.open.Access, c.open.Refresh, false })
		}, false, false},
		"rubbish": {func(c *scene, _ session.Tokens) {
			c.logout(func(r *session.LogoutRequest) {
				r.Access, r.Refresh, r.All = secret.NewText("x"), secret.NewText("y"), true
			})
		}, false, false},
		"a made-up token of the family": {func(c *scene, _ session.Tokens) {
			text := []byte(c.open.Refresh.Reveal())
			text[60] ^= 1
			c.logout(func(r *session.LogoutRequest) { r.Refresh, r.All = secret.NewText(string(text)), true })
		}, false, false},
		"all by access token": {func(c *scene, _ session.Tokens) {
			c.logout(func(r *session.LogoutRequest) { r.Access, r.All = c.open.Access, true })
		}, true, true},
		"all by head": {func(c *scene, _ session.Tokens) {
			c.logout(func(r *session.LogoutRequest) { r.Refresh, r.All = c.open.Refresh, true })
		}, true, true},
		"all by expired access token": {func(c *scene, _ session.Tokens) {
			c.pass(time.Hour)
			c.logout(func(r *session.LogoutRequest) { r.Access, r.All = c.open.Access, true })
		}, true, false},
		"all by a token of an ended session": {func(c *scene, _ session.Tokens) {
			c.logout(func(r *session.LogoutRequest) { r.Refresh = c.open.Refresh })
			c.logout(func(r *session.LogoutRequest) { r.Access, r.Refresh, r.All = c.open.Access, c.open.Refresh, true })
		}, true, false},
		"tokens of two sessions": {func(c *scene, other session.Tokens) {
			c.logout(func(r *session.LogoutRequest) { r.Access, r.Refresh = c.open.Access, other.Refresh })
		}, true, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := newScene(t)
			other := c.login()
			tt.do(c, other)
			if own, all := !c.live(c.open.Family.ID), !c.live(other.Family.ID); own != tt.own || all != tt.all {
				t.Fatalf("ended: own %v, other %v; want %v, %v", own, all, tt.own, tt.all)
			}
			if ends := c.events()["session.ended logout"]; (ends > 0) != tt.own {
				t.Errorf("events %v", c.events())
			}
		})
	}
}

func TestLogoutStaysLogout(t *testing.T) {
	c := newScene(t)
	c.logout(func(r *session.LogoutRequest) { r.Access = c.open.Access })
	c.refused(fault.ReasonSessionRevoked, c.open.Refresh)
	c.refused(fault.ReasonSessionRevoked, c.open.Refresh, with(c.open.Access))
}

func TestLogoutOfABoundSession(t *testing.T) {
	c := newScene(t)
	bound, err := c.s.Open(context.Background(), c.call(), session.OpenRequest{
		Tenant: c.w.Tenant, Client: c.w.Client, User: c.user, Binding: "thumbprint",
	})
	if err != nil {
		t.Fatal(err)
	}
	c.logout(func(r *session.LogoutRequest) { r.Refresh, r.All = bound.Refresh, true })
	if c.live(bound.Family.ID) || !c.live(c.open.Family.ID) {
		t.Error("the copy of a bound token ends its own session and no other")
	}
}

type brokenStore struct{ session.Store }

func (brokenStore) Load(context.Context, session.Ref) (session.Loaded, error) {
	return session.Loaded{}, errors.New("disk full")
}

func TestLogoutSaysWhenTheSessionMayStillLive(t *testing.T) {
	c := newScene(t)
	s := session.New(brokenStore{c.m}, c.sign, c.ring, session.Config{})
	err := s.Logout(context.Background(), c.call(), session.LogoutRequest{Tenant: c.w.Tenant, Access: c.open.Access, Revoke: true})
	if f := fault.From(err); err == nil || f.Kind != fault.Unavailable || f.RetryAfter == 0 {
		t.Fatalf("got %v", err)
	}
}

func TestListAndRevoke(t *testing.T) {
	c := newScene(t)
	c.pass(time.Second)
	other := c.login()
	got, err := c.s.List(context.Background(), c.call(), session.ListQuery{Subject: c.user.ID})
	if err != nil || len(got) != 2 || got[0].ID != other.Family.ID {
		t.Fatalf("%d sessions, %v", len(got), err)
	}
	ended, err := c.s.Revoke(context.Background(), c.call(), session.Match{UserID: c.user.ID, Except: other.Family.ID}, "own_list")
	if err != nil || len(ended) != 1 || ended[0].ID != c.open.Family.ID || c.events()["session.ended own_list"] != 1 {
		t.Fatalf("%v %v %v", ended, err, c.events())
	}
}
