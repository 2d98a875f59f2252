package sqlstore

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/sso"
)

// endText ends the live families of a tenant that match a condition on session m, and all their descendants. $2 is the instant, $3 the
// reason, $4 the sid that stays.
func endText(condition string) string {
	return `WITH RECURSIVE tree (id) AS (
			SELECT m.id FROM session m WHERE m.tenant_id = $1 AND ` + condition + `
			UNION SELECT c.id FROM tree JOIN session c ON c.parent_id = tree.id AND c.tenant_id || '' = $1)
		UPDATE session SET revoked_at = $2, revoked_reason = $3, version = version + 1,
			dead_at = CASE WHEN dead_at < $2 THEN dead_at ELSE $2 END
		WHERE tenant_id || '' = $1 AND revoked_at = 0 AND id <> $4 AND id IN (SELECT id FROM tree)
		RETURNING id, client_id, subject, org_id, absolute_expiry`
}

const narrowed = ` AND ($6 = '' OR m.client_id = $6) AND m.id <> $4 AND m.revoked_at = 0`

var (
	endByID      = hot(both(endText(`m.id = $5 AND ($6 = '' OR m.client_id = $6)`)))
	endByUser    = hot(both(endText(`m.user_id = $5` + narrowed)))
	endBySubject = hot(both(endText(`m.subject = $5` + narrowed)))
	// A child whose open was under way is in no tree read before its commit. Its open holds a share lock on its parent until then, so once
	// the parent's row is changed the child can be seen, and no other can follow. SQLite has one writer and needs no second look.
	endOrphans = hot(pair(`SELECT '', '', '', '', 0 WHERE 1 = 0 AND $1 = $2 AND $3 = $4 AND $5 = ''`,
		strings.Replace(endText(`m.parent_id = ANY (string_to_array($5, ' ')) AND m.revoked_at = 0`),
			`m.tenant_id = $1`, `m.tenant_id || '' = $1`, 1)))
	endByClient = both(endText(`m.client_id = $5 AND m.revoked_at = 0`)) // the act of an operator: reads the tenant's sessions
)

// ended is what ending families brought: who they were, and their entries for the feed.
type ended struct {
	families    []session.Ended
	revocations []audit.Revocation
}

// end ends what s selects, and then the children of that until there are none. The first of more is the sid that stays.
func end(q queryer, s *stmt, tenantID, reason string, at time.Time, more ...any) (ended, error) {
	var out ended
	for seen := -1; seen < len(out.families); {
		if seen >= 0 {
			s, more = endOrphans, []any{more[0], idList(out.families[seen:])}
		}
		seen = len(out.families)
		if err := endOnce(q, s, tenantID, reason, at, more, &out); err != nil {
			return ended{}, err
		}
	}
	return out, nil
}

func idList(families []session.Ended) string {
	ids := make([]string, 0, len(families))
	for _, f := range families {
		ids = append(ids, f.ID)
	}
	return strings.Join(ids, " ")
}

func endOnce(q queryer, s *stmt, tenantID, reason string, at time.Time, more []any, out *ended) error {
	args := append(in{tenantID, micros(at), reason}, more...)
	return q.each(s, args, func(scan scanner) error {
		var e session.Ended
		var absolute int64
		if err := scan(&e.ID, &e.ClientID, &e.Subject, &e.OrgID, &absolute); err != nil {
			return err
		}
		out.families = append(out.families, e)
		out.revocations = append(out.revocations, sessionRevocation(tenantID, e.ID, reason, at, instant(absolute)))
		return nil
	})
}

// endUser ends every live session of a user and writes rec with one revocation for each, and one for the user: whatever token carries an
// epoch below the given one is dead, also one that belongs to no session. The caller has raised the epoch in the user's row in the same
// transaction before: an open that held the share lock has committed by now and is seen here.
func endUser(q queryer, u fallen, reason string, at time.Time, rec audit.Record) error {
	out, err := endPerson(q, u.tenantID, u.userID, reason, at)
	if err != nil {
		return err
	}
	rec.Revocations = append(slices.Clip(rec.Revocations), audit.Revocation{
		TenantID: u.tenantID, Kind: "subject", Target: u.userID, Epoch: u.epoch, At: at, Reason: reason, Until: at.Add(affectedFor),
	})
	return writeEnded(q, u.tenantID, out, rec)
}

// endPerson ends every sign-on session and every live session of a user, in this order: an open under a sign-on that held its row has
// committed by then and is seen. Sign-on sessions end by name although a raised epoch has spoiled them: an account that is enabled again must
// not find its browsers still signed on.
func endPerson(q queryer, tenantID, userID, reason string, at time.Time) (ended, error) {
	if _, err := endSignOns(q, sso.Match{TenantID: tenantID, UserID: userID}, at, reason); err != nil {
		return ended{}, err
	}
	return end(q, endByUser, tenantID, reason, at, "", userID, "")
}

// fallen is a user whose epoch was raised, and the new epoch.
type fallen struct {
	tenantID, userID string
	epoch            int64
}

// beside gives rec with the revocations of the ended families added; the caller's slice is left alone.
func (e ended) beside(rec audit.Record) audit.Record {
	all := make([]audit.Revocation, 0, len(rec.Revocations)+len(e.revocations))
	rec.Revocations = append(append(all, rec.Revocations...), e.revocations...)
	return rec
}

// Revoke ends what matches, and its children. When nothing was left to end, only the events of rec are written: of many that notice a copied
// token at once, one tells its owner.
func (s sessions) Revoke(ctx context.Context, m session.Match, at time.Time, reason string, rec audit.Record) ([]session.Ended, error) {
	var text *stmt
	var key string
	switch {
	case m.ID != "" && m.UserID == "" && m.Subject == "":
		text, key = endByID, m.ID
	case m.UserID != "" && m.ID == "" && m.Subject == "":
		text, key = endByUser, m.UserID
	case m.Subject != "" && m.ID == "" && m.UserID == "":
		text, key = endBySubject, m.Subject
	default:
		return nil, misuse("a match names exactly one of id, user and subject")
	}
	var out ended
	err := s.e.write(ctx, func(q queryer) (err error) {
		if err := endEverywhere(q, m, at, reason); err != nil {
			return err
		}
		out, err = end(q, text, m.TenantID, reason, at, m.Except, key, m.ClientID)
		if err != nil {
			return err
		}
		if len(out.families) == 0 {
			return writeRecord(q, audit.Record{Events: rec.Events})
		}
		return writeEnded(q, m.TenantID, out, rec)
	})
	if err != nil {
		return nil, err
	}
	return out.families, nil
}

// endEverywhere ends a user's sign-on sessions when all sessions of the user end: "log out everywhere" leaves no browser that opens the next
// application without asking. The one that the session to stay belongs to stays as well.
func endEverywhere(q queryer, m session.Match, at time.Time, reason string) error {
	if m.UserID == "" || m.ClientID != "" {
		return nil
	}
	var stays string
	if m.Except != "" {
		if _, err := q.row(ssoOf, in{m.TenantID, m.Except}, &stays); err != nil {
			return err
		}
	}
	_, err := endSignOns(q, sso.Match{TenantID: m.TenantID, UserID: m.UserID, Except: stays}, at, reason)
	return err
}
