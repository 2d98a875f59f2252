package main

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

// newLog writes JSON for machines, text with dev for the person who looks on. stop writes what is still held; lines after it are written
// at once.
func newLog(w io.Writer, dev bool) (log *slog.Logger, stop func()) {
	held := &lineBuffer{out: w}
	var h slog.Handler
	if dev {
		h = slog.NewTextHandler(held, nil).WithAttrs([]slog.Attr{slog.Bool("dev", true)})
	} else {
		h = slog.NewJSONHandler(held, nil)
	}
	return slog.New(promptHandler{h, held}), held.stop
}

const (
	logHeld  = 32 << 10 // bytes held at most
	logDelay = 200 * time.Millisecond
)

// lineBuffer holds lines for a moment and writes them together: with a line for every request, one system call each would be a good part
// of a cheap answer's whole cost. A timer runs only while something is held.
type lineBuffer struct {
	mu      sync.Mutex
	out     io.Writer
	held    []byte
	waiting bool
	stopped bool
}

// Write takes one line.
func (b *lineBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = append(b.held, line...)
	switch {
	case b.stopped || len(b.held) >= logHeld:
		return len(line), b.write()
	case !b.waiting:
		b.waiting = true
		time.AfterFunc(logDelay, b.flush)
	}
	return len(line), nil
}

func (b *lineBuffer) write() error {
	if len(b.held) == 0 {
		return nil
	}
	_, err := b.out.Write(b.held)
	b.held = b.held[:0]
	return err
}

func (b *lineBuffer) flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = false
	_ = b.write()
}

func (b *lineBuffer) stop() {
	b.flush()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
}

// promptHandler holds no warning back: it may be the last line before the process dies.
type promptHandler struct {
	slog.Handler
	held *lineBuffer
}

// Handle implements slog.Handler.
func (h promptHandler) Handle(ctx context.Context, r slog.Record) error {
	err := h.Handler.Handle(ctx, r)
	if r.Level >= slog.LevelWarn {
		h.held.flush()
	}
	return err
}

// WithAttrs implements slog.Handler.
func (h promptHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return promptHandler{h.Handler.WithAttrs(attrs), h.held}
}

// WithGroup implements slog.Handler.
func (h promptHandler) WithGroup(name string) slog.Handler {
	return promptHandler{h.Handler.WithGroup(name), h.held}
}
