package sqlstore

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/credential"
	"github.com/gatehouse-auth/gatehouse/internal/recipe"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

type accounts struct{ e engine }

// Accounts makes and changes accounts of the recipe room.
func (s *Store) Accounts() recipe.Accounts { return accounts{s.e} }

var (
	organisationGuard = hot(pair(
		`SELECT 1 FROM organisation WHERE tenant_id = $1 AND id = $2`,
		`SELECT 1 FROM organisation WHERE tenant_id = $1 AND id = $2 FOR SHARE`))
	membershipPut = hot(both(`INSERT INTO membership (tenant_id, org_id, user_id, joined_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`))
	notPublicPut  = hot(both(`INSERT INTO not_public (tenant_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`))
	accountLock   = hot(both(`UPDATE app_user SET updated_at = $3, version = version + 1
		WHERE tenant_id = $1 AND id = $2 AND status <> 'deleted'`))
	emailOwner = hot(both(`SELECT user_id FROM identifier WHERE tenant_id = $1 AND kind = 'email' AND value = $2`))
	emailDrop  = hot(both(`DELETE FROM identifier WHERE tenant_id = $1 AND user_id = $2 AND kind = 'email' AND is_primary`))
	mailboxGet = hot(both(`SELECT proved_at FROM proved_mailbox WHERE tenant_id = $1 AND subject = $2 AND email = $3`))
	mailboxCut = hot(both(`DELETE FROM proved_mailbox WHERE tenant_id = $1 AND subject = $2 AND email = $3`))
)

// SignUp makes an account with a claimed address.
func (s accounts) SignUp(ctx context.Context, n recipe.Newcomer, rec audit.Record) error {
	return s.e.write(ctx, func(q queryer) error {
		if err := holdAddress(q, n.TenantID, n.Email); err != nil {
			return err
		}
		if err := mustOrganisation(q, n.TenantID, n.Org); err != nil {
			return err
		}
		u := user.User{TenantID: n.TenantID, ID: n.UserID, Status: user.Active, Epoch: 1, CreatedAt: n.At, UpdatedAt: n.At, Version: 1}
		if err := putUser(q, &u); err != nil {
			return err
		}
		free, err := putIdentifier(q, n.TenantID, n.UserID, user.Identifier{
			Kind: user.Email, Value: n.Email, Typed: n.Typed, VerifiedHow: user.Claimed, Primary: true,
		})
		if err == nil && !free {
			err = conflict("the address is taken")
		}
		if err != nil {
			return err
		}
		if err := furnishAccount(q, n); err != nil {
			return err
		}
		return writeRecord(q, rec)
	})
}

func furnishAccount(q queryer, n recipe.Newcomer) error {
	if err := putPassword(q, n.TenantID, n.UserID, n.Password); err != nil {
		return err
	}
	if n.ClientID != "" {
		r := user.Registration{ClientID: n.ClientID, Roles: n.Roles, CreatedAt: n.At}
		if err := putRegistration(q, n.TenantID, n.UserID, r); err != nil {
			return err
		}
	}
	if n.Org == recipe.Public {
		return nil
	}
	if err := q.later(notPublicPut, n.TenantID, n.UserID); err != nil {
		return err
	}
	return q.later(membershipPut, n.TenantID, n.Org, n.UserID, micros(n.At))
}

func mustOrganisation(q queryer, tenantID, org string) error {
	var one int64
	found, err := q.row(organisationGuard, in{tenantID, org}, &one)
	if err == nil && !found {
		err = notFound("no such organisation")
	}
	return err
}

// Change sets a new address, a new password, or both.
func (s accounts) Change(ctx context.Context, c recipe.Change, rec audit.Record) error {
	return s.e.write(ctx, func(q queryer) error {
		if c.Email != "" {
			if err := holdAddress(q, c.TenantID, c.Email); err != nil {
				return err
			}
		}
		n, err := q.exec(accountLock, c.TenantID, c.UserID, micros(c.At))
		if err != nil {
			return err
		}
		if n == 0 {
			return noUser()
		}
		if c.Email != "" {
			if err := moveEmail(q, c); err != nil {
				return err
			}
		}
		if c.Password == nil {
			return writeRecord(q, rec)
		}
		out, err := newPassword(q, c.TenantID, c.UserID, *c.Password, c.At)
		if err != nil {
			return err
		}
		return out.write(q, rec)
	})
}

