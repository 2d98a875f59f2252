package sqlstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/recipe"
)

type appRoles struct{ e engine }

// AppRoles keeps the roles of the recipe room.
func (s *Store) AppRoles() recipe.Roles { return appRoles{s.e} }

var (
	appRolePut = hot(both(`INSERT INTO app_role (tenant_id, name) VALUES ($1, $2) ON CONFLICT DO NOTHING`))
	// The share lock keeps a role from being removed under a grant.
	appRoleGuard = hot(pair(`SELECT 1 FROM app_role WHERE tenant_id = $1 AND name = $2`,
		`SELECT 1 FROM app_role WHERE tenant_id = $1 AND name = $2 FOR SHARE`))
	appRoleCut       = hot(both(`DELETE FROM app_role WHERE tenant_id = $1 AND name = $2`))
	appPermissionPut = hot(both(`INSERT INTO app_permission (tenant_id, role, permission) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`))
	appPermissionCut = hot(both(`DELETE FROM app_permission WHERE tenant_id = $1 AND role = $2 AND permission = $3`))
	appPermissionAll = hot(both(`DELETE FROM app_permission WHERE tenant_id = $1 AND role = $2`))
	// A tenant has few roles.
	appRoleList = both(`SELECT r.name, p.permission FROM app_role r LEFT JOIN app_permission p ON p.role = r.name AND p.tenant_id || '' = $1
		WHERE r.tenant_id = $1 ORDER BY r.name, p.permission`)
	subjectRolePut  = hot(both(`INSERT INTO subject_role (tenant_id, subject, org_id, role) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`))
	subjectRoleCut  = hot(both(`DELETE FROM subject_role WHERE tenant_id = $1 AND subject = $2 AND org_id = $3 AND role = $4`))
	subjectRoleOf   = hot(both(`SELECT role FROM subject_role WHERE tenant_id = $1 AND org_id = $2 AND subject = $3 ORDER BY role`))
	subjectRoleHeld = hot(both(`SELECT subject FROM subject_role WHERE tenant_id = $1 AND org_id = $2 AND role = $3 ORDER BY subject`))
)

func noRole() error { return notFound("no such role") }

func mustRole(q queryer, tenantID, role string) error {
	var one int64
	found, err := q.row(appRoleGuard, in{tenantID, role}, &one)
	if err == nil && !found {
		err = noRole()
	}
	return err
}

// Put makes a role and adds permissions.
func (s appRoles) Put(ctx context.Context, tenantID string, r recipe.Role, rec audit.Record) (created bool, err error) {
	err = s.e.write(ctx, func(q queryer) error {
		n, err := q.exec(appRolePut, tenantID, r.Name)
		if err != nil {
			return err
		}
		created = n == 1
		if err := mustRole(q, tenantID, r.Name); err != nil {
			return err
		}
		for _, p := range r.Permissions {
			if err := q.later(appPermissionPut, tenantID, r.Name, p); err != nil {
				return err
			}
		}
		return writeRecord(q, rec)
	})
	return created, err
}

// All gives every role.
func (s appRoles) All(ctx context.Context, tenantID string) (out []recipe.Role, err error) {
	err = s.e.read(ctx, func(q queryer) error {
		out = nil
		return q.each(appRoleList, in{tenantID}, func(scan scanner) error {
			var name string
			var permission *string
			if err := scan(&name, &permission); err != nil {
				return err
			}
			if n := len(out); n == 0 || out[n-1].Name != name {
				out = append(out, recipe.Role{Name: name})
			}
			if r := &out[len(out)-1]; permission != nil {
				r.Permissions = append(r.Permissions, *permission)
			}
			return nil
		})
	})
	return out, err
}

// Strip takes permissions away.
func (s appRoles) Strip(ctx context.Context, tenantID, role string, permissions []string, rec audit.Record) error {
	return s.e.write(ctx, func(q queryer) error {
		if err := mustRole(q, tenantID, role); err != nil {
			return err
		}
		if permissions == nil {
			if err := q.later(appPermissionAll, tenantID, role); err != nil {
				return err
			}
		}
		for _, p := range permissions {
			if err := q.later(appPermissionCut, tenantID, role, p); err != nil {
				return err
			}
		}
		return writeRecord(q, rec)
	})
}

// Remove deletes a role; permissions and grants go by cascade.
func (s appRoles) Remove(ctx context.Context, tenantID, role string, rec audit.Record) (found bool, err error) {
	err = s.e.write(ctx, func(q queryer) error {
		n, err := q.exec(appRoleCut, tenantID, role)
		if err != nil {
			return err
		}
		if found = n == 1; !found {
			return nil
		}
		return writeRecord(q, rec)
	})
	return found, err
}

// Grant gives a role.
func (s appRoles) Grant(ctx context.Context, g recipe.Grant, rec audit.Record) (had bool, err error) {
	changed, err := s.change(ctx, subjectRolePut, g, rec)
	return !changed, err
}

// Take takes a role back.
func (s appRoles) Take(ctx context.Context, g recipe.Grant, rec audit.Record) (had bool, err error) {
	return s.change(ctx, subjectRoleCut, g, rec)
}

func (s appRoles) change(ctx context.Context, st *stmt, g recipe.Grant, rec audit.Record) (changed bool, err error) {
	err = s.e.write(ctx, func(q queryer) error {
		if err := mustRole(q, g.TenantID, g.Role); err != nil {
			return err
		}
		n, err := q.exec(st, g.TenantID, g.Subject, g.Org, g.Role)
		if err != nil {
			return err
		}
		if changed = n == 1; !changed {
			return nil
		}
		return writeRecord(q, rec)
	})
	return changed, err
}

// Of gives a subject's roles.
func (s appRoles) Of(ctx context.Context, tenantID, org, subject string) (out []string, err error) {
	err = s.e.read(ctx, func(q queryer) (err error) {
		out, err = texts(q, subjectRoleOf, in{tenantID, org, subject})
		return err
	})
	return out, err
}

// Holders gives who has a role.
func (s appRoles) Holders(ctx context.Context, tenantID, org, role string) (out []string, err error) {
	err = s.e.view(ctx, func(q queryer) (err error) {
		if out, err = texts(q, subjectRoleHeld, in{tenantID, org, role}); err != nil || len(out) > 0 {
			return err
		}
		var one int64
		found, err := q.row(appRoleThere, in{tenantID, role}, &one)
		if err == nil && !found {
			err = noRole()
		}
		return err
	})
	return out, err
}

var appRoleThere = hot(both(`SELECT 1 FROM app_role WHERE tenant_id = $1 AND name = $2`)) // without a lock, for reads

// texts reads a column.
func texts(q queryer, s *stmt, args in) (out []string, err error) {
	err = q.each(s, args, func(scan scanner) error {
		var t string
		err := scan(&t)
		out = append(out, t)
		return err
	})
	return out, err
}
