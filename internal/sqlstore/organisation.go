package sqlstore

import (
	"context"
)

type organisations struct{ e engine }

// Organisations are the organisations inside tenants.
func (s *Store) Organisations() interface {
	Known(ctx context.Context, tenantID, orgID string) (bool, error)
} {
	return organisations{s.e}
}

var organisationKnown = hot(both(`SELECT 1 FROM organisation WHERE tenant_id = $1 AND id = $2`))

// Known reports whether a tenant has an organisation of that id.
func (o organisations) Known(ctx context.Context, tenantID, orgID string) (found bool, err error) {
	err = o.e.read(ctx, func(q queryer) (err error) {
		var one int64
		found, err = q.row(organisationKnown, in{tenantID, orgID}, &one)
		return err
	})
	return found, err
}
