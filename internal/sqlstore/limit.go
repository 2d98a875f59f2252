package sqlstore

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/ephemeral"
)

type limits struct{ e engine }

// Limits counts in the database, exactly and for all nodes.
func (s *Store) Limits() ephemeral.Limiter { return limits{s.e} }

// Every row is locked in the order of its key before it is judged, so that parallel callers neither pass together nor deadlock.
var (
	limitPeek = hot(both(`SELECT tat FROM ephemeral_limit WHERE id = $1`))
	limitHold = hot(pair(
		`SELECT tat FROM ephemeral_limit WHERE id = $1`,
		`INSERT INTO ephemeral_limit (id, tat) VALUES ($1, 0) ON CONFLICT (id) DO UPDATE SET tat = ephemeral_limit.tat RETURNING tat`))
	limitSet  = hot(both(`INSERT INTO ephemeral_limit (id, tat) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET tat = excluded.tat`))
	limitGive = hot(both(`UPDATE ephemeral_limit SET tat = tat - $2 WHERE id = $1`))
)

// counter is one charge as the table knows it.
type counter struct {
	ephemeral.Charge
	id  string
	tat int64
}

// counters gives the charges that count, ordered by key. A key charged twice is one counter charged twice.
func counters(charges []ephemeral.Charge) []counter {
	out := make([]counter, 0, len(charges))
	for _, c := range charges {
		if !c.Limit.Off() {
			out = append(out, counter{Charge: c, id: c.Name + "|" + c.Key})
		}
	}
	slices.SortStableFunc(out, func(a, b counter) int { return strings.Compare(a.id, b.id) })
	return out
}

// Take spends one unit of every charge or of none. It looks before it locks: whoever is over the limit costs no write, which is what a
// flood would make of it.
func (s limits) Take(ctx context.Context, charges []ephemeral.Charge, at time.Time) (ephemeral.Verdict, error) {
	cs := counters(charges)
	if len(cs) == 0 {
		return ephemeral.Verdict{}, nil
	}
	var v ephemeral.Verdict
	err := s.e.read(ctx, func(q queryer) (err error) {
		v, err = judge(q, limitPeek, cs, at)
		return err
	})
	if err != nil || v.Refused != "" {
		return v, err
	}
	err = s.e.write(ctx, func(q queryer) (err error) {
		if v, err = judge(q, limitHold, cs, at); err != nil || v.Refused != "" {
			return err
		}
		for i := range cs {
			if err := q.later(limitSet, cs[i].id, cs[i].tat); err != nil {
				return err
			}
		}
		return nil
	})
	return v, err
}

// judge reads every counter and sets in cs what it would become. The refusal with the longest wait is told.
func judge(q queryer, read *stmt, cs []counter, at time.Time) (ephemeral.Verdict, error) {
	var v ephemeral.Verdict
	for i := range cs {
		c := &cs[i]
		switch {
		case i > 0 && cs[i-1].id == c.id:
			c.tat = cs[i-1].tat
		default:
			c.tat = 0
			if _, err := q.row(read, in{c.id}, &c.tat); err != nil {
				return v, err
			}
		}
		next, ok, retry := ephemeral.GCRA(instant(c.tat), at, c.Limit)
		if !ok && retry > v.RetryAfter {
			v = ephemeral.Verdict{Refused: c.Name, RetryAfter: retry}
		}
		c.tat = micros(next)
	}
	return v, nil
}

// GiveBack returns one unit of every charge.
func (s limits) GiveBack(ctx context.Context, charges []ephemeral.Charge, _ time.Time) error {
	cs := counters(charges)
	if len(cs) == 0 {
		return nil
	}
	return s.e.write(ctx, func(q queryer) error {
		for i := range cs {
			if err := q.later(limitGive, cs[i].id, cs[i].Limit.Interval().Microseconds()); err != nil {
				return err
			}
		}
		return nil
	})
}
