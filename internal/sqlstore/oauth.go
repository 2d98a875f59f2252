package sqlstore

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

type oauthRequests struct{ e engine }

// OAuthRequests is the store of authorization requests, consents and the codes they end in.
func (s *Store) OAuthRequests() oauth.Requests { return oauthRequests{s.e} }

const (
	requestColumns = `tenant_id, id, browser, client_id, params, created_at, expires_at, sso_id, proved_at, chosen, consent, refused, done_at, version`
	consentColumns = `tenant_id, user_id, client_id, scope, resource, granted_at, updated_at`
)

var (
	requestPut  = hot(both(`INSERT INTO oauth_request (` + requestColumns + `) VALUES (` + placeholders(14) + `)`))
	requestGet  = hot(both(`SELECT ` + requestColumns + ` FROM oauth_request WHERE tenant_id = $1 AND id = $2 AND expires_at > $3`))
	requestStep = hot(both(`UPDATE oauth_request SET browser = $1, expires_at = $2, sso_id = $3, proved_at = $4, chosen = $5, consent = $6,
		refused = $7, version = version + 1 WHERE tenant_id = $8 AND id = $9 AND version = $10 AND done_at = 0`))
	requestDone = hot(both(`UPDATE oauth_request SET done_at = $1, version = version + 1
		WHERE tenant_id = $2 AND id = $3 AND version = $4 AND done_at = 0`))
	requestPurge = hot(both(`DELETE FROM oauth_request WHERE tenant_id || '' = $1 AND id IN
		(SELECT id FROM oauth_request WHERE tenant_id = $1 AND expires_at < $2 ORDER BY expires_at LIMIT $3)`))

	consentPut = hot(both(`INSERT INTO consent (` + consentColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (user_id, client_id, tenant_id) DO UPDATE SET scope = excluded.scope, resource = excluded.resource, updated_at = excluded.updated_at`))
	consentGet = hot(both(`SELECT ` + consentColumns + ` FROM consent WHERE tenant_id || '' = $1 AND user_id = $2 AND ($3 = '' OR client_id = $3)
		ORDER BY client_id`))
	consentDrop = hot(both(`DELETE FROM consent WHERE tenant_id = $1 AND user_id = $2 AND client_id = $3`))
	// Codes that are out in the world when a consent is withdrawn are worth nothing any more.
	codeVoid = hot(both(`UPDATE oauth_code SET spent_at = $4 WHERE tenant_id || '' = $1 AND user_id = $2 AND client_id = $3 AND spent_at = 0`))
)

// Begin inserts a request.
func (s oauthRequests) Begin(ctx context.Context, r oauth.Request) error {
	params, err := encode(r.Params)
	if err != nil {
		return err
	}
	return s.e.write(ctx, func(q queryer) error {
		return q.later(requestPut, r.TenantID, r.ID, r.Browser, r.Params.ClientID, params, micros(r.CreatedAt), micros(r.ExpiresAt), r.SSOID,
			micros(r.ProvedAt), r.Chosen, list(r.Consent), r.Refused, micros(r.DoneAt), r.Version)
	})
}

// Request reads one that has not expired.
func (s oauthRequests) Request(ctx context.Context, tenantID, id string, at time.Time) (oauth.Request, error) {
	var out oauth.Request
	err := s.e.read(ctx, func(q queryer) error {
		var r oauth.Request
		var clientID, params, consent string
		var created, expires, proved, done int64
		found, err := q.row(requestGet, in{tenantID, id, micros(at)}, &r.TenantID, &r.ID, &r.Browser, &clientID, &params, &created, &expires,
			&r.SSOID, &proved, &r.Chosen, &consent, &r.Refused, &done, &r.Version)
		if err != nil {
			return err
		}
		if !found {
			return notFound("no such authorization request")
		}
		r.CreatedAt, r.ExpiresAt, r.ProvedAt, r.DoneAt = instant(created), instant(expires), instant(proved), instant(done)
		if r.Consent, err = listOf(consent); err != nil {
			return err
		}
		out = r
		return decode(params, &out.Params)
	})
	return out, err
}

// Step replaces what a step may change.
func (s oauthRequests) Step(ctx context.Context, from, to oauth.Request, rec audit.Record) (ok bool, err error) {
	err = s.e.write(ctx, func(q queryer) error {
		n, err := q.exec(requestStep, to.Browser, micros(to.ExpiresAt), to.SSOID, micros(to.ProvedAt), to.Chosen, list(to.Consent), to.Refused,
			from.TenantID, from.ID, from.Version)
		if ok = n == 1; err != nil || !ok {
			return err
		}
		return writeRecord(q, rec)
	})
	return ok && err == nil, err
}

// Finish ends a request with or without a code. The guards come first, in the order of every verb: user, sign-on session, then the rest.
func (s oauthRequests) Finish(ctx context.Context, from oauth.Request, code *oauth.Code, c *oauth.Consent, at time.Time, rec audit.Record) (ok bool, err error) {
	err = s.e.write(ctx, func(q queryer) error {
		ok = false
		if code != nil {
			if err := guardCode(q, code, at); err != nil {
				return err
			}
		}
		n, err := q.exec(requestDone, micros(at), from.TenantID, from.ID, from.Version)
		if ok = n == 1; err != nil || !ok {
			return err
		}
		if err := putCode(q, code); err != nil {
			return err
		}
		if c != nil {
			err := q.later(consentPut, c.TenantID, c.UserID, c.ClientID, list(c.Scope), list(c.Resource), micros(c.GrantedAt), micros(c.UpdatedAt))
			if err != nil {
				return err
			}
		}
		return writeRecord(q, rec)
	})
	return ok && err == nil, err
}

func guardCode(q queryer, code *oauth.Code, at time.Time) error {
	if err := guardUser(q, code.TenantID, code.UserID, code.Epoch); err != nil {
		return err
	}
	live, err := guardSSO(q, code.TenantID, code.SSOID, at)
	if err == nil && !live {
		err = userChanged()
	}
	return err
}

// Consents reads what a user has allowed.
func (s oauthRequests) Consents(ctx context.Context, tenantID, userID, clientID string) (out []oauth.Consent, err error) {
	err = s.e.read(ctx, func(q queryer) error {
		out = nil
		return q.each(consentGet, in{tenantID, userID, clientID}, func(scan scanner) error {
			var c oauth.Consent
			var scope, resource string
			var granted, updated int64
			err := scan(&c.TenantID, &c.UserID, &c.ClientID, &scope, &resource, &granted, &updated)
			if err != nil {
				return err
			}
			c.GrantedAt, c.UpdatedAt = instant(granted), instant(updated)
			if c.Scope, err = listOf(scope); err != nil {
				return err
			}
			c.Resource, err = listOf(resource)
			out = append(out, c)
			return err
		})
	})
	return out, err
}

// Withdraw deletes a consent, voids the codes it has brought, and ends the user's sessions at that client. Codes come before sessions: an
// exchange that holds its code has committed by then, and its family is seen.
func (s oauthRequests) Withdraw(ctx context.Context, tenantID, userID, clientID string, at time.Time, rec audit.Record) ([]session.Ended, error) {
	if userID == "" || clientID == "" {
		return nil, misuse("a withdrawal names a user and a client")
	}
	var out ended
	err := s.e.write(ctx, func(q queryer) (err error) {
		if err := q.later(consentDrop, tenantID, userID, clientID); err != nil {
			return err
		}
		if _, err := q.exec(codeVoid, tenantID, userID, clientID, micros(at)); err != nil {
			return err
		}
		if out, err = end(q, endByUser, tenantID, "consent_withdrawn", at, "", userID, clientID); err != nil {
			return err
		}
		return writeRecord(q, out.beside(rec))
	})
	if err != nil {
		return nil, err
	}
	return out.families, nil
}

// Purge deletes requests, then codes, up to limit of both together.
func (s oauthRequests) Purge(ctx context.Context, tenantID string, before time.Time, limit int) (int, error) {
	var n int64
	err := s.e.write(ctx, func(q queryer) error {
		requests, err := q.exec(requestPurge, tenantID, micros(before), int64(limit))
		n = requests
		if err != nil || n >= int64(limit) {
			return err
		}
		codes, err := q.exec(codePurge, tenantID, micros(before), int64(limit)-n)
		n += codes
		return err
	})
	return int(n), err
}
