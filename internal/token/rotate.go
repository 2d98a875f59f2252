package token

import (
	"context"
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// Events of an operator's acts on keys.
const (
	EventKeyRotated   = "key.rotated"
	EventKeyWithdrawn = "key.withdrawn"
	EventRingRotated  = "ring_key.added"
	EventRingRewrap   = "ring_key.rewrapped"
)

// longestStatic is the longest life of a token that a static key signs.
const longestStatic = 100 * 365 * 24 * time.Hour

// settle is the least time before an advanced key signs: nodes learn of it by then.
const settle = 2 * time.Second

// rotateTries is how often a rotation may lose to servers that announce a key at the same moment: each does so once.
const rotateTries = 4

// RotateSigning lets the next key of an algorithm sign as soon as every cached JWKS has it, and gives that key. A next key that was
// announced long enough ago signs almost at once; where none is announced yet, one is made. Tokens of the key before stay good, because
// it stays published until the last of them is dead.
func (s *Service) RotateSigning(ctx context.Context, call *audit.Call, t *tenant.Tenant, alg string) (SigningKey, error) {
	for range rotateTries {
		if k, won, err := s.rotateSigning(ctx, call, t, alg); err != nil || won {
			return k, err
		}
	}
	return SigningKey{}, fault.New(fault.Conflict, fault.ReasonConflict, "servers announce keys faster than this can follow; try again")
}

// rotateSigning is false where a server announced the next key just then. That key is the one to advance.
func (s *Service) rotateSigning(ctx context.Context, call *audit.Call, t *tenant.Tenant, alg string) (_ SigningKey, won bool, _ error) {
	rows, err := s.store.SigningKeys(ctx, t.ID, call.At)
	if err != nil {
		return SigningKey{}, false, err
	}
	p := s.policy(t)
	keys := lane(rows, alg)
	now := current(keys, call.At)
	switch {
	case now < 0:
		return SigningKey{}, false, fault.New(fault.Conflict, fault.ReasonConflict, "there is no key of this algorithm yet; the server makes one when it runs")
	case now == len(keys)-1:
		return s.mintNext(ctx, call, t, keys[now], call.At.Add(p.Publish))
	}
	next := keys[now+1]
	from := latest(call.At.Add(settle), next.CreatedAt.Add(p.Publish)).UTC().Truncate(time.Microsecond)
	if !from.Before(next.SignsFrom) {
		return next, true, nil
	}
	if _, err := s.store.Advance(ctx, t.ID, next.KID, from, actRecord(call, EventKeyRotated, next)); err != nil {
		return SigningKey{}, false, err
	}
	next.SignsFrom = from
	return next, true, nil
}

func (s *Service) mintNext(ctx context.Context, call *audit.Call, t *tenant.Tenant, before SigningKey, from time.Time) (_ SigningKey, added bool, _ error) {
	kid := newKID(Rotating, call.At)
	public, sealed, err := s.cfg.Holder.Make(ctx, t.ID, kid, before.Alg)
	if err != nil {
		return SigningKey{}, false, err
	}
	k := SigningKey{
		TenantID: t.ID, KID: kid, Kind: Rotating, Alg: before.Alg, Slot: before.Slot + 1, PublicJWK: public, Sealed: sealed,
		CreatedAt: call.At, SignsFrom: from,
	}
	added, err = s.store.AddSigningKey(ctx, k, actRecord(call, EventKeyRotated, k))
	return k, added, err
}

// WithdrawSigning ends a key at once, in an emergency: it leaves the JWKS, and the feed says that its tokens are dead. Where it was the
// signing key, the announced next one signs from now on. Sessions stay: their next refresh brings a token of another key.
func (s *Service) WithdrawSigning(ctx context.Context, call *audit.Call, t *tenant.Tenant, kid string) error {
	rows, err := s.store.SigningKeys(ctx, t.ID, call.At)
	if err != nil {
		return err
	}
	rec := actRecord(call, EventKeyWithdrawn, SigningKey{TenantID: t.ID, KID: kid})
	rec.Revocations = []audit.Revocation{{
		TenantID: t.ID, Kind: "key", Target: kid, At: call.At, Reason: "key_withdrawn", Until: s.lastToken(t, rows, kid, call.At),
	}}
	if err := s.succeed(ctx, call, t, rows, kid); err != nil {
		return err
	}
	return s.store.Withdraw(ctx, t.ID, kid, call.At, rec)
}

// lastToken is when the last token that the key signed is dead anyway. Of a static key nobody knows it: its tokens may live for a century.
func (s *Service) lastToken(t *tenant.Tenant, rows []SigningKey, kid string, at time.Time) time.Time {
	until := at.Add(s.policy(t).Overlap)
	for _, k := range rows {
		if k.KID == kid {
			until = latest(until, k.KeepUntil)
			if k.Kind == Static {
				until = at.Add(longestStatic)
			}
		}
	}
	return until
}

// succeed lets the successor of a key that signs sign from now on. Without it a key that was retired before would sign again, perhaps the
// one whose loss began it all. It comes before the withdrawal: when that fails the command is given again, and nothing is left undone.
func (s *Service) succeed(ctx context.Context, call *audit.Call, t *tenant.Tenant, rows []SigningKey, kid string) (err error) {
	for _, row := range rows {
		keys := lane(rows, row.Alg)
		now := current(keys, call.At)
		if row.KID != kid || now < 0 || keys[now].KID != kid || now == len(keys)-1 {
			continue
		}
		next := keys[now+1]
		_, err = s.store.Advance(ctx, t.ID, next.KID, call.At, actRecord(call, EventKeyRotated, next))
	}
	return err
}

// RotateRing adds a key for new values of a purpose and retires the ones before it, from the instant it gives on. Old values stay
// readable: old keys are never deleted. EnsureRing comes first.
func (s *Service) RotateRing(ctx context.Context, call *audit.Call, p secret.Purpose) (WrappedKey, error) {
	s.mu.Lock()
	masters := s.masters
	s.mu.Unlock()
	for range ringTries {
		r, err := s.readRing(ctx)
		if err != nil {
			return WrappedKey{}, err
		}
		added, err := s.addRingKey(ctx, masters, r.next, p, ringRecord(call, EventRingRotated, r.next, string(p)))
		if err != nil {
			return WrappedKey{}, err
		}
		if added {
			return s.retireOlder(ctx, r.next)
		}
	}
	return WrappedKey{}, fmt.Errorf("no free ring key in %d tries", ringTries)
}

// retireOlder marks what the key of this id replaces. Were this to fail half way, the newest key would be used all the same.
func (s *Service) retireOlder(ctx context.Context, id uint32) (WrappedKey, error) {
	r, err := s.readRing(ctx)
	if err != nil {
		return WrappedKey{}, err
	}
	var fresh WrappedKey
	for _, row := range r.rows {
		if row.ID == id {
			fresh = row
		}
	}
	from := fresh.ActiveFrom(r.rows)
	for _, row := range r.rows {
		if row.Purpose != fresh.Purpose || row.ID >= id || !row.RetiredAt.IsZero() {
			continue
		}
		row.RetiredAt = from
		if err := s.store.UpdateRingKey(ctx, row, audit.Record{}); err != nil {
			return fresh, err
		}
	}
	return fresh, nil
}

// Rewrap wraps every ring key under the first master key and gives how many were not before. Afterwards the other master keys may leave
// the configuration. EnsureRing comes first.
func (s *Service) Rewrap(ctx context.Context, call *audit.Call) (n int, err error) {
	s.mu.Lock()
	masters := s.masters
	s.mu.Unlock()
	rows, err := s.store.RingKeys(ctx)
	if err != nil {
		return 0, err
	}
	for _, row := range rows {
		if masters.Current(row.Wrapped) {
			continue
		}
		at := wrapContext(row.ID, row.Purpose)
		key, err := masters.Unwrap(at, row.Wrapped)
		if err != nil {
			return n, fmt.Errorf("ring key %d (%s) does not open: %w", row.ID, row.Purpose, err)
		}
		row.Wrapped, err = masters.Wrap(at, key)
		clear(key)
		if err != nil {
			return n, err
		}
		if err := s.store.UpdateRingKey(ctx, row, ringRecord(call, EventRingRewrap, row.ID, row.Purpose)); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func actRecord(call *audit.Call, kind string, k SigningKey) audit.Record {
	rec := keyRecord(kind, k, call.At)
	rec.Events[0].Actor, rec.Events[0].Trace = call.Actor, call.Trace
	return rec
}

// ringRecord is an event of no tenant: the ring serves all.
func ringRecord(call *audit.Call, kind string, id uint32, purpose string) audit.Record {
	return audit.Record{Events: []audit.Event{{
		ID: secret.NewID(call.Wall), At: call.Wall, Type: kind, Actor: call.Actor, Trace: call.Trace,
		Detail: map[string]string{"id": fmt.Sprint(id), "purpose": purpose},
	}}}
}
