package ephemeral

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

// Fallback is a Limiter that counts in Second while First is Unavailable. It never waits for a dead First: Redis itself fails at once while it
// is down. The two count apart: around a switch a limit may let one more burst through, and a unit taken from one may be given back to the
// other; while either is in use it is exact across the nodes that share it.
//
// Only limits have a fallback. A one-time value that lived in two places could be spent in both.
type Fallback struct {
	First, Second Limiter

	switched atomic.Int64
}

var _ Limiter = (*Fallback)(nil)

// Switched counts the calls that Second answered.
func (f *Fallback) Switched() int64 { return f.switched.Load() }

// Take implements Limiter.
func (f *Fallback) Take(ctx context.Context, charges []Charge, at time.Time) (Verdict, error) {
	v, err := f.First.Take(ctx, charges, at)
	if !f.second(ctx, err) {
		return v, err
	}
	return f.Second.Take(ctx, charges, at)
}

// GiveBack implements Limiter.
func (f *Fallback) GiveBack(ctx context.Context, charges []Charge, at time.Time) error {
	err := f.First.GiveBack(ctx, charges, at)
	if !f.second(ctx, err) {
		return err
	}
	return f.Second.GiveBack(ctx, charges, at)
}

func (f *Fallback) second(ctx context.Context, err error) bool {
	if err == nil || ctx.Err() != nil || fault.From(err).Kind != fault.Unavailable {
		return false
	}
	f.switched.Add(1)
	return true
}
