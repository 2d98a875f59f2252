package sqlstore

import (
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// sessionColumns are in the order of sessionArgs and sessionRow.
const sessionColumns = `tenant_id, id, client_id, client_auth, opened_by, subject, user_id, epoch, generation, head, pending,
	foreign_head, sealed_pending, sealed_head, confirmations, head_minted, pending_minted, created_at, last_seen, idle_expiry, absolute_expiry,
	binding, parent_id, sso_id, org_id, device, agent, place, scope, audience, auth_time, amr, acr, anti_csrf, static_key,
	access_payload, database_payload, version, revoked_at, revoked_reason, dead_at`

var sessionWidth = strings.Count(sessionColumns, ",") + 1

// placeholders writes "$1, …, $n".
func placeholders(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(1 + i))
	}
	return b.String()
}

// qualified puts an alias before every column of a list.
func qualified(alias, columns string) string {
	parts := strings.Split(columns, ",")
	for i, c := range parts {
		parts[i] = alias + "." + strings.TrimSpace(c)
	}
	return strings.Join(parts, ", ")
}

// deadAt is the hour in which a family stops being live, cut down so that most refreshes leave it and its index alone; whoever needs the
// instant looks at what it follows from. Zero instants mean "never"; a family that never dies is never purged.
func deadAt(f *session.Family) int64 {
	const never = int64(1) << 62
	const hour = int64(time.Hour / time.Microsecond)
	dead := never
	for _, t := range []time.Time{f.RevokedAt, f.IdleExpiry, f.AbsoluteExpiry} {
		if !t.IsZero() {
			dead = min(dead, t.UnixMicro()/hour*hour)
		}
	}
	return dead
}

// foreignHead is what a family is found by when its token does not name it.
func foreignHead(f *session.Family) any {
	if !f.Foreign {
		return nil
	}
	return f.Head[:]
}

func pendingOf(f *session.Family) any {
	if f.Pending == nil {
		return nil
	}
	return f.Pending[:]
}

// confirmationsText writes "generation@microseconds" for each, parted by blanks. Every refresh reads and writes them: JSON took longer
// than the rest of the row.
func confirmationsText(c []session.Confirmation) string {
	b := make([]byte, 0, 32*len(c))
	for i := range c {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(strconv.AppendUint(b, uint64(c[i].Generation), 10), '@')
		b = strconv.AppendInt(b, micros(c[i].At), 10)
	}
	return string(b)
}

// confirmationsOf is the reverse.
func confirmationsOf(text string) ([]session.Confirmation, error) {
	if text == "" {
		return nil, nil
	}
	out := make([]session.Confirmation, 0, session.MaxConfirmations)
	for one := range strings.SplitSeq(text, " ") {
		generation, at, _ := strings.Cut(one, "@")
		g, err := strconv.ParseUint(generation, 10, 32)
		m, err2 := strconv.ParseInt(at, 10, 64)
		if err != nil || err2 != nil {
			return nil, misuse("a stored confirmation is %q", one)
		}
		out = append(out, session.Confirmation{Generation: uint32(g), At: instant(m)})
	}
	return out, nil
}

func sessionArgs(f *session.Family) []any {
	return []any{
		f.TenantID, f.ID, f.ClientID, f.ClientAuth, f.OpenedBy, f.Subject, orNull(f.UserID), f.Epoch, int64(f.Generation), f.Head[:],
		pendingOf(f), foreignHead(f), bytesOrNull(f.SealedPending), bytesOrNull(f.SealedHead), confirmationsText(f.Confirmations), micros(f.HeadMinted), micros(f.PendingMinted),
		micros(f.CreatedAt), micros(f.LastSeen), micros(f.IdleExpiry), micros(f.AbsoluteExpiry), f.Binding, orNull(f.ParentID), f.SSOID,
		f.OrgID, f.Device, f.Agent, f.Place, f.Scope, list(f.Audience), micros(f.AuthTime), list(f.AMR), f.ACR, f.AntiCSRF, f.StaticKey,
		bytesOrNull(f.AccessPayload), bytesOrNull(f.DatabasePayload), f.Version, micros(f.RevokedAt), f.RevokedReason, deadAt(f),
	}
}

// sessionRow receives one row of sessionColumns.
type sessionRow struct {
	f                                                        session.Family
	userID, parentID                                         *string
	generation                                               int64
	head, pending, foreign                                   []byte
	confirmations, audience, amr                             string
	headMinted, pendingMinted, created, seen, idle, absolute int64
	authTime, revoked, dead                                  int64
}

func (r *sessionRow) dest() []any {
	f := &r.f
	return []any{
		&f.TenantID, &f.ID, &f.ClientID, &f.ClientAuth, &f.OpenedBy, &f.Subject, &r.userID, &f.Epoch, &r.generation, &r.head, &r.pending,
		&r.foreign, &f.SealedPending, &f.SealedHead, &r.confirmations, &r.headMinted, &r.pendingMinted, &r.created, &r.seen, &r.idle, &r.absolute,
		&f.Binding, &r.parentID, &f.SSOID, &f.OrgID, &f.Device, &f.Agent, &f.Place, &f.Scope, &r.audience, &r.authTime, &r.amr, &f.ACR,
		&f.AntiCSRF, &f.StaticKey, &f.AccessPayload, &f.DatabasePayload, &f.Version, &r.revoked, &f.RevokedReason, &r.dead,
	}
}

func (r *sessionRow) family() (session.Family, error) {
	f := r.f
	if len(r.head) != len(f.Head) {
		return f, misuse("session %s: head of %d bytes", f.ID, len(r.head))
	}
	f.Head = session.Hash(r.head)
	if len(r.pending) == len(f.Head) {
		h := session.Hash(r.pending)
		f.Pending = &h
	}
	f.Foreign, f.Generation = r.foreign != nil, uint32(r.generation)
	f.UserID, f.ParentID = orEmpty(r.userID), orEmpty(r.parentID)
	f.HeadMinted, f.PendingMinted = instant(r.headMinted), instant(r.pendingMinted)
	f.CreatedAt, f.LastSeen = instant(r.created), instant(r.seen)
	f.IdleExpiry, f.AbsoluteExpiry = instant(r.idle), instant(r.absolute)
	f.AuthTime, f.RevokedAt = instant(r.authTime), instant(r.revoked)
	return f, r.lists(&f)
}

func (r *sessionRow) lists(f *session.Family) (err error) {
	if f.Audience, err = listOf(r.audience); err != nil {
		return err
	}
	if f.AMR, err = listOf(r.amr); err != nil {
		return err
	}
	f.Confirmations, err = confirmationsOf(r.confirmations)
	return err
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
