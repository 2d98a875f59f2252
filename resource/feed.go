package resource

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Mode says what becomes of tokens while the feed is lost: when for five seconds nothing proved that no revocation is missing.
type Mode uint8

// The modes.
const (
	// ModeIntrospect asks the issuer about each token (POST /internal/token/verify), and refuses with 503 when there is no answer.
	ModeIntrospect Mode = iota
	// ModeRefuse refuses every token with 503.
	ModeRefuse
	// ModeAcceptAndLog accepts what is not known to be revoked, and says so in the log and in Stats.
	ModeAcceptAndLog
)

// String is the mode's name in logs.
func (m Mode) String() string {
	switch m {
	case ModeIntrospect:
		return "introspect"
	case ModeRefuse:
		return "refuse"
	case ModeAcceptAndLog:
		return "accept-and-log"
	}
	return fmt.Sprintf("mode %d", uint8(m))
}

// lostAfter is how long nothing may prove that the feed is whole. The issuer gives such a sign each second.
const lostAfter = 5 * time.Second

// FeedConfig says whose revocations are followed. Issuer, HTTP and APIKey are needed.
type FeedConfig struct {
	Issuer  string        // exact iss of the tokens
	URL     string        // of the feed; Issuer + "/oauth2/revocations" when empty
	JWKSURL string        // of the issuer's keys; Issuer + "/.well-known/jwks.json" when empty
	Keys    []byte        // keys to begin with, before JWKSURL is read
	HTTP    *http.Client  // its Timeout does not bind the stream
	APIKey  func() string // an internal key of the issuer with the scope revocations:read, and tokens:verify for ModeIntrospect
	Lost    Mode
	// AllowHTTP lets the URLs be plain http: whoever can read that connection has the key.
	AllowHTTP bool
	// VerifyURL is asked in ModeIntrospect; "/internal/token/verify" beside URL when empty.
	VerifyURL string
	Skew      time.Duration    // how far the issuer's clock may differ; 30 s when 0
	Now       func() time.Time // time.Now when nil
	Log       *slog.Logger     // slog.Default() when nil
}

