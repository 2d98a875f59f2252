package credential

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

// queue bounds how many hashes run and how many callers wait. Without it a flood of logins takes 19 MiB each until the process dies.
type queue struct {
	slots   chan struct{}
	waiting atomic.Int64
	most    int64
	wait    time.Duration
}

func newQueue(parallel, most int, wait time.Duration) *queue {
	return &queue{slots: make(chan struct{}, parallel), most: int64(most), wait: wait}
}

// enter waits for a turn. The caller must call leave when done.
func (q *queue) enter(ctx context.Context) (leave func(), err error) {
	if ctx.Err() != nil {
		return nil, busy(time.Second)
	}
	select {
	case q.slots <- struct{}{}:
		return q.leave, nil
	default:
	}
	if q.waiting.Add(1) > q.most {
		q.waiting.Add(-1)
		return nil, busy(2 * time.Second)
	}
	defer q.waiting.Add(-1)
	timer := time.NewTimer(q.wait)
	defer timer.Stop()
	select {
	case q.slots <- struct{}{}:
		return q.leave, nil
	case <-timer.C:
		return nil, busy(2 * time.Second)
	case <-ctx.Done():
		return nil, busy(time.Second)
	}
}

func (q *queue) leave() { <-q.slots }

func busy(after time.Duration) error {
	return fault.New(fault.Unavailable, fault.ReasonBusy, "too many people are logging in right now, please try again").After(after)
}

type counters struct{ hashed, verified, decoys, refused atomic.Int64 }

// Stats is what exporters read.
type Stats struct {
	Hashed, Verified, Decoys int64 // finished since the start
	Refused                  int64 // sent away busy since the start
	Running, Waiting         int64 // now
}

// Stats gives the counts of now.
func (p *Passwords) Stats() Stats {
	return Stats{
		Hashed: p.count.hashed.Load(), Verified: p.count.verified.Load(), Decoys: p.count.decoys.Load(), Refused: p.count.refused.Load(),
		Running: int64(len(p.queue.slots)), Waiting: p.queue.waiting.Load(),
	}
}
