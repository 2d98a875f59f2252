package ephemeral_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/ephemeral"
	"github.com/gatehouse-auth/gatehouse/internal/ephemeral/ephemeraltest"
)

func TestMemory(t *testing.T) {
	ephemeraltest.Run(t, func(*testing.T) (ephemeral.Values, ephemeral.Limiter) {
		m := ephemeral.NewMemory()
		return m, m
	})
}

// TestMemorySweepsLimits: what a flood of strangers left behind goes.
func TestMemorySweepsLimits(t *testing.T) {
	ctx, m := context.Background(), ephemeral.NewMemory()
	limit := ephemeral.Limit{N: 2, Window: time.Minute}
	for i := range 1000 {
		charge := []ephemeral.Charge{{Name: "network", Key: strconv.Itoa(i), Limit: limit}}
		if _, err := m.Take(ctx, charge, noon); err != nil {
			t.Fatal(err)
		}
	}
	if n, _ := m.Sweep(ctx, noon.Add(30*time.Second-time.Microsecond)); n != 0 {
		t.Fatalf("swept %d limits that still count", n)
	}
	if n, _ := m.Sweep(ctx, noon.Add(30*time.Second)); n != 1000 {
		t.Fatalf("swept %d of 1000", n)
	}
}

func BenchmarkMemoryTake(b *testing.B) {
	ctx, m := context.Background(), ephemeral.NewMemory()
	charges := []ephemeral.Charge{{Name: "network", Key: "8b1a9953c4611296a827abf8c47804d7", Limit: ephemeral.Limit{N: 1 << 20, Window: time.Hour}}}
	at := noon
	b.ReportAllocs()
	for b.Loop() {
		at = at.Add(time.Millisecond)
		_, _ = m.Take(ctx, charges, at)
	}
}
