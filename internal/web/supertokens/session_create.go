package supertokens

import (
	"context"
	"encoding/json"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/user"
)

// createSession opens a session on the backend's word. The user need not be one of ours.
func (f *Face) createSession(ctx context.Context, r *request) (any, error) {
	req, err := f.createRequest(r)
	if err != nil {
		return nil, err
	}
	if req.User, err = f.ours(ctx, r, req.Subject); err != nil {
		return nil, err
	}
	t, err := f.cfg.Sessions.OpenDialect(ctx, r.call, req)
	if err != nil {
		return nil, err
	}
	return pair(r, &t, req.AntiCSRF), nil
}

func (f *Face) createRequest(r *request) (req session.OpenDialectRequest, err error) {
	var forJWT, forStore json.RawMessage
	var dynamic bool
	for _, read := range []func() error{
		func() (err error) { req.Subject, err = r.text("userId"); return err },
		func() (err error) { forJWT, err = r.object("userDataInJWT"); return err },
		func() (err error) { forStore, err = r.object("userDataInDatabase"); return err },
		func() (err error) { req.AntiCSRF, err = r.flag("enableAntiCsrf"); return err },
		func() (err error) { dynamic, err = r.maybeFlag("useDynamicSigningKey"); return err },
		func() (err error) { req.AccessPayload, err = checkPayload(r.app, forJWT); return err },
	} {
		if err := read(); err != nil {
			return req, err
		}
	}
	if req.Subject == "" {
		return req, badField("userId") // a token without a subject is none
	}
	if req.Client = r.x.Client; req.Client == nil {
		return req, fault.New(fault.Invalid, fault.ReasonUnknownClient, "This app has no default client: sessions need one")
	}
	req.Dialect, req.Tenant, req.OrgID = f.dialect(r), r.app, storedOrg(r.org)
	req.StaticKey, req.DatabasePayload = !dynamic, compact(forStore)
	return req, nil
}

// ours is the subject as one of our users, nil when it is none. Another system's name of a user is that user: the session stands under the
// name, and ends with the user.
func (f *Face) ours(ctx context.Context, r *request, subject string) (*user.User, error) {
	u, err := f.cfg.Users.Get(ctx, r.app.ID, subject, r.x.Client.ID)
	if unknown(err) && f.cfg.Recipe != nil {
		var id string
		if id, err = f.cfg.Recipe.Subject(ctx, r.app, subject); err != nil || id == subject {
			return nil, err
		}
		u, err = f.cfg.Users.Get(ctx, r.app.ID, id, r.x.Client.ID)
	}
	switch {
	case unknown(err):
		return nil, nil
	case err != nil:
		return nil, err
	case u.Status != user.Active:
		return nil, fault.New(fault.Forbidden, fault.ReasonUserDisabled, "this user is not active")
	}
	return &u, nil
}

func unknown(err error) bool { return err != nil && fault.From(err).Kind == fault.NotFound }

// refreshSession rotates. A reused token has ended the session by now; the word for it lets the library tell whoever asked.
func (f *Face) refreshSession(ctx context.Context, r *request) (any, error) {
	req, err := f.refreshRequest(r)
	if err != nil {
		return nil, err
	}
	t, err := f.cfg.Sessions.Refresh(ctx, r.call, req)
	switch {
	case err != nil && fault.ReasonOf(err) == fault.ReasonRefreshReused && t.Family.ID != "":
		return stolen(r, &t.Family), nil
	case refusedSession(err):
		return statusBecause(unauthorised, fault.From(err).Safe), nil
	case err != nil:
		return nil, err
	}
	return pair(r, &t, req.Dialect.WantsAntiCSRF), nil
}

func stolen(r *request, fam *session.Family) reply {
	who := about(r, fam, nil)
	delete(who, "userDataInJWT")
	delete(who, "tenantId")
	return reply{"status": theft, "session": who}
}

func (f *Face) refreshRequest(r *request) (session.RefreshRequest, error) {
	var refresh string
	var dynamic bool
	d := &session.DialectRefresh{Dialect: f.dialect(r)}
	for _, read := range []func() error{
		func() (err error) { refresh, err = r.text("refreshToken"); return err },
		func() (err error) { d.WantsAntiCSRF, err = r.flag("enableAntiCsrf"); return err },
		func() (err error) { d.AntiCSRF, _, err = r.maybeText("antiCsrfToken"); return err },
		func() (err error) {
			if r.version.from(appWide) {
				dynamic, err = r.flag("useDynamicSigningKey")
			} else {
				dynamic, err = r.maybeFlag("useDynamicSigningKey")
			}
			return err
		},
	} {
		if err := read(); err != nil {
			return session.RefreshRequest{}, err
		}
	}
	d.StaticKey = !dynamic
	return session.RefreshRequest{
		Tenant: r.app, Authenticated: true, Refresh: secret.NewText(session.StripPrefix(refresh)), Dialect: d,
	}, nil
}
