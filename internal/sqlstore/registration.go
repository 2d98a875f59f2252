package sqlstore

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

var (
	// Whoever opens a session holds a share lock on this row.
	userHeld = both(`UPDATE app_user SET updated_at = $3, version = version + 1 WHERE tenant_id = $1 AND id = $2 AND status <> 'deleted'`)

	registrationSet = both(`INSERT INTO registration (` + registrationColumns + `) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (user_id, client_id, tenant_id) DO UPDATE SET roles = excluded.roles`)
	registrationGet  = hot(both(`SELECT 1 FROM registration WHERE tenant_id = $1 AND user_id = $2 AND client_id = $3`))
	registrationDrop = both(`DELETE FROM registration WHERE tenant_id = $1 AND user_id = $2 AND client_id = $3`)
)

// EndedByUnregister is the reason of sessions whose user was taken off the client's list.
const EndedByUnregister = "registration_removed"

// admit makes the registration that an open brings, or looks for the one that it asks for. The caller holds the user's row since before: a
// removal that was under way has committed by now and is seen, and one that comes later finds the session and ends it.
func admit(q queryer, tenantID, userID string, r *user.Registration) error {
	switch {
	case r == nil || userID == "":
		return nil
	case !r.Held:
		return putRegistration(q, tenantID, userID, *r)
	}
	var one int64
	ok, err := q.row(registrationGet, in{tenantID, userID, r.ClientID}, &one)
	if err == nil && !ok {
		err = fault.New(fault.Forbidden, fault.ReasonNotRegistered, "this account is not registered with this application")
	}
	return err
}

// Register makes a registration or gives it other roles.
func (s users) Register(ctx context.Context, tenantID, userID string, r user.Registration, at time.Time, rec audit.Record) error {
	return s.e.write(ctx, func(q queryer) error {
		n, err := q.exec(userHeld, tenantID, userID, micros(at))
		if err == nil && n == 0 {
			err = noUser()
		}
		if err != nil {
			return err
		}
		if err := q.later(registrationSet, tenantID, userID, r.ClientID, list(r.Roles), raw(r.Data), micros(r.CreatedAt)); err != nil {
			return err
		}
		return writeRecord(q, rec)
	})
}

// Unregister removes a registration. The user's row comes first, as in every verb that ends sessions; codes come before sessions, because an
// exchange that holds its code has committed by then, and its family is seen.
func (s users) Unregister(ctx context.Context, tenantID, userID, clientID string, at time.Time, rec audit.Record) error {
	return s.e.write(ctx, func(q queryer) error {
		if _, err := q.exec(userHeld, tenantID, userID, micros(at)); err != nil {
			return err
		}
		n, err := q.exec(registrationDrop, tenantID, userID, clientID)
		if err == nil && n == 0 {
			err = notFound("the user is not registered there")
		}
		if err != nil {
			return err
		}
		if _, err := q.exec(codeVoid, tenantID, userID, clientID, micros(at)); err != nil {
			return err
		}
		out, err := end(q, endByUser, tenantID, EndedByUnregister, at, "", userID, clientID)
		if err != nil {
			return err
		}
		return writeEnded(q, tenantID, out, rec)
	})
}
