package resource

import "context"

// Feed follows the server's revocations.
type Feed struct{}

// admit reports whether a token may pass; a nil feed lets every one pass.
func (f *Feed) admit(context.Context, *Token, string) error { return nil }
