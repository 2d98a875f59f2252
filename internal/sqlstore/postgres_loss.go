package sqlstore

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

// A restart of the server kills every connection of the pool, and each tells so only to whoever uses it next. That caller did nothing
// wrong: where it is certain that nothing was committed, its verb runs again on another connection.

// lossRetries bounds that. After the first loss older connections prove to be alive before they are handed out, so one is nearly always
// enough; the second is for a server that goes down again.
const lossRetries = 2

// idleTrust is how long a connection may lie idle and be used without a proof of life.
const idleTrust = time.Second

const lossesSeen = "gatehouse losses"

// with runs fn on a connection of the pool, and again when the connection was lost without harm.
func (e *postgresEngine) with(ctx context.Context, fn func(t *pgConn) error) error {
	for try := 0; ; try++ {
		again, err := e.borrow(ctx, fn)
		if err == nil || !again || try == lossRetries {
			return err
		}
	}
}

// borrow runs fn once; again means that the connection was lost and nothing can have been committed.
func (e *postgresEngine) borrow(ctx context.Context, fn func(t *pgConn) error) (again bool, err error) {
	c, err := e.pool.Acquire(ctx)
	if err != nil {
		return false, unavailable(err)
	}
	defer c.Release()
	t := pgConn{ctx: ctx, conn: c.Conn(), batch: &pgx.Batch{}}
	err = failed(fn(&t))
	if err == nil || !t.conn.IsClosed() || ctx.Err() != nil { // a caller who goes takes the connection along
		return false, err
	}
	e.losses.Add(1)
	return !t.unsure && fault.From(err).Kind == fault.Unavailable, err
}

// connected notes how many losses a new connection need not be doubted for.
func (e *postgresEngine) connected(_ context.Context, c *pgx.Conn) error {
	c.PgConn().CustomData()[lossesSeen] = e.losses.Load()
	return nil
}

// doubtful asks for a proof of life of connections that lay idle, or that are older than the last loss.
func (e *postgresEngine) doubtful(_ context.Context, p pgxpool.ShouldPingParams) bool {
	seen, n := p.Conn.PgConn().CustomData(), e.losses.Load()
	if known, _ := seen[lossesSeen].(int64); known != n {
		seen[lossesSeen] = n
		return true
	}
	return p.IdleDuration > idleTrust
}

// lost notes that a statement failed, and whether the server may have committed all the same. said means that it did not: the server's last
// word, a fatal error, stands in its answers before the place where a commit would be reported.
func (t *pgConn) lost(err error, said bool) error {
	err = failed(err)
	var word *pgFault
	t.unsure = t.commits && !pgconn.SafeToRetry(err) && !(said && errors.As(err, &word) && word.fatal)
	return err
}
