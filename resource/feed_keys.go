package resource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/jose"
)

const (
	keysTimeout = 3 * time.Second
	keysEvery   = 5 * time.Second // an unknown kid, which anybody may invent, causes at most one request in this time
	maxKeySet   = 256 << 10
)

// feedKeys are the issuer's keys for the feed. Run alone uses them.
type feedKeys struct {
	cfg    FeedConfig
	keys   jose.Keys
	pinned bool
	asked  time.Time
}

func (k *feedKeys) begin(cfg FeedConfig) (err error) {
	k.cfg = cfg
	if k.pinned = len(cfg.Keys) > 0; k.pinned {
		k.keys, err = jose.ParseJWKS(cfg.Keys)
	}
	return err
}

// verify checks a batch, reading the keys when it names one that is not there.
func (k *feedKeys) verify(ctx context.Context, rules jose.Rules, raw string) (*jose.Token, error) {
	tok, err := jose.Verify(rules, k.keys, raw, k.cfg.Now())
	if !errors.Is(err, jose.ErrUnknownKey) || k.pinned || !k.asked.IsZero() && time.Since(k.asked) < keysEvery {
		return tok, err
	}
	if err := k.fetch(ctx); err != nil {
		return nil, err
	}
	return jose.Verify(rules, k.keys, raw, k.cfg.Now())
}

func (k *feedKeys) fetch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, keysTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, k.cfg.JWKSURL, nil)
	if err != nil {
		return err
	}
	answer, err := k.cfg.HTTP.Do(r)
	if err != nil {
		return fmt.Errorf("the issuer's keys: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxKeySet))
	if err != nil || answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the issuer's keys: status %d, %w", answer.StatusCode, err)
	}
	keys, err := jose.ParseJWKS(body)
	if err != nil {
		return err
	}
	k.keys, k.asked = keys, time.Now()
	return nil
}
