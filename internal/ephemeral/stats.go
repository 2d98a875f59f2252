package ephemeral

import "sync/atomic"

type verb uint8

const (
	verbPut verb = iota
	verbGet
	verbSwap
	verbSpend
	verbLease
	verbSweep
	verbTake
	verbGiveBack
	verbPublish
)

var verbs = [...]string{"put", "get", "swap", "spend", "lease", "sweep", "take", "give_back", "publish"}

type counters struct{ fine, failed, refused atomic.Int64 }

// Stat is what became of one verb's calls since the start.
type Stat struct {
	Verb    string // one of a fixed list
	Fine    int64  // answered
	Failed  int64  // asked, and failed
	Refused int64  // not even asked, because Redis was known to be down
}

// RedisStats are figures for metrics.
type RedisStats struct {
	Up     bool
	Evicts bool // it may throw keys away, which it could not when the server started
	Verbs  []Stat
}

// Stats gives the figures of this moment.
func (r *Redis) Stats() RedisStats {
	s := RedisStats{Up: r.Up(), Evicts: r.evicts.Load()}
	for i, name := range verbs {
		c := &r.calls[i]
		s.Verbs = append(s.Verbs, Stat{Verb: name, Fine: c.fine.Load(), Failed: c.failed.Load(), Refused: c.refused.Load()})
	}
	return s
}
