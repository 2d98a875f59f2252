package token

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// ringTries bounds how often nodes that start together may get in each other's way.
const ringTries = 64

// EnsureRing fills the ring from the store, making the first key of each purpose. Any number of nodes may start at once: a key's id is
// the next free one of what was read, so that of several nodes one is first and the others read again. A key that no master key opens is
// an error: to go on without it would lock out whoever holds a token under it.
func (s *Service) EnsureRing(ctx context.Context, masters secret.Masters) error {
	s.mu.Lock()
	s.masters = slices.Clone(masters)
	s.mu.Unlock()
	for range ringTries {
		r, err := s.readRing(ctx)
		if err != nil {
			return err
		}
		purpose, missing := firstMissing(r.keys)
		if !missing {
			s.useRing(r)
			return nil
		}
		if _, err := s.addRingKey(ctx, masters, r.next, purpose, audit.Record{}); err != nil { // no tenant, hence no tenant's event
			return err
		}
	}
	return fmt.Errorf("the ring keys could not be settled with the other nodes in %d tries", ringTries)
}

func wrapContext(id uint32, purpose string) string { return fmt.Sprintf("ring key %d %s", id, purpose) }

// RingDelay is how long a ring key is known to every node before one uses it for new values. Nodes see a new key within a poll; one that
// could not reach the store for so long is answering nobody.
const RingDelay = 10 * time.Second

// ringRead is one reading of the ring.
type ringRead struct {
	rows []WrappedKey
	keys []secret.RingKey
	next uint32    // the next free id
	due  time.Time // when a key begins or stops being used for new values; zero: never
}

// readRing reads and unwraps every ring key.
func (s *Service) readRing(ctx context.Context) (r ringRead, err error) {
	s.mu.Lock()
	masters := s.masters
	s.mu.Unlock()
	if r.rows, err = s.store.RingKeys(ctx); err != nil {
		return r, fmt.Errorf("read ring keys: %w", err)
	}
	r.next = 1
	now := s.cfg.Now()
	for _, row := range r.rows {
		key, err := masters.Unwrap(wrapContext(row.ID, row.Purpose), row.Wrapped)
		if err != nil {
			return r, fmt.Errorf("ring key %d (%s) does not open; is the master key of this store among master_keys? %w", row.ID, row.Purpose, err)
		}
		active, due := row.state(r.rows, now)
		if !due.IsZero() && (r.due.IsZero() || due.Before(r.due)) {
			r.due = due
		}
		r.next = max(r.next, row.ID+1)
		r.keys = append(r.keys, secret.RingKey{ID: row.ID, Purpose: secret.Purpose(row.Purpose), Key: key, Active: active})
	}
	return r, nil
}

// ActiveFrom is when a ring key is first used for new values: at once when it is the first of its purpose, else when every node has had
// the time to load it. Used before, a value sealed by one node would be rubbish to another.
func (k WrappedKey) ActiveFrom(all []WrappedKey) time.Time {
	for _, o := range all {
		if o.Purpose == k.Purpose && o.ID < k.ID {
			return k.CreatedAt.Add(RingDelay)
		}
	}
	return k.CreatedAt
}

// state says whether a key is used for new values at an instant, and when that changes. The first key of a purpose has no beginning: a
// node whose clock is behind the one that made it must not be without.
func (k WrappedKey) state(all []WrappedKey, now time.Time) (active bool, due time.Time) {
	from := k.ActiveFrom(all)
	switch {
	case !k.RetiredAt.IsZero() && !now.Before(k.RetiredAt):
		return false, time.Time{}
	case from.After(k.CreatedAt) && now.Before(from):
		return false, from
	}
	return true, k.RetiredAt
}

// useRing takes a reading into use.
func (s *Service) useRing(r ringRead) {
	s.ring.Replace(r.keys)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ringLooked, s.ringDue = s.cfg.Now(), r.due
}

func firstMissing(keys []secret.RingKey) (secret.Purpose, bool) {
	for _, p := range []secret.Purpose{secret.PurposeSeal, secret.PurposeMAC, secret.PurposePepper} {
		if !slices.ContainsFunc(keys, func(k secret.RingKey) bool { return k.Purpose == p && k.Active }) {
			return p, true
		}
	}
	return "", false
}

// addRingKey inserts a new key; that another node took the id first is no error, only false.
func (s *Service) addRingKey(ctx context.Context, masters secret.Masters, id uint32, p secret.Purpose, rec audit.Record) (bool, error) {
	wrapped, err := masters.Wrap(wrapContext(id, string(p)), secret.Bytes(secret.MasterSize))
	if err != nil {
		return false, fmt.Errorf("wrap ring key: %w", err)
	}
	row := WrappedKey{ID: id, Purpose: string(p), Wrapped: wrapped, CreatedAt: s.cfg.Now().UTC().Truncate(time.Microsecond)}
	added, err := s.store.AddRingKey(ctx, row, rec)
	if err != nil {
		return false, fmt.Errorf("add ring key: %w", err)
	}
	return added, nil
}

// refreshRing takes in ring keys that another node or an operator's command has added.
func (s *Service) refreshRing(ctx context.Context) {
	s.mu.Lock()
	known := len(s.masters) > 0
	s.mu.Unlock()
	if !known {
		return
	}
	r, err := s.readRing(ctx)
	if err == nil && len(r.keys) > 0 {
		s.useRing(r)
	} else if err != nil && ctx.Err() == nil {
		s.cfg.Log.Error("ring keys cannot be read; using the last known", "error", err.Error())
	}
}

// ringTurn reports whether the ring should be read again: something in the directory changed, a key's time has come, or it is long ago.
func (s *Service) ringTurn(now time.Time) bool {
	version := s.dir.Version()
	s.mu.Lock()
	defer s.mu.Unlock()
	due := !now.Before(s.ringLooked.Add(ringEvery)) || version != s.ringVersion || !s.ringDue.IsZero() && !now.Before(s.ringDue)
	if due {
		s.ringLooked, s.ringVersion = now, version
		s.ringDue = time.Time{}
	}
	return due
}
