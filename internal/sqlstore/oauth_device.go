package sqlstore

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

type oauthDevices struct{ e engine }

// OAuthDevices keeps device authorizations.
func (s *Store) OAuthDevices() oauth.Devices { return oauthDevices{s.e} }

const deviceColumns = `tenant_id, hash, user_code, pepper, client_id, scope, resource, dpop_key, place, agent, stage, user_id, epoch, sso_id,
	auth_time, amr, acr, created_at, expires_at, polled_at, interval_s, session_id, version`

var (
	devicePut    = hot(both(`INSERT INTO oauth_device (` + deviceColumns + `) VALUES (` + placeholders(23) + `) ON CONFLICT DO NOTHING`))
	deviceGet    = hot(both(`SELECT ` + deviceColumns + ` FROM oauth_device WHERE tenant_id = $1 AND hash = $2`))
	deviceByUser = hot(both(`SELECT ` + deviceColumns + ` FROM oauth_device WHERE tenant_id = $1 AND user_code = $2 AND expires_at > $3`))
	deviceSwap   = hot(both(`UPDATE oauth_device SET stage = $1, user_id = $2, epoch = $3, sso_id = $4, auth_time = $5, amr = $6, acr = $7, scope = $8,
		polled_at = $9, interval_s = $10, version = version + 1 WHERE tenant_id = $11 AND hash = $12 AND version = $13 AND stage <> 'spent'`))
	deviceSpend = hot(both(`UPDATE oauth_device SET stage = 'spent', session_id = $1, version = version + 1
		WHERE tenant_id = $2 AND hash = $3 AND version = $4 AND stage = 'allowed'`))
	devicePurge = hot(both(`DELETE FROM oauth_device WHERE tenant_id || '' = $1 AND hash IN
		(SELECT hash FROM oauth_device WHERE tenant_id = $1 AND expires_at < $2 ORDER BY expires_at LIMIT $3)`))
)

// Add inserts one unless its user code is taken.
func (s oauthDevices) Add(ctx context.Context, d oauth.Device, rec audit.Record) error {
	added, err := insertOnce(ctx, s.e, rec, devicePut, d.TenantID, nonNil(d.Hash), nonNil(d.UserCode), int64(d.Pepper), d.ClientID, list(d.Scope),
		list(d.Resource), d.DPoPKey, d.Place, d.Agent, string(d.Stage), d.UserID, d.Epoch, d.SSOID, micros(d.AuthTime), list(d.AMR), d.ACR,
		micros(d.CreatedAt), micros(d.ExpiresAt), micros(d.PolledAt), d.IntervalS, d.SessionID, d.Version)
	if err == nil && !added {
		err = conflict("this code is taken")
	}
	return err
}

// ByDevice reads by the device code.
func (s oauthDevices) ByDevice(ctx context.Context, tenantID string, hash []byte) (oauth.Device, error) {
	return s.get(ctx, deviceGet, in{tenantID, nonNil(hash)})
}

// ByUser reads by the user code one that has not expired.
func (s oauthDevices) ByUser(ctx context.Context, tenantID string, userCode []byte, at time.Time) (oauth.Device, error) {
	return s.get(ctx, deviceByUser, in{tenantID, nonNil(userCode), micros(at)})
}

func (s oauthDevices) get(ctx context.Context, text *stmt, args in) (oauth.Device, error) {
	var out oauth.Device
	err := s.e.read(ctx, func(q queryer) error {
		var d oauth.Device
		var scope, resource, amr, stage string
		var pepper, authTime, created, expires, polled int64
		found, err := q.row(text, args, &d.TenantID, &d.Hash, &d.UserCode, &pepper, &d.ClientID, &scope, &resource, &d.DPoPKey, &d.Place, &d.Agent, &stage,
			&d.UserID, &d.Epoch, &d.SSOID, &authTime, &amr, &d.ACR, &created, &expires, &polled, &d.IntervalS, &d.SessionID, &d.Version)
		if err != nil {
			return err
		}
		if !found {
			return notFound("no such device authorization")
		}
		d.Pepper, d.Stage = uint32(pepper), oauth.DeviceStage(stage)
		d.AuthTime, d.CreatedAt, d.ExpiresAt, d.PolledAt = instant(authTime), instant(created), instant(expires), instant(polled)
		if d.Scope, err = listOf(scope); err != nil {
			return err
		}
		if d.Resource, err = listOf(resource); err != nil {
			return err
		}
		d.AMR, err = listOf(amr)
		out = d
		return err
	})
	return out, err
}

// Swap replaces what an answer or a question changes.
func (s oauthDevices) Swap(ctx context.Context, from, to oauth.Device, rec audit.Record) (ok bool, err error) {
	err = s.e.write(ctx, func(q queryer) error {
		n, err := q.exec(deviceSwap, string(to.Stage), to.UserID, to.Epoch, to.SSOID, micros(to.AuthTime), list(to.AMR), to.ACR, list(to.Scope),
			micros(to.PolledAt), to.IntervalS, from.TenantID, nonNil(from.Hash), from.Version)
		if ok = n == 1; err != nil || !ok {
			return err
		}
		return writeRecord(q, rec)
	})
	return ok && err == nil, err
}

// Redeem spends an allowed one and opens its family. Of any number of callers one finds it allowed.
func (s oauthDevices) Redeem(ctx context.Context, from oauth.Device, f session.Family, register *user.Registration, rec audit.Record) (ok bool, err error) {
	row := sessionArgs(&f)
	err = s.e.write(ctx, func(q queryer) error {
		ok = false
		if err := guardOpen(q, &f); err != nil {
			return err
		}
		n, err := q.exec(deviceSpend, f.ID, from.TenantID, nonNil(from.Hash), from.Version)
		if ok = n == 1; err != nil || !ok {
			return err
		}
		return putOpened(q, &f, row, register, rec)
	})
	return ok && err == nil, err
}

// Purge deletes expired ones.
func (s oauthDevices) Purge(ctx context.Context, tenantID string, before time.Time, limit int) (int, error) {
	return purge(ctx, s.e, devicePurge, tenantID, micros(before), int64(limit))
}
