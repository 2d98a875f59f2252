package sqlstore

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/credential"
)

type credentials struct{ e engine }

// Credentials is the credential room's store.
func (s *Store) Credentials() credential.Store { return credentials{s.e} }

const credentialColumns = `tenant_id, id, user_id, kind, phc, pepper_id, created_at, updated_at`

var (
	credentialRehash = hot(both(`UPDATE credential SET phc = $4, pepper_id = $5, updated_at = $6
		WHERE tenant_id = $1 AND id = $2 AND phc = $3`))
	passwordPut = hot(both(`INSERT INTO credential (` + credentialColumns + `) VALUES ($1, $2, $3, 'password', $4, $5, $6, $7)
		ON CONFLICT (user_id, tenant_id) WHERE kind = 'password'
		DO UPDATE SET phc = excluded.phc, pepper_id = excluded.pepper_id, updated_at = excluded.updated_at`))
)

// Rehash replaces the hash if it is still the old one.
func (s credentials) Rehash(
	ctx context.Context, tenantID, credentialID, oldPHC string, to credential.Password, at time.Time, rec audit.Record,
) (bool, error) {
	return insertOnce(ctx, s.e, rec, credentialRehash, tenantID, credentialID, oldPHC, to.PHC, int64(to.PepperID), micros(at))
}

// putPassword sets a user's only password.
func putPassword(q queryer, tenantID, userID string, p credential.Password) error {
	return q.later(passwordPut, tenantID, p.ID, userID, p.PHC, int64(p.PepperID), micros(p.CreatedAt), micros(p.UpdatedAt))
}
