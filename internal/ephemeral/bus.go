package ephemeral

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// Topics of the bus.
const (
	TopicTenants     = "tenants"     // a tenant, a client or a clock changed
	TopicOutbox      = "outbox"      // a message was written
	TopicRevocations = "revocations" // something was revoked
)

// Bus wakes whoever polls, on every node. It carries no data and no promise: a call may be lost, several may arrive as one, and one's own
// come back. What it announces stands in a table, and whoever listens polls that table all the same, only not so often.
type Bus interface {
	// Publish announces that something about topic was committed. It never blocks.
	Publish(topic string)
	// Run carries announcements until ctx ends and calls wake for each. It logs and comes back by itself after failures.
	Run(ctx context.Context, wake func(topic string))
}

// busEvery is the pause after an announcement: a flood of commits is one announcement every busEvery, not a flood of them.
const busEvery = 10 * time.Millisecond

// Pending collects announcements until somebody carries them: the part of Publish that every Bus has in common.
type Pending struct {
	mu     sync.Mutex
	topics []string
	ready  chan struct{}
}

// NewPending makes an empty one.
func NewPending() *Pending { return &Pending{ready: make(chan struct{}, 1)} }

// Publish notes a topic.
func (p *Pending) Publish(topic string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Contains(p.topics, topic) {
		p.topics = append(p.topics, topic)
	}
	select {
	case p.ready <- struct{}{}:
	default:
	}
}

// Carry hands what was published to send until ctx ends.
func (p *Pending) Carry(ctx context.Context, send func(topic string)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.ready:
		}
		p.mu.Lock()
		topics := p.topics
		p.topics = nil
		p.mu.Unlock()
		for _, t := range topics {
			send(t)
		}
		if !Pause(ctx, busEvery) {
			return
		}
	}
}

// Pause waits, and reports false when ctx ended meanwhile.
func Pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// MemoryBus is the Bus of one process alone.
type MemoryBus struct{ *Pending }

// NewMemoryBus makes one.
func NewMemoryBus() MemoryBus { return MemoryBus{NewPending()} }

// Run implements Bus.
func (b MemoryBus) Run(ctx context.Context, wake func(topic string)) { b.Carry(ctx, wake) }

// redisChannel carries announcements of every database of one Redis: publishing knows no databases, and waking somebody in vain costs one look.
const redisChannel = "gh:bus"

// RedisBus is a Bus over Redis publish and subscribe.
type RedisBus struct {
	*Pending
	redis *Redis
}

// Bus gives the bus of this Redis.
func (r *Redis) Bus() *RedisBus { return &RedisBus{NewPending(), r} }

var (
	_ Bus = MemoryBus{}
	_ Bus = (*RedisBus)(nil)
)

// Run implements Bus. While Redis is down nobody is woken but this node.
func (b *RedisBus) Run(ctx context.Context, wake func(topic string)) {
	var both sync.WaitGroup
	both.Go(func() { b.Carry(ctx, func(topic string) { b.send(ctx, topic, wake) }) })
	both.Go(func() {
		for ctx.Err() == nil {
			b.listen(ctx, wake)
			Pause(ctx, probeDown)
		}
	})
	both.Wait()
}

func (b *RedisBus) send(ctx context.Context, topic string, wake func(topic string)) {
	err := b.redis.call(ctx, verbPublish, func(ctx context.Context, c rueidis.Client, _ string) error {
		return c.Do(ctx, c.B().Publish().Channel(redisChannel).Message(topic).Build()).Error()
	})
	if err != nil {
		wake(topic)
	}
}

// listen comes back when the subscription ends: with the connection, or with ctx.
func (b *RedisBus) listen(ctx context.Context, wake func(topic string)) {
	if !b.redis.Up() {
		return
	}
	c, err := b.redis.connect()
	if err != nil {
		return
	}
	_ = c.Receive(ctx, c.B().Subscribe().Channel(redisChannel).Build(), func(m rueidis.PubSubMessage) { wake(m.Message) })
}
