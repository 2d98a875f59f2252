package oauth

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/fetch"
	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// How fetched keys are kept. Whoever can make up a kid must not be able to make us fetch at will.
const (
	keysLife  = 5 * time.Minute
	keysPause = 30 * time.Second // between two fetches of one address that somebody else caused
	keysStale = time.Hour        // an address that fails serves what it last gave, this long
	keysMost  = 1000             // addresses
)

// keyCache has the public keys of clients. Inline sets cost a parse each time: they are short, and change with the client.
type keyCache struct {
	fetcher Fetcher
	mu      sync.Mutex
	byURL   map[string]*fetchedKeys
}

// fetchedKeys are what one address gave. mu makes one fetch at a time of it.
type fetchedKeys struct {
	mu    sync.Mutex
	keys  jose.Set
	got   time.Time // of keys
	tried time.Time
}

func newKeyCache(f Fetcher) *keyCache { return &keyCache{fetcher: f, byURL: map[string]*fetchedKeys{}} }

// of gives the keys of a client; newer asks for ones that are not known yet.
func (k *keyCache) of(ctx context.Context, c *tenant.Client, wall time.Time, newer bool) (jose.Set, error) {
	o := &c.Settings.OAuth
	if o.JWKSURI == "" {
		keys, err := jose.ParseSet(o.JWKS)
		if err != nil {
			return nil, badClient()
		}
		return keys, nil
	}
	if k.fetcher == nil {
		return nil, badClient()
	}
	e := k.entry(o.JWKSURI)
	e.mu.Lock()
	defer e.mu.Unlock()
	age, since := wall.Sub(e.got), wall.Sub(e.tried)
	due := e.keys == nil || age >= keysLife || newer
	if due && (e.tried.IsZero() || since >= keysPause || since < 0) {
		e.tried = wall
		if keys, err := k.fetch(ctx, o.JWKSURI); err == nil {
			e.keys, e.got = keys, wall
		}
	}
	if e.keys == nil || wall.Sub(e.got) > keysStale {
		return nil, fault.New(fault.Unauthenticated, fault.ReasonOAuthClient, "the keys of the client cannot be read")
	}
	return e.keys, nil
}

func (k *keyCache) entry(address string) *fetchedKeys {
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.byURL[address]
	if e == nil {
		if len(k.byURL) >= keysMost {
			clear(k.byURL) // clients come and go; the rest is fetched again
		}
		e = &fetchedKeys{}
		k.byURL[address] = e
	}
	return e
}

func (k *keyCache) fetch(ctx context.Context, address string) (jose.Set, error) {
	r, err := k.fetcher.Do(ctx, fetch.Request{URL: address, Header: map[string][]string{"Accept": {"application/jwk-set+json, application/json"}}})
	if err != nil {
		return nil, err
	}
	if r.Status != 200 {
		return nil, errors.New("the keys are not there")
	}
	return jose.ParseSet(r.Body)
}

func unknownKey(err error) bool { return errors.Is(err, jose.ErrUnknownKey) }
