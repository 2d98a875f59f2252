package session

import (
	"cmp"
	"context"
	"crypto/subtle"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// Refresh is the one engine behind every dialect: load, rule, sign, swap, answer after the commit. Any number of parallel or repeated
// uses of a token give the same successor until that is first used. Refusals are Unauthenticated and recorded, each with its reason; that of
// a reused token comes with the family it ended.
func (s *Service) Refresh(ctx context.Context, call *audit.Call, req RefreshRequest) (Tokens, error) {
	if req.Refresh.IsZero() {
		return Tokens{}, refused(fault.ReasonMissingToken)
	}
	r := newRefreshing(s, call, &req)
	if len(r.text) > maxPresented {
		return Tokens{}, r.refuse(ctx, fault.ReasonRefreshUnknown, nil)
	}
	for range maxTries {
		tokens, done, err := r.try(ctx)
		if done || err != nil {
			return tokens, err
		}
	}
	return Tokens{}, fault.New(fault.Unavailable, fault.ReasonBusy, "too many at once; please try again").After(time.Second)
}

// refreshing is one refresh under way: what does not change between tries.
type refreshing struct {
	s      *Service
	call   *audit.Call
	req    *RefreshRequest
	eff    tenant.Effective
	policy policy
	text   string
	hash   Hash
	parsed tokenText
	ours   bool // parsed holds a token of our form

	access  string             // made in an earlier try, still good while the holder's claims stay the same
	kept    *audit.OpaqueToken // the row of an opaque access token that is not written yet
	claims  token.AccessClaims
	holder  Holder
	checked bool               // the access token sent along was verified
	sent    token.AccessClaims // its claims; SessionID is empty when it was not good

	antiCSRF string // of a dialect's access token
}

func newRefreshing(s *Service, call *audit.Call, req *RefreshRequest) *refreshing {
	r := &refreshing{s: s, call: call, req: req, eff: req.Tenant.For(req.Client), text: req.Refresh.Reveal()}
	r.policy = s.policyFor(&r.eff, req.Client)
	r.hash = secret.RefreshHash(r.text)
	r.parsed, r.ours = parseToken(r.text)
	return r
}

// try runs load, rule and the act once. done is false when somebody else was first.
func (r *refreshing) try(ctx context.Context) (t Tokens, done bool, err error) {
	l, err := r.s.store.Load(ctx, r.ref())
	if notFound(err) {
		return t, true, r.refuseUnknown(ctx)
	}
	if err != nil {
		return t, true, err
	}
	r.enter(&l)
	f := r.factsOf(&l)
	o := decide(&l, &f, &r.policy)
	switch {
	case o.Verdict == verdictRefuse:
		if o.Ahead {
			r.alarm(ctx, &l, &f)
		}
		return t, true, r.refuse(ctx, o.Reason, &l.Family)
	case r.refusesCSRF(&l.Family):
		return t, true, r.refuse(ctx, fault.ReasonAntiCSRF, &l.Family)
	case o.Verdict == verdictEnd:
		return Tokens{Family: l.Family}, true, r.end(ctx, &l, &f)
	}
	if err := r.narrows(&l.Family); err != nil {
		return t, true, err
	}
	if f.Match != matchMinted && r.accessStillGood(&l.Family) {
		return r.samePair(&l), true, nil
	}
	if o.Verdict == verdictRepeat {
		return r.repeat(ctx, &l, &o)
	}
	return r.advance(ctx, &l, &o)
}

func (r *refreshing) ref() Ref {
	ref := Ref{TenantID: r.req.Tenant.ID}
	if r.ours {
		ref.ID = r.parsed.familyID()
	} else {
		ref.Hash = r.hash
	}
	return ref
}

func (r *refreshing) factsOf(l *Loaded) facts {
	f := facts{
		TenantID: r.req.Tenant.ID, ClientGone: r.req.Client == nil, Authenticated: r.req.Authenticated,
		Proof: r.req.Proof, Hash: r.hash, At: r.call.At,
	}
	if r.req.Client != nil {
		f.ClientID = r.req.Client.ID
	}
	if r.req.Dialect != nil {
		f.Dialect = r.req.Dialect.Name
	}
	f.Match = matchOf(&l.Family, r.hash)
	if f.Match == matchNone && r.ours && r.parsed.genuine(r.s.ring, f.TenantID) {
		f.Match, f.Generation = matchMinted, r.parsed.generation()
	}
	return f
}

func matchOf(fam *Family, hash Hash) match {
	switch {
	case subtle.ConstantTimeCompare(fam.Head[:], hash[:]) == 1:
		return matchHead
	case fam.Pending != nil && subtle.ConstantTimeCompare(fam.Pending[:], hash[:]) == 1:
		return matchPending
	}
	return matchNone
}

// accessStillGood reports whether the access token sent beside the refresh token belongs to this family and epoch and lives long enough
// for the same pair to be handed back. The rule has already found the family live and the refresh token head or pending.
func (r *refreshing) accessStillGood(fam *Family) bool {
	if r.req.Access.IsZero() {
		return false
	}
	if !r.checked {
		r.checked = true
		if c, err := r.s.tokens.VerifyAccess(r.req.Tenant, r.req.Access.Reveal(), r.call.At); err == nil {
			r.sent = c
		}
	}
	c := &r.sent
	return c.SessionID == fam.ID && c.SessionID != "" && c.Subject == fam.Subject && c.Epoch == fam.Epoch &&
		c.Thumbprint == r.boundTo(fam) && c.ExpiresAt.Sub(r.call.At) >= sameLeft
}

// boundTo is the key that the next access token is bound to. A session that is bound to no key stays so, or a thief could bind it to his own;
// a proof binds what it asks for all the same (RFC 9449 section 5).
func (r *refreshing) boundTo(fam *Family) string { return cmp.Or(fam.Binding, r.req.Proof) }

func (r *refreshing) samePair(l *Loaded) Tokens {
	return Tokens{
		Access: r.req.Access, AccessClaims: r.sent, Refresh: r.req.Refresh, RefreshExpires: RefreshExpires(&l.Family),
		Family: l.Family, Holder: l.Holder, Same: true,
	}
}
