// Package ephemeral owns what expires: one-time values and limits, and the bus that wakes other nodes. Three backends (in process, Redis, and
// SQL in sqlstore), one suite (ephemeraltest) for all. It does not own anything that must survive: mailbox proofs, resets and sign-ups live in
// SQL rooms.
package ephemeral

import (
	"context"
	"time"
)

// Values keeps small values for a short time. Every verb takes the instant; expiry is judged by it alone.
type Values interface {
	// Put stores a value under a new key, or replaces it.
	Put(ctx context.Context, key string, value []byte, at time.Time, life time.Duration) error
	// Get reads a live value; nil when absent or expired.
	Get(ctx context.Context, key string, at time.Time) ([]byte, error)
	// Swap replaces old by new under the same expiry, and reports whether this caller did. Of many callers exactly one wins.
	Swap(ctx context.Context, key string, old, new []byte, at time.Time) (bool, error)
	// Spend takes a live value out; nil for everybody but one.
	Spend(ctx context.Context, key string, at time.Time) ([]byte, error)
	// Lease gives the key to owner for life unless another owner holds it; the holder may renew.
	Lease(ctx context.Context, key, owner string, at time.Time, life time.Duration) (bool, error)
	// Sweep deletes what expired before at, and gives how many.
	Sweep(ctx context.Context, at time.Time) (int, error)
}

// Limit is "a burst of N, then one per Window/N" (GCRA). The zero Limit is off.
type Limit struct {
	N      int
	Window time.Duration
}

// Charge is one unit of one limit. Key holds no personal data in clear.
type Charge struct {
	Name  string // which limit, for events and metrics
	Key   string
	Limit Limit
}

// Verdict of a Spend.
type Verdict struct {
	Refused    string        // name of the limit that refused, "" when all passed
	RetryAfter time.Duration // when one unit would pass, for Refused; of several refusals the longest wait is told
}

// Limiter counts exactly: of many parallel callers no more pass than the formula allows, across nodes where the backend is shared.
type Limiter interface {
	// Take spends one unit of every charge, or of none.
	Take(ctx context.Context, charges []Charge, at time.Time) (Verdict, error)
	// GiveBack returns one unit of every charge: a success does not count against the next person in the same office.
	GiveBack(ctx context.Context, charges []Charge, at time.Time) error
}
