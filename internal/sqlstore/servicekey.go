package sqlstore

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/servicekey"
)

type serviceKeys struct{ e engine }

// ServiceKeys is the servicekey room's store.
func (s *Store) ServiceKeys() servicekey.Store { return serviceKeys{s.e} }

const serviceKeyColumns = `tenant_id, id, name, hash, scopes, created_at, last_used, revoked_at`

var (
	serviceKeyPut = hot(both(`INSERT INTO internal_key (` + serviceKeyColumns + `) VALUES (` + placeholders(8) + `)
		ON CONFLICT DO NOTHING`))
	serviceKeyAll    = both(`SELECT ` + serviceKeyColumns + ` FROM internal_key WHERE tenant_id = $1 ORDER BY id`)
	serviceKeyByHash = hot(both(`SELECT ` + serviceKeyColumns + ` FROM internal_key WHERE hash = $2 AND tenant_id = $1`))
	serviceKeyRevoke = hot(both(`UPDATE internal_key SET revoked_at = CASE WHEN revoked_at = 0 THEN $3 ELSE revoked_at END
		WHERE tenant_id = $1 AND id = $2`))
	serviceKeyUsed = hot(both(`UPDATE internal_key SET last_used = $3 WHERE tenant_id = $1 AND id = $2 AND last_used <= $4`))
)

// Add inserts a key unless its hash is taken.
func (s serviceKeys) Add(ctx context.Context, k servicekey.Key, rec audit.Record) error {
	added, err := insertOnce(ctx, s.e, rec, serviceKeyPut, k.TenantID, k.ID, k.Name, nonNil(k.Hash), list(k.Scopes),
		micros(k.CreatedAt), micros(k.LastUsed), micros(k.RevokedAt))
	if err == nil && !added {
		err = conflict("this key is there already")
	}
	return err
}

// List gives a tenant's keys.
func (s serviceKeys) List(ctx context.Context, tenantID string) (out []servicekey.Key, err error) {
	err = s.e.read(ctx, func(q queryer) error {
		out = nil
		return q.each(serviceKeyAll, in{tenantID}, func(scan scanner) error {
			var r serviceKeyRow
			if err := scan(r.dest()...); err != nil {
				return err
			}
			k, err := r.key()
			out = append(out, k)
			return err
		})
	})
	return out, err
}

// ByHash reads one key.
func (s serviceKeys) ByHash(ctx context.Context, tenantID string, hash []byte) (servicekey.Key, error) {
	var r serviceKeyRow
	err := s.e.read(ctx, func(q queryer) error {
		found, err := q.row(serviceKeyByHash, in{tenantID, nonNil(hash)}, r.dest()...)
		if err == nil && !found {
			err = notFound("no such key")
		}
		return err
	})
	if err != nil {
		return servicekey.Key{}, err
	}
	return r.key()
}

// Revoke marks a key.
func (s serviceKeys) Revoke(ctx context.Context, tenantID, id string, at time.Time, rec audit.Record) error {
	return s.e.write(ctx, func(q queryer) error {
		n, err := q.exec(serviceKeyRevoke, tenantID, id, micros(at))
		if err != nil {
			return err
		}
		if n == 0 {
			return notFound("no such key")
		}
		return writeRecord(q, rec)
	})
}

// Used notes a use, coarsely.
func (s serviceKeys) Used(ctx context.Context, tenantID, id string, at, since time.Time) error {
	return s.e.write(ctx, func(q queryer) error {
		return q.later(serviceKeyUsed, tenantID, id, micros(at), micros(since))
	})
}

// serviceKeyRow receives serviceKeyColumns.
type serviceKeyRow struct {
	k                      servicekey.Key
	scopes                 string
	created, used, revoked int64
}

func (r *serviceKeyRow) dest() []any {
	return []any{&r.k.TenantID, &r.k.ID, &r.k.Name, &r.k.Hash, &r.scopes, &r.created, &r.used, &r.revoked}
}

func (r *serviceKeyRow) key() (servicekey.Key, error) {
	k := r.k
	k.CreatedAt, k.LastUsed, k.RevokedAt = instant(r.created), instant(r.used), instant(r.revoked)
	var err error
	k.Scopes, err = listOf(r.scopes)
	return k, err
}
