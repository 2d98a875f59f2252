package sqlstore

import (
	"context"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

// postgresEngine is a pool of connections. No verb holds one connection while it asks for a second: that is how pools hang.
type postgresEngine struct {
	pool    *pgxpool.Pool
	queues  sync.Map // *stmt → *queue
	retries atomic.Int64
	losses  atomic.Int64 // connections that were found dead when they were used
	writes  atomic.Int64 // of those that may share a commit
	groups  atomic.Int64 // the commits of these
}

// maxRetries bounds how often a transaction is run again after a deadlock or serialization failure.
const maxRetries = 8

// A verb gives up after this: a server that is frozen or cut off answers nothing, not even that it is gone, and callers must not hang.
const (
	verbTime = 6 * time.Second
	viewTime = time.Minute // reads all tenants
)

func openPostgres(ctx context.Context, url string, cfg Config) (engine, error) {
	c, err := pgxpool.ParseConfig(url)
	if err != nil {
		// The parser's error quotes the URL, and the URL may hold a password.
		return nil, fault.New(fault.Invalid, fault.ReasonInvalid, "the store's PostgreSQL URL cannot be parsed")
	}
	if !strings.Contains(url, "pool_max_conns") {
		c.MaxConns = int32(max(16, 4*runtime.NumCPU()))
	}
	if cfg.MaxConns > 0 {
		c.MaxConns = int32(cfg.MaxConns)
	}
	c.MinConns = min(2, c.MaxConns)
	c.MaxConnIdleTime = 24 * time.Hour // closing idle connections makes the next burst pay for new ones
	c.MaxConnLifetime = 24 * time.Hour
	c.MaxConnLifetimeJitter = 4 * time.Hour
	c.HealthCheckPeriod = 30 * time.Second
	if c.ConnConfig.ConnectTimeout == 0 {
		c.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	for name, value := range settings {
		if _, set := c.ConnConfig.RuntimeParams[name]; !set {
			c.ConnConfig.RuntimeParams[name] = value
		}
	}
	c.ConnConfig.StatementCacheCapacity = 1024
	e := &postgresEngine{}
	c.AfterConnect, c.ShouldPing = e.connected, e.doubtful
	if e.pool, err = pgxpool.NewWithConfig(ctx, c); err != nil {
		return nil, failed(err)
	}
	return e, nil
}

// settings are those of every connection. Plans must not follow statistics: every hot statement has an index, generic plans save the
// planning, and a plan cached while a table was small must not read it whole when it has grown.
var settings = map[string]string{
	"application_name":                    "gatehouse",
	"default_transaction_isolation":       "read committed",
	"plan_cache_mode":                     "force_generic_plan",
	"enable_seqscan":                      "off",
	"enable_hashjoin":                     "off", // every join is a look-up of a few rows by their index
	"enable_mergejoin":                    "off",
	"enable_material":                     "off",
	"enable_bitmapscan":                   "off",
	"jit":                                 "off",
	"idle_in_transaction_session_timeout": "60000",
	"lock_timeout":                        "15000",
}

func (e *postgresEngine) read(ctx context.Context, fn func(q queryer) error) error {
	ctx, cancel := context.WithTimeout(ctx, verbTime)
	defer cancel()
	return e.with(ctx, func(t *pgConn) error { return fn(t) })
}

func (e *postgresEngine) view(ctx context.Context, fn func(q queryer) error) error {
	ctx, cancel := context.WithTimeout(ctx, viewTime)
	defer cancel()
	return e.with(ctx, func(t *pgConn) error {
		t.begin("begin isolation level repeatable read read only")
		return t.finish(fn(t))
	})
}

func (e *postgresEngine) write(ctx context.Context, fn func(q queryer) error) error {
	ctx, cancel := context.WithTimeout(ctx, verbTime)
	defer cancel()
	var err error
	for try := range maxRetries {
		err = e.with(ctx, func(t *pgConn) error {
			t.begin("begin")
			return t.finish(fn(t))
		})
		if err == nil || !again(err) {
			return err
		}
		e.retries.Add(1)
		if !pause(ctx, try) {
			return unavailable(ctx.Err())
		}
	}
	return err
}

// once sends one statement without begin and commit: a statement is a transaction, and costs one round trip. One that has a form for many
// may share both with others.
func (e *postgresEngine) once(ctx context.Context, s *stmt, args in, dest ...any) (bool, error) {
	if s.many != nil {
		return e.queueOf(s).do(ctx, args, dest)
	}
	return e.alone(ctx, s, args, dest...)
}

// get reads one row. A statement that has a form for many may share the round trip with others.
func (e *postgresEngine) get(ctx context.Context, s *stmt, args in, dest ...any) (bool, error) {
	if s.many != nil {
		return e.queueOf(s).do(ctx, args, dest)
	}
	return e.look(ctx, s, args, dest...)
}

func (e *postgresEngine) look(ctx context.Context, s *stmt, args in, dest ...any) (found bool, err error) {
	err = e.read(ctx, func(q queryer) (err error) {
		found, err = q.row(s, args, dest...)
		return err
	})
	return found, err
}

func (e *postgresEngine) alone(ctx context.Context, s *stmt, args in, dest ...any) (found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, verbTime)
	defer cancel()
	for try := range maxRetries {
		err = e.with(ctx, func(t *pgConn) (err error) {
			t.commits = true
			found, err = t.row(s, args, dest...)
			return err
		})
		if err == nil || !again(err) {
			return found, err
		}
		e.retries.Add(1)
		if !pause(ctx, try) {
			return false, unavailable(ctx.Err())
		}
	}
	return false, err
}

// pause waits a little longer with every try, and never in step with others.
func pause(ctx context.Context, try int) bool {
	t := time.NewTimer(time.Duration(1+rand.IntN(4<<try)) * time.Millisecond) //nolint:gosec // keeps callers apart, and keeps no secret
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (e *postgresEngine) kind() kind { return postgresKind }

func (e *postgresEngine) stats() Stats {
	s := e.pool.Stat()
	return Stats{
		Engine: "postgres", Open: int(s.TotalConns()), Busy: int(s.AcquiredConns()), Max: int(s.MaxConns()),
		Waits: s.EmptyAcquireCount(), Retries: e.retries.Load(), Writes: e.writes.Load(), Groups: e.groups.Load(),
	}
}

func (e *postgresEngine) close() error {
	e.pool.Close()
	return nil
}
