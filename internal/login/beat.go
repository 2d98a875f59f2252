package login

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/weak"
)

// defaultBeat lies above what these answers take as a rule, a password's hash included.
const defaultBeat = 50 * time.Millisecond

// rhythm spaces answers that must not tell whether an address has an account: to a multiple of the beat since the request, and then up to a fifth
// of one by chance. Their work is the same, but a row that is found and an index that gets an entry cost some microseconds more than none,
// and a processor that has just sent a mail wakes faster; a stranger with a clock and a thousand tries sees that (decision 0011).
type rhythm struct {
	ticker *time.Ticker // nil for none
	chance time.Duration
}

// begin starts counting; the caller ends it.
func (s *Service) begin() rhythm {
	if s.cfg.Beat < 0 || weak.Off("beat") {
		return rhythm{}
	}
	return rhythm{ticker: time.NewTicker(s.cfg.Beat), chance: s.cfg.Beat / 5}
}

func (r rhythm) end() {
	if r.ticker != nil {
		r.ticker.Stop()
	}
}

// wait holds the answer back.
func (r rhythm) wait(ctx context.Context) {
	if r.ticker == nil {
		return
	}
	select {
	case <-r.ticker.C: // of a beat that passed during the work
	default:
	}
	r.tick(ctx)
	r.ticker.Reset(1 + r.chance*time.Duration(binary.BigEndian.Uint16(secret.Bytes(2)))>>16)
	r.tick(ctx)
}

func (r rhythm) tick(ctx context.Context) {
	select {
	case <-r.ticker.C:
	case <-ctx.Done():
	}
}
