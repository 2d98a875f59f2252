package ephemeral

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

const (
	// patience bounds one call. Redis answers in well under a millisecond; whoever waits longer waits for a dead one.
	patience = time.Second
	// probeDown is how often a Redis that failed is asked again, probeUp how often one that works is looked at.
	probeDown = 250 * time.Millisecond
	probeUp   = 5 * time.Second
	// retryAfter is what callers are told meanwhile.
	retryAfter = time.Second
)

// ErrEvicts says that a Redis may throw values away when its memory is full. A one-time value or a limit that goes so is a defence that is
// switched off by whoever fills the memory.
var ErrEvicts = errors.New("this Redis may evict keys when its memory is full: set maxmemory-policy to noeviction, or maxmemory to 0")

var errDown = errors.New("redis failed a moment ago and has not answered since")

// Redis keeps values and limits in Redis or Valkey, for many nodes. Every verb is one script, or one command, and so happens whole; every
// instant comes from the caller, and a time to live in Redis is only an upper bound on the wall's time. A limit's keys share one hash tag, since
// one script charges several: in a cluster all limits stand on one shard, and values are spread.
//
// A Redis that fails costs one caller its patience: from then on every verb fails at once (fault.Unavailable) until Run has seen it work.
type Redis struct {
	cfg    RedisConfig
	option rueidis.ClientOption
	watch  chan struct{} // asks Run to look now
	opened sync.Mutex
	closed bool
	client rueidis.Client // nil until a server answered for the first time; verbs read it after ok was stored, never before

	// life changes with every connection that was made: what an answer is worth depends on who gave it. See incarnation.
	life        atomic.Int64
	ok          atomic.Int64 // the life that Run found in order; verbs work only while it is the present one
	incarnation atomic.Pointer[string]
	evicts      atomic.Bool
	calls       [len(verbs)]counters
}

// RedisConfig is where and how. URL is a redis:// or rediss:// URL that ValidateRedisURL accepts.
type RedisConfig struct {
	URL string
	Log *slog.Logger
}

var (
	_ Values  = (*Redis)(nil)
	_ Limiter = (*Redis)(nil)
)

// OpenRedis connects and looks at what it finds: a Redis that may evict is ErrEvicts. One that cannot be reached now is no error, so that a
// node can start while Redis is down: it is logged, verbs fail as Unavailable, and Run goes on trying.
func OpenRedis(ctx context.Context, cfg RedisConfig) (*Redis, error) {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	r := &Redis{cfg: cfg, watch: make(chan struct{}, 1)}
	var err error
	if r.option, err = parseRedisURL(cfg.URL); err != nil {
		return nil, err
	}
	r.option.DialCtxFn = r.dial
	switch err := r.look(ctx); {
	case errors.Is(err, ErrEvicts):
		r.Close()
		return nil, err
	case err != nil:
		cfg.Log.WarnContext(ctx, "redis cannot be reached; starting without it", "error", cause(err))
	}
	return r, nil
}

// Close ends every connection.
func (r *Redis) Close() {
	r.opened.Lock()
	defer r.opened.Unlock()
	r.closed = true
	if r.client != nil {
		r.client.Close()
	}
}

// connect gives the client, which is made when a server first answers: the library's constructor wants one.
func (r *Redis) connect() (rueidis.Client, error) {
	r.opened.Lock()
	defer r.opened.Unlock()
	if r.closed {
		return nil, rueidis.ErrClosing
	}
	if r.client == nil {
		c, err := rueidis.NewClient(r.option)
		if err != nil {
			return nil, err
		}
		r.client = c
	}
	return r.client, nil
}

// Up reports whether verbs work.
func (r *Redis) Up() bool { return r.ok.Load() == r.life.Load() && r.ok.Load() != 0 }

// Run watches over the connection until ctx ends.
func (r *Redis) Run(ctx context.Context) {
	timer := time.NewTimer(probeDown)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-r.watch:
		}
		wasUp := r.Up()
		err := r.look(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, ErrEvicts):
			if !r.evicts.Swap(true) {
				r.cfg.Log.ErrorContext(ctx, "redis is not used", "error", err.Error())
			}
		case err != nil && wasUp:
			r.cfg.Log.WarnContext(ctx, "redis does not work", "error", cause(err))
		case err == nil && !wasUp:
			r.cfg.Log.InfoContext(ctx, "redis works")
		}
		if err != nil {
			timer.Reset(probeDown)
		} else {
			timer.Reset(probeUp)
		}
	}
}

// look asks every primary who it is and whether it may evict, and opens the way for verbs when all is well.
func (r *Redis) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var found state
	client, err := r.connect()
	life := r.life.Load()
	for try := 0; err == nil && try < 3; try++ { // looking may itself make a connection
		life = r.life.Load()
		if found, err = ask(ctx, client); life == r.life.Load() {
			break
		}
	}
	if err != nil {
		r.ok.CompareAndSwap(life, 0)
		return err
	}
	if found.evicts && r.incarnation.Load() == nil {
		return ErrEvicts // never used yet: at the start, or when it first answers
	}
	if found.evicts && !r.evicts.Swap(true) {
		r.cfg.Log.ErrorContext(ctx, ErrEvicts.Error())
	}
	if !found.evicts {
		r.evicts.Store(false)
	}
	r.incarnation.Store(&found.incarnation)
	r.ok.Store(life)
	return nil
}

// fail shuts the way for verbs, unless a newer connection was made meanwhile, which Run will look at.
func (r *Redis) fail(life int64) {
	r.ok.CompareAndSwap(life, 0)
	select {
	case r.watch <- struct{}{}:
	default:
	}
}

// call runs one verb. The answer counts only if the same connections stood before and after: one that was made meanwhile may lead to a Redis
// that came back with yesterday's data, or to a replica that never saw the last writes.
func (r *Redis) call(ctx context.Context, v verb, do func(ctx context.Context, c rueidis.Client, incarnation string) error) error {
	life := r.life.Load()
	if life == 0 || r.ok.Load() != life {
		r.calls[v].refused.Add(1)
		return unavailable(errDown)
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := do(limited, r.client, *r.incarnation.Load())
	switch {
	case err == nil && r.life.Load() == life:
		r.calls[v].fine.Add(1)
		return nil
	case err == nil:
		err = errDown
	case ctx.Err() == nil && !answered(err):
		r.fail(life)
	}
	r.calls[v].failed.Add(1)
	return unavailable(err)
}

// answered reports that Redis itself refused: it is there, and says why (loading, read only, out of memory).
func answered(err error) bool {
	_, is := rueidis.IsRedisErr(err)
	return is
}

func unavailable(err error) error {
	return fault.Wrap(fault.Unavailable, fault.ReasonUnavailable, "the service is busy, please try again", errors.New(cause(err))).After(retryAfter)
}

// cause is an error's text without what Redis quotes of a command: a value may be a secret.
func cause(err error) string {
	if re, is := rueidis.IsRedisErr(err); is {
		return "redis: " + firstWord(re.Error())
	}
	return err.Error()
}
