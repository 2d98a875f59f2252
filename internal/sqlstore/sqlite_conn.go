package sqlstore

import (
	lite "modernc.org/sqlite/lib"
)

// liteConn is one SQLite connection with every statement it has met kept prepared. It is used by one goroutine at a time. Nothing cancels a
// statement: it takes microseconds.
type liteConn struct {
	h     *liteHandle
	cache []uintptr // by stmt.number
}

var (
	beginText     = pair(`BEGIN IMMEDIATE`, `BEGIN`)
	beginViewText = both(`BEGIN`)
	commitText    = both(`COMMIT`)
	rollbackText  = both(`ROLLBACK`)
	saveText      = both(`SAVEPOINT job`)
	releaseText   = both(`RELEASE job`)
	undoText      = both(`ROLLBACK TO job`)
)

func (c *liteConn) prepared(s *stmt) (uintptr, error) {
	if c.cache == nil {
		c.cache = make([]uintptr, len(statements))
	}
	if p := c.cache[s.number]; p != 0 {
		return p, nil
	}
	p, err := c.h.prepare(s.lite)
	if err != nil {
		return 0, failed(err)
	}
	c.cache[s.number] = p
	return p, nil
}

// begin prepares s and binds args. Whoever gets a statement resets it: until then it may hold the database open.
func (c *liteConn) begin(s *stmt, args []any) (uintptr, error) {
	if err := clean(args); err != nil {
		return 0, err
	}
	p, err := c.prepared(s)
	if err != nil {
		return 0, err
	}
	return p, failed(c.h.bind(p, args))
}

func (c *liteConn) exec(s *stmt, args ...any) (int64, error) {
	p, err := c.begin(s, args)
	if err != nil {
		return 0, err
	}
	n, err := c.h.finish(p)
	c.h.reset(p)
	return n, failed(err)
}

func (c *liteConn) later(s *stmt, args ...any) error {
	_, err := c.exec(s, args...)
	return err
}

func (c *liteConn) row(s *stmt, args in, dest ...any) (bool, error) {
	p, err := c.begin(s, args)
	if err != nil {
		return false, err
	}
	found, err := c.h.step(p)
	if found {
		err = c.h.scan(p, dest)
	}
	c.h.reset(p)
	return found && err == nil, failed(err)
}

func (c *liteConn) each(s *stmt, args in, fn func(scan scanner) error) error {
	p, err := c.begin(s, args)
	if err != nil {
		return err
	}
	defer c.h.reset(p) // fn may panic
	scan := func(dest ...any) error { return c.h.scan(p, dest) }
	for {
		found, err := c.h.step(p)
		if err != nil || !found {
			return failed(err)
		}
		if err := fn(scan); err != nil {
			return failed(err)
		}
	}
}

func (c *liteConn) close() {
	for _, p := range c.cache {
		if p != 0 {
			lite.Xsqlite3_finalize(c.h.tls, p)
		}
	}
	c.h.close()
}
