package sqlstore

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"modernc.org/libc"
	lite "modernc.org/sqlite/lib"
)

// liteHandle is one connection of SQLite's own interface. database/sql above the same library took as long as the queries: it reads name and
// declared type of every column with every row of the hot path, allocates each argument apart, and locks for sharing that never happens. A
// handle is used by one goroutine at a time, so SQLite's own mutex is off.
//
// Memory of the library lies outside of Go's heap and is reached as bytes only; no pointer of Go's is ever given to it.
type liteHandle struct {
	tls   *libc.TLS
	db    uintptr
	out   uintptr // room for one pointer that the library gives back
	arena uintptr // arguments of the statement under way; SQLite reads them where they lie
	size  int
}

// liteError is a result code of SQLite with its message, which names constraints and columns and never a value.
type liteError struct {
	code int // extended result code
	text string
}

// Error is for logs.
func (e *liteError) Error() string { return fmt.Sprintf("sqlite %d: %s", e.code, e.text) }

const (
	pointerSize = bits.UintSize / 8
	arenaSize   = 4096
)

// openHandle opens or creates a database file. The path is taken as it is, never as a URI.
func openHandle(path string) (*liteHandle, error) {
	h := &liteHandle{tls: libc.NewTLS(), size: arenaSize}
	h.out, h.arena = libc.Xcalloc(h.tls, 1, pointerSize), libc.Xmalloc(h.tls, arenaSize)
	if h.out == 0 || h.arena == 0 {
		return nil, h.abandon(lite.SQLITE_NOMEM)
	}
	name, err := libc.CString(path)
	if err != nil {
		return nil, h.abandon(lite.SQLITE_NOMEM)
	}
	defer libc.Xfree(h.tls, name)
	rc := lite.Xsqlite3_open_v2(h.tls, name, h.out, lite.SQLITE_OPEN_READWRITE|lite.SQLITE_OPEN_CREATE|lite.SQLITE_OPEN_NOMUTEX, 0)
	h.db = h.pointer()
	if rc != lite.SQLITE_OK {
		return nil, h.abandon(rc)
	}
	lite.Xsqlite3_extended_result_codes(h.tls, h.db, 1)
	for _, what := range []int32{lite.SQLITE_DBCONFIG_DQS_DML, lite.SQLITE_DBCONFIG_DQS_DDL} { // "x" is a name, never a text
		if rc := h.switchOff(what); rc != lite.SQLITE_OK {
			return nil, h.abandon(rc)
		}
	}
	for _, p := range pragmas {
		if err := h.run("PRAGMA " + p); err != nil {
			h.close()
			return nil, err
		}
	}
	return h, nil
}

// switchOff turns an option of the connection off.
func (h *liteHandle) switchOff(option int32) int32 {
	list := libc.Xmalloc(h.tls, 2*8)
	if list == 0 {
		return lite.SQLITE_NOMEM
	}
	defer libc.Xfree(h.tls, list)
	return lite.Xsqlite3_db_config(h.tls, h.db, option, libc.VaList(list, int32(0), uintptr(0)))
}

// abandon is how an open that failed ends.
func (h *liteHandle) abandon(rc int32) error {
	err := h.fail(rc)
	h.close()
	return err
}

// close frees everything but statements, which their owner has finalized.
func (h *liteHandle) close() {
	if h.db != 0 {
		lite.Xsqlite3_close_v2(h.tls, h.db)
	}
	libc.Xfree(h.tls, h.out)
	libc.Xfree(h.tls, h.arena)
	h.tls.Close()
}

// pointer reads what the library has written to out.
func (h *liteHandle) pointer() uintptr {
	b := libc.GoBytes(h.out, pointerSize)
	if pointerSize == 4 {
		return uintptr(binary.NativeEndian.Uint32(b))
	}
	return uintptr(binary.NativeEndian.Uint64(b))
}

// fail makes the error of a result code that the connection has just given.
func (h *liteHandle) fail(rc int32) error {
	text := libc.GoString(lite.Xsqlite3_errstr(h.tls, rc))
	if h.db != 0 {
		text = libc.GoString(lite.Xsqlite3_errmsg(h.tls, h.db))
	}
	return &liteError{code: int(rc), text: text}
}

