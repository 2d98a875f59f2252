package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	driver "modernc.org/sqlite"
	"zombiezen.com/go/sqlite"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

// retryAfter is what callers are told when the database cannot be reached or is overrun.
const retryAfter = time.Second

func conflict(safe string) error { return fault.New(fault.Conflict, fault.ReasonConflict, safe) }
func notFound(safe string) error { return fault.New(fault.NotFound, fault.ReasonNotFound, safe) }
func gone() error {
	return fault.New(fault.Gone, fault.ReasonGone, "this link is used, expired or unknown")
}

func unavailable(cause error) error {
	return fault.Wrap(fault.Unavailable, fault.ReasonUnavailable, "the store cannot be reached", cause).After(retryAfter)
}

// failed gives err as a fault. Faults pass unchanged.
func failed(err error) error {
	if err == nil {
		return nil
	}
	var ours *fault.Error
	if errors.As(err, &ours) {
		return err
	}
	var lite *liteError
	var migration *driver.Error
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &lite):
		return fromSQLite(lite.code, err)
	case errors.As(err, &migration):
		return fromSQLite(sqlite.ResultCode(migration.Code()), err)
	case errors.As(err, &pg):
		return fromPostgres(pg)
	case unreachable(err):
		return unavailable(err)
	}
	return fault.Wrap(fault.Internal, fault.ReasonInternal, "something went wrong on our side", err)
}

func unreachable(err error) bool {
	var dial *pgconn.ConnectError
	var wire net.Error
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &dial) || errors.As(err, &wire) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, pgx.ErrTxClosed) || pgconn.SafeToRetry(err) ||
		strings.Contains(err.Error(), "unexpected EOF") || strings.Contains(err.Error(), "conn closed") || strings.Contains(err.Error(), "closed pool")
}

// fromSQLite maps extended result codes.
func fromSQLite(code sqlite.ResultCode, err error) error {
	switch code {
	case sqlite.ResultConstraintUnique, sqlite.ResultConstraintPrimaryKey, sqlite.ResultConstraintRowID:
		return fault.Wrap(fault.Conflict, fault.ReasonConflict, "somebody else holds it", err)
	case sqlite.ResultConstraintForeignKey:
		return fault.Wrap(fault.NotFound, fault.ReasonNotFound, "it belongs to something that is not there", err)
	default:
		switch code.ToPrimary() {
		case sqlite.ResultConstraint, sqlite.ResultTooBig:
			return fault.Wrap(fault.Invalid, fault.ReasonInvalid, "a value is outside its bounds", err)
		case sqlite.ResultBusy, sqlite.ResultLocked, sqlite.ResultFull, sqlite.ResultIOErr, sqlite.ResultCantOpen, sqlite.ResultReadOnly:
			return unavailable(err)
		}
	}
	return fault.Wrap(fault.Internal, fault.ReasonInternal, "something went wrong on our side", err)
}

// fromPostgres maps SQLSTATE codes (PostgreSQL manual, appendix A). The cause is the bare code and constraint: the server's detail
// text quotes values.
func fromPostgres(err *pgconn.PgError) error {
	cause := &pgFault{code: err.Code, constraint: err.ConstraintName, message: err.Message, fatal: err.SeverityUnlocalized == "FATAL"}
	switch {
	case err.Code == "23505", err.Code == "23P01":
		return fault.Wrap(fault.Conflict, fault.ReasonConflict, "somebody else holds it", cause)
	case err.Code == "23503":
		return fault.Wrap(fault.NotFound, fault.ReasonNotFound, "it belongs to something that is not there", cause)
	case strings.HasPrefix(err.Code, "23"), strings.HasPrefix(err.Code, "22"), err.Code == "54000":
		return fault.Wrap(fault.Invalid, fault.ReasonInvalid, "a value is outside its bounds", cause)
	case again(err), strings.HasPrefix(err.Code, "08"), strings.HasPrefix(err.Code, "53"), strings.HasPrefix(err.Code, "57"),
		strings.HasPrefix(err.Code, "58"), err.Code == "25006", err.Code == "55P03":
		return unavailable(cause)
	}
	return fault.Wrap(fault.Internal, fault.ReasonInternal, "something went wrong on our side", cause)
}

// again reports a failure that means only "run it again": serialization failure, deadlock.
func again(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "40001" || pg.Code == "40P01"
	}
	var kept *pgFault
	return errors.As(err, &kept) && (kept.code == "40001" || kept.code == "40P01")
}

// pgFault is what we keep of a PostgreSQL error.
type pgFault struct {
	code, constraint, message string
	fatal                     bool // it ended the connection
}

// Error is for logs.
func (e *pgFault) Error() string { return "postgres " + e.code + " " + e.constraint + ": " + e.message }
