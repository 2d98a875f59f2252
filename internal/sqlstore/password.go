package sqlstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/credential"
)

// The user's row comes first, as in every verb that ends sessions; the hash decides which of two changes is made.
var passwordSet = hot(both(`UPDATE credential SET phc = $4, pepper_id = $5, updated_at = $6
	WHERE tenant_id = $1 AND user_id = $2 AND kind = 'password' AND phc = $3`))

// Change replaces the hash that its owner has just shown the password of.
func (s credentials) Change(ctx context.Context, c credential.Change, rec audit.Record) (epoch int64, err error) {
	err = s.e.write(ctx, func(q queryer) error {
		found, err := q.row(resetUser, in{c.TenantID, c.UserID, micros(c.At)}, &epoch)
		if err != nil {
			return err
		}
		if !found {
			return userChanged()
		}
		n, err := q.exec(passwordSet, c.TenantID, c.UserID, c.OldPHC, c.Password.PHC, int64(c.Password.PepperID), micros(c.At))
		if err != nil {
			return err
		}
		if n == 0 {
			return userChanged()
		}
		if err := q.later(ticketDropUser, c.TenantID, c.UserID); err != nil {
			return err
		}
		out, err := endPerson(q, c.TenantID, c.UserID, "password_changed", c.At)
		if err != nil {
			return err
		}
		return writeEnded(q, c.TenantID, out, rec)
	})
	if err != nil {
		return 0, err
	}
	return epoch, nil
}
