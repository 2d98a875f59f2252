package supertokens

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// endedByBackend is the reason recorded on sessions that a backend ended.
const endedByBackend = "ended_by_service"

// pageSize is how many sessions are read at a time.
const pageSize = 200

// removeSessions ends sessions by their handles, or every session of a user. The engine's revoke tells the revocation feed.
func (f *Face) removeSessions(ctx context.Context, r *request) (any, error) {
	subject, byUser, err := r.maybeText("userId")
	if err != nil {
		return nil, err
	}
	m, err := r.member("sessionHandles")
	if err != nil {
		return nil, err
	}
	if byUser == !none(m) {
		return nil, bad("Invalid JSON input - use one of userId or sessionHandles array")
	}
	var ended []string
	if byUser {
		ended, err = f.removeOfUser(ctx, r, subject)
	} else {
		ended, err = f.removeHandles(ctx, r)
	}
	if err != nil {
		return nil, err
	}
	return ok(reply{"sessionHandlesRevoked": ended}), nil
}

func (f *Face) removeOfUser(ctx context.Context, r *request, subject string) ([]string, error) {
	everywhere, err := r.maybeFlag("revokeAcrossAllTenants")
	if err != nil || subject == "" {
		return []string{}, err
	}
	ended := []string{}
	if everywhere {
		names, err := f.namesOf(ctx, r, subject)
		for i := 0; i < len(names) && err == nil; i++ {
			var more []string
			more, err = f.revoke(ctx, r, session.Match{Subject: names[i]})
			ended = append(ended, more...)
		}
		return ended, err
	}
	families, err := f.every(ctx, r, subject, false)
	for i := range families {
		var more []string
		if more, err = f.revoke(ctx, r, session.Match{ID: families[i].ID}); err != nil {
			break
		}
		ended = append(ended, more...)
	}
	return ended, err
}

func (f *Face) revoke(ctx context.Context, r *request, m session.Match) ([]string, error) {
	m.TenantID = r.app.ID
	list, err := f.cfg.Sessions.Revoke(ctx, r.call, m, endedByBackend)
	handles := make([]string, 0, len(list))
	for _, e := range list {
		handles = append(handles, handleOf(e.ID, e.OrgID))
	}
	return handles, err
}

// removeHandles ends the sessions named and gives those of the names that were live.
func (f *Face) removeHandles(ctx context.Context, r *request) ([]string, error) {
	names, err := r.texts("sessionHandles")
	if err != nil {
		return nil, err
	}
	out := []string{}
	for _, name := range names {
		id, _ := parseHandle(name)
		if _, isID := secret.ParseID(id); !isID {
			continue
		}
		ended, err := f.revoke(ctx, r, session.Match{ID: id})
		if err != nil {
			return nil, err
		}
		if len(ended) > 0 {
			out = append(out, name)
		}
	}
	return out, nil
}

// sessionsOfUser lists the handles of a user's live sessions, all of them.
func (f *Face) sessionsOfUser(ctx context.Context, r *request) (any, error) {
	subject, err := r.asked("userId")
	if err != nil {
		return nil, err
	}
	everywhere, err := r.askedFlag("fetchAcrossAllTenants", true)
	if err != nil {
		return nil, err
	}
	families, err := f.every(ctx, r, subject, everywhere)
	if err != nil {
		return nil, err
	}
	handles := make([]string, 0, len(families))
	for i := range families {
		handles = append(handles, handle(&families[i]))
	}
	return ok(reply{"sessionHandles": handles}), nil
}

// every gives a user's live sessions, of all tenants or of the path's.
func (f *Face) every(ctx context.Context, r *request, subject string, everywhere bool) (out []session.Family, err error) {
	names, err := f.namesOf(ctx, r, subject)
	for i := 0; i < len(names) && err == nil; i++ {
		var more []session.Family
		more, err = f.everyOf(ctx, r, names[i], everywhere)
		out = append(out, more...)
	}
	return out, err
}

// everyOf is every for one of the names of a user.
func (f *Face) everyOf(ctx context.Context, r *request, subject string, everywhere bool) ([]session.Family, error) {
	var out []session.Family
	q := session.ListQuery{TenantID: r.app.ID, Subject: subject, Limit: pageSize}
	for {
		page, err := f.cfg.Sessions.List(ctx, r.call, q)
		if err != nil {
			return nil, err
		}
		for i := range page {
			if everywhere || orgOf(page[i].OrgID) == r.org {
				out = append(out, page[i])
			}
		}
		if len(page) < pageSize {
			return out, nil
		}
		q.After = page[len(page)-1].ID
	}
}
