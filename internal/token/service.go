package token

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// Config of the service. Now is required; zero durations take the defaults.
type Config struct {
	Now         func() time.Time // the machine's clock
	Log         *slog.Logger
	JWKSLife    time.Duration // how long others may cache a JWKS; 300 s by default
	ReloadEvery time.Duration // how often a tenant's keys are read again, to see other nodes' keys; 5 s by default
	Parallel    int           // keys made at once; cores − 1, at least 1, by default
	Holder      Holder        // nil: keys in this process, sealed under the ring
}

func (c Config) filled(ring *secret.Ring) Config {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.JWKSLife == 0 {
		c.JWKSLife = 300 * time.Second
	}
	if c.ReloadEvery == 0 {
		c.ReloadEvery = 5 * time.Second
	}
	if c.Parallel == 0 {
		c.Parallel = max(1, runtime.GOMAXPROCS(0)-1)
	}
	if c.Holder == nil {
		c.Holder = inProcess{ring}
	}
	return c
}

// Service signs and verifies the access tokens of every tenant. Run makes the keys; without it nothing is ever signed.
type Service struct {
	store KeyStore
	ring  *secret.Ring
	dir   *tenant.Directory
	cfg   Config

	tenants sync.Map // tenant id → *tenantKeys; read by every request
	mu      sync.Mutex
	masters secret.Masters
	wake    chan struct{}
	swept   int64 // the worker's own: directory version at which tenants that are gone were dropped

	// Of the ring, guarded by mu.
	ringDue     time.Time // when a key begins or stops being used for new values
	ringLooked  time.Time
	ringVersion int64 // of the directory, when last read
}

// New makes the service; EnsureRing comes before Run.
func New(store KeyStore, ring *secret.Ring, dir *tenant.Directory, cfg Config) *Service {
	return &Service{store: store, ring: ring, dir: dir, cfg: cfg.filled(ring), wake: make(chan struct{}, 1)}
}

// tenantKeys is what a node knows of one tenant's keys.
type tenantKeys struct {
	view   atomic.Pointer[view]
	load   sync.Mutex // one read of the store at a time
	worker workerState

	mu      sync.Mutex
	changed chan struct{} // closed when view is replaced
	asked   time.Time     // last read that an unknown kid caused
	waiting atomic.Int32  // callers that wait for a first key
}

func (s *Service) keys(tenantID string) *tenantKeys {
	if k, ok := s.tenants.Load(tenantID); ok {
		return k.(*tenantKeys)
	}
	k, _ := s.tenants.LoadOrStore(tenantID, &tenantKeys{changed: make(chan struct{})})
	return k.(*tenantKeys)
}

// peek is keys without making an entry, so that made-up ids cost no memory.
func (s *Service) peek(tenantID string) *view {
	if k, ok := s.tenants.Load(tenantID); ok {
		return k.(*tenantKeys).view.Load()
	}
	return nil
}

func (k *tenantKeys) next() <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.changed
}

func (k *tenantKeys) replace(v *view) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.view.Store(v)
	close(k.changed)
	k.changed = make(chan struct{})
}

// nudge makes Run look at once.
func (s *Service) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// SignAccess signs an access token with the tenant's current key of alg; "" is the default algorithm. Issuer, tenant, nbf and jti are
// filled in when empty. The key is chosen by c.IssuedAt, the tenant's clock. While the tenant has no key yet it waits until ctx ends, and
// then answers Unavailable.
func (s *Service) SignAccess(ctx context.Context, t *tenant.Tenant, alg string, c AccessClaims) (string, error) {
	if alg == "" {
		alg = tenant.DefaultAlg
	}
	if err := complete(t, &c); err != nil || !slices.Contains(jose.Algs(), alg) {
		return "", fault.Wrap(fault.Internal, fault.ReasonInternal, "the token cannot be signed", errors.Join(err, errors.New("algorithm "+alg)))
	}
	key, err := s.await(ctx, t, func(v *view) *held { return v.signer(alg, c.IssuedAt) })
	if err != nil {
		return "", err
	}
	body, err := appendClaims(make([]byte, 0, 1024), c)
	if err != nil {
		return "", fault.Wrap(fault.Internal, fault.ReasonInternal, "the token cannot be signed", err)
	}
	stamp, err := key.stamp()
	if err != nil {
		return "", fault.Wrap(fault.Internal, fault.ReasonInternal, "the signing key cannot be used", err)
	}
	out, err := stamp.Sign(body)
	if err != nil {
		return "", fault.Wrap(fault.Internal, fault.ReasonInternal, "the token cannot be signed", err)
	}
	return out, nil
}

func complete(t *tenant.Tenant, c *AccessClaims) error {
	if c.Issuer == "" {
		c.Issuer = t.Issuer
	}
	c.TenantID = t.ID
	if c.NotBefore.IsZero() {
		c.NotBefore = c.IssuedAt
	}
	if c.ID == "" {
		c.ID = secret.NewID(c.IssuedAt)
	}
	if c.Subject == "" || c.IssuedAt.IsZero() || !c.ExpiresAt.After(c.IssuedAt) || c.Issuer != t.Issuer {
		return errors.New("claims without subject, instants or the tenant's issuer")
	}
	return nil
}

// await gives the key that choose takes from the tenant's keys, waiting for the first one.
func (s *Service) await(ctx context.Context, t *tenant.Tenant, choose func(*view) *held) (*held, error) {
	k := s.keys(t.ID)
	if key := choose(k.view.Load()); key != nil {
		return key, nil
	}
	k.waiting.Add(1)
	defer k.waiting.Add(-1)
	for {
		changed := k.next()
		if key := choose(k.view.Load()); key != nil {
			return key, nil
		}
		s.nudge()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fault.Wrap(fault.Unavailable, fault.ReasonUnavailable, "the signing keys are not ready yet", ctx.Err()).After(time.Second)
		}
	}
}

// JWKS is the tenant's published key set, ready made: rotating keys newest first, then static ones. nil before the first key exists. Just
// after a start, when the worker has not read the keys yet, it reads them: a verifier that asks now must not be told that there are none.
func (s *Service) JWKS(tenantID string) []byte {
	v := s.peek(tenantID)
	if v == nil {
		v = s.firstLook(tenantID)
	}
	if v == nil {
		return nil
	}
	return v.jwks
}

func (s *Service) firstLook(tenantID string) *view {
	t := s.dir.ByID(tenantID)
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), askDeadline)
	defer cancel()
	if err := s.reload(ctx, t, s.keys(tenantID)); err != nil {
		s.cfg.Log.Error("signing keys cannot be read", "tenant", tenantID, "error", err.Error())
	}
	return s.peek(tenantID)
}

// Ready reports whether the tenant can sign with every algorithm.
func (s *Service) Ready(tenantID string) bool {
	v := s.peek(tenantID)
	for _, alg := range jose.Algs() {
		if v == nil || len(v.lanes[alg]) == 0 {
			return false
		}
	}
	return true
}