// prepare compiles one statement that is kept for long.
func (h *liteHandle) prepare(text string) (uintptr, error) {
	p, err := libc.CString(text)
	if err != nil {
		return 0, h.fail(lite.SQLITE_NOMEM)
	}
	defer libc.Xfree(h.tls, p)
	rc := lite.Xsqlite3_prepare_v3(h.tls, h.db, p, -1, lite.SQLITE_PREPARE_PERSISTENT, h.out, 0)
	if rc != lite.SQLITE_OK {
		return 0, h.fail(rc)
	}
	return h.pointer(), nil
}

// run executes a statement without arguments to its end.
func (h *liteHandle) run(text string) error {
	s, err := h.prepare(text)
	if err != nil {
		return err
	}
	defer lite.Xsqlite3_finalize(h.tls, s)
	_, err = h.finish(s)
	return err
}

// finish steps a statement to its end and gives how many rows it changed.
func (h *liteHandle) finish(s uintptr) (int64, error) {
	for {
		more, err := h.step(s)
		if err != nil {
			return 0, err
		}
		if !more {
			return lite.Xsqlite3_changes64(h.tls, h.db), nil
		}
	}
}

// step goes to the next row; false when there is none.
func (h *liteHandle) step(s uintptr) (bool, error) {
	switch rc := lite.Xsqlite3_step(h.tls, s); rc {
	case lite.SQLITE_ROW:
		return true, nil
	case lite.SQLITE_DONE:
		return false, nil
	default:
		return false, h.fail(rc)
	}
}

// reset makes a statement ready for its next use and ends its read of the database. Its result repeats the error of the last step.
func (h *liteHandle) reset(s uintptr) { lite.Xsqlite3_reset(h.tls, s) }

// bind gives a statement all its arguments. They lie in the arena until the next bind; a statement that was reset reads none of them.
func (h *liteHandle) bind(s uintptr, args []any) error {
	if n := lite.Xsqlite3_bind_parameter_count(h.tls, s); int(n) != len(args) {
		return misuse("%d arguments for a statement with %d", len(args), n)
	}
	room, err := h.room(args)
	if err != nil {
		return err
	}
	used := 0
	for i, a := range args {
		rc, at := int32(lite.SQLITE_OK), int32(i+1)
		switch v := a.(type) {
		case string:
			n := copy(room[used:], v)
			rc = lite.Xsqlite3_bind_text(h.tls, s, at, h.arena+uintptr(used), int32(n), lite.SQLITE_STATIC)
			used += n
		case []byte:
			if v == nil {
				rc = lite.Xsqlite3_bind_null(h.tls, s, at)
				break
			}
			n := copy(room[used:], v)
			rc = lite.Xsqlite3_bind_blob(h.tls, s, at, h.arena+uintptr(used), int32(n), lite.SQLITE_STATIC)
			used += n
		case int64:
			rc = lite.Xsqlite3_bind_int64(h.tls, s, at, v)
		case int:
			rc = lite.Xsqlite3_bind_int64(h.tls, s, at, int64(v))
		case bool:
			rc = lite.Xsqlite3_bind_int64(h.tls, s, at, bit(v))
		case nil:
			rc = lite.Xsqlite3_bind_null(h.tls, s, at)
		default:
			return misuse("an argument of type %T", a)
		}
		if rc != lite.SQLITE_OK {
			return h.fail(rc)
		}
	}
	return nil
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// maxArguments bounds the bytes of one statement's arguments, far above any that is bound; an arena beyond maxKept is let go with the next
// statement.
const (
	maxArguments = 64 << 20
	maxKept      = 256 << 10
)

// room is the arena, made large enough for args.
func (h *liteHandle) room(args []any) ([]byte, error) {
	need := 0
	for _, a := range args {
		switch v := a.(type) {
		case string:
			need += len(v)
		case []byte:
			need += len(v)
		}
	}
	if need > maxArguments {
		return nil, &liteError{code: lite.SQLITE_TOOBIG, text: "the arguments are too large"}
	}
	if want := max(arenaSize, 2*need); need > h.size || h.size > maxKept && want <= maxKept {
		p := libc.Xmalloc(h.tls, libc.Tsize_t(want))
		if p == 0 {
			return nil, h.fail(lite.SQLITE_NOMEM)
		}
		libc.Xfree(h.tls, h.arena)
		h.arena, h.size = p, want
	}
	return libc.GoBytes(h.arena, h.size), nil
}
