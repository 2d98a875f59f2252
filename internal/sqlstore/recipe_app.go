package sqlstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/recipe"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

type apps struct{ e engine }

// Apps removes tenants that an API made.
func (s *Store) Apps() recipe.Apps { return apps{s.e} }

// tenantTables is everything that stands in a tenant, what refers to something before what it refers to. A test compares it with the schema.
var tenantTables = []string{
	"event_person", "event", "event_refreshed", "outbox", "mailbox", "revocation", "revocation_counter", "session", "ticket", "attempt", "recipe_token",
	"proved_mailbox", "subject_metadata", "subject_role", "app_permission", "app_role", "external_name", "primary_user", "not_public", "membership", "link",
	"registration", "credential", "identifier", "app_user", "signing_key", "service_token", "internal_key", "role", "client", "organisation",
}

var (
	tenantCuts = func() (out []*stmt) {
		for _, table := range tenantTables {
			out = append(out, both(`DELETE FROM `+table+` WHERE tenant_id = $1`))
		}
		return out
	}()
	tenantCut   = both(`DELETE FROM tenant WHERE id = $1`)
	tenantOwner = both(`SELECT managed_by FROM tenant WHERE id = $1`)
)

// RemoveTenant deletes a tenant whole.
func (s apps) RemoveTenant(ctx context.Context, tenantID string, rec audit.Record) error {
	return s.e.write(ctx, func(q queryer) error {
		if err := move(q, nil); err != nil {
			return err
		}
		var by string
		found, err := q.row(tenantOwner, in{tenantID}, &by)
		if err != nil {
			return err
		}
		if !found || by != tenant.ManagedByAPI {
			return notFound("no such app")
		}
		for _, cut := range tenantCuts {
			if err := q.later(cut, tenantID); err != nil {
				return err
			}
		}
		if err := q.later(tenantCut, tenantID); err != nil {
			return err
		}
		return writeRecord(q, rec)
	})
}
