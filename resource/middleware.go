package resource

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DefaultSource is the mark of a service's token when nothing else is asked for.
const DefaultSource = "microservice"

type contextKey struct{}

// held is what a middleware leaves for those behind it.
type held struct {
	token    *Token
	verifier *Verifier
}

// FromContext gives the token that a middleware accepted for this request.
func FromContext(ctx context.Context) (*Token, bool) {
	h, ok := ctx.Value(contextKey{}).(held)
	return h.token, ok
}

// Need is something an accepted token must carry beside being valid.
type Need struct {
	roles, scopes, levels []string
	recent                bool
	maxAge                time.Duration // with recent
}

// Role needs one of the roles.
func Role(anyOf ...string) Need { return Need{roles: anyOf} }

// Scope needs all of the scopes (RFC 6750 section 3.1, insufficient_scope).
func Scope(allOf ...string) Need { return Need{scopes: allOf} }

// Recent needs a user who proved who they are within maxAge: else 401 with insufficient_user_authentication and max_age, by which the
// application knows to ask them again (RFC 9470 section 3).
func Recent(maxAge time.Duration) Need { return Need{recent: true, maxAge: max(maxAge, 0)} }

// Level needs one of the authentication context classes (acr): else 401 with insufficient_user_authentication and acr_values.
func Level(anyOf ...string) Need { return Need{levels: anyOf} }

func (n Need) met(t *Token, now time.Time) *Error {
	switch {
	case n.recent && (t.AuthTime.IsZero() || now.Sub(t.AuthTime) > n.maxAge):
		return stepUp(ReasonOld, `, max_age="`+strconv.FormatInt(int64(n.maxAge/time.Second), 10)+`"`)
	case len(n.levels) > 0 && !slices.Contains(n.levels, t.ACR):
		more := ""
		if levels := strings.Join(n.levels, " "); quotable(levels) {
			more = `, acr_values="` + levels + `"`
		}
		return stepUp(ReasonLevel, more)
	case len(n.roles) > 0 && !t.HasRole(n.roles...):
		return &Error{Status: http.StatusForbidden, Code: codeScope, Reason: ReasonRole}
	case !t.HasScope(n.scopes...):
		e := &Error{Status: http.StatusForbidden, Code: codeScope, Reason: ReasonScope}
		if scope := strings.Join(n.scopes, " "); quotable(scope) {
			e.scope = scope
		}
		return e
	}
	return nil
}

// RequireUser lets only users pass who meet every need: 401 without a good token, 403 when something lacks. The token comes from the
// Authorization header, or from the configured cookie when there is no such header.
func (v *Verifier) RequireUser(needs ...Need) func(http.Handler) http.Handler {
	return v.guard(func(r *http.Request) (*Token, *Error) {
		t, err := v.user(r)
		if err == nil {
			err = lacks(t, needs, v.cfg.Now())
		}
		return t, err
	})
}

// RequireService lets only services pass whose token has one of the sources; DefaultSource when none is named. A user's token never
// passes, whatever it carries: the kind is told by its typ and claims, not by the mark.
func (v *Verifier) RequireService(source ...string) func(http.Handler) http.Handler {
	sources := orDefault(source)
	return v.guard(func(r *http.Request) (*Token, *Error) {
		t, err := v.fromHeader(r)
		if err == nil {
			err = fromSource(t, sources)
		}
		return t, err
	})
}

// RequireClient lets only applications pass that come with a token of their own (the client credentials grant) and meet every need.
func (v *Verifier) RequireClient(needs ...Need) func(http.Handler) http.Handler {
	return v.guard(func(r *http.Request) (*Token, *Error) {
		t, err := v.fromHeader(r)
		if err == nil && t.Kind != KindClient {
			err = denied(ReasonKind, "not a client's token")
		}
		if err == nil {
			err = lacks(t, needs, v.cfg.Now())
		}
		return t, err
	})
}

// UserOrService serves users and services at one route: first the user's token is tried (header, then cookie), then the service's, else
// 401. A user's token that has expired answers 401 with token_expired even beside a service's token, so that the front end refreshes.
func (v *Verifier) UserOrService(source ...string) func(http.Handler) http.Handler {
	sources := orDefault(source)
	return v.guard(func(r *http.Request) (*Token, *Error) { return v.either(r, sources) })
}

