//go:build gatehouse_weak

// Package weak owns the switches by which a test build can turn single defences off.
package weak

import (
	"os"
	"slices"
	"strings"
	"sync"
)

// Built reports whether this binary can be weakened at all.
const Built = true

var off = sync.OnceValue(func() []string { return strings.Split(os.Getenv("WEAK_GATEHOUSE"), ",") })

// Off reports whether the named defence is switched off.
func Off(defence string) bool { return slices.Contains(off(), defence) }
