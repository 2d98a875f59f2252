package sqlstore

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

type oauthRegistrations struct{ e engine }

// OAuthRegistrations keeps initial access tokens and who may change a registered client.
func (s *Store) OAuthRegistrations() oauth.Registrations { return oauthRegistrations{s.e} }

const initialColumns = `tenant_id, id, name, hash, created_at, expires_at, uses_left, last_used, revoked_at`

var (
	initialPut    = both(`INSERT INTO oauth_initial (` + initialColumns + `) VALUES (` + placeholders(9) + `) ON CONFLICT DO NOTHING`)
	initialAll    = both(`SELECT ` + initialColumns + ` FROM oauth_initial WHERE tenant_id = $1 ORDER BY id`) // a handful of rows
	initialRevoke = both(`UPDATE oauth_initial SET revoked_at = CASE WHEN revoked_at = 0 THEN $3 ELSE revoked_at END WHERE tenant_id = $1 AND id = $2`)
	initialSpend  = hot(both(`UPDATE oauth_initial SET uses_left = CASE WHEN uses_left > 0 THEN uses_left - 1 ELSE uses_left END, last_used = $3
		WHERE tenant_id = $1 AND hash = $2 AND revoked_at = 0 AND uses_left <> 0 AND (expires_at = 0 OR expires_at > $3) RETURNING id`))
	clientAdd = both(`INSERT INTO client (` + clientColumns + `) VALUES ($1, $2, $3, $4, $5, $6, 1) ON CONFLICT DO NOTHING`)
	clientSet = both(`UPDATE client SET name = $3, secret_hash = $4, settings = $5, version = version + 1
		WHERE tenant_id = $1 AND id = $2 AND removed_at = 0`)
	registrationPutOne = both(`INSERT INTO oauth_registration (tenant_id, client_id, hash, initial_id, created_at) VALUES ($1, $2, $3, $4, $5)`)
	registrationOne    = hot(both(`SELECT tenant_id, client_id, hash, initial_id, created_at FROM oauth_registration WHERE tenant_id = $1 AND client_id = $2`))
	registrationForget = both(`DELETE FROM oauth_registration WHERE tenant_id = $1 AND client_id = $2`)
)

// AddInitial inserts a token.
func (s oauthRegistrations) AddInitial(ctx context.Context, i oauth.InitialToken, rec audit.Record) error {
	added, err := insertOnce(ctx, s.e, rec, initialPut, i.TenantID, i.ID, i.Name, nonNil(i.Hash), micros(i.CreatedAt), micros(i.ExpiresAt), i.Left,
		micros(i.LastUsed), micros(i.RevokedAt))
	if err == nil && !added {
		err = conflict("this token is there already")
	}
	return err
}

// Initials lists a tenant's.
func (s oauthRegistrations) Initials(ctx context.Context, tenantID string) (out []oauth.InitialToken, err error) {
	err = s.e.read(ctx, func(q queryer) error {
		out = nil
		return q.each(initialAll, in{tenantID}, func(scan scanner) error {
			var i oauth.InitialToken
			var created, expires, used, revoked int64
			err := scan(&i.TenantID, &i.ID, &i.Name, &i.Hash, &created, &expires, &i.Left, &used, &revoked)
			i.CreatedAt, i.ExpiresAt, i.LastUsed, i.RevokedAt = instant(created), instant(expires), instant(used), instant(revoked)
			out = append(out, i)
			return err
		})
	})
	return out, err
}

// RevokeInitial marks one.
func (s oauthRegistrations) RevokeInitial(ctx context.Context, tenantID, id string, at time.Time, rec audit.Record) error {
	return s.e.write(ctx, func(q queryer) error {
		n, err := q.exec(initialRevoke, tenantID, id, micros(at))
		if err != nil {
			return err
		}
		if n == 0 {
			return notFound("no such token")
		}
		return writeRecord(q, rec)
	})
}

// Register spends one use and stores the client.
func (s oauthRegistrations) Register(ctx context.Context, initial []byte, c tenant.Client, r oauth.Registered, rec audit.Record) error {
	settings, err := encode(c.Settings)
	if err != nil {
		return err
	}
	return s.e.write(ctx, func(q queryer) error {
		if err := move(q, nil); err != nil {
			return err
		}
		var id string
		found, err := q.row(initialSpend, in{c.TenantID, nonNil(initial), micros(r.CreatedAt)}, &id)
		if err != nil {
			return err
		}
		if !found {
			return fault.New(fault.Unauthenticated, fault.ReasonInvalidToken, "the initial access token is not valid")
		}
		n, err := q.exec(clientAdd, c.TenantID, c.ID, c.Name, hashOrNull(c.SecretHash), settings, c.ManagedBy)
		if err != nil {
			return err
		}
		if n == 0 {
			return conflict("this client is there already")
		}
		if err := q.later(registrationPutOne, r.TenantID, r.ClientID, nonNil(r.Hash), id, micros(r.CreatedAt)); err != nil {
			return err
		}
		return writeRecord(q, rec)
	})
}

// Registered reads what is kept of a client.
func (s oauthRegistrations) Registered(ctx context.Context, tenantID, clientID string) (oauth.Registered, error) {
	var out oauth.Registered
	err := s.e.read(ctx, func(q queryer) error {
		var r oauth.Registered
		var created int64
		found, err := q.row(registrationOne, in{tenantID, clientID}, &r.TenantID, &r.ClientID, &r.Hash, &r.InitialID, &created)
		if err == nil && !found {
			err = notFound("no such registration")
		}
		r.CreatedAt = instant(created)
		out = r
		return err
	})
	return out, err
}

// Change replaces a client.
func (s oauthRegistrations) Change(ctx context.Context, c tenant.Client, rec audit.Record) error {
	settings, err := encode(c.Settings)
	if err != nil {
		return err
	}
	return s.e.write(ctx, func(q queryer) error {
		if err := move(q, nil); err != nil {
			return err
		}
		n, err := q.exec(clientSet, c.TenantID, c.ID, c.Name, hashOrNull(c.SecretHash), settings)
		if err != nil {
			return err
		}
		if n == 0 {
			return notFound("no such client")
		}
		return writeRecord(q, rec)
	})
}

// Remove marks a registered client removed and ends its sessions.
func (s oauthRegistrations) Remove(ctx context.Context, tenantID, clientID string, at time.Time, rec audit.Record) error {
	return s.e.write(ctx, func(q queryer) error {
		if err := move(q, nil); err != nil {
			return err
		}
		n, err := q.exec(registrationForget, tenantID, clientID)
		if err == nil && n == 0 {
			err = notFound("no such registration")
		}
		if err != nil {
			return err
		}
		if _, err := q.exec(clientRemove, tenantID, clientID, micros(at)); err != nil {
			return err
		}
		out, err := end(q, endByClient, tenantID, string(fault.ReasonClientGone), at, "", clientID)
		if err != nil {
			return err
		}
		return writeEnded(q, tenantID, out, rec)
	})
}
