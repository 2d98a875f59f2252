//go:build !gatehouse_weak

// Package weak owns the switches by which a test build can turn single defences off, so that the drill of each defence is seen to go red.
// In a normal build every switch is a constant no, and the compiler removes the branch.
package weak

// Built reports whether this binary can be weakened at all. A product never is.
const Built = false

// Off reports whether the named defence is switched off.
func Off(string) bool { return false }
