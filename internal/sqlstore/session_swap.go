package sqlstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// The rotating part of a family. The guard is the row's own version and that it is not revoked; whoever must stop refreshes for another
// reason ends the family itself.
const swapText = `UPDATE session SET generation = $4, head = $5, pending = $6, sealed_pending = $7, sealed_head = $8,
	confirmations = $9, head_minted = $10, pending_minted = $11, last_seen = $12, idle_expiry = $13, absolute_expiry = $14, device = $15,
	agent = $16, place = $17, anti_csrf = $18, access_payload = $19, database_payload = $20, dead_at = $21, version = version + 1
	WHERE tenant_id = $1 AND id = $2 AND version = $3 AND revoked_at = 0`

const swapWidth = 21

var sessionSwap = hot(both(swapText))

func swapArgs(from, to *session.Family) ([]any, error) {
	confirmations, err := confirmationsText(to.Confirmations)
	if err != nil {
		return nil, err
	}
	live := *to
	live.RevokedAt = from.RevokedAt
	args := make([]any, 0, swapWidth+16) // room for an event
	return append(args,
		from.TenantID, from.ID, from.Version, int64(to.Generation), to.Head[:], pendingOf(to), bytesOrNull(to.SealedPending),
		bytesOrNull(to.SealedHead), confirmations, micros(to.HeadMinted), micros(to.PendingMinted), micros(to.LastSeen),
		micros(to.IdleExpiry), micros(to.AbsoluteExpiry), to.Device, to.Agent, to.Place, to.AntiCSRF, bytesOrNull(to.AccessPayload),
		bytesOrNull(to.DatabasePayload), deadAt(&live),
	), nil
}

// Swap replaces the rotating part under the guard.
func (s sessions) Swap(ctx context.Context, from, to session.Family, rec audit.Record) (ok bool, err error) {
	args, err := swapArgs(&from, &to)
	if err != nil {
		return false, err
	}
	if s.e.kind() == postgresKind && simple(rec) {
		return s.swapOnce(ctx, args, rec)
	}
	err = s.e.write(ctx, func(q queryer) error {
		n, err := q.exec(sessionSwap, args...)
		ok = n == 1
		if err != nil || !ok {
			return err
		}
		return writeRecord(q, rec)
	})
	return ok && err == nil, err
}