func (c FeedConfig) filled() (FeedConfig, error) {
	if c.Issuer == "" || c.HTTP == nil || c.APIKey == nil {
		return c, errors.New("resource: a feed needs Issuer, HTTP and APIKey")
	}
	if c.Lost > ModeAcceptAndLog {
		return c, fmt.Errorf("resource: %s is none", c.Lost)
	}
	base := strings.TrimSuffix(c.Issuer, "/")
	if c.URL == "" {
		c.URL = base + "/oauth2/revocations"
	}
	if c.JWKSURL == "" {
		c.JWKSURL = base + "/.well-known/jwks.json"
	}
	if c.VerifyURL == "" {
		c.VerifyURL = strings.TrimSuffix(c.URL, "/oauth2/revocations") + "/internal/token/verify"
	}
	for _, u := range []string{c.URL, c.JWKSURL, c.VerifyURL} {
		if !(Config{JWKSURL: u, AllowHTTP: c.AllowHTTP}).keysURL() {
			return c, fmt.Errorf("resource: %q is not an https URL (http is for loopback hosts, or AllowHTTP)", u)
		}
	}
	if c.Skew == 0 {
		c.Skew = 30 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c, nil
}

// Feed follows the revocations of one issuer, so that a token that was revoked is refused within a second without asking anybody. Run does
// the work; before the first snapshot has come, the feed is lost, and the mode applies.
type Feed struct {
	cfg  FeedConfig
	base time.Time // reference of deadline, on the monotonic clock

	set      atomic.Pointer[set]
	deadline atomic.Int64 // since base: until when nothing is missing
	ready    chan struct{}
	first    sync.Once
	running  atomic.Bool
	sweep    sync.Mutex // held by who writes to the set

	keys   *keyring
	asking introspection
	place  place // Run's own

	stats feedStats
}

// NewFeed makes a Feed. It begins to fetch the issuer's keys and waits for nothing; Run does the rest.
func NewFeed(cfg FeedConfig) (*Feed, error) {
	cfg, err := cfg.filled()
	if err != nil {
		return nil, err
	}
	f := &Feed{cfg: cfg, base: time.Now(), ready: make(chan struct{})}
	f.set.Store(newSet())
	if f.keys, err = newKeyring(Config{JWKSURL: cfg.JWKSURL, Keys: cfg.Keys, HTTP: cfg.HTTP, Now: cfg.Now, StaleFor: defaultStale}); err != nil {
		return nil, err
	}
	f.asking.begin(cfg)
	return f, nil
}

// Ready waits for the first snapshot, or gives ctx's error.
func (f *Feed) Ready(ctx context.Context) error {
	select {
	case <-f.ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// live reports whether nothing is missing.
func (f *Feed) live() bool { return int64(time.Since(f.base)) < f.deadline.Load() }

// The refusals.
var (
	errRevoked  = &Error{Status: http.StatusUnauthorized, Code: codeToken, Reason: ReasonRevoked}
	errFeedLost = &Error{Status: http.StatusServiceUnavailable, Reason: ReasonFeedLost}
)

// Reasons of refusals by a Feed.
const (
	ReasonRevoked  = "token_revoked"
	ReasonFeedLost = "revocations_unknown" // whether the token was revoked is not known
)

// admit says whether a token whose signature and claims are right may pass. A nil Feed lets all pass. While the feed is live it allocates
// nothing and asks nobody.
func (f *Feed) admit(ctx context.Context, t *Token, raw string) error {
	if f == nil {
		return nil
	}
	if f.revoked(t) {
		f.stats.refused.Add(1)
		return errRevoked
	}
	if f.live() {
		return nil
	}
	switch f.cfg.Lost {
	case ModeAcceptAndLog:
		f.stats.unchecked.Add(1)
		return nil
	case ModeIntrospect:
		f.stats.introspected.Add(1)
		return f.asking.ask(ctx, raw)
	}
	f.stats.refused.Add(1)
	return errFeedLost
}

// revoked looks the token up by everything it could be named by.
func (f *Feed) revoked(t *Token) bool {
	s := f.set.Load()
	if _, ok := s.find(bySession, t.SessionID); ok {
		return true
	}
	if _, ok := s.find(byToken, t.ID); ok {
		return true
	}
	if _, ok := s.find(byKey, t.KeyID); ok {
		return true
	}
	// A token without ep belongs to no epoch: its session or jti names it.
	if epoch, ok := s.find(bySubject, t.Subject); ok && t.Epoch > 0 && t.Epoch < epoch {
		return true
	}
	// A client that was removed may be made again; what it gets then is good.
	at, ok := s.find(byClient, t.ClientID)
	return ok && t.IssuedAt.Unix() <= at
}

type feedStats struct {
	refused, introspected, unchecked, batches, reconnects, losses atomic.Int64
	sequence                                                      atomic.Int64
}

// FeedStats are figures for metrics.
type FeedStats struct {
	Live         bool // nothing is missing; false means that Mode applies
	Mode         Mode
	Sequence     int64 // last number heard of
	Entries      int   // remembered
	Bytes        int   // that they take
	Batches      int64 // taken in
	Reconnects   int64
	Losses       int64 // times the feed was lost after it had been whole
	Refused      int64 // tokens
	Introspected int64 // tokens asked about while the feed was lost, from the cache or from the issuer
	Unchecked    int64 // tokens accepted while the feed was lost
}

// Stats gives the figures of this moment.
func (f *Feed) Stats() FeedStats {
	s := FeedStats{
		Live: f.live(), Mode: f.cfg.Lost, Sequence: f.stats.sequence.Load(), Batches: f.stats.batches.Load(),
		Reconnects: f.stats.reconnects.Load(), Losses: f.stats.losses.Load(), Refused: f.stats.refused.Load(),
		Introspected: f.stats.introspected.Load(), Unchecked: f.stats.unchecked.Load(),
	}
	s.Entries, s.Bytes = f.set.Load().size()
	return s
}
