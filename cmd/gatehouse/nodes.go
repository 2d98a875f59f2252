package main

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

const (
	nodeWait   = 5 * time.Second
	nodeSilent = 3 * time.Second // a node silent for so long is dead, and nobody waits for it
	nodePoll   = 20 * time.Millisecond
)

// everywhere waits until no live node is behind a version of the directory. ReasonUnavailable when some are after nodeWait: what was changed is
// changed all the same.
func (b *building) everywhere(ctx context.Context, version int64) error {
	ctx, cancel := context.WithTimeout(ctx, nodeWait)
	defer cancel()
	tick := time.NewTicker(nodePoll)
	defer tick.Stop()
	for {
		n, err := b.store.Tenants().Lagging(ctx, version, time.Now().Add(-nodeSilent))
		if err == nil && n == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fault.Wrap(fault.Unavailable, fault.ReasonUnavailable, "some node did not apply it in time; it is done all the same", err)
		case <-tick.C:
		}
	}
}
