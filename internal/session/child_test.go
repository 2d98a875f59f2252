package session_test

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

func (c *scene) child(absolute time.Time) (session.Tokens, error) {
	parent := c.open.Family
	return c.s.Open(context.Background(), c.call(), session.OpenRequest{
		Tenant: c.w.Tenant, Client: c.w.Client, User: c.user, AMR: parent.AMR, AuthTime: parent.AuthTime, ParentID: parent.ID,
		AbsoluteExpiry: absolute, Messages: []audit.Message{{ID: "told", TenantID: parent.TenantID, Kind: "none"}},
	})
}

// A child lives by its parent's limit and proof, tells its parent in the trail, and takes a message along.
func TestOpenChild(t *testing.T) {
	c := newScene(t)
	c.pass(time.Hour)
	limit := c.now.Add(time.Minute) // earlier than any policy
	got, err := c.child(limit)
	if err != nil {
		t.Fatal(err)
	}
	f, parent := got.Family, c.open.Family
	if f.ParentID != parent.ID || !f.AbsoluteExpiry.Equal(limit) || !f.IdleExpiry.Equal(limit) || !f.AuthTime.Equal(parent.AuthTime) ||
		!got.RefreshExpires.Equal(limit) || got.AccessClaims.ExpiresAt.After(limit) || !got.AccessClaims.AuthTime.Equal(parent.AuthTime.Truncate(time.Second)) {
		t.Errorf("child %+v", f)
	}
	rec, _ := c.m.Written()
	last := rec.Events[len(rec.Events)-1]
	if last.Type != session.EventOpened || last.Detail["parent"] != parent.ID {
		t.Errorf("event %s %v", last.Type, last.Detail)
	}
	if n := len(rec.Messages); n != 1 || rec.Messages[0].ID != "told" {
		t.Errorf("%d messages", n)
	}
	far, err := c.child(c.now.Add(100 * 365 * 24 * time.Hour))
	if err != nil || far.Family.AbsoluteExpiry.After(c.now.Add(180*24*time.Hour)) {
		t.Errorf("a late limit lengthens the policy's: %v, %v", far.Family.AbsoluteExpiry, err)
	}
}

func TestOpenChildOfAnEndedParent(t *testing.T) {
	c := newScene(t)
	if _, err := c.s.Revoke(context.Background(), c.call(), session.Match{ID: c.open.Family.ID}, "test"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.child(c.now.Add(time.Hour)); fault.ReasonOf(err) != fault.ReasonSessionRevoked {
		t.Errorf("a child of an ended parent: %v", err)
	}
}
