package sqlstore

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-auth/gatehouse/internal/ephemeral"
)

// busChannel is the NOTIFY channel of one database: the server keeps those of others apart.
const busChannel = "gatehouse"

// busRetry is how long a listener waits after its connection was lost.
const busRetry = time.Second

var busNotify = both(`SELECT 1 FROM (SELECT pg_notify('` + busChannel + `', $1)) AS sent`)

// Bus gives the bus of this store: LISTEN and NOTIFY on PostgreSQL; on SQLite, which one process serves, that process alone.
func (s *Store) Bus(log *slog.Logger) ephemeral.Bus {
	if e, ok := s.bare.(*postgresEngine); ok {
		return &postgresBus{Pending: ephemeral.NewPending(), e: e, log: log}
	}
	return ephemeral.NewMemoryBus()
}

// postgresBus announces in transactions of its own: a NOTIFY takes a lock of the whole server at commit, and inside the hot verbs it would make
// all of them wait for one another.
type postgresBus struct {
	*ephemeral.Pending
	e   *postgresEngine
	log *slog.Logger
}

// Run implements ephemeral.Bus.
func (b *postgresBus) Run(ctx context.Context, wake func(topic string)) {
	var all sync.WaitGroup
	all.Go(func() { b.Carry(ctx, func(topic string) { b.send(ctx, topic, wake) }) })
	all.Go(func() {
		for ctx.Err() == nil {
			if err := b.listen(ctx, wake); err != nil && ctx.Err() == nil {
				b.log.DebugContext(ctx, "the store's announcements are not heard; polling alone", "error", failed(err).Error())
			}
			ephemeral.Pause(ctx, busRetry)
		}
	})
	all.Wait()
}

func (b *postgresBus) send(ctx context.Context, topic string, wake func(topic string)) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var one int64
	err := b.e.read(ctx, func(q queryer) error {
		_, err := q.row(busNotify, in{topic}, &one)
		return err
	})
	if err != nil {
		wake(topic)
	}
}

// listen holds a connection of its own, beside the pool, until it breaks or ctx ends.
func (b *postgresBus) listen(ctx context.Context, wake func(topic string)) error {
	c, err := pgx.ConnectConfig(ctx, b.e.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = c.Close(ctx)
	}()
	if _, err := c.Exec(ctx, "LISTEN "+busChannel); err != nil {
		return err
	}
	for {
		n, err := c.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		wake(n.Payload)
	}
}
