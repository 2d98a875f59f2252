package supertokens

import (
	"context"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/servicekey"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// A backend calls with the same key all day. One that was found good is believed for a moment, no longer than it takes a node to learn of
// an operator's changes; one that was refused is asked about each time.
const (
	believed    = tenant.PollEvery
	maxBelieved = 1024 // passes kept
)

// doors check keys.
type doors struct {
	keys ServiceKeys
	mu   *sync.Mutex
	good map[pass]entry
}

// pass is what a key was good for.
type pass struct {
	tenantID, scope string
	hash            string // of the key: the key itself is not kept
}

type entry struct {
	id    string
	until time.Time // machine's clock
}

func newDoors(keys ServiceKeys) doors {
	return doors{keys: keys, mu: &sync.Mutex{}, good: map[pass]entry{}}
}

// check lets a call in: with a key of its app, or with one of the app at home that made this one. Every refusal sounds alike.
func (d doors) check(ctx context.Context, r *request, home *tenant.Tenant) error {
	id, err := d.ask(ctx, r.call, r.app.ID, r.key, servicekey.ScopeSuper)
	if refusedKey(err) && home != nil && r.app.Policy.AppOf == home.ID {
		id, err = d.ask(ctx, r.call, home.ID, r.key, servicekey.ScopeSuperApps)
	}
	if refusedKey(err) {
		return fault.Wrap(fault.Unauthenticated, fault.ReasonInternalKey, "Invalid API key", err)
	}
	if err == nil {
		r.call.Actor = audit.Actor{Kind: "service", ID: id}
	}
	return err
}

// mayMakeApps refuses, with 403, a key that may not make apps from the app it is used on.
func (f *Face) mayMakeApps(ctx context.Context, r *request) error {
	_, err := f.doors.ask(ctx, r.call, r.app.ID, r.key, servicekey.ScopeSuperApps)
	if refusedKey(err) {
		return fault.Wrap(fault.Forbidden, fault.ReasonScope, "this key may not make apps: it lacks the scope "+servicekey.ScopeSuperApps, err)
	}
	return err
}

// ask checks a key for a scope, or remembers that it was good a moment ago.
func (d doors) ask(ctx context.Context, call *audit.Call, tenantID string, key secret.Text, scope string) (id string, err error) {
	p := pass{tenantID, scope, string(secret.Hash(key.Reveal()))}
	d.mu.Lock()
	e, known := d.good[p]
	d.mu.Unlock()
	if known && call.Wall.Before(e.until) {
		return e.id, nil
	}
	k, err := d.keys.Check(ctx, call, tenantID, key, scope)
	if err != nil {
		return "", err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.good) >= maxBelieved {
		clear(d.good)
	}
	d.good[p] = entry{k.ID, call.Wall.Add(believed)}
	return k.ID, nil
}

// refusedKey tells a key that is not good from a store that cannot say.
func refusedKey(err error) bool {
	if err == nil {
		return false
	}
	k := fault.From(err).Kind
	return k == fault.Unauthenticated || k == fault.Forbidden
}
