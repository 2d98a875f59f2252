package main

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// lockedBuffer is a writer that another goroutine may look at.
type lockedBuffer struct {
	mu     sync.Mutex
	b      bytes.Buffer
	writes int
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writes++
	return l.b.Write(p)
}

func (l *lockedBuffer) lines() int {
	lines, _ := l.seen()
	return lines
}

func (l *lockedBuffer) seen() (lines, writes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), "\n"), l.writes
}

func TestLogHoldsLinesForAMoment(t *testing.T) {
	for _, dev := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var out lockedBuffer
			log, stop := newLog(&out, dev)
			see := func(what string, lines, writes int) {
				t.Helper()
				if l, w := out.seen(); l != lines || w != writes {
					t.Errorf("%s: %d lines in %d writes, want %d in %d", what, l, w, lines, writes)
				}
			}
			log.Info("a")
			log.With("k", "v").Info("b")
			see("at once", 0, 0)
			time.Sleep(logDelay)
			synctest.Wait()
			see("after a moment", 2, 1)
			log.Info("c")
			log.WithGroup("g").Warn("d")
			see("a warning", 4, 2)
			log.Info("e")
			stop()
			see("stopped", 5, 3)
			log.Info("f")
			see("after the stop", 6, 4)
			time.Sleep(2 * logDelay)
		})
	}
}

func TestLogHoldsNotTooMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lockedBuffer
		log, stop := newLog(&out, false)
		for range 1000 {
			log.Info(strings.Repeat("x", 100))
		}
		if held := 1000 - out.lines(); held*100 > logHeld {
			t.Errorf("%d lines are held", held)
		}
		stop()
		if out.lines() != 1000 {
			t.Errorf("%d lines", out.lines())
		}
		time.Sleep(logDelay)
	})
}
