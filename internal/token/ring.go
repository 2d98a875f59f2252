package token

import (
	"context"
	"fmt"
	"slices"

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
		keys, next, err := s.readRing(ctx)
		if err != nil {
			return err
		}
		purpose, missing := firstMissing(keys)
		if !missing {
			s.ring.Replace(keys)
			return nil
		}
		if err := s.addRingKey(ctx, masters, next, purpose); err != nil {
			return err
		}
	}
	return fmt.Errorf("the ring keys could not be settled with the other nodes in %d tries", ringTries)
}

func wrapContext(id uint32, purpose string) string { return fmt.Sprintf("ring key %d %s", id, purpose) }

// readRing reads and unwraps every ring key and gives the next free id.
func (s *Service) readRing(ctx context.Context) (keys []secret.RingKey, next uint32, err error) {
	s.mu.Lock()
	masters := s.masters
	s.mu.Unlock()
	rows, err := s.store.RingKeys(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("read ring keys: %w", err)
	}
	next = 1
	for _, row := range rows {
		key, err := masters.Unwrap(wrapContext(row.ID, row.Purpose), row.Wrapped)
		if err != nil {
			return nil, 0, fmt.Errorf("ring key %d (%s) does not open; is the master key of this store among master_keys? %w", row.ID, row.Purpose, err)
		}
		next = max(next, row.ID+1)
		keys = append(keys, secret.RingKey{ID: row.ID, Purpose: secret.Purpose(row.Purpose), Key: key, Active: row.RetiredAt.IsZero()})
	}
	return keys, next, nil
}

func firstMissing(keys []secret.RingKey) (secret.Purpose, bool) {
	for _, p := range []secret.Purpose{secret.PurposeSeal, secret.PurposeMAC, secret.PurposePepper} {
		if !slices.ContainsFunc(keys, func(k secret.RingKey) bool { return k.Purpose == p && k.Active }) {
			return p, true
		}
	}
	return "", false
}

// addRingKey inserts a new key; that another node took the id first is no error.
func (s *Service) addRingKey(ctx context.Context, masters secret.Masters, id uint32, p secret.Purpose) error {
	wrapped, err := masters.Wrap(wrapContext(id, string(p)), secret.Bytes(secret.MasterSize))
	if err != nil {
		return fmt.Errorf("wrap ring key: %w", err)
	}
	row := WrappedKey{ID: id, Purpose: string(p), Wrapped: wrapped, CreatedAt: s.cfg.Now().UTC()}
	if _, err := s.store.AddRingKey(ctx, row, audit.Record{}); err != nil { // no tenant, hence no tenant's event
		return fmt.Errorf("add ring key: %w", err)
	}
	return nil
}

// refreshRing takes in ring keys that another node or an operator's command has added.
func (s *Service) refreshRing(ctx context.Context) {
	s.mu.Lock()
	known := len(s.masters) > 0
	s.mu.Unlock()
	if !known {
		return
	}
	keys, _, err := s.readRing(ctx)
	if err == nil && len(keys) > 0 {
		s.ring.Replace(keys)
	} else if err != nil && ctx.Err() == nil {
		s.cfg.Log.Error("ring keys cannot be read; using the last known", "error", err.Error())
	}
}
