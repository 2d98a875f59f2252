package sqlstore

import "context"

// telling calls revoked after each commit that wrote to the revocation feed, whichever verb it was.
type telling struct {
	engine
	revoked func()
}

func (t telling) write(ctx context.Context, fn func(q queryer) error) error {
	var wrote bool
	err := t.engine.write(ctx, func(q queryer) error {
		wrote = false // fn may run again
		return fn(&listening{queryer: q, wrote: &wrote})
	})
	if err == nil && wrote {
		t.revoked()
	}
	return err
}

// listening notices that a number of the feed was taken, without which nothing is written there.
type listening struct {
	queryer
	wrote *bool
}

func (l *listening) row(s *stmt, args in, dest ...any) (bool, error) {
	if s == revocationNext {
		*l.wrote = true
	}
	return l.queryer.row(s, args, dest...)
}
