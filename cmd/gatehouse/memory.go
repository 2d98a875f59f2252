package main

import (
	"os"
	"runtime/debug"
)

// gcPercent collects a little more often than Go's default, so that a hash of 19 MiB that was let go does not stay resident for long.
const gcPercent = 60

// ballast is never written or read, so it takes no memory: it only counts. The live heap of a quiet server is a few MiB, and a percentage
// of that alone would have the collector run every few hundred requests and take a tenth of the processor. With it a cycle begins after
// about 15 MiB of garbage at the earliest, and large heaps are paced as without it.
var ballast []byte //nolint:unused // that it is there is its use

const ballastSize = 20 << 20

// tuneMemory leaves the operator's own GOGC alone.
func tuneMemory() {
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(gcPercent)
	ballast = make([]byte, ballastSize)
}
