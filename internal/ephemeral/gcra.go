package ephemeral

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// MaxWindow bounds a limit's window, so that no instant arithmetic can overflow and no row lives for ever.
const MaxWindow = 366 * 24 * time.Hour

// ErrLimit says that a limit's text cannot be used.
var ErrLimit = errors.New(`a limit reads "N/window", for example "10/1m", or "off"`)

// Off reports whether nothing is limited.
func (l Limit) Off() bool { return l.N <= 0 || l.Window <= 0 }

// Interval is the time one unit takes to come back, Window/N in the whole microseconds that storage keeps; 0 when off. Every backend
// counts with this figure, so that all of them agree to the microsecond.
func (l Limit) Interval() time.Duration {
	if l.Off() {
		return 0
	}
	return (l.Window / time.Duration(l.N)).Truncate(time.Microsecond)
}

// String is the text that ParseLimit reads.
func (l Limit) String() string {
	if l.Off() {
		return "off"
	}
	return strconv.Itoa(l.N) + "/" + l.Window.String()
}

// GCRA is the generic cell rate algorithm (ITU-T I.371) with a burst of N. tat is the theoretical arrival time kept for the key, zero for
// a new one. One unit passes iff max(tat, at) + Interval lies no more than Window ahead of at; newTAT is then to be kept. When it does
// not pass, newTAT is tat, nothing is to be kept, and retry says how long until one unit would.
func GCRA(tat, at time.Time, l Limit) (newTAT time.Time, ok bool, retry time.Duration) {
	if l.Off() {
		return tat, true, 0
	}
	next := tat
	if next.Before(at) {
		next = at
	}
	next = next.Add(l.Interval())
	if ahead := next.Sub(at); ahead > l.Window {
		return tat, false, ahead - l.Window
	}
	return next, true, 0
}

// ParseLimit reads "N/window" (window as Go writes durations: "30s", "5m", "24h") or "off", which gives the zero Limit. It refuses a limit
// whose interval is so short that whole microseconds would let more than N through at once.
func ParseLimit(text string) (Limit, error) {
	if text == "off" {
		return Limit{}, nil
	}
	count, window, found := strings.Cut(text, "/")
	if !found {
		return Limit{}, ErrLimit
	}
	n, err := strconv.ParseUint(count, 10, 31)
	if err != nil || n == 0 {
		return Limit{}, fmt.Errorf("%w: N is a whole number from 1", ErrLimit)
	}
	w, err := time.ParseDuration(window)
	if err != nil || w <= 0 || w > MaxWindow || w%time.Microsecond != 0 || window[0] == '+' {
		return Limit{}, fmt.Errorf("%w: window is a duration such as 30s, 5m or 24h", ErrLimit)
	}
	l := Limit{N: int(n), Window: w}
	if t := l.Interval(); t == 0 || time.Duration(l.N+1) <= w/t {
		return Limit{}, fmt.Errorf("%w: N is too large for the window", ErrLimit)
	}
	return l, nil
}
