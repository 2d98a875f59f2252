package sqlstore

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

var (
	claimOwner = hot(both(`SELECT i.user_id FROM identifier i JOIN app_user u ON u.id = i.user_id AND u.tenant_id || '' = $1 AND u.status = 'active'
		WHERE i.tenant_id = $1 AND i.kind = 'email' AND i.value = $2 AND i.verified_at = 0 AND i.verified_how = '` + user.Claimed + `'`))
	claimDrop = hot(both(`DELETE FROM identifier WHERE tenant_id = $1 AND kind = 'email' AND value = $2 AND user_id = $3 AND verified_at = 0`))
	provedAny = hot(both(`SELECT 1 FROM identifier WHERE tenant_id = $1 AND user_id = $2 AND verified_at <> 0 LIMIT 1`))
	claimTo   = hot(both(`UPDATE identifier SET verified_at = 0, verified_how = '` + user.Claimed + `' WHERE tenant_id = $1 AND kind = 'email' AND value = $2 AND user_id = $3`))

	retireNames       = hot(both(`DELETE FROM identifier WHERE tenant_id = $1 AND user_id = $2`))
	retireCredentials = hot(both(`DELETE FROM credential WHERE tenant_id = $1 AND user_id = $2`))
	retireLinks       = hot(both(`DELETE FROM link WHERE tenant_id = $1 AND user_id = $2`))
	retireMembership  = hot(both(`DELETE FROM membership WHERE tenant_id = $1 AND user_id = $2`))
	retirePrimary     = hot(both(`DELETE FROM primary_user WHERE tenant_id = $1 AND user_id = $2`))
	retireExternal    = hot(both(`DELETE FROM external_name WHERE tenant_id = $1 AND user_id = $2`))

	forgetTokens   = hot(both(`DELETE FROM recipe_token WHERE tenant_id = $1 AND subject = $2`))
	forgetMailbox  = hot(both(`DELETE FROM proved_mailbox WHERE tenant_id = $1 AND subject = $2`))
	forgetMetadata = hot(both(`DELETE FROM subject_metadata WHERE tenant_id = $1 AND subject = $2`))
	forgetRoles    = hot(both(`DELETE FROM subject_role WHERE tenant_id = $1 AND subject = $2`))
)

// releaseClaim takes an address from a user who claims it without proof, for somebody who has just proved it; the caller holds the address.
// A claimant without any proved identifier is deleted: whatever was planted under the address, passwords and open sessions above all, must
// not be there when its owner comes (pre-hijacking). Nobody claims it: nothing is done.
func releaseClaim(q queryer, tenantID, email string, at time.Time) (ended, error) {
	var owner string
	found, err := q.row(claimOwner, in{tenantID, email}, &owner)
	if err != nil || !found {
		return ended{}, err
	}
	// The user's row first, as in every verb that ends sessions; what is read after it is what will be committed.
	n, err := q.exec(userTouched, tenantID, owner, micros(at))
	if err != nil || n == 0 {
		return ended{}, err
	}
	n, err = q.exec(claimDrop, tenantID, email, owner)
	if err != nil || n == 0 {
		return ended{}, err
	}
	var one int64
	other, err := q.row(provedAny, in{tenantID, owner}, &one)
	if err != nil {
		return ended{}, err
	}
	if other {
		return ended{}, q.later(forgetTokens, tenantID, owner)
	}
	return retire(q, tenantID, owner, "address_proved_by_owner", at, at)
}

// adoptClaim is what a careless server does, for a drill that must go red: the proof is credited to whoever claims the address.
func adoptClaim(q queryer, p login.Proof) (bool, error) {
	var owner string
	found, err := q.row(claimOwner, in{p.Attempt.TenantID, p.Attempt.Email}, &owner)
	if err != nil || !found {
		return false, err
	}
	return true, q.later(proveEmail, p.Attempt.TenantID, owner, p.Attempt.Email, micros(p.At))
}

// retire deletes a user and frees every name of theirs; the row stays, empty, until purgeAt, so that the trail can be read.
func retire(q queryer, tenantID, userID, reason string, at, purgeAt time.Time) (ended, error) {
	n, err := q.exec(userDelete, tenantID, userID, micros(at), micros(purgeAt))
	if err != nil || n == 0 {
		return ended{}, err
	}
	for _, s := range []*stmt{retireNames, retireCredentials, retireLinks, retireMembership, retirePrimary, retireExternal, ticketDropUser} {
		if err := q.later(s, tenantID, userID); err != nil {
			return ended{}, err
		}
	}
	if err := forget(q, tenantID, userID); err != nil {
		return ended{}, err
	}
	return endPerson(q, tenantID, userID, reason, at)
}

// forget deletes what hangs on a subject's name and on no row.
func forget(q queryer, tenantID, subject string) error {
	for _, s := range []*stmt{forgetTokens, forgetMailbox, forgetMetadata, forgetRoles} {
		if err := q.later(s, tenantID, subject); err != nil {
			return err
		}
	}
	return nil
}

// add puts what another end brought beside e.
func (e *ended) add(o ended) {
	e.families, e.revocations = append(e.families, o.families...), append(e.revocations, o.revocations...)
}

// write writes rec beside what the end of these families leaves behind.
func (e ended) write(q queryer, rec audit.Record) error {
	if len(e.revocations) == 0 {
		return writeRecord(q, rec)
	}
	return writeEnded(q, e.revocations[0].TenantID, e, rec)
}
