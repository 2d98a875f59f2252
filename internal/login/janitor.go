package login

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// sweepBatch is how much one transaction deletes, sweepBatches how many of them one Sweep makes of a kind and tenant: a backlog must not hold
// the writer.
const (
	sweepBatch   = 500
	sweepBatches = 20
)

// Swept counts what a Sweep deleted.
type Swept struct {
	Expired int // attempts and tickets
	Users   int // erased
}

// Sweep deletes expired attempts and tickets and erases users whose time has come, each tenant by its own clock at the machine instant wall.
// One tenant's failure does not spare the others.
func (s *Service) Sweep(ctx context.Context, wall time.Time) (Swept, error) {
	var all Swept
	var faults []error
	for _, t := range s.cfg.Directory.All() {
		n, err := batches(ctx, t, wall, s.cfg.Janitor.PurgeExpired)
		all.Expired += n
		faults = append(faults, err)
		n, err = batches(ctx, t, wall, s.cfg.Users.Purge)
		all.Users += n
		faults = append(faults, err)
	}
	return all, errors.Join(faults...)
}

type purge func(ctx context.Context, tenantID string, at time.Time, limit int) (int, error)

func batches(ctx context.Context, t *tenant.Tenant, wall time.Time, f purge) (total int, err error) {
	for range sweepBatches {
		n, err := f(ctx, t.ID, t.At(wall), sweepBatch)
		total += n
		if err != nil {
			return total, fmt.Errorf("sweep of tenant %s: %w", t.ID, err)
		}
		if n < sweepBatch {
			return total, nil
		}
	}
	return total, nil
}
