package credential

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Bounds of what a stored hash may demand. An imported or tampered row must not be able to ask for gigabytes or minutes a login.
const (
	maxMemoryKiB = 128 << 10
	maxPasses    = 16
	maxLanes     = 16
	maxWorkKiB   = 256 << 10 // memory × passes
	minSalt      = 8
	maxSalt      = 64
	minSum       = 16
	maxSum       = 64
	maxPHC       = 320
)

const (
	saltBytes = 16
	sumBytes  = 32
)

// errPHC hides the text: it is a hash, and hashes do not belong in logs.
var errPHC = errors.New("not an argon2id hash in PHC form")

// params are argon2id's cost parameters (RFC 9106 section 3.1).
type params struct {
	memory uint32 // KiB
	passes uint32
	lanes  uint8
}

func (p params) check() error {
	switch {
	case p.lanes < 1 || p.lanes > maxLanes:
		return fmt.Errorf("argon2id lanes must be 1 to %d", maxLanes)
	case p.passes < 1 || p.passes > maxPasses:
		return fmt.Errorf("argon2id passes must be 1 to %d", maxPasses)
	case p.memory < 8*uint32(p.lanes) || p.memory > maxMemoryKiB:
		return fmt.Errorf("argon2id memory must be 8 KiB for each lane to %d KiB", maxMemoryKiB)
	case p.memory*p.passes > maxWorkKiB:
		return fmt.Errorf("argon2id memory × passes must not exceed %d KiB", maxWorkKiB)
	}
	return nil
}

// weaker reports whether p costs an attacker less than q in any respect.
func (p params) weaker(q params) bool { return p.memory < q.memory || p.passes < q.passes }

// phc is a parsed `$argon2id$v=19$m=…,t=…,p=…$salt$hash`.
type phc struct {
	params
	salt []byte
	sum  []byte
}

var b64 = base64.RawStdEncoding.Strict()

// String writes the PHC form, which parsePHC reads back.
func (h phc) String() string {
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", h.memory, h.passes, h.lanes, b64.EncodeToString(h.salt), b64.EncodeToString(h.sum))
}

// parsePHC is strict: one version, every parameter once and in this order, canonical numbers and base64, all within bounds.
func parsePHC(text string) (phc, error) {
	if len(text) > maxPHC {
		return phc{}, errPHC
	}
	part := strings.Split(text, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" || part[2] != "v=19" {
		return phc{}, errPHC
	}
	h, err := parseParams(part[3])
	if err != nil {
		return phc{}, err
	}
	var errSalt, errSum error
	h.salt, errSalt = b64.DecodeString(part[4])
	h.sum, errSum = b64.DecodeString(part[5])
	if errSalt != nil || errSum != nil || !within(len(h.salt), minSalt, maxSalt) || !within(len(h.sum), minSum, maxSum) {
		return phc{}, errPHC
	}
	if h.String() != text { // leading zeros, newlines inside base64: one hash, one text
		return phc{}, errPHC
	}
	return h, nil
}

func parseParams(text string) (phc, error) {
	var n [3]uint64
	part := strings.Split(text, ",")
	if len(part) != len(n) {
		return phc{}, errPHC
	}
	for i, name := range []string{"m=", "t=", "p="} {
		digits, found := strings.CutPrefix(part[i], name)
		v, err := strconv.ParseUint(digits, 10, 24)
		if !found || err != nil {
			return phc{}, errPHC
		}
		n[i] = v
	}
	if n[2] > maxLanes {
		return phc{}, errPHC
	}
	h := phc{params: params{memory: uint32(n[0]), passes: uint32(n[1]), lanes: uint8(n[2])}}
	if h.check() != nil {
		return phc{}, errPHC
	}
	return h, nil
}

func within(n, low, high int) bool { return n >= low && n <= high }
