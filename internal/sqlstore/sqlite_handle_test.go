package sqlstore

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

// Statements of these tests alone, outside of the list that other tests prepare.
var (
	handleTable = &stmt{number: 0, lite: `CREATE TABLE kept (id INTEGER PRIMARY KEY, t TEXT, b BLOB, n INTEGER) STRICT`}
	handlePut   = &stmt{number: 1, lite: numbered(`INSERT INTO kept (id, t, b, n) VALUES ($1, $3, $2, $4)`)}
	handleGet   = &stmt{number: 2, lite: numbered(`SELECT t, b, n, n FROM kept WHERE id = $1 AND $1 <> 0`)}
	handleAll   = &stmt{number: 3, lite: `SELECT id FROM kept ORDER BY id`}
	handleName  = &stmt{number: 4, lite: `SELECT "kept" FROM kept`}
)

func handle(t *testing.T) *liteConn {
	t.Helper()
	h, err := openHandle(filepath.Join(t.TempDir(), "handle.db"))
	if err != nil {
		t.Fatal(err)
	}
	c := &liteConn{h: h, cache: make([]*sqlite.Stmt, 5)}
	t.Cleanup(c.close)
	if _, err := c.exec(handleTable); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestHandleKeepsWhatItIsGiven(t *testing.T) {
	c := handle(t)
	long := strings.Repeat("ü", 300_000)
	for i, want := range []struct {
		t any
		b []byte
		n any
	}{
		{"", []byte{}, int64(0)}, {nil, nil, nil}, {"x", []byte{0, 1, 0}, true}, {long, []byte(long), int64(-1 << 63)}, {"small again", nil, false},
	} {
		id := int64(i + 1)
		if n, err := c.exec(handlePut, id, want.b, want.t, want.n); err != nil || n != 1 {
			t.Fatalf("put %d: %d %v", id, n, err)
		}
		var text *string
		var b []byte
		var n *int64
		var yes *bool
		if found, err := c.row(handleGet, in{id}, &text, &b, &n, &yes); err != nil || !found {
			t.Fatalf("get %d: %v %v", id, found, err)
		}
		if (text == nil) != (want.t == nil) || text != nil && *text != want.t {
			t.Errorf("%d: another text", id)
		}
		if !bytes.Equal(b, want.b) || (b == nil) != (want.b == nil) {
			t.Errorf("%d: other bytes", id)
		}
		if (n == nil) != (want.n == nil) || n != nil && (*yes != (*n != 0)) {
			t.Errorf("%d: number %v, %v", id, n, yes)
		}
	}
	var ids []int64
	err := c.each(handleAll, in{}, func(scan scanner) error {
		var id int64
		err := scan(&id)
		ids = append(ids, id)
		return err
	})
	if err != nil || len(ids) != 5 || ids[4] != 5 {
		t.Errorf("each: %v %v", ids, err)
	}
}

func TestHandleRefuses(t *testing.T) {
	c := handle(t)
	if _, err := c.exec(handlePut, int64(1), nil, "x", int64(1)); err != nil {
		t.Fatal(err)
	}
	var text string
	var b []byte
	var n int64
	for name, err := range map[string]error{
		"too few arguments":    exec(c, handlePut, int64(2)),
		"an odd argument":      exec(c, handlePut, int64(2), nil, 1.5, nil),
		"too few destinations": row(c, handleGet, in{int64(1)}, &text),
		"NULL for bytes only":  row(c, handleGet, in{int64(1)}, &text, &text, &n, &n),
		"text for a number":    row(c, handleGet, in{int64(1)}, &n, &b, &n, &n),
		"a text as a name":     row(c, handleName, in{}, &text),
	} {
		if fault.From(err) == nil || fault.From(err).Kind != fault.Internal {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, want := range map[string]struct {
		err  error
		kind fault.Kind
	}{
		"a taken id":       {exec(c, handlePut, int64(1), nil, nil, nil), fault.Conflict},
		"text in a number": {exec(c, handlePut, int64(2), nil, nil, "x"), fault.Invalid},
		"far too large":    {exec(c, handlePut, int64(2), make([]byte, maxValue+1), nil, nil), fault.Invalid},
	} {
		if fault.From(want.err) == nil || fault.From(want.err).Kind != want.kind {
			t.Errorf("%s: %v", name, want.err)
		}
	}
	if _, err := openHandle(filepath.Join(t.TempDir(), "missing", "x.db")); !errors.As(err, new(*liteError)) || fault.From(failed(err)).Kind != fault.Unavailable {
		t.Errorf("a file that cannot be made: %v", err)
	}
	if found, err := c.row(handleGet, in{int64(1)}, new(*string), &b, &n, &n); err != nil || !found {
		t.Errorf("after all that: %v %v", found, err)
	}
}

func exec(c *liteConn, s *stmt, args ...any) error {
	_, err := c.exec(s, args...)
	return err
}

func row(c *liteConn, s *stmt, args in, dest ...any) error {
	_, err := c.row(s, args, dest...)
	return err
}

// TestHandleIsPrimed: what durability and safety hang on is set on every connection, whatever the library's defaults are.
func TestHandleIsPrimed(t *testing.T) {
	t.Chdir(t.TempDir())
	const path = "file:odd.db?mode=memory" // a name, never a URI
	h, err := openHandle(path)
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the path was read as a URI: %v", err)
	}
	if err := h.run("PRAGMA writable_schema = ON"); err != nil { // ignored in the defensive mode
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "busy_timeout": "5000", "foreign_keys": "1", "trusted_schema": "0", "writable_schema": "0",
		"cache_size": "-16384", "temp_store": "2", "wal_autocheckpoint": "4000", "journal_size_limit": "67108864",
	} {
		s, err := h.prepare("PRAGMA " + name)
		if err != nil {
			t.Fatal(err)
		}
		found, err := step(s)
		if got := s.ColumnText(0); err != nil || !found || got != want {
			t.Errorf("%s is %q (%t, %v), want %q", name, got, found, err, want)
		}
		reset(s)
	}
	if got := h.conn.Limit(sqlite.LimitLength, -1); got != maxValue {
		t.Errorf("values may have %d bytes", got)
	}
}
