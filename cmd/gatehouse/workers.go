package main

import (
	"context"
	"sync"
	"time"
)

const (
	sweepEvery = time.Minute
	sweepFirst = 10 * time.Second // not while starting
	// deadKept is how long an ended session stays known, so that a late replay is answered with its reason and not as unknown.
	deadKept = 30 * 24 * time.Hour
	// codeKept is how long a spent code stays known, so that a replay ends what the code gave.
	codeKept   = 24 * time.Hour
	purgeBatch = 500
	// requestBatches is how many batches of authorization requests one round deletes: anybody can make them, and they come faster than
	// sessions end.
	requestBatches = 40
)

// startWorkers runs what works in the background until ctx ends; the channel closes when all have ended.
func (b *building) startWorkers(ctx context.Context) <-chan struct{} {
	var all sync.WaitGroup
	janitor := &janitor{b: b, Now: time.Now}
	runs := []func(context.Context){b.directory.Run, b.tokens.Run, b.mail.Run, janitor.Run, b.giveBackMemory, b.renewSecrets}
	runs = append(runs, func(ctx context.Context) { b.bus.Run(ctx, b.woken) })
	if b.redis != nil {
		runs = append(runs, b.redis.Run)
	}
	for _, run := range runs {
		all.Go(func() { run(ctx) })
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	return done
}

// janitor deletes what has expired. Several nodes may do it at once: deleting twice is harmless.
type janitor struct {
	Now func() time.Time // the machine's clock
	b   *building
}

// Run sweeps until ctx ends.
func (j *janitor) Run(ctx context.Context) {
	timer := time.NewTimer(sweepFirst)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		j.round(ctx)
		timer.Reset(sweepEvery)
	}
}

func (j *janitor) round(ctx context.Context) {
	wall := j.Now()
	if _, err := j.b.logins.Sweep(ctx, wall); err != nil {
		j.complain(ctx, "attempts, tickets and deleted users", err)
	}
	for _, t := range j.b.directory.All() {
		if _, err := j.b.store.Sessions().Purge(ctx, t.ID, t.At(wall).Add(-deadKept), purgeBatch); err != nil {
			j.complain(ctx, "ended sessions", err)
		}
		if _, err := j.b.store.SignOns().Purge(ctx, t.ID, t.At(wall).Add(-deadKept), purgeBatch); err != nil {
			j.complain(ctx, "ended sign-on sessions", err)
		}
		for range requestBatches {
			n, err := j.b.store.OAuthRequests().Purge(ctx, t.ID, t.At(wall).Add(-codeKept), purgeBatch)
			if err != nil {
				j.complain(ctx, "authorization requests and codes", err)
			}
			if n < purgeBatch {
				break
			}
		}
		if _, err := j.b.store.OAuthDevices().Purge(ctx, t.ID, t.At(wall).Add(-codeKept), purgeBatch); err != nil {
			j.complain(ctx, "device authorizations", err)
		}
		if _, err := j.b.store.OAuthOpaques().Purge(ctx, t.ID, t.At(wall).Add(-codeKept), purgeBatch); err != nil {
			j.complain(ctx, "opaque tokens", err)
		}
	}
	// One-time values live by tenants' clocks, which run ahead of the machine's if at all: nothing live is swept. Redis sweeps itself.
	if _, err := j.b.kept.Sweep(ctx, wall); err != nil {
		j.complain(ctx, "one-time values", err)
	}
}

func (j *janitor) complain(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		j.b.site.log.WarnContext(ctx, "the janitor could not delete", "what", what, "error", err.Error())
	}
}
