package sqlstore

import (
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

const (
	identifierColumns   = `kind, value, typed, verified_at, verified_how, is_primary`
	registrationColumns = `tenant_id, user_id, client_id, roles, data, created_at`
)

var (
	userPut = hot(both(`INSERT INTO app_user (` + userColumns + `) VALUES (` + placeholders(12) + `)`))
	// A taken address inserts nothing, so that the verb can say so without a failed transaction.
	identifierPut = hot(both(`INSERT INTO identifier (tenant_id, user_id, ` + identifierColumns + `)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (tenant_id, kind, value) DO NOTHING`))
	registrationPut = hot(both(`INSERT INTO registration (` + registrationColumns + `) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT DO NOTHING`))
)

// userRow receives userColumns, all of which may be NULL on the right of a join.
type userRow struct {
	tenantID, id, status, name, locale, data         *string
	epoch, created, updated, deleted, purge, version *int64
}

func (r *userRow) dest() []any {
	return []any{
		&r.tenantID, &r.id, &r.status, &r.epoch, &r.name, &r.locale, &r.data, &r.created, &r.updated, &r.deleted, &r.purge, &r.version,
	}
}

// user gives the zero User for a row of NULLs.
func (r *userRow) user() user.User {
	if r.id == nil {
		return user.User{}
	}
	return user.User{
		TenantID: *r.tenantID, ID: *r.id, Status: user.Status(*r.status), Epoch: *r.epoch, Name: *r.name, Locale: *r.locale,
		Data: rawOf(r.data), CreatedAt: instant(*r.created), UpdatedAt: instant(*r.updated), DeletedAt: instant(*r.deleted),
		PurgeAt: instant(*r.purge), Version: *r.version,
	}
}

// identifierRow receives identifierColumns, perhaps NULL.
type identifierRow struct {
	kind, value, typed, how *string
	verified                *int64
	primary                 *bool
}

func (r *identifierRow) dest() []any {
	return []any{&r.kind, &r.value, &r.typed, &r.verified, &r.how, &r.primary}
}

func (r *identifierRow) addTo(u *user.User) {
	if r.kind == nil {
		return
	}
	u.Identifiers = append(u.Identifiers, user.Identifier{
		Kind: user.IdentifierKind(*r.kind), Value: *r.value, Typed: *r.typed, VerifiedAt: instant(*r.verified), VerifiedHow: *r.how,
		Primary: *r.primary,
	})
}

// registrationRow receives roles, data and creation, perhaps NULL.
type registrationRow struct {
	roles, data *string
	created     *int64
}

func (r *registrationRow) dest() []any { return []any{&r.roles, &r.data, &r.created} }

func (r *registrationRow) setOn(u *user.User, clientID string) error {
	if r.roles == nil || u.Registration != nil {
		return nil
	}
	roles, err := listOf(*r.roles)
	u.Registration = &user.Registration{ClientID: clientID, Roles: roles, Data: rawOf(r.data), CreatedAt: instant(*r.created)}
	return err
}

func putUser(q queryer, u *user.User) error {
	return q.later(userPut, u.TenantID, u.ID, string(u.Status), u.Epoch, u.Name, u.Locale, raw(u.Data), micros(u.CreatedAt),
		micros(u.UpdatedAt), micros(u.DeletedAt), micros(u.PurgeAt), u.Version)
}

// putIdentifier reports whether the identifier was free.
func putIdentifier(q queryer, tenantID, userID string, i user.Identifier) (bool, error) {
	n, err := q.exec(identifierPut, tenantID, userID, string(i.Kind), i.Value, i.Typed, micros(i.VerifiedAt), i.VerifiedHow, i.Primary)
	return n == 1, err
}

func putRegistration(q queryer, tenantID, userID string, r user.Registration) error {
	return q.later(registrationPut, tenantID, userID, r.ClientID, list(r.Roles), raw(r.Data), micros(r.CreatedAt))
}
