package main

import (
	"context"
	"runtime/debug"
	"time"
)

const quietEvery = 5 * time.Second

// giveBackMemory hands memory back to the system once password hashing has paused: a hash takes 19 MiB, and left alone the runtime keeps
// what a burst of logins took for minutes.
func (b *building) giveBackMemory(ctx context.Context) {
	tick := time.NewTicker(quietEvery)
	defer tick.Stop()
	var last int64
	dirty := true // starting up leaves something too
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s := b.passwords.Stats()
		now := s.Hashed + s.Verified + s.Decoys
		switch {
		case now != last || s.Running > 0:
			last, dirty = now, true
		case dirty:
			debug.FreeOSMemory()
			dirty = false
		}
	}
}
