package supertokens

import (
	"context"
	"crypto/subtle"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// verification is the body of verify.
type verification struct {
	raw, antiCSRF                     string
	doCheck, enableCheck, checkStored bool
}

func verificationOf(r *request) (v verification, err error) {
	for _, read := range []func() error{
		func() (err error) { v.raw, err = r.text("accessToken"); return err },
		func() (err error) { v.doCheck, err = r.flag("doAntiCsrfCheck"); return err },
		func() (err error) { v.enableCheck, err = r.flag("enableAntiCsrf"); return err },
		func() (err error) { v.checkStored, err = r.flag("checkDatabase"); return err },
		func() (err error) { v.antiCSRF, _, err = r.maybeText("antiCsrfToken"); return err },
	} {
		if err := read(); err != nil {
			return v, err
		}
	}
	return v, nil
}

// verifySession checks an access token, and promotes the session when it is the first use of a refreshed one. A token that needs no
// confirmation is judged without the store unless the caller wants it asked.
func (f *Face) verifySession(ctx context.Context, r *request) (any, error) {
	v, err := verificationOf(r)
	if err != nil {
		return nil, err
	}
	s, good := f.read(r, v.raw, false)
	if !good {
		return statusBecause(tryRefresh, "The access token is not valid or has expired."), nil
	}
	if v.enableCheck && v.doCheck && (s.antiCSRF == "" || subtle.ConstantTimeCompare([]byte(s.antiCSRF), []byte(v.antiCSRF)) != 1) {
		return statusBecause(tryRefresh, "anti-csrf check failed"), nil
	}
	if s.parentH1 == "" && !v.checkStored {
		return ok(reply{"session": about(r, s.family(), s.payload)}), nil
	}
	c, err := f.cfg.Sessions.Confirm(ctx, r.call, session.ConfirmRequest{
		Dialect: f.dialect(r), Tenant: r.app, ID: s.id, Subject: s.subject, H1: s.h1, ParentH1: s.parentH1, Payload: s.payload, Same: samePayload,
	})
	if refusedSession(err) {
		return gone(), nil
	}
	if err != nil {
		return nil, err
	}
	out := ok(reply{"session": about(r, s.family(), s.payload)})
	if !c.Access.Token.IsZero() {
		out["session"] = about(r, &c.Family, orEmpty(c.Family.AccessPayload))
		out["accessToken"] = accessOf(c.Access)
	}
	return out, nil
}

// family is what a token tells of its session.
func (s *shown) family() *session.Family {
	return &session.Family{ID: s.id, OrgID: storedOrg(s.org), Subject: s.subject}
}

// regenerate puts the stored claims, or new ones, into an access token that takes the place of the given one. An expired one is not renewed.
func (f *Face) regenerate(ctx context.Context, r *request) (any, error) {
	raw, err := r.text("accessToken")
	if err != nil {
		return nil, err
	}
	given, err := r.maybeObject("userDataInJWT")
	if err != nil {
		return nil, err
	}
	payload, err := checkPayload(r.app, given)
	if err != nil {
		return nil, err
	}
	s, good := f.read(r, raw, true)
	if !good {
		return statusBecause(unauthorised, "The access token is not valid."), nil
	}
	change := session.Change{Dialect: f.dialect(r), TenantID: r.app.ID, ID: s.id, Payloads: session.Payloads{Access: payload}}
	if r.call.At.Before(s.expires) {
		change.Making = session.Making{H1: s.h1, ParentH1: s.parentH1, AntiCSRF: s.antiCSRF, Expires: s.expires}
	}
	c, err := f.cfg.Sessions.Change(ctx, r.call, change)
	if refusedSession(err) {
		return gone(), nil
	}
	if err != nil {
		return nil, err
	}
	out := ok(reply{"session": about(r, &c.Family, orEmpty(c.Family.AccessPayload))})
	if !c.Access.Token.IsZero() {
		out["accessToken"] = accessOf(c.Access)
	}
	return out, nil
}
