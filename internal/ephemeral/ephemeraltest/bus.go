package ephemeraltest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/ephemeral"
)

// RunBus proves that what one node publishes wakes every node. open gives one node's end of the same bus at each call.
func RunBus(t *testing.T, nodes int, open func(t *testing.T) ephemeral.Bus) {
	var buses []ephemeral.Bus
	woken := make([]chan string, nodes)
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	t.Cleanup(func() { stop(); all.Wait() })
	for i := range nodes {
		b := open(t)
		buses, woken[i] = append(buses, b), make(chan string, 4096)
		all.Go(func() { b.Run(ctx, func(topic string) { woken[i] <- topic }) })
	}
	for i, from := range buses {
		for j := range buses {
			waitFor(t, from, woken[j], "from "+string(rune('a'+i))+" to "+string(rune('a'+j)))
		}
	}
	for range 10000 { // never blocks, and a flood is a few announcements
		buses[0].Publish(ephemeral.TopicOutbox)
	}
	if n := len(woken[0]); n > 1000 {
		t.Errorf("10000 announcements woke somebody %d times", n)
	}
}

// waitFor publishes until it arrives: announcements of before the subscription are lost, as they may be.
func waitFor(t *testing.T, from ephemeral.Bus, to <-chan string, topic string) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	patience := time.After(20 * time.Second)
	from.Publish(topic)
	for {
		select {
		case got := <-to:
			if got == topic {
				return
			}
		case <-again.C:
			from.Publish(topic)
		case <-patience:
			t.Fatalf("%s: nobody was woken", topic)
		}
	}
}
