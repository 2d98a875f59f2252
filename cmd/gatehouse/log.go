package main

import (
	"io"
	"log/slog"
	"os"
	"runtime/debug"
)

// newLog writes JSON for machines, text with dev for the person who looks on.
func newLog(w io.Writer, dev bool) *slog.Logger {
	if dev {
		return slog.New(slog.NewTextHandler(w, nil)).With("dev", true)
	}
	return slog.New(slog.NewJSONHandler(w, nil))
}

// gcPercent collects a little more often than Go's default: the live heap of a quiet server is a few MiB, so the work is small, and a hash
// of 19 MiB that was let go does not stay resident for long.
const gcPercent = 60

// tuneMemory leaves the operator's own GOGC alone.
func tuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
