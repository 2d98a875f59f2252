package sqlstore

import "context"

// spanned tells Config.Span of every visit to the engine below it.
type spanned struct {
	engine
	begin func(ctx context.Context, kind string) (end func(error))
}

func (s spanned) around(ctx context.Context, kind string, visit func() error) error {
	end := s.begin(ctx, kind)
	err := visit()
	if end != nil {
		end(err)
	}
	return err
}

func (s spanned) read(ctx context.Context, fn func(q queryer) error) error {
	return s.around(ctx, "read", func() error { return s.engine.read(ctx, fn) })
}

func (s spanned) view(ctx context.Context, fn func(q queryer) error) error {
	return s.around(ctx, "view", func() error { return s.engine.view(ctx, fn) })
}

func (s spanned) write(ctx context.Context, fn func(q queryer) error) error {
	return s.around(ctx, "write", func() error { return s.engine.write(ctx, fn) })
}

func (s spanned) get(ctx context.Context, st *stmt, args in, dest ...any) (found bool, err error) {
	err = s.around(ctx, "read", func() (err error) {
		found, err = s.engine.get(ctx, st, args, dest...)
		return err
	})
	return found, err
}

func (s spanned) once(ctx context.Context, st *stmt, args in, dest ...any) (found bool, err error) {
	err = s.around(ctx, "once", func() (err error) {
		found, err = s.engine.once(ctx, st, args, dest...)
		return err
	})
	return found, err
}
