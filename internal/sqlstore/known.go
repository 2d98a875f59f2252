package sqlstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// One row for every identifier of the user found, or one row of NULLs and perhaps an attempt: one query whether the address is known or
// not, so that the time of the store does not tell.
var knownText = hot(both(`SELECT ` + qualified("u", userColumns) + `, ` + qualified("i", identifierColumns) + `, r.roles, r.data, r.created_at,
		CASE WHEN k.user_id IS NOT NULL AND u.id IS NULL THEN 1 ELSE 0 END, c.id, c.phc, c.pepper_id, c.created_at, c.updated_at, ` + qualified("a", attemptColumns) + `
	FROM (SELECT 1 AS one) o
	LEFT JOIN identifier k ON k.tenant_id = $1 AND k.kind = 'email' AND k.value = $3
	LEFT JOIN app_user u ON u.id = k.user_id AND u.tenant_id || '' = $1 AND u.status <> 'deleted'
	LEFT JOIN identifier i ON i.user_id = u.id AND i.tenant_id || '' = $1
	LEFT JOIN registration r ON r.user_id = u.id AND r.tenant_id || '' = $1 AND r.client_id = $2
	LEFT JOIN credential c ON c.user_id = u.id AND c.tenant_id || '' = $1 AND c.kind = 'password'
	LEFT JOIN attempt a ON a.tenant_id || '' = $1 AND a.id = (SELECT b.id FROM attempt b
		WHERE b.tenant_id || '' = $1 AND b.email = $3 AND b.token_hash IS NOT NULL AND b.expires_at > $5
		ORDER BY CASE WHEN $4 <> '' AND b.browser = $4 THEN 0 ELSE 1 END, b.created_at DESC, b.id DESC LIMIT 1)
	ORDER BY i.kind, i.value`))

// Known reads what is known under an address.
func (s logins) Known(ctx context.Context, kq login.KnownQuery) (login.Known, error) {
	var out login.Known
	err := s.e.read(ctx, func(q queryer) error {
		out = login.Known{}
		return q.each(knownText, in{kq.TenantID, kq.ClientID, kq.Email, kq.Browser, micros(kq.At)}, func(scan scanner) error {
			return scanKnown(scan, kq, &out)
		})
	})
	return out, err
}

func scanKnown(scan scanner, kq login.KnownQuery, out *login.Known) error {
	var u userRow
	var i identifierRow
	var r registrationRow
	var p passwordRow
	var a attemptRow
	var closed int64
	dest := append(append(u.dest(), i.dest()...), append(r.dest(), &closed)...)
	dest = append(append(dest, p.dest()...), a.dest()...)
	if err := scan(dest...); err != nil {
		return err
	}
	out.Closed = closed == 1
	if out.Attempt == nil {
		out.Attempt = a.attempt()
	}
	if u.id == nil {
		return nil
	}
	if out.User == nil {
		found := u.user()
		out.User, out.Password = &found, p.password(found)
	}
	i.addTo(out.User)
	if n := len(out.User.Identifiers); n > 0 {
		i := out.User.Identifiers[n-1]
		out.Claimed = out.Claimed || i.Kind == user.Email && i.Value == kq.Email && i.Claimed() && out.User.Status == user.Active
	}
	return r.setOn(out.User, kq.ClientID)
}

// passwordRow receives a password credential, perhaps NULL.
type passwordRow struct {
	id, phc                  *string
	pepper, created, updated *int64
}

func (r *passwordRow) dest() []any { return []any{&r.id, &r.phc, &r.pepper, &r.created, &r.updated} }

func (r *passwordRow) password(of user.User) *credential.Password {
	if r.id == nil || r.phc == nil {
		return nil
	}
	return &credential.Password{
		ID: *r.id, UserID: of.ID, PHC: *r.phc, PepperID: uint32(*r.pepper), CreatedAt: instant(*r.created), UpdatedAt: instant(*r.updated),
	}
}
