package sqlstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/oauth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

type oauthCodes struct{ e engine }

// OAuthCodes spends authorization codes.
func (s *Store) OAuthCodes() oauth.Codes { return oauthCodes{s.e} }

const codeColumns = `tenant_id, hash, client_id, redirect_uri, challenge, nonce, dpop_key, user_id, epoch, sso_id, scope, resource, auth_time,
	amr, acr, offline, created_at, expires_at, spent_at, session_id`

var (
	codePut = hot(both(`INSERT INTO oauth_code (` + codeColumns + `) VALUES (` + placeholders(20) + `)`))
	codeGet = jointly(codeTogether, hot(both(`SELECT `+codeColumns+` FROM oauth_code WHERE tenant_id = $1 AND hash = $2`)))
	// The update decides who spends it.
	codeSpend = hot(both(`UPDATE oauth_code SET spent_at = $1, session_id = $2 WHERE tenant_id = $3 AND hash = $4 AND spent_at = 0`))
	codePurge = hot(both(`DELETE FROM oauth_code WHERE tenant_id || '' = $1 AND hash IN
		(SELECT hash FROM oauth_code WHERE tenant_id = $1 AND expires_at < $2 ORDER BY expires_at LIMIT $3)`))
)

func putCode(q queryer, c *oauth.Code) error {
	if c == nil {
		return nil
	}
	return q.later(codePut, c.TenantID, nonNil(c.Hash), c.ClientID, c.RedirectURI, c.Challenge, c.Nonce, c.DPoPKey, c.UserID, c.Epoch, c.SSOID,
		list(c.Scope), list(c.Resource), micros(c.AuthTime), list(c.AMR), c.ACR, c.OfflineAsked, micros(c.CreatedAt), micros(c.ExpiresAt),
		micros(c.SpentAt), c.SessionID)
}

// Code reads a code, spent or not.
func (s oauthCodes) Code(ctx context.Context, tenantID string, hash []byte) (oauth.Code, error) {
	var c oauth.Code
	var scope, resource, amr string
	var authTime, created, expires, spent int64
	found, err := s.e.get(ctx, codeGet, in{tenantID, nonNil(hash)}, &c.TenantID, &c.Hash, &c.ClientID, &c.RedirectURI, &c.Challenge, &c.Nonce,
		&c.DPoPKey, &c.UserID, &c.Epoch, &c.SSOID, &scope, &resource, &authTime, &amr, &c.ACR, &c.OfflineAsked, &created, &expires, &spent, &c.SessionID)
	if err == nil && !found {
		err = notFound("no such code")
	}
	if err != nil {
		return oauth.Code{}, err
	}
	c.AuthTime, c.CreatedAt, c.ExpiresAt, c.SpentAt = instant(authTime), instant(created), instant(expires), instant(spent)
	if c.Scope, err = listOf(scope); err != nil {
		return c, err
	}
	if c.Resource, err = listOf(resource); err != nil {
		return c, err
	}
	c.AMR, err = listOf(amr)
	return c, err
}

// codeTogether is codeGet for many at once.
var codeTogether = &together{types: codeKey, text: tidy(`SELECT w.n, ` + qualified("c", codeColumns) + ` FROM ` +
	unnested(codeKey, "tenant_id, hash") + ` JOIN oauth_code c ON c.tenant_id = w.tenant_id AND c.hash = w.hash`)}

var codeKey = []string{"text", "bytea"}

// Exchange spends a code and opens its family. Of any number of callers one finds the code unspent; what the others would have opened is
// never written.
func (s oauthCodes) Exchange(ctx context.Context, tenantID string, hash []byte, f session.Family, register *user.Registration, rec audit.Record) (ok bool, err error) {
	if s.e.kind() == postgresKind && simple(rec) && f.UserID != "" && f.ParentID == "" {
		return s.exchangeOnce(ctx, tenantID, hash, f, register, rec)
	}
	row := sessionArgs(&f)
	err = s.e.write(ctx, func(q queryer) error {
		ok = false
		if err := guardOpen(q, &f); err != nil {
			return err
		}
		n, err := q.exec(codeSpend, micros(f.CreatedAt), f.ID, tenantID, nonNil(hash))
		if ok = n == 1; err != nil || !ok {
			return err
		}
		return putOpened(q, &f, row, register, rec)
	})
	return ok && err == nil, err
}
