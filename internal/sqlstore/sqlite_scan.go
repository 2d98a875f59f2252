package sqlstore

import (
	"zombiezen.com/go/sqlite"
)

// scan copies the row that a statement stands on. STRICT tables hold in a column what its type says, so a column that does not fit its
// destination is a fault of ours.
func scan(s *sqlite.Stmt, dest []any) error {
	if n := s.ColumnCount(); n != len(dest) {
		return misuse("%d destinations for %d columns", len(dest), n)
	}
	for i, d := range dest {
		if !column(s, i, d) {
			return misuse("column %d of kind %s does not fit a %T", i, s.ColumnType(i), d)
		}
	}
	return nil
}

// column copies one value; false when it does not fit. NULL fits pointers and bytes only.
func column(s *sqlite.Stmt, i int, dest any) bool {
	kind := s.ColumnType(i)
	switch d := dest.(type) {
	case *string:
		if kind == sqlite.TypeText {
			*d = s.ColumnText(i)
		}
		return kind == sqlite.TypeText
	case **string:
		*d = nil
		if kind == sqlite.TypeText {
			text := s.ColumnText(i)
			*d = &text
		}
		return kind == sqlite.TypeText || kind == sqlite.TypeNull
	case *[]byte:
		*d = nil
		if kind == sqlite.TypeBlob {
			*d = make([]byte, s.ColumnLen(i))
			s.ColumnBytes(i, *d)
		}
		return kind == sqlite.TypeBlob || kind == sqlite.TypeNull
	}
	return columnNumber(s, i, kind, dest)
}

func columnNumber(s *sqlite.Stmt, i int, kind sqlite.ColumnType, dest any) bool {
	v := int64(0)
	if kind == sqlite.TypeInteger {
		v = s.ColumnInt64(i)
	}
	switch d := dest.(type) {
	case *int64:
		*d = v
	case *bool:
		*d = v != 0
	case **int64:
		*d = nil
		if kind == sqlite.TypeInteger {
			*d = &v
		}
		return kind == sqlite.TypeInteger || kind == sqlite.TypeNull
	case **bool:
		*d = nil
		if kind == sqlite.TypeInteger {
			yes := v != 0
			*d = &yes
		}
		return kind == sqlite.TypeInteger || kind == sqlite.TypeNull
	default:
		return false
	}
	return kind == sqlite.TypeInteger
}
