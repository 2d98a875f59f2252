package sqlstore

import (
	"zombiezen.com/go/sqlite"
)

// liteHandle is one connection through the low interface of zombiezen.com/go/sqlite: statements are prepared, bound, stepped and read without
// database/sql, which took as long as the queries (decision 0008). A handle is used by one goroutine at a time.
type liteHandle struct{ conn *sqlite.Conn }

// liteError is a failure that the library reports. Its text names constraints, columns and statements and never a value.
type liteError struct {
	code  sqlite.ResultCode // extended
	cause error
}

// Error is for logs.
func (e *liteError) Error() string { return e.cause.Error() }

// Unwrap gives the library's error.
func (e *liteError) Unwrap() error { return e.cause }

// fail marks an error of the library; nil stays nil.
func fail(err error) error {
	if err == nil {
		return nil
	}
	return &liteError{code: sqlite.ErrCode(err), cause: err}
}

// maxValue bounds the bytes of one value or row, far above any that is kept.
const maxValue = 64 << 20

// openHandle opens or creates a database file. The path is taken as it is, never as a URI: the flags leave that out, and with it the WAL
// mode of the library's own, which is a pragma of ours. The library turns texts in double quotes off by itself, and waits for a busy file
// without end until our pragma bounds that.
func openHandle(path string) (*liteHandle, error) {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		return nil, fail(err)
	}
	h := &liteHandle{conn: conn}
	if err := h.prime(); err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

// prime sets what every connection has.
func (h *liteHandle) prime() error {
	if err := h.conn.SetDefensive(true); err != nil {
		return fail(err)
	}
	h.conn.Limit(sqlite.LimitLength, maxValue)
	for _, p := range pragmas {
		if err := h.run("PRAGMA " + p); err != nil {
			return err
		}
	}
	return nil
}

// close frees the connection with its statements.
func (h *liteHandle) close() { _ = h.conn.Close() }

// prepare compiles a statement that lives as long as the connection.
func (h *liteHandle) prepare(text string) (*sqlite.Stmt, error) {
	s, err := h.conn.Prepare(text)
	return s, fail(err)
}

// run executes a statement without arguments to its end.
func (h *liteHandle) run(text string) error {
	s, _, err := h.conn.PrepareTransient(text)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = s.Finalize() }()
	_, err = h.finish(s)
	return err
}

// finish steps a statement to its end and gives how many rows it changed.
func (h *liteHandle) finish(s *sqlite.Stmt) (int64, error) {
	for {
		more, err := s.Step()
		if err != nil {
			return 0, fail(err)
		}
		if !more {
			return int64(h.conn.Changes()), nil
		}
	}
}

// step goes to the next row; false when there is none.
func step(s *sqlite.Stmt) (bool, error) {
	found, err := s.Step()
	return found, fail(err)
}

// reset makes a statement ready for its next use and ends its read of the database. Its result repeats the error of the last step.
func reset(s *sqlite.Stmt) { _ = s.Reset() }

// bind gives a statement all its arguments. A value that the library does not take is reported by the next step.
func bind(s *sqlite.Stmt, args []any) error {
	if n := s.BindParamCount(); n != len(args) {
		return misuse("%d arguments for a statement with %d", len(args), n)
	}
	for i, a := range args {
		switch v := a.(type) {
		case string:
			s.BindText(i+1, v)
		case []byte:
			if v == nil {
				s.BindNull(i + 1)
				break
			}
			s.BindBytes(i+1, v)
		case int64:
			s.BindInt64(i+1, v)
		case int:
			s.BindInt64(i+1, int64(v))
		case bool:
			s.BindBool(i+1, v)
		case nil:
			s.BindNull(i + 1)
		default:
			return misuse("an argument of type %T", a)
		}
	}
	return nil
}
