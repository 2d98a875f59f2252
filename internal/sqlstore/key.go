package sqlstore

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

type keys struct{ e engine }

// Keys is the token room's store.
func (s *Store) Keys() token.KeyStore { return keys{s.e} }

const keyColumns = `tenant_id, kid, kind, alg, slot, public_jwk, sealed, created_at, signs_from, withdrawn_at, verify_until`

var (
	keyLive = hot(both(`SELECT ` + keyColumns + ` FROM signing_key
		WHERE tenant_id = $1 AND (verify_until = 0 OR verify_until >= $2) ORDER BY kind, alg, slot`))
	// A lost race inserts nothing; so does a kid that is taken.
	keyPut = hot(both(`INSERT INTO signing_key (` + keyColumns + `) VALUES (` + placeholders(11) + `) ON CONFLICT DO NOTHING`))
	// A second withdrawal changes nothing but is no error.
	keyWithdraw = hot(both(`UPDATE signing_key SET withdrawn_at = CASE WHEN withdrawn_at = 0 THEN $3 ELSE withdrawn_at END,
		verify_until = CASE WHEN withdrawn_at = 0 THEN $3 ELSE verify_until END WHERE tenant_id = $1 AND kid = $2`))
	keyAdvance = hot(both(`UPDATE signing_key SET signs_from = $3
		WHERE tenant_id = $1 AND kid = $2 AND withdrawn_at = 0 AND signs_from > $3`))
	// Nodes read a tenant's keys anew when its version moved.
	keyMoved = both(`UPDATE tenant SET version = version + 1 WHERE id = $1`)
	keyPurge = hot(both(`DELETE FROM signing_key WHERE tenant_id = $1
		AND ((verify_until <> 0 AND verify_until < $2) OR (withdrawn_at <> 0 AND withdrawn_at < $2))`))
	ringAll = both(`SELECT id, purpose, wrapped, created_at, retired_at FROM ring_key ORDER BY id`)
	ringPut = both(`INSERT INTO ring_key (id, purpose, wrapped, created_at, retired_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (id) DO NOTHING`)
	ringUpdate = both(`UPDATE ring_key SET wrapped = $2, retired_at = $3 WHERE id = $1`)
)

// SigningKeys reads the keys that are not dead.
func (s keys) SigningKeys(ctx context.Context, tenantID string, at time.Time) ([]token.SigningKey, error) {
	var out []token.SigningKey
	err := s.e.read(ctx, func(q queryer) error {
		out = nil
		return q.each(keyLive, in{tenantID, micros(at)}, func(scan scanner) error {
			k, err := scanKey(scan)
			out = append(out, k)
			return err
		})
	})
	return out, err
}

func scanKey(scan scanner) (token.SigningKey, error) {
	var k token.SigningKey
	var kind string
	var created, signs, withdrawn, until int64
	err := scan(&k.TenantID, &k.KID, &kind, &k.Alg, &k.Slot, &k.PublicJWK, &k.Sealed, &created, &signs, &withdrawn, &until)
	k.Kind = token.Kind(kind)
	k.CreatedAt, k.SignsFrom, k.Withdrawn, k.VerifyUntil = instant(created), instant(signs), instant(withdrawn), instant(until)
	return k, err
}

// AddSigningKey inserts k unless its slot is taken.
func (s keys) AddSigningKey(ctx context.Context, k token.SigningKey, rec audit.Record) (bool, error) {
	return insertOnce(ctx, s.e, rec, keyPut, k.TenantID, k.KID, string(k.Kind), k.Alg, k.Slot, nonNil(k.PublicJWK), nonNil(k.Sealed),
		micros(k.CreatedAt), micros(k.SignsFrom), micros(k.Withdrawn), micros(k.VerifyUntil))
}

// nonNil keeps absent bytes as empty ones, where a column has no NULL.
func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// insertOnce runs an insert that may find its place taken; rec is written only when it did not.
func insertOnce(ctx context.Context, e engine, rec audit.Record, put *stmt, args ...any) (ok bool, err error) {
	err = e.write(ctx, func(q queryer) error {
		n, err := q.exec(put, args...)
		if ok = n == 1; err != nil || !ok {
			return err
		}
		return writeRecord(q, rec)
	})
	return ok && err == nil, err
}

// Advance lets an announced key sign earlier.
func (s keys) Advance(ctx context.Context, tenantID, kid string, signsFrom time.Time, rec audit.Record) (ok bool, err error) {
	err = s.e.write(ctx, func(q queryer) error {
		if err := move(q, nil); err != nil {
			return err
		}
		n, err := q.exec(keyAdvance, tenantID, kid, micros(signsFrom))
		if ok = n == 1; err != nil || !ok {
			return err
		}
		if err := q.later(keyMoved, tenantID); err != nil {
			return err
		}
		return writeRecord(q, rec)
	})
	return ok && err == nil, err
}

// Withdraw marks a key dead.
func (s keys) Withdraw(ctx context.Context, tenantID, kid string, at time.Time, rec audit.Record) error {
	return s.e.write(ctx, func(q queryer) error {
		if err := move(q, nil); err != nil {
			return err
		}
		n, err := q.exec(keyWithdraw, tenantID, kid, micros(at))
		if err != nil {
			return err
		}
		if n == 0 {
			return notFound("no such key")
		}
		if err := q.later(keyMoved, tenantID); err != nil {
			return err
		}
		return writeRecord(q, rec)
	})
}

// PurgeSigningKeys deletes keys dead before the instant.
func (s keys) PurgeSigningKeys(ctx context.Context, tenantID string, before time.Time) (int, error) {
	return purge(ctx, s.e, keyPurge, tenantID, micros(before))
}

// RingKeys reads every ring key.
func (s keys) RingKeys(ctx context.Context) ([]token.WrappedKey, error) {
	var out []token.WrappedKey
	err := s.e.read(ctx, func(q queryer) error {
		out = nil
		return q.each(ringAll, in{}, func(scan scanner) error {
			var k token.WrappedKey
			var id, created, retired int64
			err := scan(&id, &k.Purpose, &k.Wrapped, &created, &retired)
			k.ID, k.CreatedAt, k.RetiredAt = uint32(id), instant(created), instant(retired)
			out = append(out, k)
			return err
		})
	})
	return out, err
}

// AddRingKey inserts a ring key unless its id is taken.
func (s keys) AddRingKey(ctx context.Context, k token.WrappedKey, rec audit.Record) (ok bool, err error) {
	err = s.e.write(ctx, func(q queryer) error {
		if err := move(q, nil); err != nil {
			return err
		}
		n, err := q.exec(ringPut, int64(k.ID), k.Purpose, nonNil(k.Wrapped), micros(k.CreatedAt), micros(k.RetiredAt))
		if ok = n == 1; err != nil || !ok {
			return err
		}
		return writeRecord(q, rec)
	})
	return ok && err == nil, err
}

// UpdateRingKey replaces wrapping and retirement.
func (s keys) UpdateRingKey(ctx context.Context, k token.WrappedKey, rec audit.Record) error {
	return s.e.write(ctx, func(q queryer) error {
		if err := move(q, nil); err != nil {
			return err
		}
		n, err := q.exec(ringUpdate, int64(k.ID), nonNil(k.Wrapped), micros(k.RetiredAt))
		if err != nil {
			return err
		}
		if n == 0 {
			return notFound("no such ring key")
		}
		return writeRecord(q, rec)
	})
}
