package server

import (
	"bytes"
	"sync"
)

// Output keeps what a process writes while a test reads it. The zero value is ready.
type Output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// String gives everything so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// Tail gives at most the last n bytes.
func (o *Output) Tail(n int) string {
	text := o.String()
	return text[max(0, len(text)-n):]
}
