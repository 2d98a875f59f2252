package supertokens

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

func noSession() error {
	return fault.New(fault.Unauthenticated, fault.ReasonSessionRevoked, "Session does not exist.")
}

// named gives the session of a handle.
func (f *Face) named(ctx context.Context, r *request, text string) (session.Family, error) {
	id, org := parseHandle(text)
	fam, err := f.cfg.Sessions.Find(ctx, r.call, f.dialect(r), r.app.ID, id)
	if err == nil && orgOf(fam.OrgID) != org {
		err = noSession()
	}
	return fam, err
}

// asSession reads the session that the query names and answers with what show takes from it.
func (f *Face) asSession(ctx context.Context, r *request, show func(fam *session.Family) reply) (any, error) {
	text, err := r.asked("sessionHandle")
	if err != nil {
		return nil, err
	}
	fam, err := f.named(ctx, r, text)
	if refusedSession(err) {
		return gone(), nil
	}
	if err != nil {
		return nil, err
	}
	return ok(show(&fam)), nil
}

func (f *Face) getSession(ctx context.Context, r *request) (any, error) {
	return f.asSession(ctx, r, func(fam *session.Family) reply {
		out := reply{
			"sessionHandle": handle(fam), "userId": fam.Subject, "userDataInDatabase": orEmpty(fam.DatabasePayload),
			"userDataInJWT": orEmpty(fam.AccessPayload), "expiry": session.RefreshExpires(fam).UnixMilli(),
			"timeCreated": fam.CreatedAt.UnixMilli(), "tenantId": orgOf(fam.OrgID),
		}
		if r.version.from(linking) {
			out["recipeUserId"] = fam.Subject
		}
		return out
	})
}

func (f *Face) sessionData(ctx context.Context, r *request) (any, error) {
	return f.asSession(ctx, r, func(fam *session.Family) reply {
		return reply{"userDataInDatabase": orEmpty(fam.DatabasePayload)}
	})
}

func (f *Face) jwtData(ctx context.Context, r *request) (any, error) {
	return f.asSession(ctx, r, func(fam *session.Family) reply { return reply{"userDataInJWT": orEmpty(fam.AccessPayload)} })
}

func (f *Face) putSessionData(ctx context.Context, r *request) (any, error) {
	text, err := r.text("sessionHandle")
	if err != nil {
		return nil, err
	}
	data, err := r.object("userDataInDatabase")
	if err != nil {
		return nil, err
	}
	return f.put(ctx, r, text, session.Payloads{Database: compact(data)})
}

func (f *Face) putJWTData(ctx context.Context, r *request) (any, error) {
	text, err := r.text("sessionHandle")
	if err != nil {
		return nil, err
	}
	data, err := r.object("userDataInJWT")
	if err != nil {
		return nil, err
	}
	payload, err := checkPayload(r.app, data)
	if err != nil {
		return nil, err
	}
	return f.put(ctx, r, text, session.Payloads{Access: payload})
}

func (f *Face) put(ctx context.Context, r *request, text string, p session.Payloads) (any, error) {
	fam, err := f.named(ctx, r, text)
	if err == nil {
		_, err = f.cfg.Sessions.Change(ctx, r.call, session.Change{Dialect: f.dialect(r), TenantID: r.app.ID, ID: fam.ID, Payloads: p})
	}
	if refusedSession(err) {
		return gone(), nil
	}
	if err != nil {
		return nil, err
	}
	return ok(nil), nil
}
