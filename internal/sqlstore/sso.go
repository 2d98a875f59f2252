package sqlstore

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
)

type signOns struct{ e engine }

// SignOns is the store of sign-on sessions.
func (s *Store) SignOns() sso.Store { return signOns{s.e} }

const (
	ssoColumns = `tenant_id, id, hash, user_id, epoch, created_at, last_seen, idle_expiry, absolute_expiry, auth_time, amr, acr, agent, place,
	device, version, revoked_at, revoked_reason, dead_at`
	ssoWidth = 19
	ssoEnd   = `UPDATE sso_session SET revoked_at = $2, revoked_reason = $3, version = version + 1,
		dead_at = CASE WHEN dead_at < $2 THEN dead_at ELSE $2 END WHERE tenant_id || '' = $1 AND revoked_at = 0 AND `
)

var (
	ssoPut    = hot(both(`INSERT INTO sso_session (` + ssoColumns + `) VALUES (` + placeholders(ssoWidth) + `)`))
	ssoByHash = hot(both(`SELECT ` + qualified("s", ssoColumns) + `, ` + qualified("u", userColumns) + `, ` + qualified("i", identifierColumns) + `
		FROM sso_session s
		LEFT JOIN app_user u ON u.id = s.user_id AND u.tenant_id || '' = $1
		LEFT JOIN identifier i ON i.user_id = s.user_id AND i.tenant_id || '' = $1
		WHERE s.tenant_id = $1 AND s.hash = $2 ORDER BY i.kind, i.value`))
	ssoProve = hot(both(`UPDATE sso_session SET hash = $1, epoch = $2, last_seen = $3, idle_expiry = $4, absolute_expiry = $5, auth_time = $6,
		amr = $7, acr = $8, agent = $9, place = $10, device = $11, dead_at = $12, version = version + 1
		WHERE tenant_id = $13 AND id = $14 AND version = $15 AND revoked_at = 0`))
	ssoTouch = hot(both(`UPDATE sso_session SET last_seen = $1, idle_expiry = $2, dead_at = $3
		WHERE tenant_id = $4 AND id = $5 AND version = $6 AND revoked_at = 0`))
	ssoEndByID   = hot(both(ssoEnd + `id = $4 RETURNING id`))
	ssoEndByUser = hot(both(ssoEnd + `user_id = $4 AND id <> $5 RETURNING id`))
	ssoList      = hot(both(`SELECT ` + ssoColumns + ` FROM sso_session WHERE tenant_id || '' = $1 AND user_id = $2 AND revoked_at = 0
		AND idle_expiry > $3 AND absolute_expiry > $3 ORDER BY id DESC`))
	ssoPurge = hot(both(`DELETE FROM sso_session WHERE tenant_id || '' = $1 AND id IN
		(SELECT id FROM sso_session WHERE tenant_id = $1 AND dead_at < $2 AND (revoked_at <> 0 AND revoked_at < $2 OR
			idle_expiry < $2 OR absolute_expiry < $2) ORDER BY dead_at LIMIT $3)`))

	// An open waits for the end of the sign-on session that is under way, and then looks again: it cannot slip past it.
	ssoGuard = hot(pair(
		`SELECT 1 FROM sso_session WHERE tenant_id = $1 AND id = $2 AND revoked_at = 0 AND idle_expiry > $3 AND absolute_expiry > $3`,
		`SELECT 1 FROM sso_session WHERE tenant_id = $1 AND id = $2 AND revoked_at = 0 AND idle_expiry > $3 AND absolute_expiry > $3 FOR SHARE`))
	// The sign-on session that a session belongs to; '' for none.
	ssoOf    = hot(both(`SELECT sso_id FROM session WHERE tenant_id = $1 AND id = $2`))
	endBySSO = hot(both(endText(`m.sso_id = $5 AND m.sso_id <> '' AND m.revoked_at = 0`)))
)

// ssoDead is the hour in which a sign-on session stops being live.
func ssoDead(s *sso.Session) int64 {
	const hour = int64(time.Hour / time.Microsecond)
	dead := min(s.IdleExpiry.UnixMicro(), s.AbsoluteExpiry.UnixMicro())
	if !s.RevokedAt.IsZero() {
		dead = min(dead, s.RevokedAt.UnixMicro())
	}
	return dead / hour * hour
}

// Open inserts a sign-on session under a share lock on its user.
func (s signOns) Open(ctx context.Context, n sso.Session, rec audit.Record) error {
	return s.e.write(ctx, func(q queryer) error {
		if err := guardUser(q, n.TenantID, n.UserID, n.Epoch); err != nil {
			return err
		}
		err := q.later(ssoPut, n.TenantID, n.ID, nonNil(n.Hash), n.UserID, n.Epoch, micros(n.CreatedAt), micros(n.LastSeen), micros(n.IdleExpiry),
			micros(n.AbsoluteExpiry), micros(n.AuthTime), list(n.AMR), n.ACR, n.Agent, n.Place, n.Device, n.Version, micros(n.RevokedAt),
			n.RevokedReason, ssoDead(&n))
		if err != nil {
			return err
		}
		return writeRecord(q, rec)
	})
}