// moveEmail replaces the primary address. Pending changes of the user end: they were asked for under the old one.
func moveEmail(q queryer, c recipe.Change) error {
	var owner string
	found, err := q.row(emailOwner, in{c.TenantID, c.Email}, &owner)
	switch {
	case err != nil:
		return err
	case found && owner != c.UserID:
		return conflict("the address is taken")
	case found:
		return nil
	}
	i := user.Identifier{Kind: user.Email, Value: c.Email, Typed: c.Typed, VerifiedHow: user.Claimed, Primary: true}
	var proved int64
	if found, err = q.row(mailboxGet, in{c.TenantID, c.UserID, c.Email}, &proved); err != nil {
		return err
	}
	if found {
		i.VerifiedAt, i.VerifiedHow = instant(proved), "mail"
		if err := q.later(mailboxCut, c.TenantID, c.UserID, c.Email); err != nil {
			return err
		}
	}
	for _, s := range []*stmt{emailDrop, ticketDropUser} {
		if err := q.later(s, c.TenantID, c.UserID); err != nil {
			return err
		}
	}
	_, err = putIdentifier(q, c.TenantID, c.UserID, i) // free: we hold the address and have looked
	if err == nil && found {
		err = dropPending(q, c.TenantID, c.Email, "") // it is a proved address of somebody now
	}
	return err
}

// newPassword replaces a password. Everything that the old one opened ends, and so do reset and verification mails under way: whoever
// knew it may have sent for them.
func newPassword(q queryer, tenantID, userID string, p credential.Password, at time.Time) (ended, error) {
	var epoch int64
	if _, err := q.row(userEpoch, in{tenantID, userID, micros(at)}, &epoch); err != nil {
		return ended{}, err
	}
	if err := putPassword(q, tenantID, userID, p); err != nil {
		return ended{}, err
	}
	if err := q.later(forgetTokens, tenantID, userID); err != nil {
		return ended{}, err
	}
	return endPerson(q, tenantID, userID, "password_changed", at)
}

// Remove deletes a subject under all its names.
func (s accounts) Remove(ctx context.Context, tenantID string, names []string, at, purgeAt time.Time, rec audit.Record) (found bool, err error) {
	err = s.e.write(ctx, func(q queryer) error {
		found = false
		var all ended
		for _, name := range names {
			n, err := q.exec(accountLock, tenantID, name, micros(at))
			if err != nil {
				return err
			}
			found = found || n > 0
			out, err := retire(q, tenantID, name, "user_deleted", at, purgeAt)
			if err != nil {
				return err
			}
			all.add(out)
			if err := forget(q, tenantID, name); err != nil {
				return err
			}
			if out, err = end(q, endBySubject, tenantID, "user_deleted", at, "", name, ""); err != nil {
				return err
			}
			all.add(out)
		}
		return all.write(q, rec)
	})
	return found, err
}

var primaryPut = hot(both(`INSERT INTO primary_user (tenant_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`))

// SetPrimary marks a user, or takes the mark away.
func (s accounts) SetPrimary(ctx context.Context, tenantID, userID string, primary bool, rec audit.Record) (changed bool, err error) {
	st := primaryPut
	if !primary {
		st = retirePrimary
	}
	err = s.e.write(ctx, func(q queryer) error {
		var one int64
		found, err := q.row(accountThere, in{tenantID, userID}, &one)
		if err == nil && !found {
			err = noUser()
		}
		if err != nil {
			return err
		}
		n, err := q.exec(st, tenantID, userID)
		if changed = n == 1; err != nil || !changed {
			return err
		}
		return writeRecord(q, rec)
	})
	return changed, err
}
