package credential

import (
	"errors"
	"fmt"
	"runtime"
	"time"
)

// Config times and bounds password hashing. The defaults are the second of OWASP's equal choices for argon2id.
type Config struct {
	MemoryKiB uint32        // argon2id memory of one hash
	Passes    uint32        // argon2id time cost
	Lanes     uint8         // argon2id parallelism
	Parallel  int           // hashes at the same time; more than cores only takes memory
	Queue     int           // callers that may wait for a turn; the next one is refused at once
	Wait      time.Duration // how long one may wait for a turn
}

// Default is 19 MiB, two passes, one lane, as many at a time as there are cores, and 64 waiting for each.
func Default() Config {
	cores := runtime.GOMAXPROCS(0)
	return Config{MemoryKiB: 19456, Passes: 2, Lanes: 1, Parallel: cores, Queue: 64 * cores, Wait: 5 * time.Second}
}

// Validate names everything that is wrong. Parameters beyond the bounds for stored hashes are refused, since what they make could not be
// read again.
func (c Config) Validate() error {
	var faults []error
	if err := (params{memory: c.MemoryKiB, passes: c.Passes, lanes: c.Lanes}).check(); err != nil {
		faults = append(faults, err)
	}
	if c.Parallel < 1 || c.Queue < 0 || c.Wait <= 0 {
		faults = append(faults, fmt.Errorf("parallel %d, queue %d, wait %s: must be at least 1, 0 and above 0", c.Parallel, c.Queue, c.Wait))
	}
	return errors.Join(faults...)
}

func (c Config) filled() Config {
	d := Default()
	if c.MemoryKiB == 0 {
		c.MemoryKiB = d.MemoryKiB
	}
	if c.Passes == 0 {
		c.Passes = d.Passes
	}
	if c.Lanes == 0 {
		c.Lanes = d.Lanes
	}
	if c.Parallel == 0 {
		c.Parallel = d.Parallel
	}
	if c.Queue == 0 {
		c.Queue = 64 * c.Parallel
	}
	if c.Wait == 0 {
		c.Wait = d.Wait
	}
	return c
}

func (c Config) params() params {
	return params{memory: c.MemoryKiB, passes: c.Passes, lanes: c.Lanes}
}
