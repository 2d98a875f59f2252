package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

type usersRegisterCmd struct {
	tenantFlags
	whoArg
	Client string   `required:"" help:"The client." placeholder:"ID"`
	Role   []string `help:"A role of the client, instead of its default_roles; may be repeated. For who is registered already: instead of what they have."`
}

type usersUnregisterCmd struct {
	tenantFlags
	whoArg
	Client string `required:"" help:"The client." placeholder:"ID"`
}

// Run registers. Who is registered already keeps their roles unless others are named.
func (u *usersRegisterCmd) Run(ctx context.Context, w world) error {
	return u.act(ctx, w, u.User, "user.registered", func(d *desk, t *tenant.Tenant, id string, call *audit.Call, rec audit.Record) error {
		c, err := d.clientOf(t, u.Client)
		if err != nil {
			return err
		}
		roles, err := rolesFor(c, u.Role)
		if err != nil {
			return err
		}
		found, err := d.store.Users().Get(ctx, t.ID, id, c.ID)
		if err != nil {
			return err
		}
		if found.Registration != nil && len(u.Role) == 0 {
			roles = found.Registration.Roles
		}
		rec.Events[0].Client = c.ID
		return d.store.Users().Register(ctx, t.ID, id, user.Registration{ClientID: c.ID, Roles: roles, CreatedAt: call.At}, call.At, rec)
	})
}

// Run unregisters. The client may be gone from the tenant: what is left behind can still be removed.
func (u *usersUnregisterCmd) Run(ctx context.Context, w world) error {
	return u.act(ctx, w, u.User, "user.unregistered", func(d *desk, t *tenant.Tenant, id string, call *audit.Call, rec audit.Record) error {
		rec.Events[0].Client = u.Client
		err := d.store.Users().Unregister(ctx, t.ID, id, u.Client, call.At, rec)
		if fault.ReasonOf(err) == fault.ReasonNotFound {
			return fmt.Errorf("the user is not registered with %s", u.Client)
		}
		return err
	})
}

// clientOf finds a client an operator named.
func (d *desk) clientOf(t *tenant.Tenant, id string) (*tenant.Client, error) {
	var ids []string
	for i := range d.have.Clients {
		c := &d.have.Clients[i]
		if c.TenantID != t.ID {
			continue
		}
		if c.ID == id {
			return c, nil
		}
		ids = append(ids, c.ID)
	}
	return nil, fmt.Errorf("no such client; there are: %s", strings.Join(ids, ", "))
}

// rolesFor are the roles that an operator named, or the client's default ones.
func rolesFor(c *tenant.Client, named []string) ([]string, error) {
	if len(named) == 0 {
		return c.Settings.DefaultRoles, nil
	}
	for _, role := range named {
		if !slices.Contains(c.Settings.Roles, role) {
			return nil, fmt.Errorf("%s has no role %s; there are: %s", c.ID, role, strings.Join(c.Settings.Roles, ", "))
		}
	}
	return named, nil
}
