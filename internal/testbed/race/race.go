// Package race owns the start of many callers at one moment, for the tests of what may work only once. It does not know what they do.
package race

import (
	"sync"
	"sync/atomic"
	"testing"
)

// Callers is how many take part in a race for something that works once.
const Callers = 64

// Together runs f(0) to f(n-1), released at one moment, and returns when all are back.
func Together(n int, f func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	all.Wait()
}

// Winners runs f in Callers goroutines and counts how many said yes. An error fails the test.
func Winners(t testing.TB, f func(i int) (bool, error)) int {
	t.Helper()
	var yes atomic.Int64
	Together(Callers, func(i int) {
		won, err := f(i)
		if err != nil {
			t.Errorf("caller %d: %v", i, err)
		}
		if won {
			yes.Add(1)
		}
	})
	return int(yes.Load())
}
