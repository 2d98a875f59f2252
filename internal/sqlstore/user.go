package sqlstore

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

type users struct{ e engine }

// Users is the user room's store.
func (s *Store) Users() user.Store { return users{s.e} }

const userColumns = `tenant_id, id, status, epoch, name, locale, data, created_at, updated_at, deleted_at, purge_at, version`

var (
	// One row for every identifier; the rest repeats.
	userGet = hot(both(`SELECT ` + qualified("u", userColumns) + `, ` + qualified("i", identifierColumns) + `, r.roles, r.data, r.created_at
		FROM app_user u
		LEFT JOIN identifier i ON i.user_id = u.id AND i.tenant_id || '' = $1
		LEFT JOIN registration r ON r.user_id = u.id AND r.tenant_id || '' = $1 AND r.client_id = $3
		WHERE u.tenant_id = $1 AND u.id = $2 ORDER BY i.kind, i.value`))
	userProfile = hot(pair(
		`UPDATE app_user SET name = COALESCE($5, name), locale = COALESCE($6, locale), data = CASE WHEN $7 THEN $8 ELSE data END,
			updated_at = $4, version = version + 1 WHERE tenant_id = $1 AND id = $2 AND version = $3 AND status <> 'deleted'`,
		`UPDATE app_user SET name = COALESCE($5::text, name), locale = COALESCE($6::text, locale),
			data = CASE WHEN $7::bool THEN $8::text ELSE data END,
			updated_at = $4, version = version + 1 WHERE tenant_id = $1 AND id = $2 AND version = $3 AND status <> 'deleted'`))
	// Whoever is disabled or deleted also has the epoch raised: that is how verifiers elsewhere know which tokens are dead, and one given
	// after a later enabling is not among them.
	userStatus = hot(both(`UPDATE app_user SET status = $3, updated_at = $4, version = version + 1,
			epoch = epoch + CASE WHEN $3 = 'disabled' THEN 1 ELSE 0 END
		WHERE tenant_id = $1 AND id = $2 AND status <> 'deleted' RETURNING epoch`))
	userDelete = hot(both(`UPDATE app_user SET status = 'deleted', deleted_at = $3, purge_at = $4, updated_at = $3, version = version + 1,
			epoch = epoch + 1
		WHERE tenant_id = $1 AND id = $2 AND status <> 'deleted' RETURNING epoch`))
	userEpoch = hot(both(`UPDATE app_user SET epoch = epoch + 1, updated_at = $3, version = version + 1
		WHERE tenant_id = $1 AND id = $2 AND status <> 'deleted' RETURNING epoch`))
	userDue = hot(pair(
		`SELECT id FROM app_user WHERE tenant_id = $1 AND status = 'deleted' AND purge_at <= $2 ORDER BY purge_at LIMIT $3`,
		`SELECT id FROM app_user WHERE tenant_id = $1 AND status = 'deleted' AND purge_at <= $2 ORDER BY purge_at LIMIT $3
			FOR UPDATE SKIP LOCKED`))
	userErase   = both(`DELETE FROM app_user WHERE tenant_id = $1 AND id = $2`)
	personErase = hot(both(`DELETE FROM event_person WHERE tenant_id || '' = $1 AND event_id IN
		(SELECT id FROM event WHERE tenant_id = $1 AND subject = $2 AND subject <> '')`))
)

func noUser() error { return notFound("no such user") }

// Get reads a user.
func (s users) Get(ctx context.Context, tenantID, userID, clientID string) (user.User, error) {
	var out user.User
	err := s.e.read(ctx, func(q queryer) error {
		out = user.User{}
		err := q.each(userGet, in{tenantID, userID, clientID}, func(scan scanner) error {
			var u userRow
			var i identifierRow
			var r registrationRow
			if err := scan(append(append(u.dest(), i.dest()...), r.dest()...)...); err != nil {
				return err
			}
			if out.ID == "" {
				out = u.user()
			}
			i.addTo(&out)
			return r.setOn(&out, clientID)
		})
		if err == nil && out.ID == "" {
			err = noUser()
		}
		return err
	})
	return out, err
}

// UpdateProfile replaces the named parts of a profile under the guard.
func (s users) UpdateProfile(ctx context.Context, c user.ProfileChange, rec audit.Record) error {
	var name, locale, data any
	if c.Name != nil {
		name = *c.Name
	}
	if c.Locale != nil {
		locale = *c.Locale
	}
	if c.Data != nil {
		data = raw(*c.Data)
	}
	return s.e.write(ctx, func(q queryer) error {
		n, err := q.exec(userProfile, c.TenantID, c.UserID, c.Version, micros(c.At), name, locale, c.Data != nil, data)
		if err != nil {
			return err
		}
		if n == 0 {
			return conflict("the profile was changed meanwhile")
		}
		return writeRecord(q, rec)
	})
}

// SetStatus enables or disables.
func (s users) SetStatus(ctx context.Context, tenantID, userID string, to user.Status, at time.Time, rec audit.Record) error {
	if to != user.Active && to != user.Disabled {
		return fault.New(fault.Invalid, fault.ReasonInvalid, "a status is active or disabled; deletion is an act of its own")
	}
	return s.e.write(ctx, func(q queryer) error {
		u := fallen{tenantID: tenantID, userID: userID}
		found, err := q.row(userStatus, in{tenantID, userID, string(to), micros(at)}, &u.epoch)
		if err != nil {
			return err
		}
		if !found {
			return noUser()
		}
		if to == user.Active {
			return writeRecord(q, rec)
		}
		return endUser(q, u, string(fault.ReasonUserDisabled), at, rec)
	})
}

// Delete marks a user deleted.
func (s users) Delete(ctx context.Context, tenantID, userID string, at, purgeAt time.Time, rec audit.Record) error {
	return s.e.write(ctx, func(q queryer) error {
		u := fallen{tenantID: tenantID, userID: userID}
		found, err := q.row(userDelete, in{tenantID, userID, micros(at), micros(purgeAt)}, &u.epoch)
		if err != nil {
			return err
		}
		if !found {
			return noUser()
		}
		return endUser(q, u, "user_deleted", at, rec)
	})
}

// RaiseEpoch ends every token of a user.
func (s users) RaiseEpoch(ctx context.Context, tenantID, userID, reason string, at time.Time, rec audit.Record) (epoch int64, err error) {
	err = s.e.write(ctx, func(q queryer) error {
		found, err := q.row(userEpoch, in{tenantID, userID, micros(at)}, &epoch)
		if err != nil {
			return err
		}
		if !found {
			return noUser()
		}
		return endUser(q, fallen{tenantID, userID, epoch}, reason, at, rec)
	})
	return epoch, err
}

// Purge erases users whose time has come. What belongs to a user goes by cascade; the personal part of events, which stand apart, by hand.
func (s users) Purge(ctx context.Context, tenantID string, at time.Time, limit int) (n int, err error) {
	err = s.e.write(ctx, func(q queryer) error {
		var ids []string
		err := q.each(userDue, in{tenantID, micros(at), int64(limit)}, func(scan scanner) error {
			var id string
			err := scan(&id)
			ids = append(ids, id)
			return err
		})
		for _, id := range ids {
			if err == nil {
				err = q.later(personErase, tenantID, id)
			}
			if err == nil {
				err = forget(q, tenantID, id)
			}
			if err == nil {
				err = q.later(userErase, tenantID, id)
			}
		}
		n = len(ids)
		return err
	})
	return n, err
}
