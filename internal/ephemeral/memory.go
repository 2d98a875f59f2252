package ephemeral

import (
	"bytes"
	"context"
	"hash/maphash"
	"math/bits"
	"sync"
	"time"
)

// shards is 64 so that a set of them is one machine word.
const shards = 64

// Memory keeps values and limits in this process alone: exact for one node, and gone with it. It starts no goroutine; a worker calls
// Sweep, and between two sweeps memory grows by what callers put. Keys stay in memory as given: hashing personal data out of them is the
// caller's duty.
type Memory struct {
	seed   maphash.Seed
	shards [shards]shard
}

type shard struct {
	mu     sync.Mutex
	values map[string]value
	limits map[limitKey]*time.Time // theoretical arrival times
	_      [64]byte                // keeps neighbours' locks off one cache line
}

type value struct {
	data    []byte
	expires time.Time
}

// limitKey: one key under two names is two limits.
type limitKey struct{ name, key string }

var (
	_ Values  = (*Memory)(nil)
	_ Limiter = (*Memory)(nil)
)

// NewMemory makes an empty one.
func NewMemory() *Memory {
	m := &Memory{seed: maphash.MakeSeed()}
	for i := range m.shards {
		m.shards[i].values = map[string]value{}
		m.shards[i].limits = map[limitKey]*time.Time{}
	}
	return m
}

func (m *Memory) index(key string) uint64 { return maphash.String(m.seed, key) % shards }

func (m *Memory) locked(key string) *shard {
	s := &m.shards[m.index(key)]
	s.mu.Lock()
	return s
}

// live gives the value under key unless it has expired. The caller holds the lock.
func (s *shard) live(key string, at time.Time) (value, bool) {
	v, ok := s.values[key]
	return v, ok && at.Before(v.expires)
}

// Put implements Values.
func (m *Memory) Put(_ context.Context, key string, data []byte, at time.Time, life time.Duration) error {
	s := m.locked(key)
	defer s.mu.Unlock()
	s.values[key] = value{data: copied(data), expires: at.Add(life)}
	return nil
}

// Get implements Values.
func (m *Memory) Get(_ context.Context, key string, at time.Time) ([]byte, error) {
	s := m.locked(key)
	defer s.mu.Unlock()
	if v, ok := s.live(key, at); ok {
		return copied(v.data), nil
	}
	return nil, nil
}

// Swap implements Values.
func (m *Memory) Swap(_ context.Context, key string, old, new []byte, at time.Time) (bool, error) {
	s := m.locked(key)
	defer s.mu.Unlock()
	v, ok := s.live(key, at)
	if !ok || !bytes.Equal(v.data, old) {
		return false, nil
	}
	s.values[key] = value{data: copied(new), expires: v.expires}
	return true, nil
}

// Spend implements Values.
func (m *Memory) Spend(_ context.Context, key string, at time.Time) ([]byte, error) {
	s := m.locked(key)
	defer s.mu.Unlock()
	v, ok := s.live(key, at)
	if !ok {
		return nil, nil
	}
	delete(s.values, key)
	return v.data, nil
}

// Lease implements Values. The owner's name is the value.
func (m *Memory) Lease(_ context.Context, key, owner string, at time.Time, life time.Duration) (bool, error) {
	s := m.locked(key)
	defer s.mu.Unlock()
	if v, ok := s.live(key, at); ok && string(v.data) != owner {
		return false, nil
	}
	s.values[key] = value{data: []byte(owner), expires: at.Add(life)}
	return true, nil
}

// Sweep implements Values, for limits too: one whose arrival time has passed is the same as none. It holds one shard at a time.
func (m *Memory) Sweep(_ context.Context, at time.Time) (int, error) {
	n := 0
	for i := range m.shards {
		n += m.shards[i].sweep(at)
	}
	return n, nil
}

func (s *shard) sweep(at time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.values) + len(s.limits)
	for k, v := range s.values {
		if !at.Before(v.expires) {
			delete(s.values, k)
		}
	}
	for k, tat := range s.limits {
		if !at.Before(*tat) {
			delete(s.limits, k)
		}
	}
	n -= len(s.values) + len(s.limits)
	if n > 0 && len(s.values) == 0 {
		s.values = map[string]value{} // a map never shrinks by itself: a flood's memory must come back
	}
	if n > 0 && len(s.limits) == 0 {
		s.limits = map[limitKey]*time.Time{}
	}
	return n
}

// Take implements Limiter. Every shard concerned is locked, in ascending order, before the first charge is looked at: so that parallel
// callers can neither see half a Take nor wait for one another in a circle. Of several refusals the longest wait is told: whoever comes
// back after a shorter one would only be refused again.
func (m *Memory) Take(_ context.Context, charges []Charge, at time.Time) (Verdict, error) {
	held := m.lockAll(charges)
	defer m.unlockAll(held)
	var few [8]time.Time // no allocation for the usual number of charges
	before := few[:0]
	var v Verdict
	for i := range charges {
		c := &charges[i]
		tat := m.arrival(c)
		next, ok, retry := GCRA(*tat, at, c.Limit)
		if !ok && retry > v.RetryAfter {
			v = Verdict{Refused: c.Name, RetryAfter: retry}
		}
		before = append(before, *tat)
		*tat = next
	}
	if v.Refused != "" {
		m.putBack(charges, before)
	}
	return v, nil
}

// putBack restores the arrival times, last first, since one limit may be charged twice in one Take.
func (m *Memory) putBack(charges []Charge, before []time.Time) {
	for i := len(charges) - 1; i >= 0; i-- {
		*m.arrival(&charges[i]) = before[i]
	}
}

// GiveBack implements Limiter.
func (m *Memory) GiveBack(_ context.Context, charges []Charge, _ time.Time) error {
	held := m.lockAll(charges)
	defer m.unlockAll(held)
	for i := range charges {
		c := &charges[i]
		if tat := m.shards[m.index(c.Key)].limits[limitKey{c.Name, c.Key}]; tat != nil {
			*tat = tat.Add(-c.Limit.Interval())
		}
	}
	return nil
}

// arrival gives the place of a charge's arrival time. The caller holds its lock.
func (m *Memory) arrival(c *Charge) *time.Time {
	s := &m.shards[m.index(c.Key)]
	k := limitKey{c.Name, c.Key}
	tat := s.limits[k]
	if tat == nil {
		tat = new(time.Time)
		if !c.Limit.Off() {
			s.limits[k] = tat
		}
	}
	return tat
}

func (m *Memory) lockAll(charges []Charge) (held uint64) {
	for i := range charges {
		held |= 1 << m.index(charges[i].Key)
	}
	for rest := held; rest != 0; rest &= rest - 1 {
		m.shards[bits.TrailingZeros64(rest)].mu.Lock()
	}
	return held
}

func (m *Memory) unlockAll(held uint64) {
	for rest := held; rest != 0; rest &= rest - 1 {
		m.shards[bits.TrailingZeros64(rest)].mu.Unlock()
	}
}

// copied never gives nil: an empty value is not an absent one.
func copied(b []byte) []byte { return append(make([]byte, 0, len(b)), b...) }
