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

// maxBehind is how many batches a follower may lag before it is dropped: each holds memory for as long as somebody has yet to read it.
const maxBehind = 256

// lane is the feed of one tenant while somebody follows it: a chain of batches that is signed once and read by all.
type lane struct {
	feed     *Feed
	tenantID string
	ctx      context.Context
	stop     context.CancelFunc
	done     chan struct{} // closed when nothing comes any more
	started  chan struct{} // closed when head is known
	wake     chan struct{}

	followers int // guarded by feed.mu

	mu   sync.Mutex
	head Head
	tail *link
	past map[pastKey]*past

	seq  atomic.Int64
	last atomic.Int64 // number of the newest link
	beat time.Time    // of the last batch; run's own
}

// link is a batch in the chain; next may be read when ready is closed.
type link struct {
	Batch
	number int64
	next   *link
	ready  chan struct{}
}

func newLane(f *Feed, tenantID string) *lane {
	l := &lane{
		feed: f, tenantID: tenantID, done: make(chan struct{}), started: make(chan struct{}), wake: make(chan struct{}, 1),
		tail: &link{ready: make(chan struct{})}, past: map[pastKey]*past{},
	}
	l.ctx, l.stop = context.WithCancel(f.ctx)
	return l
}

func (l *lane) ended() bool {
	select {
	case <-l.done:
		return true
	default:
		return l.ctx.Err() != nil
	}
}

func (l *lane) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// join gives where the feed stands and the link after which news are hung.
func (l *lane) join(ctx context.Context) (Head, *link, error) {
	select {
	case <-l.started:
	case <-l.done:
		return Head{}, nil, ErrEnded
	case <-ctx.Done():
		return Head{}, nil, fault.Wrap(fault.Unavailable, fault.ReasonUnavailable, "the revocations cannot be read", ctx.Err()).After(time.Second)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head, l.tail, nil
}

// errAnew ends a lane whose followers must take everything anew.
var errAnew = errors.New("the stream was named anew, or went back")

// run reads what is new until nobody follows. A look that fails hangs nothing: without signs of life followers know that they know nothing.
func (l *lane) run() {
	defer close(l.done)
	defer l.stop()
	tick := time.NewTicker(l.feed.cfg.Poll)
	defer tick.Stop()
	failures := 0
	for {
		err := l.look()
		switch {
		case l.ctx.Err() != nil:
			return
		case errors.Is(err, errAnew):
			l.feed.cfg.Log.InfoContext(l.ctx, "revocation feed begins anew", "tenant", l.tenantID, "cause", err.Error())
			return
		case err == nil:
			failures = 0
		default:
			if failures++; failures%240 == 1 {
				l.feed.cfg.Log.ErrorContext(l.ctx, "revocations cannot be read or signed; followers hear nothing", "tenant", l.tenantID, "error", err.Error())
			}
		}
		select {
		case <-l.ctx.Done():
			return
		case <-tick.C:
		case <-l.wake:
		}
	}
}

// look reads the head and hangs what is new, or a sign of life when one is due.
func (l *lane) look() error {
	f := l.feed
	ctx, cancel := context.WithTimeout(l.ctx, 5*time.Second)
	defer cancel()
	t := f.cfg.Directory.ByID(l.tenantID)
	if t == nil {
		return errAnew
	}
	asked := f.cfg.Now()
	head, err := f.cfg.Store.Head(ctx, l.tenantID)
	if err != nil {
		return err
	}
	if !l.begun() {
		l.begin(head, asked)
		return nil
	}
	l.mu.Lock()
	known := l.head
	l.mu.Unlock()
	switch {
	case head.Stream != known.Stream || head.Seq < known.Seq:
		return errAnew
	case head.Seq == known.Seq && asked.Sub(l.beat) < f.cfg.Beat-f.cfg.Poll/2:
		return nil
	}
	batches, err := f.span(ctx, t, head, known.Seq)
	if err != nil {
		return err
	}
	l.hang(head, batches)
	l.beat = asked
	return nil
}

func (l *lane) begun() bool {
	select {
	case <-l.started:
		return true
	default:
		return false
	}
}

func (l *lane) begin(head Head, at time.Time) {
	l.mu.Lock()
	l.head = head
	l.mu.Unlock()
	l.seq.Store(head.Seq)
	l.beat = at
	close(l.started)
}

func (l *lane) hang(head Head, batches []Batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range batches {
		next := &link{Batch: b, number: l.tail.number + 1, ready: make(chan struct{})}
		l.last.Store(next.number)
		l.tail.next = next
		close(l.tail.ready)
		l.tail = next
	}
	l.head = head
	l.seq.Store(head.Seq)
}

// Past batches are kept for a moment: after a restart of the server all followers ask for the same.
const (
	pastKept = 2 * time.Second
	pastMost = 8
)

type pastKey struct{ after, upTo int64 }

type past struct {
	once    sync.Once
	at      time.Time
	batches []Batch
	err     error
}

// history gives everything relevant after < n <= head, signed once for all who ask within a moment.
func (l *lane) history(ctx context.Context, t *tenant.Tenant, head Head, after int64) ([]Batch, error) {
	p := l.pastOf(pastKey{after, head.Seq})
	p.once.Do(func() {
		// Not the caller's context alone: whoever asks first may hang up while others wait.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		p.batches, p.err = l.feed.span(ctx, t, head, after)
	})
	if p.err != nil {
		l.forget(pastKey{after, head.Seq}, p)
	}
	return p.batches, p.err
}

func (l *lane) pastOf(k pastKey) *past {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.feed.cfg.Now()
	for key, p := range l.past {
		if now.Sub(p.at) > pastKept || len(l.past) >= pastMost {
			delete(l.past, key)
		}
	}
	p := l.past[k]
	if p == nil {
		p = &past{at: now}
		l.past[k] = p
	}
	return p
}

func (l *lane) forget(k pastKey, p *past) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.past[k] == p {
		delete(l.past, k)
	}
}
