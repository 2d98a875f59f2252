package sqlstore

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/ephemeral"
)

type values struct{ e engine }

// Values keeps ephemeral values in the database, for nodes without Redis.
func (s *Store) Values() ephemeral.Values { return values{s.e} }

var (
	valuePut = hot(both(`INSERT INTO ephemeral_value (id, value, expires) VALUES ($1, $2, $3)
		ON CONFLICT (id) DO UPDATE SET value = excluded.value, expires = excluded.expires`))
	valueGet  = hot(both(`SELECT value FROM ephemeral_value WHERE id = $1 AND expires > $2`))
	valueSwap = hot(both(`UPDATE ephemeral_value SET value = $3 WHERE id = $1 AND value = $2 AND expires > $4`))
	// The delete decides who spent it: of many callers one gets a row back.
	valueSpend = hot(both(`DELETE FROM ephemeral_value WHERE id = $1 AND expires > $2 RETURNING value`))
	leaseTake  = hot(both(`INSERT INTO ephemeral_lease (id, owner, expires) VALUES ($1, $2, $3)
		ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, expires = excluded.expires
		WHERE ephemeral_lease.owner = excluded.owner OR ephemeral_lease.expires <= $4`))
	sweepValues = hot(both(`DELETE FROM ephemeral_value WHERE expires <= $1`))
	sweepLeases = hot(both(`DELETE FROM ephemeral_lease WHERE expires <= $1`))
	sweepLimits = hot(both(`DELETE FROM ephemeral_limit WHERE tat <= $1`))
)

// Put stores or replaces a value.
func (s values) Put(ctx context.Context, key string, value []byte, at time.Time, life time.Duration) error {
	return s.e.write(ctx, func(q queryer) error {
		return q.later(valuePut, key, nonNil(value), micros(at.Add(life)))
	})
}

// Get reads a live value.
func (s values) Get(ctx context.Context, key string, at time.Time) (value []byte, err error) {
	var found bool
	err = s.e.read(ctx, func(q queryer) (err error) {
		found, err = q.row(valueGet, in{key, micros(at)}, &value)
		return err
	})
	return present(found, value), err
}

// present tells an empty value, which SQLite's driver reads as nil, from an absent one.
func present(found bool, value []byte) []byte {
	if !found {
		return nil
	}
	return nonNil(value)
}

// Swap replaces old by new.
func (s values) Swap(ctx context.Context, key string, old, new []byte, at time.Time) (ok bool, err error) {
	err = s.e.write(ctx, func(q queryer) error {
		n, err := q.exec(valueSwap, key, nonNil(old), nonNil(new), micros(at))
		ok = n == 1
		return err
	})
	return ok && err == nil, err
}

// Spend takes a value out.
func (s values) Spend(ctx context.Context, key string, at time.Time) ([]byte, error) {
	var value []byte
	found, err := s.e.once(ctx, valueSpend, in{key, micros(at)}, &value)
	return present(found && err == nil, value), err
}

// Lease takes or renews.
func (s values) Lease(ctx context.Context, key, owner string, at time.Time, life time.Duration) (ok bool, err error) {
	err = s.e.write(ctx, func(q queryer) error {
		n, err := q.exec(leaseTake, key, owner, micros(at.Add(life)), micros(at))
		ok = n == 1
		return err
	})
	return ok && err == nil, err
}

// Sweep deletes what expired, limits that count nothing any more included, and gives how many values and leases that were.
func (s values) Sweep(ctx context.Context, at time.Time) (n int, err error) {
	err = s.e.write(ctx, func(q queryer) error {
		n = 0
		for _, text := range []*stmt{sweepValues, sweepLeases} {
			gone, err := q.exec(text, micros(at))
			if err != nil {
				return err
			}
			n += int(gone)
		}
		return q.later(sweepLimits, micros(at))
	})
	return n, err
}
