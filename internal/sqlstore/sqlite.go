package sqlstore

import (
	"context"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

// sqlite is one database file: a handful of readers and one writer.
type sqliteEngine struct {
	path    string
	db      *sql.DB   // for migrations alone
	lock    *fileLock // nil unless owned
	readers chan *liteConn
	opened  atomic.Int64
	max     int64
	closed  chan struct{}
	writer  *writer
}

// pragmas of every connection. FULL makes a commit durable before it is answered; the sync is shared by a whole group.
var pragmas = []string{
	"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "cache_size(-16384)",
	"temp_store(MEMORY)", "wal_autocheckpoint(4000)", "journal_size_limit(67108864)", "trusted_schema(0)",
}

func openSQLite(path string, cfg Config) (engine, error) {
	path = strings.TrimPrefix(path, "//")
	if path == "" || strings.HasPrefix(path, ":") {
		return nil, fault.New(fault.Invalid, fault.ReasonInvalid, "the store's URL must name a file: sqlite:path")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, failed(err)
	}
	e := &sqliteEngine{path: path, max: int64(cfg.MaxConns), closed: make(chan struct{})}
	if e.max == 0 {
		e.max = int64(max(4, runtime.NumCPU()))
	}
	e.readers = make(chan *liteConn, e.max)
	if cfg.Own {
		if e.lock, err = takeLock(path + ".lock"); err != nil {
			return nil, err
		}
	}
	if err := e.open(); err != nil {
		_ = e.close()
		return nil, err
	}
	return e, nil
}

func (e *sqliteEngine) open() error {
	// The file holds hashes and sealed keys: nobody but its owner reads it. SQLite gives its side files the same mode.
	f, err := os.OpenFile(e.path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return unavailable(err)
	}
	_ = f.Close()
	if e.db, err = sql.Open("sqlite", liteDSN(e.path)); err != nil {
		return failed(err)
	}
	e.db.SetMaxIdleConns(0)
	c, err := e.dial()
	if err != nil {
		return err
	}
	e.writer = newWriter(c)
	return nil
}

func liteDSN(path string) string {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	q := url.Values{"_pragma": pragmas, "_txlock": {"immediate"}, "_dqs": {"0"}}
	u.RawQuery = q.Encode()
	return u.String()
}

func (e *sqliteEngine) dial() (*liteConn, error) {
	h, err := openHandle(e.path)
	if err != nil {
		return nil, failed(err)
	}
	return &liteConn{h: h}, nil
}

// borrow takes an idle reader, opens one when fewer than max are open, or waits.
func (e *sqliteEngine) borrow(ctx context.Context) (*liteConn, error) {
	select {
	case c := <-e.readers:
		return c, nil
	case <-e.closed:
		return nil, unavailable(sql.ErrConnDone)
	default:
	}
	if e.opened.Add(1) <= e.max {
		c, err := e.dial()
		if err != nil {
			e.opened.Add(-1)
		}
		return c, err
	}
	e.opened.Add(-1)
	select {
	case c := <-e.readers:
		return c, nil
	case <-e.closed:
		return nil, unavailable(sql.ErrConnDone)
	case <-ctx.Done():
		return nil, unavailable(ctx.Err())
	}
}

func (e *sqliteEngine) read(ctx context.Context, fn func(q queryer) error) error {
	if err := ctx.Err(); err != nil {
		return unavailable(err)
	}
	c, err := e.borrow(ctx)
	if err != nil {
		return err
	}
	defer func() { e.readers <- c }()
	return failed(fn(c))
}

func (e *sqliteEngine) view(ctx context.Context, fn func(q queryer) error) error {
	return e.read(ctx, func(q queryer) error {
		if _, err := q.exec(beginViewText); err != nil {
			return err
		}
		defer func() { _, _ = q.exec(rollbackText) }()
		return fn(q)
	})
}

func (e *sqliteEngine) write(ctx context.Context, fn func(q queryer) error) error {
	return e.writer.do(ctx, fn)
}

func (e *sqliteEngine) once(ctx context.Context, s *stmt, args in, dest ...any) (found bool, err error) {
	err = e.write(ctx, func(q queryer) (err error) {
		found, err = q.row(s, args, dest...)
		return err
	})
	return found, err
}

func (e *sqliteEngine) get(ctx context.Context, s *stmt, args in, dest ...any) (found bool, err error) {
	err = e.read(ctx, func(q queryer) (err error) {
		found, err = q.row(s, args, dest...)
		return err
	})
	return found, err
}

func (e *sqliteEngine) kind() kind { return sqliteKind }

func (e *sqliteEngine) stats() Stats {
	open := int(e.opened.Load())
	s := Stats{Engine: "sqlite", Open: open + 1, Busy: open - len(e.readers), Max: int(e.max) + 1}
	s.Waiting, s.Writes, s.Groups = len(e.writer.jobs), e.writer.writes.Load(), e.writer.groups.Load()
	return s
}

func (e *sqliteEngine) close() error {
	if e.writer != nil {
		e.writer.stop()
	}
	select {
	case <-e.closed:
		return nil
	default:
		close(e.closed)
	}
	var err error
	if e.db != nil {
		for range e.opened.Load() {
			(<-e.readers).close()
		}
		err = e.db.Close()
	}
	e.lock.release()
	return failed(err)
}