// Require lets only requests pass whose token, accepted by a middleware before it, meets every need. Without one before it, it answers 401.
func Require(needs ...Need) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h, ok := r.Context().Value(contextKey{}).(held)
			if !ok {
				(&Verifier{realm: "api"}).refuse(w, r, missing())
				return
			}
			if err := lacks(h.token, needs, h.verifier.cfg.Now()); err != nil {
				h.verifier.refuse(w, r, err)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

func (v *Verifier) guard(check func(*http.Request) (*Token, *Error)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			t, err := check(r)
			if err != nil {
				v.refuse(w, r, err)
				return
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, held{t, v})))
		})
	}
}

func orDefault(sources []string) []string {
	if len(sources) == 0 {
		return []string{DefaultSource}
	}
	return slices.Clone(sources)
}

func lacks(t *Token, needs []Need, now time.Time) *Error {
	for _, n := range needs {
		if err := n.met(t, now); err != nil {
			return err
		}
	}
	return nil
}

func fromSource(t *Token, sources []string) *Error {
	switch {
	case t.Kind != KindService:
		return denied(ReasonKind, "not a service's token")
	case !slices.Contains(sources, t.Source):
		return denied(ReasonSource, "")
	}
	return nil
}

// user takes the token of the header, or of the cookie when there is none: an explicit token beats a cookie.
func (v *Verifier) user(r *http.Request) (*Token, *Error) {
	t, err := v.fromHeader(r)
	if err != nil && err.Reason == ReasonMissing {
		return v.fromCookie(r)
	}
	if err == nil && t.Kind != KindUser {
		return nil, denied(ReasonKind, "not a user's token")
	}
	return t, err
}

func (v *Verifier) either(r *http.Request, sources []string) (*Token, *Error) {
	t, err := v.fromHeader(r)
	if err != nil && err.Reason != ReasonMissing || err == nil && t.Kind == KindUser {
		return t, err
	}
	byCookie, cookieErr := v.fromCookie(r)
	switch {
	case cookieErr == nil:
		return byCookie, nil
	case cookieErr.Status != http.StatusUnauthorized, cookieErr.Reason == ReasonExpired && cookieErr.kind == KindUser, t == nil:
		return nil, cookieErr
	}
	return t, fromSource(t, sources)
}

// fromHeader verifies the bearer token of the Authorization header (RFC 6750 section 2.1). Neither a form field nor the query, which logs
// keep, is ever read.
func (v *Verifier) fromHeader(r *http.Request) (*Token, *Error) {
	values := r.Header.Values("Authorization")
	if len(values) > 1 {
		return nil, malformed("two Authorization headers")
	}
	if len(values) == 0 {
		return nil, missing()
	}
	scheme, raw, _ := strings.Cut(values[0], " ")
	bound := strings.EqualFold(scheme, "DPoP")
	if !strings.EqualFold(scheme, "Bearer") && !((v.cfg.AcceptBound || v.cfg.Proofs != nil) && bound) {
		return nil, missing()
	}
	raw = strings.TrimLeft(raw, " ")
	t, err := v.verify(r.Context(), raw)
	if err == nil && v.cfg.Proofs != nil {
		if err = v.possessed(r, t, raw, bound); err != nil {
			return nil, err
		}
	}
	return t, err
}

// fromCookie verifies the user's token of the configured cookie. Browsers send cookies by themselves, so what changes something must come
// from a page of ours (cross-site request forgery).
func (v *Verifier) fromCookie(r *http.Request) (*Token, *Error) {
	if v.cfg.Cookie == "" {
		return nil, missing()
	}
	found := r.CookiesNamed(v.cfg.Cookie)
	if len(found) > 1 { // a neighbouring subdomain may plant a second one
		return nil, malformed("two cookies of one name")
	}
	if len(found) == 0 || found[0].Value == "" {
		return nil, missing()
	}
	if err := v.csrf.Check(r); err != nil {
		return nil, &Error{Status: http.StatusForbidden, Reason: ReasonCrossOrigin, detail: err.Error()}
	}
	t, err := v.verify(r.Context(), found[0].Value)
	if err == nil && t.Thumbprint != "" && !v.cfg.AcceptBound { // browsers send cookies by themselves, and no proof with them
		return nil, unproved("a bound token came as a cookie")
	}
	if err == nil && t.Kind != KindUser {
		return nil, denied(ReasonKind, "not a user's token")
	}
	return t, err
}
