//go:build !(darwin || freebsd || linux || netbsd || openbsd)

package sqlstore

import "github.com/gatehouse-auth/gatehouse/internal/fault"

// fileLock is not available here: serving from SQLite is refused rather than left unguarded.
type fileLock struct{}

var errLocked = fault.New(fault.Conflict, fault.ReasonConflict, "another process serves this database file")

func takeLock(string) (*fileLock, error) {
	return nil, fault.New(fault.Invalid, fault.ReasonInvalid, "SQLite cannot be served on this system: it has no file locks; use PostgreSQL")
}

func (l *fileLock) release() {}

func filePlace(string) string { return "" }
