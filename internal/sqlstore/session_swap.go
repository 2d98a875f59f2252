package sqlstore

import (
	"bytes"
	"context"
	"fmt"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// The guard of a swap is the row's own version and that it is not revoked; whoever must stop refreshes for another reason ends the family
// itself. A refresh as a rule changes only what rotates: the short statement leaves every index alone, on SQLite by not naming an indexed
// column (naming one rewrites its index entry, the same value or not), on PostgreSQL as a heap-only update.
const (
	rotateSet = `UPDATE session SET generation = $1, head = $2, pending = $3, sealed_pending = $4, sealed_head = $5, confirmations = $6,
	head_minted = $7, pending_minted = $8, last_seen = $9, idle_expiry = $10, `
	restSet = `absolute_expiry = $11, device = $12, agent = $13, place = $14, anti_csrf = $15, access_payload = $16,
	database_payload = $17, foreign_head = $18, dead_at = $19, static_key = $20, `

	rotateWidth = 10
	swapWidth   = 20
	guardWidth  = 3
)

// swapGuard ends either text; its arguments come after those of the columns.
func swapGuard(after int) string {
	return fmt.Sprintf(`version = version + 1 WHERE tenant_id = $%d AND id = $%d AND version = $%d AND revoked_at = 0`, after+1, after+2, after+3)
}

var (
	rotateText = rotateSet + swapGuard(rotateWidth)
	swapText   = rotateSet + restSet + swapGuard(swapWidth)

	sessionRotate = hot(both(rotateText))
	sessionSwap   = hot(both(swapText))
)

// onlyRotates reports whether the two states differ in nothing beyond rotateSet. from is what the guarded version of the row holds.
func onlyRotates(from, to *session.Family) bool {
	return from.AbsoluteExpiry.Equal(to.AbsoluteExpiry) && from.Device == to.Device && from.Agent == to.Agent && from.Place == to.Place &&
		from.AntiCSRF == to.AntiCSRF && from.StaticKey == to.StaticKey && sameBytes(from.AccessPayload, to.AccessPayload) &&
		sameBytes(from.DatabasePayload, to.DatabasePayload) && !from.Foreign && !to.Foreign && deadAt(from) == deadAt(to)
}

// sameBytes keeps absent and empty apart, as the columns do.
func sameBytes(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

// swapArgs are the arguments of sessionSwap, or of sessionRotate when rest is false.
func swapArgs(from, to *session.Family, rest bool) []any {
	args := make([]any, 0, swapWidth+guardWidth+12) // room for an event
	args = append(args,
		int64(to.Generation), to.Head[:], pendingOf(to), bytesOrNull(to.SealedPending), bytesOrNull(to.SealedHead),
		confirmationsText(to.Confirmations), micros(to.HeadMinted), micros(to.PendingMinted), micros(to.LastSeen), micros(to.IdleExpiry),
	)
	if rest {
		live := *to
		live.RevokedAt = from.RevokedAt
		args = append(args,
			micros(to.AbsoluteExpiry), to.Device, to.Agent, to.Place, to.AntiCSRF, bytesOrNull(to.AccessPayload),
			bytesOrNull(to.DatabasePayload), foreignHead(to), deadAt(&live), to.StaticKey,
		)
	}
	return append(args, from.TenantID, from.ID, from.Version)
}

// Swap replaces the rotating part under the guard.
func (s sessions) Swap(ctx context.Context, from, to session.Family, rec audit.Record) (ok bool, err error) {
	rest := !onlyRotates(&from, &to)
	args := swapArgs(&from, &to, rest)
	if s.e.kind() == postgresKind && simple(rec) {
		return s.swapOnce(ctx, args, rest, rec)
	}
	text := sessionRotate
	if rest {
		text = sessionSwap
	}
	err = s.e.write(ctx, func(q queryer) error {
		n, err := q.exec(text, args...)
		ok = n == 1
		if err != nil || !ok {
			return err
		}
		return writeRecord(q, rec)
	})
	return ok && err == nil, err
}
