package sqlstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/recipe"
)

type externals struct{ e engine }

// Externals keeps other systems' names of users.
func (s *Store) Externals() recipe.Externals { return externals{s.e} }

var (
	externalPut    = hot(both(`INSERT INTO external_name (tenant_id, user_id, external_id, info) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`))
	externalByUser = hot(both(`SELECT user_id, external_id, info FROM external_name WHERE tenant_id = $1 AND user_id = $2`))
	externalByName = hot(both(`SELECT user_id, external_id, info FROM external_name WHERE tenant_id = $1 AND external_id = $2`))
	externalInfo   = hot(both(`UPDATE external_name SET info = $3 WHERE tenant_id = $1 AND user_id = $2`))
)

// Map names a user.
func (s externals) Map(ctx context.Context, tenantID string, e recipe.External, rec audit.Record) error {
	return s.e.write(ctx, func(q queryer) error {
		var one int64
		found, err := q.row(accountThere, in{tenantID, e.UserID}, &one)
		if err != nil {
			return err
		}
		if !found {
			return noUser()
		}
		n, err := q.exec(externalPut, tenantID, e.UserID, e.Name, infoOf(e))
		if err != nil {
			return err
		}
		if n == 0 {
			return conflict("the user or the name is mapped already")
		}
		return writeRecord(q, rec)
	})
}

// accountThere keeps the user from being removed meanwhile.
var accountThere = hot(pair(`SELECT 1 FROM app_user WHERE tenant_id = $1 AND id = $2 AND status <> 'deleted'`,
	`SELECT 1 FROM app_user WHERE tenant_id = $1 AND id = $2 AND status <> 'deleted' FOR SHARE`))

func infoOf(e recipe.External) any {
	if !e.HasInfo {
		return nil
	}
	return e.Info
}

// ByUser reads the mapping of a user.
func (s externals) ByUser(ctx context.Context, tenantID, userID string) (recipe.External, error) {
	return s.find(ctx, externalByUser, tenantID, userID)
}

// ByName reads the mapping of a name.
func (s externals) ByName(ctx context.Context, tenantID, name string) (recipe.External, error) {
	return s.find(ctx, externalByName, tenantID, name)
}

func (s externals) find(ctx context.Context, st *stmt, tenantID, key string) (e recipe.External, err error) {
	var info *string
	err = s.e.read(ctx, func(q queryer) error {
		found, err := q.row(st, in{tenantID, key}, &e.UserID, &e.Name, &info)
		if err == nil && !found {
			err = notFound("no such mapping")
		}
		return err
	})
	if err != nil {
		return recipe.External{}, err
	}
	e.Info, e.HasInfo = orEmpty(info), info != nil
	return e, nil
}

// SetInfo replaces the free text.
func (s externals) SetInfo(ctx context.Context, tenantID string, e recipe.External, rec audit.Record) error {
	done, err := insertOnce(ctx, s.e, rec, externalInfo, tenantID, e.UserID, infoOf(e))
	if err == nil && !done {
		err = notFound("no such mapping")
	}
	return err
}

// Unmap deletes a mapping.
func (s externals) Unmap(ctx context.Context, tenantID, userID string, rec audit.Record) (bool, error) {
	return insertOnce(ctx, s.e, rec, retireExternal, tenantID, userID)
}
