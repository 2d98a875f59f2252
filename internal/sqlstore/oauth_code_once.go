package sqlstore

import (
	"context"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// spending writes the guards that an exchange has beside the user's. $18 of the row is its creation, $24 its sign-on session.
func (s shape) spending(b *strings.Builder, next int) (after int) {
	last := "held"
	if s.signOn {
		b.WriteString(`signed AS (SELECT 1 FROM held, sso_session s WHERE s.tenant_id = $1::text AND s.id = $24::text AND s.revoked_at = 0
			AND s.idle_expiry > $18::bigint AND s.absolute_expiry > $18::bigint FOR SHARE OF s), `)
		last = "signed"
	}
	b.WriteString(`spent AS (UPDATE oauth_code SET spent_at = $18::bigint, session_id = $2::text FROM ` + last + ` WHERE (tenant_id, hash) = (`)
	after = typed(b, next, "text", "bytea")
	b.WriteString(`) AND spent_at = 0 RETURNING 1), `)
	return after
}

// exchangeOnce is Exchange of a user's session as one statement. Which guard did not hold is told by how many rows each found.
func (s oauthCodes) exchangeOnce(ctx context.Context, tenantID string, hash []byte, f session.Family, register *user.Registration,
	rec audit.Record,
) (bool, error) {
	sh := shapeOf("exchange", rec)
	sh.guard, sh.spend, sh.signOn = true, true, f.SSOID != ""
	args, err := sh.openArgs(append(sessionArgs(&f), tenantID, nonNil(hash)), register, rec)
	if err != nil {
		return false, err
	}
	var held, signed, spent int64
	_, err = s.e.once(ctx, sh.statement(openShape), args, &held, &signed, &spent)
	switch {
	case err != nil:
		return false, err
	case held == 0:
		return false, userChanged()
	case signed == 0:
		return false, signOnEnded()
	}
	return spent == 1, nil
}
