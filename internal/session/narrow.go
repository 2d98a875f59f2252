package session

import (
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// narrows refuses a refresh that asks for more than the family was opened with. It comes before anything is written, so that a client that
// asks wrongly loses nothing.
func (r *refreshing) narrows(fam *Family) error {
	has := strings.Fields(fam.Scope)
	for _, s := range r.req.Scope {
		if !slices.Contains(has, s) {
			return fault.New(fault.Invalid, fault.ReasonOAuthScope, "the scope is wider than what was granted")
		}
	}
	audience := audienceOf(&r.eff, fam)
	for _, a := range r.req.Audience {
		if !slices.Contains(audience, a) {
			return fault.New(fault.Invalid, fault.ReasonOAuthTarget, "the resource is none of those granted")
		}
	}
	return nil
}

// narrow leaves in the claims what this refresh asked for.
func (r *refreshing) narrow() {
	if len(r.req.Scope) > 0 {
		r.claims.Scope = strings.Join(r.req.Scope, " ")
	}
	if len(r.req.Audience) > 0 {
		r.claims.Audience = r.req.Audience
	}
}

func audienceOf(e *tenant.Effective, fam *Family) []string {
	if len(fam.Audience) > 0 {
		return fam.Audience
	}
	return e.Audience
}
