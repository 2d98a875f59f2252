//go:build darwin || freebsd || linux || netbsd || openbsd

package sqlstore

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

// fileLock says which process serves a SQLite file. The kernel lets go of it when the process ends, however it ends; the file itself stays,
// because removing it would let two processes each hold a lock on a file of that name.
type fileLock struct{ f *os.File }

// errLocked is the refusal when another process holds the lock.
var errLocked = fault.New(fault.Conflict, fault.ReasonConflict, "another process serves this database file")

func takeLock(path string) (*fileLock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // beside the database file that the operator named
	if err != nil {
		return nil, unavailable(err)
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errLocked
		}
		return nil, unavailable(err)
	}
	if err := f.Truncate(0); err == nil {
		_, _ = fmt.Fprintf(f, "%d\n", os.Getpid()) // for people only
	}
	return &fileLock{f: f}, nil
}

func (l *fileLock) release() {
	if l != nil && l.f != nil {
		_ = l.f.Close()
		l.f = nil
	}
}
