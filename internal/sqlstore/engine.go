package sqlstore

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

// engine is one kind of database.
type engine interface {
	runner
	migrate(ctx context.Context) error
	kind() kind
	stats() Stats
	close() error
}

// runner runs verbs. A function handed to write, or to read and view on PostgreSQL, may run more than once (after a deadlock or a lost
// connection): it must set what it captures anew and touch nothing else.
type runner interface {
	// read gives a connection without a transaction: each statement sees what is committed when it begins.
	read(ctx context.Context, fn func(q queryer) error) error
	// view gives one consistent view for several statements.
	view(ctx context.Context, fn func(q queryer) error) error
	// write runs fn in one transaction. An error from fn leaves no trace. Nil means committed and durable.
	write(ctx context.Context, fn func(q queryer) error) error
	// once runs a single statement as a whole transaction and reads the row it gives.
	once(ctx context.Context, s *stmt, args in, dest ...any) (found bool, err error)
	// get reads the first row of a single statement, like read.
	get(ctx context.Context, s *stmt, args in, dest ...any) (found bool, err error)
}

type kind uint8

const (
	sqliteKind kind = iota
	postgresKind
)

// in are the arguments of a statement, $1 first. Only string, []byte, bool, int64 and nil occur, and slices of them where a statement runs
// for many callers.
type in []any

// queryer runs statements inside a verb.
type queryer interface {
	// exec runs s and gives how many rows it changed.
	exec(s *stmt, args ...any) (int64, error)
	// later runs s before the commit, perhaps together with others in one round trip. Its fault surfaces at the latest when the verb ends.
	later(s *stmt, args ...any) error
	// row reads the first row into dest; false when there is none.
	row(s *stmt, args in, dest ...any) (bool, error)
	// each calls fn once for every row. fn must not use the queryer.
	each(s *stmt, args in, fn func(scan scanner) error) error
}

type scanner func(dest ...any) error

// Joins and outer halves of statements compare "tenant_id || '' = $1": an expression no index answers. Compared plainly, a planner without
// statistics may choose to walk all of the tenant and filter by id; this way only the selective column is left to look up by, and the tenant
// is checked on what it finds.

// stmt is a statement as both engines know it.
type stmt struct {
	number   int    // index into the statement caches of SQLite connections
	lite, pg string // texts with $1 placeholders
	hot      bool
	many     *together // the form of pg for many callers at once; nil for most
}

var statements []*stmt // filled by package-level variables only, so never written while it is read

// both registers a text that both engines understand.
func both(text string) *stmt { return pair(text, text) }

// pair registers a statement whose text must differ.
func pair(lite, pg string) *stmt {
	s := &stmt{number: len(statements), lite: numbered(tidy(lite)), pg: tidy(pg)}
	statements = append(statements, s)
	return s
}

// hot marks a statement of a hot path: a test fails when either engine would answer it by reading a whole table.
func hot(s *stmt) *stmt {
	s.hot = true
	return s
}

// jointly gives a statement its form for many callers at once.
func jointly(many *together, s *stmt) *stmt {
	s.many = many
	return s
}

// numbered writes "?3" for "$3". To SQLite "$3" is a name, and gets the index of its first place in the text.
func numbered(text string) string { return strings.ReplaceAll(text, "$", "?") }

// tidy folds the layout of the source out of a text.
func tidy(text string) string { return strings.Join(strings.Fields(text), " ") }

// clean refuses text that one of the engines could not keep as it is: PostgreSQL knows no NUL and no invalid UTF-8, SQLite would cut or
// keep them, and a name that differs between engines is a way around a unique index.
func clean(args []any) error {
	for _, a := range args {
		s, ok := a.(string)
		if !ok {
			continue
		}
		if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
			return fault.New(fault.Invalid, fault.ReasonInvalid, "text must be UTF-8 without NUL")
		}
	}
	return nil
}

// misuse is a fault of ours: a statement met an argument or a state it must never meet.
func misuse(format string, args ...any) error {
	return fault.Wrap(fault.Internal, fault.ReasonInternal, "something went wrong on our side", fmt.Errorf(format, args...))
}
