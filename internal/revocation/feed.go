package revocation

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// Feed is what this node sends to followers. A tenant that nobody follows costs nothing.
type Feed struct {
	cfg    Config
	ctx    context.Context // ends with Close
	cancel context.CancelFunc

	mu        sync.Mutex
	lanes     map[string]*lane // tenants that are followed
	followers int

	signed, dropped atomic.Int64
}

// New makes a feed; Close ends it.
func New(cfg Config) *Feed {
	f := &Feed{cfg: cfg.filled(), lanes: map[string]*lane{}}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	return f
}

// Close ends every follower, so that a server that stops need not wait for them. They come back to another node, or to the next process,
// and go on where they were.
func (f *Feed) Close() { f.cancel() }

// Wake says that something was revoked. It never blocks.
func (f *Feed) Wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range f.lanes {
		l.nudge()
	}
}

// Stats gives the figures of this moment.
func (f *Feed) Stats() Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := Stats{Followers: f.followers, Batches: f.signed.Load(), Dropped: f.dropped.Load()}
	for _, l := range f.lanes {
		s.Sequence += l.seq.Load()
	}
	return s
}

// ErrEnded ends a follower: the server stops, the stream was named anew, or the follower is too slow. It may come back at once.
var ErrEnded = errors.New("the feed ended")

// Follower is one reader's place in a feed. It is used by one goroutine.
type Follower struct {
	feed  *Feed
	lane  *lane
	first []Batch // what came before it joined
	at    *link
}

// Follow begins after the number in the stream. Of another stream, or from a number that this one has not reached, everything relevant is
// given anew: the first batch then begins at 0. Errors: Unavailable, ReasonBusy when too many follow.
func (f *Feed) Follow(ctx context.Context, t *tenant.Tenant, from Head) (*Follower, error) {
	l, err := f.enter(t.ID)
	if err != nil {
		return nil, err
	}
	fl := &Follower{feed: f, lane: l}
	if err := fl.begin(ctx, t, from); err != nil {
		fl.Close()
		return nil, err
	}
	return fl, nil
}

func (fl *Follower) begin(ctx context.Context, t *tenant.Tenant, from Head) error {
	var head Head
	var err error
	if head, fl.at, err = fl.lane.join(ctx); err != nil {
		return err
	}
	after := from.Seq
	if from.Stream != head.Stream || after < 0 || after > head.Seq {
		after = 0
	}
	fl.first, err = fl.lane.history(ctx, t, head, after)
	return err
}

// Next gives the next batch, waiting for it. Errors: ctx's, and ErrEnded.
func (fl *Follower) Next(ctx context.Context) (Batch, error) {
	if len(fl.first) > 0 {
		b := fl.first[0]
		fl.first = fl.first[1:]
		return b, nil
	}
	select {
	case <-fl.at.ready:
	case <-ctx.Done():
		return Batch{}, ctx.Err()
	case <-fl.lane.done:
		return Batch{}, ErrEnded
	}
	fl.at = fl.at.next
	if fl.lane.last.Load()-fl.at.number > maxBehind {
		fl.feed.dropped.Add(1)
		return Batch{}, ErrEnded
	}
	return fl.at.Batch, nil
}

// Close lets go of the feed.
func (fl *Follower) Close() {
	f := fl.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl.lane == nil {
		return
	}
	f.followers--
	if fl.lane.followers--; fl.lane.followers == 0 {
		fl.lane.stop()
		if f.lanes[fl.lane.tenantID] == fl.lane {
			delete(f.lanes, fl.lane.tenantID)
		}
	}
	fl.lane = nil
}

// enter finds or opens the lane of a tenant and counts a follower in.
func (f *Feed) enter(tenantID string) (*lane, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ctx.Err() != nil || f.followers >= f.cfg.Followers {
		return nil, fault.New(fault.Unavailable, fault.ReasonBusy, "too many follow the revocations here").After(time.Second)
	}
	l := f.lanes[tenantID]
	if l == nil || l.ended() {
		l = newLane(f, tenantID)
		f.lanes[tenantID] = l
		go l.run()
	}
	f.followers++
	l.followers++
	return l, nil
}
