package session

import (
	"context"
	"errors"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// sign makes the access token, outside any transaction. A signature of a lost try is used again while it would say the same: under 64
// parallel refreshes each caller then signs once. A dialect's names the refresh token it goes with, so it is made anew.
func (r *refreshing) sign(ctx context.Context, l *Loaded, fam *Family, refresh string) error {
	if r.req.Dialect != nil {
		return r.signDialect(ctx, fam, refresh)
	}
	if r.access != "" && sameClaims(&r.holder, &l.Holder) {
		return nil
	}
	r.holder = l.Holder
	r.claims = accessClaims(r.req.Tenant, r.req.Client, &l.Family, &l.Holder, r.call.At)
	r.claims.Thumbprint = r.boundTo(&l.Family)
	r.narrow()
	if r.req.Opaque != nil {
		return r.makeOpaque()
	}
	var err error
	r.access, err = r.s.tokens.SignAccess(ctx, r.req.Tenant, r.eff.Alg, r.claims)
	return err
}

// makeOpaque makes an access token that nobody signs. Its row waits for the write that hands it out.
func (r *refreshing) makeOpaque() error {
	text, row, err := r.req.Opaque(&r.claims)
	r.access, r.kept = text.Reveal(), &row
	return err
}

// record is an event with the row of an opaque access token beside it, when one waits.
func (r *refreshing) record(e audit.Event) audit.Record {
	rec := one(e)
	if r.kept != nil {
		rec.Tokens = []audit.OpaqueToken{*r.kept}
	}
	return rec
}

func (r *refreshing) answer(l *Loaded, fam *Family, refresh string) Tokens {
	return Tokens{
		Access: secret.NewText(r.access), AccessClaims: r.claims, Refresh: secret.NewText(refresh),
		RefreshExpires: RefreshExpires(fam), Family: *fam, Holder: l.Holder, AntiCSRF: r.antiCSRF,
	}
}

// repeat hands out a token that exists. The guard is read again after signing, so that nothing leaves after a revoke has committed.
func (r *refreshing) repeat(ctx context.Context, l *Loaded, o *outcome) (Tokens, bool, error) {
	refresh, err := r.unseal(l, o.Hand)
	if errors.Is(err, secret.ErrSealed) && o.Hand == handSealedHead {
		return Tokens{}, true, r.refuse(ctx, fault.ReasonSuperseded, &l.Family)
	}
	if err != nil {
		return Tokens{}, true, fault.From(err)
	}
	fam, changed := r.adjusted(l.Family)
	if err := r.sign(ctx, l, &fam, refresh); err != nil {
		return Tokens{}, true, err
	}
	if err := r.noteRepeat(ctx, l, o); err != nil {
		return Tokens{}, true, err
	}
	live, err := r.keep(ctx, l, &fam, changed)
	if err != nil || !live {
		return Tokens{}, err != nil, err
	}
	return r.answer(l, &fam, refresh), true, nil
}

// noteRepeat writes what a repeated hand-out leaves behind: that an old token came late, and the row of an opaque access token. Nothing of
// the family changes, so the row need not wait for it; one that is not handed out after all is worth nothing to anybody.
func (r *refreshing) noteRepeat(ctx context.Context, l *Loaded, o *outcome) error {
	var rec audit.Record
	if o.Reason != "" {
		e := familyEvent(r.call, EventSuperseded, &l.Family)
		e.Reason = string(o.Reason)
		rec = one(e)
	}
	if r.kept != nil {
		rec.Tokens = []audit.OpaqueToken{*r.kept}
	}
	if rec.Events == nil && rec.Tokens == nil {
		return nil
	}
	err := r.s.store.Record(ctx, rec)
	r.kept = nil // written once, however often the guard is tried
	return err
}

func (r *refreshing) unseal(l *Loaded, h hand) (string, error) {
	sealed := l.Family.SealedPending
	switch h {
	case handPresented:
		return r.text, nil
	case handSealedHead:
		sealed = l.Family.SealedHead
	}
	plain, err := r.s.ring.Open(sealContext(l.Family.ID), []byte(r.text), sealed)
	return string(plain), err
}

// stillGuarded reads the guard again; once a minute the same statement also notes that the session is in use.
func (r *refreshing) stillGuarded(ctx context.Context, fam *Family) (bool, error) {
	lastSeen := fam.LastSeen
	if seenDue(fam, r.call.At) {
		lastSeen = r.call.At
	}
	return r.s.store.Touch(ctx, *fam, lastSeen)
}

// advance signs, swaps the new state in and answers after the commit.
func (r *refreshing) advance(ctx context.Context, l *Loaded, o *outcome) (Tokens, bool, error) {
	refresh := r.text
	if o.Hand == handMinted {
		var err error
		if refresh, err = r.mint(&o.Next); err != nil {
			return Tokens{}, true, fault.From(err)
		}
	}
	o.Next, _ = r.adjusted(o.Next)
	if err := r.sign(ctx, l, &o.Next, refresh); err != nil {
		return Tokens{}, true, err
	}
	kind := EventRefreshed
	if o.Adopted {
		kind = EventAdopted
	}
	won, err := r.s.store.Swap(ctx, l.Family, o.Next, r.record(familyEvent(r.call, kind, &l.Family)))
	if err != nil || !won {
		return Tokens{}, err != nil, err
	}
	o.Next.Version = l.Family.Version + 1
	return r.answer(l, &o.Next, refresh), true, nil
}

// mint makes token n+1 and seals it so that only token n, the one presented, together with a ring key opens it: neither a dump nor an old
// token alone yields a usable one.
func (r *refreshing) mint(next *Family) (string, error) {
	text, err := mintToken(r.s.ring, next.TenantID, next.ID, next.Generation+1)
	if err != nil {
		return "", err
	}
	hash := secret.RefreshHash(text)
	next.Pending = &hash
	next.SealedPending, err = r.s.ring.Seal(sealContext(next.ID), []byte(r.text), []byte(text))
	return text, err
}

// The kinds of unknown tokens, for whoever asks later why a session was lost.
const (
	tokenForeign = "foreign" // not of our form
	tokenForged  = "forged"  // of our form, with a MAC that is not ours: made up, or another server's
	tokenPurged  = "purged"  // ours, of a family that is not stored any more
	tokenAhead   = "ahead"   // ours, newer than the store
)

// refuseUnknown refuses a token that names no stored family. Only the MAC lets its own word count for which family it was.
func (r *refreshing) refuseUnknown(ctx context.Context) error {
	if r.ours && r.parsed.genuine(r.s.ring, r.req.Tenant.ID) {
		return r.refuse(ctx, fault.ReasonRefreshUnknown, &Family{ID: r.parsed.familyID()})
	}
	return r.refuse(ctx, fault.ReasonRefreshUnknown, nil)
}

// refuse records the refusal with its reason and gives it. fam is nil when the token named none.
func (r *refreshing) refuse(ctx context.Context, reason fault.Reason, fam *Family) error {
	e := r.call.Event(secret.NewID(r.call.At), EventRefused)
	e.TenantID = r.req.Tenant.ID
	detail := map[string]string{}
	if fam != nil {
		e.Session, e.Subject = fam.ID, fam.Subject
		if fam.Revoked() {
			detail["ended_by"] = fam.RevokedReason
		}
	}
	switch {
	case reason != fault.ReasonRefreshUnknown:
	case !r.ours:
		detail["token"] = tokenForeign
	case !r.parsed.genuine(r.s.ring, r.req.Tenant.ID):
		detail["token"] = tokenForged
	case fam != nil && fam.TenantID == "":
		detail["token"] = tokenPurged
	default:
		detail["token"] = tokenAhead
	}
	if len(detail) > 0 {
		e.Detail = detail
	}
	e.Reason, e.Person = string(reason), r.call.Personal("")
	if err := r.s.store.Record(ctx, one(e)); err != nil {
		return err
	}
	return refused(reason)
}

// end revokes a family whose ancestor came back outside the grace. Of many callers one ends it and tells the owner; the others find it
// ended and are refused with the same reason.
func (r *refreshing) end(ctx context.Context, l *Loaded, f *facts) error {
	rec, err := r.s.reuseRecord(r.call, r.req.Tenant, r.req.Client, l, f)
	if err != nil {
		return fault.From(err)
	}
	m := Match{TenantID: l.Family.TenantID, ID: l.Family.ID}
	ended, err := r.s.store.Revoke(ctx, m, r.call.At, string(fault.ReasonRefreshReused), rec)
	if err != nil {
		return err
	}
	if len(ended) == 0 {
		return r.refuse(ctx, fault.ReasonRefreshReused, &l.Family)
	}
	return refused(fault.ReasonRefreshReused)
}

// alarm tells the operator that a genuine token is newer than the store: it was restored or failed over without being told so.
func (r *refreshing) alarm(ctx context.Context, l *Loaded, f *facts) {
	r.s.cfg.Log.ErrorContext(ctx, "a genuine refresh token is ahead of the store; was it restored from a snapshot?",
		"tenant", l.Family.TenantID, "session", l.Family.ID, "trace", r.call.Trace,
		"presented_generation", f.Generation, "stored_generation", l.Family.Generation)
}
