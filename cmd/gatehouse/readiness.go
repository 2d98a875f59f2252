package main

import (
	"context"
	"fmt"
	"time"
)

const (
	// maxClockOff is how far this machine's clock may be from the database's. Nodes stamp tokens and judge expiry by their own clocks: one that
	// is wrong would refuse what its neighbours issue, and tell honest people that they were logged out.
	maxClockOff = 2 * time.Second
	readyWait   = 2 * time.Second
)

// ready asks the store for a sign of life and the time. It does not wait for keys: a new tenant must not take the node out of service; nor
// for Redis, without which the node works.
func (b *building) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWait)
	defer cancel()
	off, err := b.clockOff(ctx)
	if err != nil {
		return err
	}
	if off.Abs() > maxClockOff {
		err := fmt.Errorf("this machine's clock is %v off the database's", off)
		b.site.log.ErrorContext(ctx, "not ready", "error", err.Error())
		return err
	}
	return nil
}

// clockOff is how far this machine's clock is ahead of the database's: at least so far, for the answer was on its way for a while.
func (b *building) clockOff(ctx context.Context) (time.Duration, error) {
	before := b.now()
	at, err := b.store.Clock(ctx)
	if err != nil {
		return 0, err
	}
	after := b.now()
	switch {
	case at.Before(before):
		return before.Sub(at), nil
	case at.After(after):
		return after.Sub(at), nil
	}
	return 0, nil
}
