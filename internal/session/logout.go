package session

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// EndedByLogout is the reason of sessions their holders ended.
const EndedByLogout = "logout"

// LogoutRequest asks for the end of a session, shown by either of its tokens.
type LogoutRequest struct {
	Tenant  *tenant.Tenant
	Client  *tenant.Client // who asks, for the record; holding a token of the session is proof enough to end it
	Access  secret.Text    // valid or expired
	Refresh secret.Text    // head, pending, or an older one of the family
	Revoke  bool           // false keeps the session: the face only clears cookies
	All     bool           // end every session of the user
}

// Logout ends what the tokens name. Tokens that name nothing are no error: only an unavailable store is, because then the session lives.
func (s *Service) Logout(ctx context.Context, call *audit.Call, req LogoutRequest) error {
	if !req.Revoke {
		return nil
	}
	named := make([]named, 0, 2)
	for _, find := range []func(context.Context, *audit.Call, *LogoutRequest) (*Loaded, bool, error){s.byAccess, s.byRefresh} {
		l, strong, err := find(ctx, call, &req)
		if err != nil {
			return unavailable(err)
		}
		named = addNamed(named, l, strong)
	}
	for i := range named {
		if err := s.endNamed(ctx, call, &named[i], req.All); err != nil {
			return unavailable(err)
		}
	}
	return nil
}

// named is a session that a token showed. strong is enough to end the user's other sessions too.
type named struct {
	loaded *Loaded
	strong bool
}

func addNamed(list []named, l *Loaded, strong bool) []named {
	if l == nil || l.Family.Revoked() {
		return list
	}
	for i := range list {
		if list[i].loaded.Family.ID == l.Family.ID {
			list[i].strong = list[i].strong || strong
			return list
		}
	}
	return append(list, named{l, strong})
}

func (s *Service) byAccess(ctx context.Context, call *audit.Call, req *LogoutRequest) (*Loaded, bool, error) {
	if req.Access.IsZero() {
		return nil, false, nil
	}
	claims, err := s.tokens.VerifyAccessAnyAge(req.Tenant, req.Access.Reveal())
	if err != nil || claims.SessionID == "" || claims.Delegated {
		return nil, false, nil //nolint:nilerr // a token that is none names no session, and that is no error of a logout
	}
	l, err := s.store.Load(ctx, Ref{TenantID: req.Tenant.ID, ID: claims.SessionID})
	if err != nil {
		return nil, false, ignoreNotFound(err)
	}
	valid := call.At.Before(claims.ExpiresAt) && !call.At.Before(claims.NotBefore) && claims.Epoch == l.Family.Epoch
	return &l, valid && !s.foreign(&l.Family) && deadBecause(&l, false, call.At) == "", nil
}

// foreign reports whether a family belongs to somebody else's application: that may end its own session, and no other of the person's.
func (s *Service) foreign(fam *Family) bool {
	return s.cfg.Foreign != nil && fam.OpenedBy == FaceOAuth && s.cfg.Foreign(fam.TenantID, fam.ClientID)
}

// byRefresh takes any token of ours for the family, because a slow tab may hold an old one; head and pending are strong. A bound family
// is named by head or pending only, and never strongly: a thief without the key must not end more than it holds.
func (s *Service) byRefresh(ctx context.Context, call *audit.Call, req *LogoutRequest) (*Loaded, bool, error) {
	text := req.Refresh.Reveal()
	if text == "" || len(text) > maxPresented {
		return nil, false, nil
	}
	parsed, ours := parseToken(text)
	hash := secret.RefreshHash(text)
	ref := Ref{TenantID: req.Tenant.ID, Hash: hash}
	if ours {
		ref = Ref{TenantID: req.Tenant.ID, ID: parsed.familyID()}
	}
	l, err := s.store.Load(ctx, ref)
	if err != nil {
		return nil, false, ignoreNotFound(err)
	}
	bound := l.Family.Binding != ""
	switch {
	case matchOf(&l.Family, hash) != matchNone:
		return &l, !bound && !s.foreign(&l.Family) && deadBecause(&l, false, call.At) == "", nil
	case ours && !bound && parsed.genuine(s.ring, req.Tenant.ID):
		return &l, false, nil
	}
	return nil, false, nil
}

func (s *Service) endNamed(ctx context.Context, call *audit.Call, n *named, all bool) error {
	fam := &n.loaded.Family
	m := Match{TenantID: fam.TenantID, ID: fam.ID}
	e := familyEvent(call, EventEnded, fam)
	e.Reason, e.Person = EndedByLogout, call.Personal("")
	if all && n.strong {
		m = Match{TenantID: fam.TenantID, UserID: fam.UserID}
		if fam.UserID == "" {
			m.Subject = fam.Subject
		}
		e.Detail = map[string]string{"all": "true"}
	}
	_, err := s.store.Revoke(ctx, m, call.At, EndedByLogout, one(e))
	return err
}

func ignoreNotFound(err error) error {
	if notFound(err) {
		return nil
	}
	return err
}

// unavailable is the one failure of a logout that a client hears of.
func unavailable(err error) error {
	if f := fault.From(err); f.Kind == fault.Unavailable {
		return f
	}
	return fault.Wrap(fault.Unavailable, fault.ReasonUnavailable, "please try again", err).After(time.Second)
}
