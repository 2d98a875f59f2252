package token

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/strictjson"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// fakeKeys is a KeyStore in memory, shared by the nodes of a test.
type fakeKeys struct {
	mu    sync.Mutex
	keys  []SigningKey
	ring  []WrappedKey
	kinds []string // types of the events written
	reads int
	err   error
}

func (f *fakeKeys) SigningKeys(_ context.Context, tenantID string, at time.Time) ([]SigningKey, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	var out []SigningKey
	for _, k := range f.keys {
		if k.TenantID == tenantID && (k.VerifyUntil.IsZero() || !k.VerifyUntil.Before(at)) {
			out = append(out, k)
		}
	}
	return out, f.err
}

func (f *fakeKeys) AddSigningKey(_ context.Context, k SigningKey, rec audit.Record) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, o := range f.keys {
		if o.TenantID == k.TenantID && o.Kind == k.Kind && o.Alg == k.Alg && o.Slot == k.Slot {
			return false, f.err
		}
	}
	f.keys = append(f.keys, k)
	f.kinds = append(f.kinds, rec.Events[0].Type)
	return true, f.err
}

func (f *fakeKeys) Advance(_ context.Context, tenantID, kid string, signsFrom time.Time, rec audit.Record) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, k := range f.keys {
		if k.TenantID == tenantID && k.KID == kid && k.Withdrawn.IsZero() && k.SignsFrom.After(signsFrom) {
			f.keys[i].SignsFrom = signsFrom
			f.kinds = append(f.kinds, rec.Events[0].Type)
			return true, f.err
		}
	}
	return false, f.err
}

func (f *fakeKeys) Withdraw(_ context.Context, tenantID, kid string, at time.Time, rec audit.Record) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.keys {
		if f.keys[i].TenantID == tenantID && f.keys[i].KID == kid {
			f.keys[i].Withdrawn, f.keys[i].VerifyUntil = at, at.Add(-time.Microsecond)
			f.kinds = append(f.kinds, rec.Events[0].Type)
		}
	}
	return f.err
}

func (f *fakeKeys) PurgeSigningKeys(_ context.Context, tenantID string, before time.Time) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.keys)
	f.keys = slices.DeleteFunc(f.keys, func(k SigningKey) bool {
		return k.TenantID == tenantID && !k.VerifyUntil.IsZero() && k.VerifyUntil.Before(before)
	})
	return n - len(f.keys), f.err
}

func (f *fakeKeys) RingKeys(context.Context) ([]WrappedKey, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.ring), f.err
}

func (f *fakeKeys) AddRingKey(_ context.Context, k WrappedKey, _ audit.Record) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if slices.ContainsFunc(f.ring, func(o WrappedKey) bool { return o.ID == k.ID }) {
		return false, f.err
	}
	f.ring = append(f.ring, k)
	return true, f.err
}

func (f *fakeKeys) UpdateRingKey(_ context.Context, k WrappedKey, _ audit.Record) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.ring {
		if f.ring[i].ID == k.ID {
			f.ring[i] = k
		}
	}
	return f.err
}

func (f *fakeKeys) readCount() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reads
}

func (f *fakeKeys) all() []SigningKey {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.keys)
}

// fakeTenants is the store behind a directory.
type fakeTenants struct {
	tenant.Store
	mu   sync.Mutex
	snap tenant.Snapshot
}

func (f *fakeTenants) Snapshot(context.Context) (tenant.Snapshot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.snap
	s.Tenants, s.Clients = slices.Clone(s.Tenants), slices.Clone(s.Clients)
	return s, nil
}

func (f *fakeTenants) Version(context.Context) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.snap.Version, nil
}

func (f *fakeTenants) change(d *tenant.Directory, change func(*tenant.Snapshot)) {
	f.mu.Lock()
	f.snap.Version++
	f.snap.Tenants = slices.Clone(f.snap.Tenants)
	change(&f.snap)
	f.mu.Unlock()
	_ = d.Refresh(context.Background())
}

// quickKeys is a Holder that hands out RSA keys made once for the whole test run; every kid gets a key of its own algorithm.
type quickKeys struct{}

var (
	rsaOnce = sync.OnceValue(func() []byte {
		k, err := jose.Generate("x", jose.RS256)
		if err != nil {
			panic(err)
		}
		der, err := k.PKCS8()
		if err != nil {
			panic(err)
		}
		return der
	})
)

func (quickKeys) Make(_ context.Context, _, kid, alg string) (public, sealed []byte, err error) {
	var k *jose.PrivateKey
	if alg == jose.RS256 {
		k, err = jose.ParsePrivate(kid, alg, rsaOnce())
	} else {
		k, err = jose.Generate(kid, alg)
	}
	if err != nil {
		return nil, nil, err
	}
	der, err := k.PKCS8()
	if err != nil {
		return nil, nil, err
	}
	public, err = k.Public().JWK()
	return public, der, err
}

func (quickKeys) Handle(k SigningKey) (jose.Signer, error) {
	if len(k.Sealed) == 0 {
		return nil, errors.New("no key")
	}
	return jose.ParsePrivate(k.KID, k.Alg, k.Sealed)
}

const (
	tenantID = "01890a5d-ac96-774b-bcce-b302099a8057"
	issuer   = "https://login.example.com"
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// testDirectory has n tenants; the first one is tenantID.
func testDirectory(t testing.TB, now func() time.Time, n int) (*tenant.Directory, *fakeTenants) {
	t.Helper()
	f := &fakeTenants{}
	f.snap.Version = 1
	for i := range n {
		id := tenantID
		if i > 0 {
			id = tenantID[:30] + strconv.Itoa(100000+i)
		}
		f.snap.Tenants = append(f.snap.Tenants, tenant.Tenant{ID: id, Slug: strconv.Itoa(i), Issuer: issuer, Test: true})
	}
	d := tenant.NewDirectory(f, now)
	if err := d.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	return d, f
}

func testRing() *secret.Ring {
	return secret.NewRing(secret.RingKey{ID: 1, Purpose: secret.PurposeSeal, Key: secret.Bytes(32), Active: true})
}

// node is one running service; stop ends its worker.
func node(t testing.TB, store KeyStore, d *tenant.Directory, cfg Config) *Service {
	t.Helper()
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Holder == nil {
		cfg.Holder = quickKeys{}
	}
	cfg.Log = quiet()
	s := New(store, testRing(), d, cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { s.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return s
}

func userClaims(at time.Time) AccessClaims {
	return AccessClaims{
		Subject: "01890a5d-ac96-774b-bcce-000000000001", Audience: []string{"app"}, ClientID: "app", IssuedAt: at, ExpiresAt: at.Add(15 * time.Minute),
		SessionID: "01890a5d-ac96-774b-bcce-000000000002", Epoch: 3, Roles: []string{"user"}, Email: "a@example.com", EmailVerified: true,
		PreferredUsername: "a", ApplicationID: "app", AuthTime: at, AMR: []string{"pwd"},
	}
}

func rawURL(s string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(s) }

func member(name, value string) strictjson.Member {
	return strictjson.Member{Name: name, Value: []byte(value)}
}
