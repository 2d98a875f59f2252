package supertokens

import (
	"context"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/recipe"
)

func (f *Face) roleEndpoints() []endpoint {
	return []endpoint{
		put("/recipe/role", onApp, worded(f.putRole)),
		get("/recipe/roles", onApp, worded(f.allRoles)),
		post("/recipe/role/remove", onApp, worded(f.removeRole)),
		get("/recipe/role/permissions", onApp, worded(f.permissions)),
		post("/recipe/role/permissions/remove", onApp, worded(f.strip)),
		get("/recipe/permission/roles", onApp, worded(f.rolesWith)),
		put("/recipe/user/role", onTenant, worded(f.grant)),
		post("/recipe/user/role/remove", onTenant, worded(f.take)),
		get("/recipe/user/roles", onTenant, worded(f.rolesOf)),
		get("/recipe/role/users", onTenant, worded(f.holders)),
	}
}

// name gives a text that names something: trimmed, and not empty.
func (r *request) name(field string) (string, error) {
	s, err := r.text(field)
	s = strings.TrimSpace(s)
	if err == nil && s == "" {
		err = bad("Field name '" + field + "' cannot be an empty String")
	}
	return s, err
}

func (r *request) askedName(field string) (string, error) {
	s, err := r.asked(field)
	s = strings.TrimSpace(s)
	if err == nil && s == "" {
		err = bad("Field name '" + field + "' cannot be an empty String")
	}
	return s, err
}

// names gives an array of names that may be left out: nil.
func (r *request) names(field string) ([]string, error) {
	m, err := r.member(field)
	if err != nil || none(m) {
		return nil, err
	}
	list, err := r.texts(field)
	if err != nil {
		return nil, err
	}
	list = slices.Clone(list)
	for i := range list {
		if list[i] = strings.TrimSpace(list[i]); list[i] == "" {
			return nil, bad("Field name '" + field + "' cannot contain an empty string")
		}
	}
	return filled(list), nil
}

func (f *Face) putRole(ctx context.Context, r *request) (any, error) {
	role, err := r.name("role")
	if err != nil {
		return nil, err
	}
	permissions, err := r.names("permissions")
	if err != nil {
		return nil, err
	}
	created, err := f.cfg.Recipe.PutRole(ctx, r.call, r.app, recipe.Role{Name: role, Permissions: permissions})
	if err != nil {
		return nil, err
	}
	return ok(reply{"createdNewRole": created}), nil
}

func (f *Face) allRoles(ctx context.Context, r *request) (any, error) {
	return f.roleNames(ctx, r, func(recipe.Role) bool { return true })
}

func (f *Face) rolesWith(ctx context.Context, r *request) (any, error) {
	permission, err := r.askedName("permission")
	if err != nil {
		return nil, err
	}
	return f.roleNames(ctx, r, func(role recipe.Role) bool { return slices.Contains(role.Permissions, permission) })
}

func (f *Face) roleNames(ctx context.Context, r *request, match func(recipe.Role) bool) (any, error) {
	all, err := f.cfg.Recipe.Roles(ctx, r.app)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, role := range all {
		if match(role) {
			names = append(names, role.Name)
		}
	}
	return ok(reply{"roles": names}), nil
}

func (f *Face) removeRole(ctx context.Context, r *request) (any, error) {
	role, err := r.name("role")
	if err != nil {
		return nil, err
	}
	found, err := f.cfg.Recipe.RemoveRole(ctx, r.call, r.app, role)
	if err != nil {
		return nil, err
	}
	return ok(reply{"didRoleExist": found}), nil
}

func (f *Face) permissions(ctx context.Context, r *request) (any, error) {
	name, err := r.askedName("role")
	if err != nil {
		return nil, err
	}
	role, err := f.cfg.Recipe.Role(ctx, r.app, name)
	if err != nil {
		return nil, err
	}
	return ok(reply{"permissions": filled(role.Permissions)}), nil
}

func (f *Face) strip(ctx context.Context, r *request) (any, error) {
	role, err := r.name("role")
	if err != nil {
		return nil, err
	}
	permissions, err := r.names("permissions")
	if err != nil {
		return nil, err
	}
	if err := f.cfg.Recipe.Strip(ctx, r.call, r.app, role, permissions); err != nil {
		return nil, err
	}
	return ok(nil), nil
}

// given reads user and role of a grant.
func (r *request) given() (recipe.Grant, error) {
	id, err := r.name("userId")
	if err != nil {
		return recipe.Grant{}, err
	}
	role, err := r.name("role")
	return recipe.Grant{Org: r.org, Subject: id, Role: role}, err
}

func (f *Face) grant(ctx context.Context, r *request) (any, error) {
	g, err := r.given()
	if err != nil {
		return nil, err
	}
	had, err := f.cfg.Recipe.Grant(ctx, r.call, r.app, g)
	if err != nil {
		return nil, err
	}
	return ok(reply{"didUserAlreadyHaveRole": had}), nil
}

func (f *Face) take(ctx context.Context, r *request) (any, error) {
	g, err := r.given()
	if err != nil {
		return nil, err
	}
	had, err := f.cfg.Recipe.Take(ctx, r.call, r.app, g)
	if err != nil {
		return nil, err
	}
	return ok(reply{"didUserHaveRole": had}), nil
}

func (f *Face) rolesOf(ctx context.Context, r *request) (any, error) {
	id, err := r.askedName("userId")
	if err != nil {
		return nil, err
	}
	list, err := f.cfg.Recipe.RolesOf(ctx, r.app, r.org, id)
	if err != nil {
		return nil, err
	}
	return ok(reply{"roles": filled(list)}), nil
}

func (f *Face) holders(ctx context.Context, r *request) (any, error) {
	role, err := r.askedName("role")
	if err != nil {
		return nil, err
	}
	list, err := f.cfg.Recipe.Holders(ctx, r.app, r.org, role)
	if err != nil {
		return nil, err
	}
	return ok(reply{"users": filled(list)}), nil
}
