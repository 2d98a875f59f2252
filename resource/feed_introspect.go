package resource

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"
)

// Bounds of asking while the feed is lost.
const (
	askTimeout = 2 * time.Second
	askKept    = time.Second // an answer serves for this long: what is promised of a live feed
	askMost    = 10_000      // answers kept
	askAtOnce  = 64          // requests under way
	maxAnswer  = 64 << 10
)

// introspection asks the issuer about tokens, each at most once a second.
type introspection struct {
	cfg  FeedConfig
	room chan struct{}

	mu      sync.Mutex
	answers map[[sha256.Size]byte]*asked
}

// asked is one question; err may be read when done is closed.
type asked struct {
	done chan struct{}
	at   time.Time
	err  error
}

func (i *introspection) begin(cfg FeedConfig) {
	i.cfg, i.room, i.answers = cfg, make(chan struct{}, askAtOnce), map[[sha256.Size]byte]*asked{}
}

// ask gives the issuer's verdict: nil, 401 for a token that is not good, or 503 when there is no answer.
func (i *introspection) ask(ctx context.Context, raw string) error {
	key := sha256.Sum256([]byte(raw))
	a, mine := i.entry(key)
	if mine {
		// Others wait for this answer as well, so the first caller's leaving does not end the question.
		go func() {
			a.err = i.post(context.WithoutCancel(ctx), raw)
			close(a.done)
		}()
	}
	select {
	case <-a.done:
		return a.err
	case <-ctx.Done():
		return errFeedLost
	}
}

func (i *introspection) entry(key [sha256.Size]byte) (a *asked, mine bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := time.Now()
	if a = i.answers[key]; a != nil && now.Sub(a.at) < askKept {
		return a, false
	}
	if len(i.answers) >= askMost {
		clear(i.answers)
	}
	a = &asked{done: make(chan struct{}), at: now}
	i.answers[key] = a
	return a, true
}

func (i *introspection) post(ctx context.Context, raw string) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	select {
	case i.room <- struct{}{}:
		defer func() { <-i.room }()
	case <-ctx.Done():
		return errFeedLost
	}
	body, err := json.Marshal(map[string]string{"token": raw})
	if err != nil {
		return errFeedLost
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, i.cfg.VerifyURL, bytes.NewReader(body))
	if err != nil {
		return errFeedLost
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(keyHeader, i.cfg.APIKey())
	answer, err := i.cfg.HTTP.Do(r)
	if err != nil {
		return errFeedLost
	}
	defer func() { _ = answer.Body.Close() }()
	var verdict struct {
		Active bool `json:"active"`
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil || answer.StatusCode != http.StatusOK || json.Unmarshal(text, &verdict) != nil {
		return errFeedLost
	}
	if !verdict.Active {
		return errRevoked
	}
	return nil
}
