package recipe

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

func unknownOrg(err error) error {
	return as(err, fault.NotFound, fault.ReasonUnknownOrg, "there is no such organisation")
}

// PutOrganisation makes an organisation or replaces its settings.
func (s *Service) PutOrganisation(ctx context.Context, call *audit.Call, t *tenant.Tenant, id string, config json.RawMessage) (created bool, err error) {
	o := Organisation{TenantID: t.ID, ID: id, Config: config}
	return s.cfg.Organisations.Put(ctx, o, trail(call, EventOrg, "", "", "organisation", id))
}

// Organisation reads one. Reason: no_such_organisation.
func (s *Service) Organisation(ctx context.Context, t *tenant.Tenant, id string) (Organisation, error) {
	o, err := s.cfg.Organisations.Get(ctx, t.ID, id)
	return o, unknownOrg(err)
}

// Organisations gives all of a tenant.
func (s *Service) Organisations(ctx context.Context, t *tenant.Tenant) ([]Organisation, error) {
	return s.cfg.Organisations.List(ctx, t.ID)
}

// RemoveOrganisation deletes one; its members stay users. Public is refused as Forbidden.
func (s *Service) RemoveOrganisation(ctx context.Context, call *audit.Call, t *tenant.Tenant, id string) (found bool, err error) {
	return s.cfg.Organisations.Remove(ctx, t.ID, id, trail(call, EventOrg, "", "", "organisation", id))
}

// Join makes a user a member. Reason: no_such_user.
func (s *Service) Join(ctx context.Context, call *audit.Call, t *tenant.Tenant, org, name string) (was bool, err error) {
	id, err := s.Subject(ctx, t, name)
	if err != nil {
		return false, err
	}
	was, err = s.cfg.Organisations.Join(ctx, t.ID, org, id, call.At, trail(call, EventMembership, id, "", "organisation", org))
	return was, unknownUser(err)
}

// Leave ends a membership. Reason: no_such_user.
func (s *Service) Leave(ctx context.Context, call *audit.Call, t *tenant.Tenant, org, name string) (was bool, err error) {
	id, err := s.Subject(ctx, t, name)
	if err != nil {
		return false, err
	}
	was, err = s.cfg.Organisations.Leave(ctx, t.ID, org, id, trail(call, EventMembership, id, "", "organisation", org))
	return was, unknownUser(err)
}

// appClient is the client that is made along with an app, as the one for calls that name none.
const appClient = "default"

// CreateApp makes a tenant for an app, managed from home, with a default client; one that home made is left as it is (created is false). A
// name that belongs to another tenant is refused as Forbidden.
func (s *Service) CreateApp(ctx context.Context, call *audit.Call, home *tenant.Tenant, name string) (created bool, err error) {
	if there := s.cfg.Directory.BySlug(name); there != nil {
		if there.Policy.AppOf != home.ID {
			return false, fault.New(fault.Forbidden, fault.ReasonConflict, "this name belongs to a tenant that was not made here")
		}
		return false, nil
	}
	t := tenant.Tenant{
		ID: secret.NewID(call.Wall), Slug: name, Name: name, Issuer: strings.TrimRight(home.Issuer, "/") + "/t/" + name, Test: home.Test,
		ClockOffset: home.ClockOffset, Policy: home.Policy, ManagedBy: tenant.ManagedByAPI,
	}
	t.Policy.DefaultClient, t.Policy.AppOf = appClient, home.ID
	if faults := t.Validate(); len(faults) > 0 {
		return false, fault.New(fault.Invalid, fault.ReasonInvalid, "appId "+faults[0].Message)
	}
	c := tenant.Client{TenantID: t.ID, ID: appClient, Name: name, ManagedBy: tenant.ManagedByAPI}
	rec := trail(call, EventAppCreated, "", "", "app", t.ID)
	err = s.cfg.Tenants.Put(ctx, []tenant.Tenant{t}, []tenant.Client{c}, rec)
	if err != nil && fault.From(err).Kind != fault.Conflict { // another caller was first: then it is there
		return false, err
	}
	return err == nil, s.cfg.Directory.Refresh(ctx)
}

// Apps gives the tenants that home made, without home.
func (s *Service) Apps(home *tenant.Tenant) []*tenant.Tenant {
	var out []*tenant.Tenant
	for _, t := range s.cfg.Directory.All() {
		if t.Policy.AppOf == home.ID {
			out = append(out, t)
		}
	}
	return out
}

// RemoveApp deletes an app that home made, with everything in it.
func (s *Service) RemoveApp(ctx context.Context, call *audit.Call, home *tenant.Tenant, name string) (found bool, err error) {
	t := s.cfg.Directory.BySlug(name)
	if t == nil || t.Policy.AppOf != home.ID {
		return false, nil
	}
	err = s.cfg.Apps.RemoveTenant(ctx, t.ID, trail(call, EventAppRemoved, "", "", "app", t.ID))
	if err != nil && fault.From(err).Kind == fault.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, s.cfg.Directory.Refresh(ctx)
}
