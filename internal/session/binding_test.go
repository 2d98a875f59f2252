package session_test

import (
	"context"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

func proving(key string) func(*session.RefreshRequest) {
	return func(r *session.RefreshRequest) { r.Proof = key }
}

// TestAccessTokensOfAnUnboundSession: each is bound to the key that asked for it, and the session to none, whatever was proved.
func TestAccessTokensOfAnUnboundSession(t *testing.T) {
	c := newScene(t)
	open, err := c.s.Open(context.Background(), c.call(), session.OpenRequest{
		Tenant: c.w.Tenant, Client: c.w.Client, User: c.user, AccessBinding: "k",
	})
	if err != nil || open.AccessClaims.Thumbprint != "k" || open.Family.Binding != "" {
		t.Fatalf("opened with a token of key %q in a session of %q: %v", open.AccessClaims.Thumbprint, open.Family.Binding, err)
	}
	for _, key := range []string{"k", "", "another"} {
		got := c.must(open.Refresh, proving(key))
		if got.AccessClaims.Thumbprint != key || got.Family.Binding != "" || c.m.Row(open.Family.ID).Binding != "" {
			t.Errorf("key %q: a token of %q in a session of %q", key, got.AccessClaims.Thumbprint, got.Family.Binding)
		}
	}
}

// TestSamePairIsOfTheSameKey: the access token is handed back to the key that it is bound to, and to no other.
func TestSamePairIsOfTheSameKey(t *testing.T) {
	c := newScene(t)
	open, err := c.s.Open(context.Background(), c.call(), session.OpenRequest{
		Tenant: c.w.Tenant, Client: c.w.Client, User: c.user, AccessBinding: "k",
	})
	if err != nil {
		t.Fatal(err)
	}
	for key, same := range map[string]bool{"k": true, "": false, "another": false} {
		if got := c.must(open.Refresh, with(open.Access), proving(key)); got.Same != same || got.AccessClaims.Thumbprint != key {
			t.Errorf("key %q: same %v, a token of %q", key, got.Same, got.AccessClaims.Thumbprint)
		}
	}
}
