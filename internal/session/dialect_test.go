package session_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// dialect is a face whose access tokens are the H1 of the refresh token they go with, a slash, and the parent's.
func (c *scene) dialect() *session.Dialect {
	return &session.Dialect{
		Name: session.DialectSuperTokens,
		Client: func(id string) *tenant.Client {
			if c.w.Client == nil || c.w.Client.ID != id {
				return nil
			}
			return c.w.Client
		},
		Sign: func(_ context.Context, m session.Making) (session.Access, error) {
			return session.Access{Token: secret.NewText(m.H1 + "/" + m.ParentH1), IssuedAt: m.At, Expires: m.At.Add(m.Life)}, nil
		},
	}
}

func (c *scene) openDialect() session.Tokens {
	c.Helper()
	got, err := c.s.OpenDialect(context.Background(), c.call(), session.OpenDialectRequest{
		Dialect: c.dialect(), Tenant: c.w.Tenant, Client: c.w.Client, Subject: "anybody",
	})
	if err != nil {
		c.Fatal(err)
	}
	return got
}

func (c *scene) refreshDialect(t secret.Text) (session.Tokens, error) {
	return c.s.Refresh(context.Background(), c.call(), session.RefreshRequest{
		Tenant: c.w.Tenant, Authenticated: true, Refresh: t, Dialect: &session.DialectRefresh{Dialect: c.dialect()},
	})
}

func (c *scene) confirm(t session.Tokens) (session.Confirmed, error) {
	h1, parent, _ := strings.Cut(t.Access.Reveal(), "/")
	return c.s.Confirm(context.Background(), c.call(), session.ConfirmRequest{
		Dialect: c.dialect(), Tenant: c.w.Tenant, ID: t.Family.ID, Subject: "anybody", H1: h1, ParentH1: parent, Same: bytes.Equal,
	})
}

// A refresh of a dialect costs what every refresh does: one read, one guarded write. So does a confirmation; and what only repeats writes
// nothing.
func TestDialectCosts(t *testing.T) {
	c := newScene(t)
	first := c.openDialect()
	counted := func(what string, reads, writes int, do func()) {
		t.Helper()
		loads := c.m.Loads()
		_, before := c.m.Written()
		do()
		_, after := c.m.Written()
		if c.m.Loads()-loads != reads || after-before != writes {
			t.Errorf("%s: %d reads, %d writes", what, c.m.Loads()-loads, after-before)
		}
	}
	var child session.Tokens
	var err error
	counted("refresh", 1, 1, func() { child, err = c.refreshDialect(first.Refresh) })
	if err != nil {
		t.Fatal(err)
	}
	counted("repeat", 1, 0, func() { _, err = c.refreshDialect(first.Refresh) })
	counted("confirm", 1, 1, func() { _, err = c.confirm(child) })
	counted("confirm again", 1, 0, func() { _, err = c.confirm(child) })
	if err != nil {
		t.Fatal(err)
	}
}

// Neither grace nor a shortest rotation, whatever the client's policy is: the demo client of these tests has 60 s of each.
func TestDialectKnowsNoGrace(t *testing.T) {
	c := newScene(t)
	first := c.openDialect()
	child, err := c.refreshDialect(first.Refresh)
	if err != nil || child.Refresh.Equal(first.Refresh) {
		t.Fatalf("no rotation at once: %v", err)
	}
	if _, err := c.refreshDialect(child.Refresh); err != nil {
		t.Fatal(err)
	}
	ended, err := c.refreshDialect(first.Refresh)
	if fault.ReasonOf(err) != fault.ReasonRefreshReused || ended.Family.ID != first.Family.ID {
		t.Fatalf("the parent at once: %v, family %q", err, ended.Family.ID)
	}
	if row := c.m.Row(first.Family.ID); !row.Revoked() {
		t.Error("the session lives")
	}
}

// A confirmation that loses its swap looks again; one whose session was ended meanwhile hands nothing out.
func TestConfirmAgainstOthers(t *testing.T) {
	c := newScene(t)
	first := c.openDialect()
	child, err := c.refreshDialect(first.Refresh)
	if err != nil {
		t.Fatal(err)
	}
	once := true
	c.m.BeforeSwap = func() {
		if once {
			once = false
			if _, err := c.refreshDialect(child.Refresh); err != nil {
				t.Error(err)
			}
		}
	}
	got, err := c.confirm(child)
	if err != nil || got.Access.Token.IsZero() || once {
		t.Fatalf("beside a refresh: %v", err)
	}
	c.m.BeforeSwap = nil
	second := c.openDialect()
	if child, err = c.refreshDialect(second.Refresh); err != nil {
		t.Fatal(err)
	}
	c.m.BeforeSwap = func() {
		if _, err := c.s.Revoke(context.Background(), c.call(), session.Match{ID: second.Family.ID}, "test"); err != nil {
			t.Error(err)
		}
	}
	if got, err = c.confirm(child); fault.ReasonOf(err) != fault.ReasonSessionRevoked || !got.Access.Token.IsZero() {
		t.Fatalf("beside a revoke: %v", err)
	}
}

// Sessions of one dialect are no other's, and asking changes nothing.
func TestDialectsApart(t *testing.T) {
	c := newScene(t)
	super := c.openDialect()
	before := c.m.Row(super.Family.ID)
	if _, err := c.refresh(super.Refresh); fault.ReasonOf(err) != fault.ReasonWrongClient {
		t.Errorf("natively: %v", err)
	}
	if _, err := c.refreshDialect(c.open.Refresh); fault.ReasonOf(err) != fault.ReasonWrongClient {
		t.Errorf("a native one: %v", err)
	}
	if after := c.m.Row(super.Family.ID); after.Version != before.Version || after.Revoked() {
		t.Error("the attempt changed the session")
	}
	c.pass(time.Minute)
	c.must(c.open.Refresh)
}
