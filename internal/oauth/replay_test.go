package oauth_test

import (
	"context"
	"sync"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

// together is a store of codes whose first reads wait for each other: every caller sees the code unspent before any of them spends it.
type together struct {
	oauth.Codes
	mu   sync.Mutex
	left int
	gate chan struct{}
}

func (c *together) Code(ctx context.Context, tenantID string, hash []byte) (oauth.Code, error) {
	code, err := c.Codes.Code(ctx, tenantID, hash)
	c.mu.Lock()
	if c.left--; c.left == 0 {
		close(c.gate)
	}
	waits := c.left >= 0
	c.mu.Unlock()
	if waits {
		<-c.gate
	}
	return code, err
}

// TestReplayAtTheSameTime: the replay comes while the first use is under way, so nobody finds the code spent when they look. Whoever loses the
// exchange itself is the replay, and what the winner got is dead (RFC 6749 section 4.1.2).
func TestReplayAtTheSameTime(t *testing.T) {
	eachBack(t, func(t *testing.T, b *back) {
		form := b.code("all", "openid", "offline_access")
		b.remake(func(c *oauth.Config) {
			c.Codes = &together{Codes: b.store.OAuthCodes(), left: 2, gate: make(chan struct{})}
		})
		answers, errs := make([]oauth.TokenAnswer, 2), make([]error, 2)
		var callers sync.WaitGroup
		for i := range answers {
			callers.Go(func() { answers[i], errs[i] = b.ask("all", form) })
		}
		callers.Wait()
		winner := 0
		if errs[0] != nil {
			winner = 1
		}
		b.ok(errs[winner])
		refusedFor(t, errs[1-winner], fault.ReasonOAuthGrant)
		b.active("all", answers[winner].AccessToken, false)
		b.active("all", answers[winner].RefreshToken, false)
	})
}
