package sqlstore

import (
	"modernc.org/libc"
	lite "modernc.org/sqlite/lib"
)

// scan copies the row that a statement stands on. STRICT tables hold in a column what its type says, so a column that does not fit its
// destination is a fault of ours.
func (h *liteHandle) scan(s uintptr, dest []any) error {
	if n := lite.Xsqlite3_column_count(h.tls, s); int(n) != len(dest) {
		return misuse("%d destinations for %d columns", len(dest), n)
	}
	for i, d := range dest {
		if !h.column(s, int32(i), d) {
			return misuse("column %d of kind %d does not fit a %T", i, lite.Xsqlite3_column_type(h.tls, s, int32(i)), d)
		}
	}
	return nil
}

// column copies one value; false when it does not fit. NULL fits pointers and bytes only.
func (h *liteHandle) column(s uintptr, i int32, dest any) bool {
	kind := lite.Xsqlite3_column_type(h.tls, s, i)
	switch d := dest.(type) {
	case *string:
		if kind == lite.SQLITE_TEXT {
			*d = string(h.bytes(s, i))
		}
		return kind == lite.SQLITE_TEXT
	case **string:
		*d = nil
		if kind == lite.SQLITE_TEXT {
			text := string(h.bytes(s, i))
			*d = &text
		}
		return kind == lite.SQLITE_TEXT || kind == lite.SQLITE_NULL
	case *[]byte:
		*d = nil
		if kind == lite.SQLITE_BLOB {
			*d = append([]byte{}, h.bytes(s, i)...)
		}
		return kind == lite.SQLITE_BLOB || kind == lite.SQLITE_NULL
	}
	return h.number(s, i, kind, dest)
}

func (h *liteHandle) number(s uintptr, i, kind int32, dest any) bool {
	v := int64(0)
	if kind == lite.SQLITE_INTEGER {
		v = lite.Xsqlite3_column_int64(h.tls, s, i)
	}
	switch d := dest.(type) {
	case *int64:
		*d = v
	case *bool:
		*d = v != 0
	case **int64:
		*d = nil
		if kind == lite.SQLITE_INTEGER {
			*d = &v
		}
		return kind == lite.SQLITE_INTEGER || kind == lite.SQLITE_NULL
	case **bool:
		*d = nil
		if kind == lite.SQLITE_INTEGER {
			yes := v != 0
			*d = &yes
		}
		return kind == lite.SQLITE_INTEGER || kind == lite.SQLITE_NULL
	default:
		return false
	}
	return kind == lite.SQLITE_INTEGER
}

// bytes is the library's own memory, good until the next step: it is copied at once. An empty value has no address.
func (h *liteHandle) bytes(s uintptr, i int32) []byte {
	p := lite.Xsqlite3_column_blob(h.tls, s, i)
	if p == 0 {
		return nil
	}
	return libc.GoBytes(p, int(lite.Xsqlite3_column_bytes(h.tls, s, i)))
}
