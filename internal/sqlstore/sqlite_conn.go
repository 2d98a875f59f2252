package sqlstore

import (
	"context"
	"database/sql"
)

// liteConn is one SQLite connection with every statement it has met kept prepared. It is used by one goroutine at a time. The driver gets
// no cancellable context: watching one costs a goroutine per statement, and a statement takes microseconds.
type liteConn struct {
	conn  *sql.Conn
	cache []*sql.Stmt // by stmt.number
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

func (c *liteConn) prepared(s *stmt) (*sql.Stmt, error) {
	if c.cache == nil {
		c.cache = make([]*sql.Stmt, len(statements))
	}
	if p := c.cache[s.number]; p != nil {
		return p, nil
	}
	p, err := c.conn.PrepareContext(context.Background(), s.lite)
	if err != nil {
		return nil, failed(err)
	}
	c.cache[s.number] = p
	return p, nil
}

func (c *liteConn) exec(s *stmt, args ...any) (int64, error) {
	if err := clean(args); err != nil {
		return 0, err
	}
	p, err := c.prepared(s) //nolint:sqlclosecheck // kept for the next call; close() ends it
	if err != nil {
		return 0, err
	}
	res, err := p.ExecContext(context.Background(), args...)
	if err != nil {
		return 0, failed(err)
	}
	n, err := res.RowsAffected()
	return n, failed(err)
}

func (c *liteConn) later(s *stmt, args ...any) error {
	_, err := c.exec(s, args...)
	return err
}

func (c *liteConn) query(s *stmt, args in) (*sql.Rows, error) {
	if err := clean(args); err != nil {
		return nil, err
	}
	p, err := c.prepared(s) //nolint:sqlclosecheck // kept for the next call; close() ends it
	if err != nil {
		return nil, err
	}
	rows, err := p.QueryContext(context.Background(), args...)
	return rows, failed(err)
}

func (c *liteConn) row(s *stmt, args in, dest ...any) (bool, error) {
	rows, err := c.query(s, args)
	if err != nil {
		return false, err
	}
	defer func() { _ = rows.Close() }()
	if !rows.Next() {
		return false, failed(rows.Err())
	}
	if err := rows.Scan(dest...); err != nil {
		return false, failed(err)
	}
	return true, failed(rows.Close())
}

func (c *liteConn) each(s *stmt, args in, fn func(scan scanner) error) error {
	rows, err := c.query(s, args)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := fn(rows.Scan); err != nil {
			return failed(err)
		}
	}
	return failed(rows.Err())
}

func (c *liteConn) close() {
	for _, p := range c.cache {
		if p != nil {
			_ = p.Close()
		}
	}
	_ = c.conn.Close()
}
