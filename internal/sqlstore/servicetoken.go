package sqlstore

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/servicetoken"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

type serviceTokens struct{ e engine }

// ServiceTokens is the servicetoken room's store.
func (s *Store) ServiceTokens() servicetoken.Store { return serviceTokens{s.e} }

const serviceTokenColumns = `tenant_id, id, jti, name, issuer, claims, audience, key_kind, kid, created_at, expires_at, revoked_at, face,
	maker_kind, maker_id`

var (
	serviceTokenPut = hot(both(`INSERT INTO service_token (` + serviceTokenColumns + `) VALUES (` + placeholders(15) + `)`))
	// "tenant_id || ''" keeps a planner without statistics from reading all of a tenant by another index.
	// The row of the key is locked, so that a withdrawal comes before or after.
	serviceTokenKeep = hot(both(`UPDATE signing_key SET keep_until = CASE WHEN keep_until < $3 THEN $3 ELSE keep_until END
		WHERE tenant_id = $1 AND kid = $2 AND withdrawn_at = 0`))
	serviceTokenKey  = hot(both(`SELECT 1 FROM signing_key WHERE tenant_id = $1 AND kid = $2 AND withdrawn_at = 0`))
	serviceTokenPage = hot(both(`SELECT ` + serviceTokenColumns + ` FROM service_token
		WHERE tenant_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3`))
	serviceTokenByID  = hot(both(`SELECT ` + serviceTokenColumns + ` FROM service_token WHERE id = $2 AND tenant_id || '' = $1`))
	serviceTokenByJTI = hot(both(`SELECT ` + serviceTokenColumns + ` FROM service_token WHERE jti = $2 AND tenant_id || '' = $1
		ORDER BY revoked_at DESC, id DESC`))
	serviceTokenRevoke = hot(both(`UPDATE service_token SET revoked_at = $3 WHERE tenant_id || '' = $1 AND id = $2 AND revoked_at = 0`))
	serviceTokenPurge  = hot(both(`DELETE FROM service_token WHERE tenant_id || '' = $1 AND id IN
		(SELECT id FROM service_token WHERE tenant_id = $1 AND expires_at < $2 ORDER BY expires_at LIMIT $3)`))
)

// afterAll sorts after every id.
const afterAll = "~"

// Add inserts a token whose key is in use, and keeps the key.
func (s serviceTokens) Add(ctx context.Context, t servicetoken.Token, rec audit.Record) error {
	return s.e.write(ctx, func(q queryer) error {
		if err := keepKey(q, &t); err != nil {
			return err
		}
		err := q.later(serviceTokenPut, t.TenantID, t.ID, t.JTI, t.Name, t.Issuer, string(t.Claims), list(t.Audience), string(t.Key), t.KID,
			micros(t.CreatedAt), micros(t.ExpiresAt), micros(t.RevokedAt), t.Face, t.Maker.Kind, t.Maker.ID)
		if err != nil {
			return err
		}
		return writeRecord(q, rec)
	})
}

func keepKey(q queryer, t *servicetoken.Token) error {
	var found bool
	var err error
	if t.Key == token.Rotating {
		var n int64
		n, err = q.exec(serviceTokenKeep, t.TenantID, t.KID, micros(t.ExpiresAt))
		found = n == 1
	} else {
		var one int64
		found, err = q.row(serviceTokenKey, in{t.TenantID, t.KID}, &one)
	}
	if err == nil && !found {
		err = conflict("the key that signed the token was withdrawn")
	}
	return err
}

// List gives a page of a tenant's tokens.
func (s serviceTokens) List(ctx context.Context, lq servicetoken.Query) ([]servicetoken.Token, error) {
	after := lq.After
	if after == "" {
		after = afterAll
	}
	return s.find(ctx, serviceTokenPage, in{lq.TenantID, after, int64(lq.Limit)})
}

// Find looks for a jti and for a row id. Both are asked: a caller may have chosen the id of another token's row for its jti, and must not
// hide that token by it.
func (s serviceTokens) Find(ctx context.Context, tenantID, name string) ([]servicetoken.Token, error) {
	found, err := s.find(ctx, serviceTokenByJTI, in{tenantID, name})
	if err != nil || slices.ContainsFunc(found, func(t servicetoken.Token) bool { return t.ID == name }) {
		return found, err
	}
	row, err := s.find(ctx, serviceTokenByID, in{tenantID, name})
	return append(found, row...), err
}

func (s serviceTokens) find(ctx context.Context, text *stmt, args in) (out []servicetoken.Token, err error) {
	err = s.e.read(ctx, func(q queryer) error {
		out = nil
		return q.each(text, args, func(scan scanner) error {
			t, err := scanServiceToken(scan)
			out = append(out, t)
			return err
		})
	})
	return out, err
}

// Revoke marks tokens.
func (s serviceTokens) Revoke(ctx context.Context, tenantID string, ids []string, at time.Time, rec audit.Record) (n int, err error) {
	err = s.e.write(ctx, func(q queryer) error {
		n = 0
		for _, id := range ids {
			marked, err := q.exec(serviceTokenRevoke, tenantID, id, micros(at))
			if err != nil {
				return err
			}
			n += int(marked)
		}
		if n == 0 {
			return nil
		}
		return writeRecord(q, rec)
	})
	return n, err
}

// Purge deletes tokens that expired before the instant.
func (s serviceTokens) Purge(ctx context.Context, tenantID string, before time.Time, limit int) (int, error) {
	return purge(ctx, s.e, serviceTokenPurge, tenantID, micros(before), int64(limit))
}

func scanServiceToken(scan scanner) (servicetoken.Token, error) {
	var t servicetoken.Token
	var claims, audience, kind string
	var created, expires, revoked int64
	err := scan(&t.TenantID, &t.ID, &t.JTI, &t.Name, &t.Issuer, &claims, &audience, &kind, &t.KID, &created, &expires, &revoked, &t.Face,
		&t.Maker.Kind, &t.Maker.ID)
	if err != nil {
		return t, err
	}
	t.Claims, t.Key = json.RawMessage(claims), token.Kind(kind)
	t.CreatedAt, t.ExpiresAt, t.RevokedAt = instant(created), instant(expires), instant(revoked)
	t.Audience, err = listOf(audience)
	return t, err
}
