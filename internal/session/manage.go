package session

import (
	"cmp"
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// The page of a list: what is given when nothing is asked, and the most that is ever given.
const (
	defaultPage = 50
	maxPage     = 200
)

// List gives a page of a subject's live sessions, newest first. Tenant and instant come from the call when the query has none.
func (s *Service) List(ctx context.Context, call *audit.Call, q ListQuery) ([]Family, error) {
	q.TenantID = cmp.Or(q.TenantID, call.TenantID)
	if q.At.IsZero() {
		q.At = call.At
	}
	if q.Limit <= 0 {
		q.Limit = defaultPage
	}
	q.Limit = min(q.Limit, maxPage)
	return s.store.List(ctx, q)
}

// Revoke ends the live sessions that match, for the given reason, and gives them.
func (s *Service) Revoke(ctx context.Context, call *audit.Call, m Match, reason string) ([]Ended, error) {
	m.TenantID = cmp.Or(m.TenantID, call.TenantID)
	e := call.Event(secret.NewID(call.At), EventEnded)
	e.TenantID, e.Session, e.Subject, e.Reason = m.TenantID, m.ID, cmp.Or(m.UserID, m.Subject), reason
	if m.Except != "" {
		e.Detail = map[string]string{"except": m.Except}
	}
	return s.store.Revoke(ctx, m, call.At, reason, one(e))
}
