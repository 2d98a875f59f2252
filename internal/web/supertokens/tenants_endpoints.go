package supertokens

import (
	"context"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

// tenantEndpoints are apps and tenants; the newest form of a path ends in /v2.
func (f *Face) tenantEndpoints() []endpoint {
	if f.cfg.Recipe == nil {
		return nil
	}
	list := []endpoint{
		post("/recipe/multitenancy/tenant/remove", onApp, worded(f.removeOrg)),
		post("/recipe/multitenancy/tenant/user", onTenant, worded(f.joinOrg)),
		post("/recipe/multitenancy/tenant/user/remove", onTenant, worded(f.leaveOrg)),
		post("/recipe/multitenancy/app/remove", onApp, worded(f.removeApp)),
	}
	for _, form := range []string{"", "/v2"} {
		list = append(list,
			put("/recipe/multitenancy/tenant"+form, onApp, worded(f.putOrg)),
			endpoint{method: http.MethodGet, path: "/recipe/multitenancy/tenant" + form, scope: onTenant, loose: true, handle: worded(f.getOrg(form))},
			get("/recipe/multitenancy/tenant/list"+form, onApp, worded(f.listOrgs(form))),
			put("/recipe/multitenancy/app"+form, onApp, worded(f.putApp)),
			get("/recipe/multitenancy/app/list"+form, onApp, worded(f.listApps(form))),
		)
	}
	return list
}

// orgNamed gives the tenant that a body names; none means public.
func (r *request) orgNamed() (string, error) {
	id, there, err := r.maybeText("tenantId")
	switch {
	case err != nil:
		return "", err
	case !there:
		return publicName, nil
	}
	return cleanOrg(id)
}

// putOrg makes a tenant or changes it: fields that are not named stay.
func (f *Face) putOrg(ctx context.Context, r *request) (any, error) {
	id, err := r.orgNamed()
	if err != nil {
		return nil, err
	}
	s := settings{}
	o, err := f.cfg.Recipe.Organisation(ctx, r.app, id)
	if err == nil {
		s, err = settingsOf(o)
	}
	if err != nil && fault.ReasonOf(err) != fault.ReasonUnknownOrg {
		return nil, err
	}
	if err := r.changeSettings(&s); err != nil {
		return nil, err
	}
	created, err := f.saveOrg(ctx, r, id, s)
	if err != nil {
		return nil, err
	}
	return ok(reply{"createdNew": created}), nil
}

func (f *Face) saveOrg(ctx context.Context, r *request, id string, s settings) (created bool, err error) {
	config, err := s.stored()
	if err != nil {
		return false, err
	}
	return f.cfg.Recipe.PutOrganisation(ctx, r.call, r.app, id, config)
}

// getOrg is asked on every sign-in that goes through the library's own routes.
func (f *Face) getOrg(form string) handler {
	return func(ctx context.Context, r *request) (any, error) {
		o, err := f.cfg.Recipe.Organisation(ctx, r.app, r.org)
		if err != nil {
			return nil, err
		}
		shown, err := orgObject(form, o)
		if err != nil {
			return nil, err
		}
		return ok(shown), nil
	}
}

func (f *Face) listOrgs(form string) handler {
	return func(ctx context.Context, r *request) (any, error) {
		list, err := f.orgObjects(ctx, r, form)
		if err != nil {
			return nil, err
		}
		return ok(reply{"tenants": list}), nil
	}
}

func (f *Face) orgObjects(ctx context.Context, r *request, form string) ([]reply, error) {
	all, err := f.cfg.Recipe.Organisations(ctx, r.app)
	if err != nil {
		return nil, err
	}
	list := make([]reply, 0, len(all))
	for _, o := range all {
		shown, err := orgObject(form, o)
		if err != nil {
			return nil, err
		}
		list = append(list, shown)
	}
	return list, nil
}

func (f *Face) removeOrg(ctx context.Context, r *request) (any, error) {
	id, err := r.text("tenantId")
	if err != nil {
		return nil, err
	}
	if id, err = cleanOrg(id); err != nil {
		return nil, err
	}
	if id == publicName {
		return nil, fault.New(fault.Forbidden, fault.ReasonScope, "Cannot delete public tenant, use remove app API instead")
	}
	found, err := f.cfg.Recipe.RemoveOrganisation(ctx, r.call, r.app, id)
	if err != nil {
		return nil, err
	}
	return ok(reply{"didExist": found}), nil
}

func (f *Face) joinOrg(ctx context.Context, r *request) (any, error) {
	return f.membership(ctx, r, "wasAlreadyAssociated", func(id string) (bool, error) { return f.cfg.Recipe.Join(ctx, r.call, r.app, r.org, id) })
}

func (f *Face) leaveOrg(ctx context.Context, r *request) (any, error) {
	out, err := f.membership(ctx, r, "wasAssociated", func(id string) (bool, error) { return f.cfg.Recipe.Leave(ctx, r.call, r.app, r.org, id) })
	if fault.ReasonOf(err) == fault.ReasonUnknownUser { // nobody was associated
		return ok(reply{"wasAssociated": false}), nil
	}
	return out, err
}

func (f *Face) membership(_ context.Context, r *request, field string, change func(id string) (bool, error)) (any, error) {
	id, err := r.userField()
	if err != nil {
		return nil, err
	}
	was, err := change(id)
	if err != nil {
		return nil, err
	}
	return ok(reply{field: was}), nil
}

func (f *Face) putApp(ctx context.Context, r *request) (any, error) {
	name, err := r.text("appId")
	if err != nil {
		return nil, err
	}
	if name, err = cleanOrg(name); err != nil {
		return nil, bad("appId can only contain letters, numbers and hyphens")
	}
	if err := f.mayMakeApps(ctx, r); err != nil {
		return nil, err
	}
	if name == publicName {
		return ok(reply{"createdNew": false}), nil
	}
	created, err := f.cfg.Recipe.CreateApp(ctx, r.call, r.app, name)
	if err != nil {
		return nil, err
	}
	return ok(reply{"createdNew": created}), nil
}

func (f *Face) listApps(form string) handler {
	return func(ctx context.Context, r *request) (any, error) {
		if err := f.mayMakeApps(ctx, r); err != nil {
			return nil, err
		}
		own, err := f.orgObjects(ctx, r, form)
		if err != nil {
			return nil, err
		}
		list := []reply{{"appId": publicName, "tenants": own}}
		for _, t := range f.cfg.Recipe.Apps(r.app) {
			there := *r
			there.app = t
			orgs, err := f.orgObjects(ctx, &there, form)
			if err != nil {
				return nil, err
			}
			list = append(list, reply{"appId": t.Slug, "tenants": orgs})
		}
		return ok(reply{"apps": list}), nil
	}
}

func (f *Face) removeApp(ctx context.Context, r *request) (any, error) {
	name, err := r.text("appId")
	if err != nil {
		return nil, err
	}
	if name, err = cleanOrg(name); err != nil {
		return nil, err
	}
	if err := f.mayMakeApps(ctx, r); err != nil {
		return nil, err
	}
	if name == publicName {
		return nil, fault.New(fault.Forbidden, fault.ReasonScope, "Cannot delete public app")
	}
	found, err := f.cfg.Recipe.RemoveApp(ctx, r.call, r.app, name)
	if err != nil {
		return nil, err
	}
	return ok(reply{"didExist": found}), nil
}
