package login

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// defaultBeat lies above what these answers take as a rule, a password's hash included.
const defaultBeat = 50 * time.Millisecond

// onBeat waits for the next beat since began, and then for up to a fifth of one by chance. Answers that must not tell whether an address has an
// account go through it: their work is the same, but a row that is found and an index that gets an entry cost some microseconds more than
// none, and a processor that has just sent a mail wakes faster; a stranger with a clock and a thousand tries sees that (decision 0011).
func (s *Service) onBeat(ctx context.Context, began time.Time) {
	if s.cfg.Beat < 0 {
		return
	}
	rest := s.cfg.Beat - time.Since(began)%s.cfg.Beat
	timer := time.NewTimer(rest + chance(s.cfg.Beat/5))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// chance gives a time below most that nobody can foretell.
func chance(most time.Duration) time.Duration {
	return most * time.Duration(binary.BigEndian.Uint16(secret.Bytes(2))) >> 16
}
