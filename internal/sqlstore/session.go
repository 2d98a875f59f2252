package sqlstore

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

type sessions struct{ e engine }

// Sessions is the session room's store.
func (s *Store) Sessions() session.Store { return sessions{s.e} }

var (
	// The share lock makes an open wait for a disable, delete or epoch raise that is under way, and then look again.
	userGuard = hot(pair(
		`SELECT 1 FROM app_user WHERE tenant_id = $1 AND id = $2 AND status = 'active' AND epoch = $3`,
		`SELECT 1 FROM app_user WHERE tenant_id = $1 AND id = $2 AND status = 'active' AND epoch = $3 FOR SHARE`))
	// Likewise for the session it is handed off from: an open cannot slip past a revoke of its parent.
	parentGuard = hot(pair(
		`SELECT 1 FROM session WHERE tenant_id = $1 AND id = $2 AND revoked_at = 0 AND dead_at > $3`,
		`SELECT 1 FROM session WHERE tenant_id = $1 AND id = $2 AND revoked_at = 0 AND dead_at > $3 FOR SHARE`))
	sessionPut   = hot(both(`INSERT INTO session (` + sessionColumns + `) VALUES (` + placeholders(sessionWidth) + `)`))
	sessionTouch = hot(both(`UPDATE session SET last_seen = $4
		WHERE tenant_id = $1 AND id = $2 AND version = $3 AND revoked_at = 0`))
	sessionGuard = jointly(guardTogether,
		hot(both(`SELECT 1 FROM session WHERE tenant_id = $1 AND id = $2 AND version = $3 AND revoked_at = 0`)))
	sessionPage = hot(both(`SELECT ` + sessionColumns + ` FROM session WHERE tenant_id = $1 AND subject = $2 AND id < $3
		AND revoked_at = 0 AND (idle_expiry = 0 OR idle_expiry > $4) AND (absolute_expiry = 0 OR absolute_expiry > $4)
		ORDER BY id DESC LIMIT $5`))
	sessionPurge = hot(both(`DELETE FROM session WHERE tenant_id || '' = $1 AND id IN
		(SELECT id FROM session WHERE tenant_id = $1 AND dead_at < $2 AND (revoked_at <> 0 AND revoked_at < $2 OR
			idle_expiry <> 0 AND idle_expiry < $2 OR absolute_expiry <> 0 AND absolute_expiry < $2) ORDER BY dead_at LIMIT $3)`))
)

func userChanged() error {
	return fault.New(fault.Conflict, fault.ReasonUserChanged, "the account was changed or disabled meanwhile")
}

// Open inserts a family under a share lock on its user, on its parent and on its sign-on session.
func (s sessions) Open(ctx context.Context, f session.Family, register *user.Registration, rec audit.Record) error {
	if f.UserID == "" {
		register = nil
	}
	if s.e.kind() == postgresKind && simple(rec) && f.ParentID == "" && f.SSOID == "" && (register == nil || !register.Held) {
		return s.openOnce(ctx, f, register, rec)
	}
	row := sessionArgs(&f)
	return s.e.write(ctx, func(q queryer) error {
		if err := guardOpen(q, &f); err != nil {
			return err
		}
		return putOpened(q, &f, row, register, rec)
	})
}

// putOpened writes a family whose guards have passed.
func putOpened(q queryer, f *session.Family, row []any, register *user.Registration, rec audit.Record) error {
	if err := q.later(sessionPut, row...); err != nil {
		return err
	}
	if err := admit(q, f.TenantID, f.UserID, register); err != nil {
		return err
	}
	return writeRecord(q, rec)
}

// guardOpen takes the user's row before the sign-on session's, and that before the parent's, as every verb that ends sessions does: in one
// order the locks cannot deadlock.
func guardOpen(q queryer, f *session.Family) error {
	if f.UserID != "" {
		if err := guardUser(q, f.TenantID, f.UserID, f.Epoch); err != nil {
			return err
		}
	}
	if f.SSOID != "" {
		if ok, err := guardSSO(q, f.TenantID, f.SSOID, f.CreatedAt); err != nil {
			return err
		} else if !ok {
			return signOnEnded()
		}
	}
	if f.ParentID == "" {
		return nil
	}
	var one int64
	ok, err := q.row(parentGuard, in{f.TenantID, f.ParentID, micros(f.CreatedAt)}, &one)
	if err == nil && !ok {
		err = fault.New(fault.Unauthenticated, fault.ReasonSessionRevoked, "the session that this one comes from has ended")
	}
	return err
}

func guardUser(q queryer, tenantID, userID string, epoch int64) error {
	var one int64
	ok, err := q.row(userGuard, in{tenantID, userID, epoch}, &one)
	if err == nil && !ok {
		err = userChanged()
	}
	return err
}

// Touch writes last_seen, or only looks when that is not newer than what f says is stored.
func (s sessions) Touch(ctx context.Context, f session.Family, lastSeen time.Time) (ok bool, err error) {
	if !lastSeen.After(f.LastSeen) {
		var one int64
		return s.e.get(ctx, sessionGuard, in{f.TenantID, f.ID, f.Version}, &one)
	}
	err = s.e.write(ctx, func(q queryer) error {
		n, err := q.exec(sessionTouch, f.TenantID, f.ID, f.Version, micros(lastSeen))
		ok = n == 1
		return err
	})
	return ok, err
}

// lastID sorts after every id.
const lastID = "~"

// List gives one page of live sessions, newest first.
func (s sessions) List(ctx context.Context, lq session.ListQuery) ([]session.Family, error) {
	var out []session.Family
	after := lq.After
	if after == "" {
		after = lastID
	}
	err := s.e.read(ctx, func(q queryer) error {
		out = nil
		return q.each(sessionPage, in{lq.TenantID, lq.Subject, after, micros(lq.At), int64(lq.Limit)}, func(scan scanner) error {
			var r sessionRow
			if err := scan(r.dest()...); err != nil {
				return err
			}
			f, err := r.family()
			out = append(out, f)
			return err
		})
	})
	return out, err
}

// Purge deletes families that have been dead for long.
func (s sessions) Purge(ctx context.Context, tenantID string, before time.Time, limit int) (int, error) {
	return purge(ctx, s.e, sessionPurge, tenantID, micros(before), int64(limit))
}

// Record writes events on their own.
func (s sessions) Record(ctx context.Context, rec audit.Record) error {
	return s.e.write(ctx, func(q queryer) error { return writeRecord(q, rec) })
}

// purge runs one bounded delete.
func purge(ctx context.Context, e engine, s *stmt, args ...any) (int, error) {
	var n int64
	err := e.write(ctx, func(q queryer) (err error) {
		n, err = q.exec(s, args...)
		return err
	})
	return int(n), err
}
