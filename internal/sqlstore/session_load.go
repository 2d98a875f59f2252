package sqlstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// holderColumns and holderJoins bring the subject as it stands now, in the same query as the family.
const (
	holderColumns = `u.status, COALESCE(u.epoch, 0), COALESCE(u.name, ''), COALESCE(u.locale, ''), u.data, COALESCE(u.created_at, 0),
		COALESCE(i.value, ''), COALESCE(i.verified_at, 0), r.roles, r.data`
	holderJoins = ` LEFT JOIN app_user u ON u.id = s.user_id AND u.tenant_id || '' = $1
		LEFT JOIN identifier i ON i.user_id = u.id AND i.tenant_id || '' = $1 AND i.kind = 'email' AND i.is_primary
		LEFT JOIN registration r ON r.user_id = u.id AND r.tenant_id || '' = $1
			AND r.client_id = CASE WHEN $3 = '' THEN s.client_id ELSE $3 END `
)

var (
	loadByID = jointly(loadTogether, hot(both(`SELECT `+qualified("s", sessionColumns)+`, `+holderColumns+` FROM session s`+holderJoins+
		`WHERE s.tenant_id = $1 AND s.id = $2`)))
	loadByHash = hot(both(`SELECT ` + qualified("s", sessionColumns) + `, ` + holderColumns + ` FROM session s` + holderJoins +
		`WHERE s.tenant_id = $1 AND s.foreign_head = $2`))
)

// Load reads a family with its holder in one query.
func (s sessions) Load(ctx context.Context, ref session.Ref) (session.Loaded, error) {
	var out session.Loaded
	text, key := loadByID, any(ref.ID)
	if ref.ID == "" {
		text, key = loadByHash, any(ref.Hash[:])
	}
	var r sessionRow
	var h holderRow
	found, err := s.e.get(ctx, text, in{ref.TenantID, key, ref.ClientID}, append(r.dest(), h.dest()...)...)
	if err != nil {
		return out, err
	}
	if !found {
		return out, notFound("no such session")
	}
	if out.Family, err = r.family(); err != nil {
		return out, err
	}
	out.Holder, err = h.holder()
	return out, err
}

// holderRow receives one row of holderColumns.
type holderRow struct {
	h                            session.Holder
	status, data, roles, regData *string
	created, verified            int64
}

func (r *holderRow) dest() []any {
	h := &r.h
	return []any{&r.status, &h.Epoch, &h.Name, &h.Locale, &r.data, &r.created, &h.Email, &r.verified, &r.roles, &r.regData}
}

func (r *holderRow) holder() (session.Holder, error) {
	h := r.h
	if r.status == nil {
		return session.Holder{}, nil
	}
	h.Present, h.Status, h.Verified = true, user.Status(*r.status), r.verified != 0
	h.CreatedAt, h.VerifiedAt = instant(r.created), instant(r.verified)
	h.UserData, h.RegisterData = []byte(rawOf(r.data)), []byte(rawOf(r.regData))
	if r.roles == nil {
		return h, nil
	}
	h.Registered = true
	var err error
	h.Roles, err = listOf(*r.roles)
	return h, err
}
