package sqlstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// pgConn is one connection inside a verb. Statements whose outcome nobody waits for travel with the next one that matters: "begin" with the
// first statement, records with "commit".
type pgConn struct {
	ctx   context.Context
	conn  *pgx.Conn
	batch *pgx.Batch // never nil; the driver keeps one that was sent
	tx    bool       // a transaction was asked for
	sent  bool       // and has reached the server

	commits bool // what is sent next commits
	unsure  bool // it failed, and may have committed all the same
}

func (t *pgConn) begin(text string) {
	t.tx = true
	t.batch.Queue(text)
}

func (t *pgConn) exec(s *stmt, args ...any) (int64, error) {
	if err := clean(args); err != nil {
		return 0, err
	}
	tag, err := t.send(s.pg, args, nil)
	return tag.RowsAffected(), err
}

func (t *pgConn) later(s *stmt, args ...any) error {
	if err := clean(args); err != nil {
		return err
	}
	t.batch.Queue(s.pg, args...)
	return nil
}

func (t *pgConn) row(s *stmt, args in, dest ...any) (found bool, err error) {
	if err := clean(args); err != nil {
		return false, err
	}
	_, err = t.send(s.pg, args, func(rows pgx.Rows) error {
		if !rows.Next() {
			return nil
		}
		found = true
		return rows.Scan(dest...)
	})
	return found && err == nil, err
}

func (t *pgConn) each(s *stmt, args in, fn func(scan scanner) error) error {
	if err := clean(args); err != nil {
		return err
	}
	_, err := t.send(s.pg, args, func(rows pgx.Rows) error {
		for rows.Next() {
			if err := fn(rows.Scan); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// send runs text, and before it everything queued, in one round trip.
func (t *pgConn) send(text string, args []any, read func(pgx.Rows) error) (pgconn.CommandTag, error) {
	if t.batch.Len() == 0 {
		rows, err := t.conn.Query(t.ctx, text, args...)
		if err != nil {
			return pgconn.CommandTag{}, failed(err) // could not be prepared, so did not run
		}
		tag, err := drain(rows, read)
		if err != nil {
			// A statement is reported before it is committed, but a commit only after.
			err = t.lost(err, !t.tx && tag.String() == "")
		}
		return tag, err
	}
	t.batch.Queue(text, args...)
	before := t.batch.Len() - 1
	t.sent = t.sent || t.tx
	results := t.conn.SendBatch(t.ctx, t.batch)
	t.batch = &pgx.Batch{}
	for range before {
		if _, err := results.Exec(); err != nil {
			_ = results.Close()
			return pgconn.CommandTag{}, t.lost(err, true)
		}
	}
	rows, err := results.Query()
	if err != nil {
		_ = results.Close()
		return pgconn.CommandTag{}, t.lost(err, false)
	}
	tag, err := drain(rows, read)
	if closed := results.Close(); err == nil {
		err = closed
	}
	if err != nil {
		err = t.lost(err, false)
	}
	return tag, err
}

func drain(rows pgx.Rows, read func(pgx.Rows) error) (pgconn.CommandTag, error) {
	defer rows.Close()
	if read != nil {
		if err := read(rows); err != nil {
			return pgconn.CommandTag{}, failed(err)
		}
	}
	rows.Close()
	return rows.CommandTag(), failed(rows.Err())
}

// finish ends the transaction that begin asked for: with everything still queued and a commit, or with a rollback.
func (t *pgConn) finish(err error) error {
	if err == nil {
		if !t.sent && t.batch.Len() <= 1 {
			return nil // nothing was done
		}
		var tag pgconn.CommandTag
		t.commits = true
		if tag, err = t.send("commit", nil, nil); err == nil && tag.String() != "COMMIT" {
			err = misuse("a failed transaction was committed: %s", tag)
		}
	}
	if err != nil {
		t.rollback()
	}
	return failed(err)
}

// rollback frees the connection for others. The verb's own context may have ended, so it does not limit this.
func (t *pgConn) rollback() {
	if t.conn.IsClosed() || t.conn.PgConn().TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), 5*time.Second)
	defer cancel()
	_, _ = t.conn.Exec(ctx, "rollback")
}
