package sqlstore

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
)

type oauthOpaques struct{ e engine }

// OAuthOpaques keeps opaque access tokens.
func (s *Store) OAuthOpaques() oauth.Opaques { return oauthOpaques{s.e} }

const opaqueColumns = `tenant_id, hash, id, session_id, client_id, claims, expires_at, revoked_at`

var (
	opaquePut    = hot(both(`INSERT INTO oauth_opaque (` + opaqueColumns + `) VALUES (` + placeholders(8) + `)`))
	opaqueGet    = hot(both(`SELECT ` + opaqueColumns + ` FROM oauth_opaque WHERE tenant_id = $1 AND hash = $2`))
	opaqueRevoke = hot(both(`UPDATE oauth_opaque SET revoked_at = $1 WHERE tenant_id = $2 AND hash = $3 AND revoked_at = 0`))
	opaquePurge  = hot(both(`DELETE FROM oauth_opaque WHERE tenant_id || '' = $1 AND hash IN
		(SELECT hash FROM oauth_opaque WHERE tenant_id = $1 AND expires_at < $2 ORDER BY expires_at LIMIT $3)`))
	tokenRevoked = hot(both(`SELECT 1 FROM revocation WHERE tenant_id || '' = $1 AND kind = 'token' AND target = $2`))
)

// Put inserts one that no other change brings along.
func (s oauthOpaques) Put(ctx context.Context, o audit.OpaqueToken) error {
	return s.e.write(ctx, func(q queryer) error { return putOpaque(q, &o) })
}

func putOpaque(q queryer, o *audit.OpaqueToken) error {
	return q.later(opaquePut, o.TenantID, nonNil(o.Hash), o.ID, o.SessionID, o.ClientID, nonNil(o.Claims), micros(o.ExpiresAt), int64(0))
}

// Opaque reads one, dead or not.
func (s oauthOpaques) Opaque(ctx context.Context, tenantID string, hash []byte) (oauth.Opaque, error) {
	var out oauth.Opaque
	err := s.e.read(ctx, func(q queryer) error {
		var o oauth.Opaque
		var expires, revoked int64
		found, err := q.row(opaqueGet, in{tenantID, nonNil(hash)}, &o.TenantID, &o.Hash, &o.ID, &o.SessionID, &o.ClientID, &o.Claims, &expires, &revoked)
		if err == nil && !found {
			err = notFound("no such token")
		}
		o.ExpiresAt, o.RevokedAt = instant(expires), instant(revoked)
		out = o
		return err
	})
	return out, err
}

// RevokeOpaque marks one; what is revoked already stays as it is, and rec is not written.
func (s oauthOpaques) RevokeOpaque(ctx context.Context, tenantID string, hash []byte, at time.Time, rec audit.Record) error {
	return s.e.write(ctx, func(q queryer) error {
		n, err := q.exec(opaqueRevoke, micros(at), tenantID, nonNil(hash))
		if err != nil || n == 0 {
			return err
		}
		return writeRecord(q, rec)
	})
}

// RevokedToken looks into the feed.
func (s oauthOpaques) RevokedToken(ctx context.Context, tenantID, jti string) (found bool, err error) {
	err = s.e.read(ctx, func(q queryer) (err error) {
		var one int64
		found, err = q.row(tokenRevoked, in{tenantID, jti}, &one)
		return err
	})
	return found && err == nil, err
}

// Purge deletes expired ones.
func (s oauthOpaques) Purge(ctx context.Context, tenantID string, before time.Time, limit int) (int, error) {
	return purge(ctx, s.e, opaquePurge, tenantID, micros(before), int64(limit))
}
