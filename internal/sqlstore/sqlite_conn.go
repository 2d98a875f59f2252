package sqlstore

import (
	"zombiezen.com/go/sqlite"
)

// liteConn is one SQLite connection with every statement it has met kept prepared. It is used by one goroutine at a time. Nothing cancels a
// statement: it takes microseconds.
type liteConn struct {
	h     *liteHandle
	cache []*sqlite.Stmt // by stmt.number; the library's own is found by text
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

func (c *liteConn) prepared(s *stmt) (*sqlite.Stmt, error) {
	if c.cache == nil {
		c.cache = make([]*sqlite.Stmt, len(statements))
	}
	if p := c.cache[s.number]; p != nil {
		return p, nil
	}
	p, err := c.h.prepare(s.lite)
	if err != nil {
		return nil, failed(err)
	}
	c.cache[s.number] = p
	return p, nil
}

// begin prepares s and binds args. Whoever gets a statement resets it: until then it may hold the database open.
func (c *liteConn) begin(s *stmt, args []any) (*sqlite.Stmt, error) {
	if err := clean(args); err != nil {
		return nil, err
	}
	p, err := c.prepared(s)
	if err != nil {
		return nil, err
	}
	return p, failed(bind(p, args))
}

func (c *liteConn) exec(s *stmt, args ...any) (int64, error) {
	p, err := c.begin(s, args)
	if err != nil {
		return 0, err
	}
	n, err := c.h.finish(p)
	reset(p)
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
	found, err := step(p)
	if found {
		err = scan(p, dest)
	}
	reset(p)
	return found && err == nil, failed(err)
}

func (c *liteConn) each(s *stmt, args in, fn func(scan scanner) error) error {
	p, err := c.begin(s, args)
	if err != nil {
		return err
	}
	defer reset(p) // fn may panic
	one := func(dest ...any) error { return scan(p, dest) }
	for {
		found, err := step(p)
		if err != nil || !found {
			return failed(err)
		}
		if err := fn(one); err != nil {
			return failed(err)
		}
	}
}

func (c *liteConn) close() { c.h.close() }