// ByHash reads a sign-on session with its user.
func (s signOns) ByHash(ctx context.Context, tenantID string, hash []byte) (sso.Live, error) {
	var out sso.Live
	err := s.e.read(ctx, func(q queryer) error {
		out = sso.Live{}
		err := q.each(ssoByHash, in{tenantID, nonNil(hash)}, func(scan scanner) error {
			var r ssoRow
			var u userRow
			var i identifierRow
			if err := scan(append(append(r.dest(), u.dest()...), i.dest()...)...); err != nil {
				return err
			}
			if out.Session.ID == "" {
				n, err := r.session()
				if err != nil {
					return err
				}
				out.Session, out.User = n, u.user()
			}
			i.addTo(&out.User)
			return nil
		})
		if err == nil && out.Session.ID == "" {
			err = notFound("no such sign-on session")
		}
		return err
	})
	return out, err
}

// Prove replaces what a new proof changes.
func (s signOns) Prove(ctx context.Context, from, to sso.Session, rec audit.Record) (ok bool, err error) {
	err = s.e.write(ctx, func(q queryer) error {
		n, err := q.exec(ssoProve, nonNil(to.Hash), to.Epoch, micros(to.LastSeen), micros(to.IdleExpiry), micros(to.AbsoluteExpiry),
			micros(to.AuthTime), list(to.AMR), to.ACR, to.Agent, to.Place, to.Device, ssoDead(&to), from.TenantID, from.ID, from.Version)
		if ok = n == 1; err != nil || !ok {
			return err
		}
		return writeRecord(q, rec)
	})
	return ok && err == nil, err
}

// Touch records activity.
func (s signOns) Touch(ctx context.Context, n sso.Session, lastSeen, idle time.Time) (ok bool, err error) {
	n.LastSeen, n.IdleExpiry = lastSeen, idle
	err = s.e.write(ctx, func(q queryer) error {
		changed, err := q.exec(ssoTouch, micros(lastSeen), micros(idle), ssoDead(&n), n.TenantID, n.ID, n.Version)
		ok = changed == 1
		return err
	})
	return ok && err == nil, err
}

// Revoke ends sign-on sessions and the families under them. The sign-on session's row comes first: an open that held its share lock has
// committed by then, and its family is seen.
func (s signOns) Revoke(ctx context.Context, e sso.End, rec audit.Record) ([]session.Ended, error) {
	m := e.Match
	if (m.ID == "") == (m.UserID == "") {
		return nil, misuse("a match names exactly one of id and user")
	}
	var all ended
	err := s.e.write(ctx, func(q queryer) error {
		all = ended{}
		ids, err := endSignOns(q, m, e.At, e.Reason)
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			return writeRecord(q, audit.Record{Events: rec.Events})
		}
		for _, id := range ids {
			under, err := end(q, endBySSO, m.TenantID, e.Reason, e.At, "", id)
			if err != nil {
				return err
			}
			all.add(under)
		}
		return writeEnded(q, m.TenantID, all, rec)
	})
	if err != nil {
		return nil, err
	}
	return all.families, nil
}

func endSignOns(q queryer, m sso.Match, at time.Time, reason string) (ids []string, err error) {
	args, text := in{m.TenantID, micros(at), reason, m.ID}, ssoEndByID
	if m.UserID != "" {
		args, text = in{m.TenantID, micros(at), reason, m.UserID, m.Except}, ssoEndByUser
	}
	err = q.each(text, args, func(scan scanner) error {
		var id string
		err := scan(&id)
		ids = append(ids, id)
		return err
	})
	return ids, err
}

// guardSSO keeps a sign-on session from ending until the commit; false when it is not live.
func guardSSO(q queryer, tenantID, id string, at time.Time) (bool, error) {
	var one int64
	return q.row(ssoGuard, in{tenantID, id, micros(at)}, &one)
}

func signOnEnded() error {
	return fault.New(fault.Unauthenticated, fault.ReasonSessionRevoked, "the sign-on that this session comes from has ended")
}

// List gives a user's live sign-on sessions.
func (s signOns) List(ctx context.Context, tenantID, userID string, at time.Time) (out []sso.Session, err error) {
	err = s.e.read(ctx, func(q queryer) error {
		out = nil
		return q.each(ssoList, in{tenantID, userID, micros(at)}, func(scan scanner) error {
			var r ssoRow
			if err := scan(r.dest()...); err != nil {
				return err
			}
			n, err := r.session()
			out = append(out, n)
			return err
		})
	})
	return out, err
}

// Purge deletes sign-on sessions that have been dead for long.
func (s signOns) Purge(ctx context.Context, tenantID string, before time.Time, limit int) (int, error) {
	return purge(ctx, s.e, ssoPurge, tenantID, micros(before), int64(limit))
}

// ssoRow receives ssoColumns.
type ssoRow struct {
	n                                                        sso.Session
	created, seen, idle, absolute, authTime, revoked, deadAt int64
	amr                                                      string
}

func (r *ssoRow) dest() []any {
	n := &r.n
	return []any{
		&n.TenantID, &n.ID, &n.Hash, &n.UserID, &n.Epoch, &r.created, &r.seen, &r.idle, &r.absolute, &r.authTime, &r.amr, &n.ACR, &n.Agent,
		&n.Place, &n.Device, &n.Version, &r.revoked, &n.RevokedReason, &r.deadAt,
	}
}

func (r *ssoRow) session() (sso.Session, error) {
	n := r.n
	n.CreatedAt, n.LastSeen, n.IdleExpiry, n.AbsoluteExpiry = instant(r.created), instant(r.seen), instant(r.idle), instant(r.absolute)
	n.AuthTime, n.RevokedAt = instant(r.authTime), instant(r.revoked)
	var err error
	n.AMR, err = listOf(r.amr)
	return n, err
}
