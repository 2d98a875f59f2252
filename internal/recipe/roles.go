package recipe

import (
	"context"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// PutRole makes a role if it is not there and adds permissions to it.
func (s *Service) PutRole(ctx context.Context, call *audit.Call, t *tenant.Tenant, r Role) (created bool, err error) {
	return s.cfg.Roles.Put(ctx, t.ID, r, trail(call, EventRole, "", "", "role", r.Name))
}

// Roles gives every role.
func (s *Service) Roles(ctx context.Context, t *tenant.Tenant) ([]Role, error) {
	return s.cfg.Roles.All(ctx, t.ID)
}

// Role gives one role. Reason: no_such_role.
func (s *Service) Role(ctx context.Context, t *tenant.Tenant, name string) (Role, error) {
	all, err := s.cfg.Roles.All(ctx, t.ID)
	if err != nil {
		return Role{}, err
	}
	i := slices.IndexFunc(all, func(r Role) bool { return r.Name == name })
	if i < 0 {
		return Role{}, unknownRole(fault.New(fault.NotFound, fault.ReasonNotFound, ""))
	}
	return all[i], nil
}

// Strip takes permissions from a role, all when nil. Reason: no_such_role.
func (s *Service) Strip(ctx context.Context, call *audit.Call, t *tenant.Tenant, role string, permissions []string) error {
	return unknownRole(s.cfg.Roles.Strip(ctx, t.ID, role, permissions, trail(call, EventRole, "", "", "role", role)))
}

// RemoveRole deletes a role and takes it from everybody.
func (s *Service) RemoveRole(ctx context.Context, call *audit.Call, t *tenant.Tenant, role string) (found bool, err error) {
	return s.cfg.Roles.Remove(ctx, t.ID, role, trail(call, EventRole, "", "", "role", role))
}

// Grant gives a role to a subject by any of its names. Reason: no_such_role.
func (s *Service) Grant(ctx context.Context, call *audit.Call, t *tenant.Tenant, g Grant) (had bool, err error) {
	if g, err = s.grant(ctx, t, g); err != nil {
		return false, err
	}
	had, err = s.cfg.Roles.Grant(ctx, g, trail(call, EventGranted, g.Subject, "", "role", g.Role, "organisation", g.Org))
	return had, unknownRole(err)
}

// Take takes it back. Reason: no_such_role.
func (s *Service) Take(ctx context.Context, call *audit.Call, t *tenant.Tenant, g Grant) (had bool, err error) {
	if g, err = s.grant(ctx, t, g); err != nil {
		return false, err
	}
	had, err = s.cfg.Roles.Take(ctx, g, trail(call, EventTaken, g.Subject, "", "role", g.Role, "organisation", g.Org))
	return had, unknownRole(err)
}

func (s *Service) grant(ctx context.Context, t *tenant.Tenant, g Grant) (Grant, error) {
	subject, err := s.Subject(ctx, t, g.Subject)
	g.TenantID, g.Subject = t.ID, subject
	return g, err
}

// RolesOf gives a subject's roles in an organisation.
func (s *Service) RolesOf(ctx context.Context, t *tenant.Tenant, org, name string) ([]string, error) {
	subject, err := s.Subject(ctx, t, name)
	if err != nil {
		return nil, err
	}
	return s.cfg.Roles.Of(ctx, t.ID, org, subject)
}

// Holders gives who has a role in an organisation, by the names that callers see. Reason: no_such_role.
func (s *Service) Holders(ctx context.Context, t *tenant.Tenant, org, role string) ([]string, error) {
	all, err := s.cfg.Roles.Holders(ctx, t.ID, org, role)
	for i := range all {
		if err == nil {
			all[i], err = s.Shown(ctx, t, all[i])
		}
	}
	return all, unknownRole(err)
}
