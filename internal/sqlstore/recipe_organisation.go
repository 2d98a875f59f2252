package sqlstore

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/recipe"
)

type divisions struct{ e engine }

// Divisions keeps the organisations of tenants for the recipe room.
func (s *Store) Divisions() recipe.Organisations { return divisions{s.e} }

var (
	orgPut = hot(both(`INSERT INTO organisation (tenant_id, id, name, managed_by, config) VALUES ($1, $2, $2, 'api', $3) ON CONFLICT DO NOTHING`))
	orgSet = hot(both(`UPDATE organisation SET config = $3 WHERE tenant_id = $1 AND id = $2`))
	orgGet = hot(both(`SELECT id, config FROM organisation WHERE tenant_id = $1 AND id = $2`))
	orgAll = both(`SELECT id, config FROM organisation WHERE tenant_id = $1 ORDER BY id`)
	orgCut = hot(both(`DELETE FROM organisation WHERE tenant_id = $1 AND id = $2`))

	orgMembers = hot(both(`DELETE FROM membership WHERE tenant_id = $1 AND org_id = $2`))
	orgRoles   = both(`DELETE FROM subject_role WHERE tenant_id = $1 AND org_id = $2`) // the act of an operator
	orgTokens  = both(`DELETE FROM recipe_token WHERE tenant_id = $1 AND org_id = $2`)

	membershipCut = hot(both(`DELETE FROM membership WHERE tenant_id = $1 AND org_id = $2 AND user_id = $3`))
	notPublicCut  = hot(both(`DELETE FROM not_public WHERE tenant_id = $1 AND user_id = $2`))
)

func noOrganisation() error { return notFound("no such organisation") }

// Put makes an organisation or replaces its settings.
func (s divisions) Put(ctx context.Context, o recipe.Organisation, rec audit.Record) (created bool, err error) {
	err = s.e.write(ctx, func(q queryer) error {
		n, err := q.exec(orgPut, o.TenantID, o.ID, raw(o.Config))
		if err != nil {
			return err
		}
		if created = n == 1; !created {
			if err := q.later(orgSet, o.TenantID, o.ID, raw(o.Config)); err != nil {
				return err
			}
		}
		return writeRecord(q, rec)
	})
	return created, err
}

// Get reads one.
func (s divisions) Get(ctx context.Context, tenantID, id string) (recipe.Organisation, error) {
	o := recipe.Organisation{TenantID: tenantID}
	err := s.e.read(ctx, func(q queryer) error {
		var config *string
		found, err := q.row(orgGet, in{tenantID, id}, &o.ID, &config)
		if err == nil && !found {
			err = noOrganisation()
		}
		o.Config = rawOf(config)
		return err
	})
	return o, err
}

// List gives all.
func (s divisions) List(ctx context.Context, tenantID string) (out []recipe.Organisation, err error) {
	err = s.e.read(ctx, func(q queryer) error {
		out = nil
		return q.each(orgAll, in{tenantID}, func(scan scanner) error {
			o := recipe.Organisation{TenantID: tenantID}
			var config *string
			err := scan(&o.ID, &config)
			o.Config = rawOf(config)
			out = append(out, o)
			return err
		})
	})
	return out, err
}

// Remove deletes one.
func (s divisions) Remove(ctx context.Context, tenantID, id string, rec audit.Record) (found bool, err error) {
	if id == recipe.Public {
		return false, fault.New(fault.Forbidden, fault.ReasonInvalid, "the organisation public cannot be removed")
	}
	err = s.e.write(ctx, func(q queryer) error {
		for _, st := range []*stmt{orgMembers, orgRoles, orgTokens} {
			if err := q.later(st, tenantID, id); err != nil {
				return err
			}
		}
		n, err := q.exec(orgCut, tenantID, id)
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

// Join makes a user a member.
func (s divisions) Join(ctx context.Context, tenantID, org, userID string, at time.Time, rec audit.Record) (was bool, err error) {
	return s.member(ctx, tenantID, org, userID, rec, func(q queryer) (int64, error) {
		if org == recipe.Public {
			return q.exec(notPublicCut, tenantID, userID)
		}
		return q.exec(membershipPut, tenantID, org, userID, micros(at))
	})
}

// Leave ends a membership.
func (s divisions) Leave(ctx context.Context, tenantID, org, userID string, rec audit.Record) (was bool, err error) {
	was, err = s.member(ctx, tenantID, org, userID, rec, func(q queryer) (int64, error) {
		if org == recipe.Public {
			return q.exec(notPublicPut, tenantID, userID)
		}
		return q.exec(membershipCut, tenantID, org, userID)
	})
	return !was, err
}

// member runs a change of membership; same says that nothing changed.
func (s divisions) member(
	ctx context.Context, tenantID, org, userID string, rec audit.Record, change func(q queryer) (int64, error),
) (same bool, err error) {
	err = s.e.write(ctx, func(q queryer) error {
		var one int64
		found, err := q.row(accountThere, in{tenantID, userID}, &one)
		if err != nil {
			return err
		}
		if !found {
			return noUser()
		}
		if err := mustOrganisation(q, tenantID, org); err != nil {
			return err
		}
		n, err := change(q)
		if err != nil {
			return err
		}
		if same = n == 0; same {
			return nil
		}
		return writeRecord(q, rec)
	})
	return same, err
}
