package token

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/jose"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

func operators(t *tenant.Tenant) *audit.Call {
	return &audit.Call{At: t.At(time.Now()), Wall: time.Now(), TenantID: t.ID, Actor: audit.Actor{Kind: "operator", ID: "ann"}}
}

// TestPlannedRotation: the announced key signs within seconds when every cached JWKS has it, else when they do; nothing stops verifying.
func TestPlannedRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _ := testDirectory(t, time.Now, 1)
		f := &fakeKeys{}
		s, tn := node(t, f, d, Config{}), d.ByID(tenantID)
		first := sign(t, s, tn)
		synctest.Wait()
		for _, c := range []struct {
			name string
			wait time.Duration
		}{{"announced a moment ago", 0}, {"announced long ago", time.Hour}} { // in this order: the first token lives for minutes
			name, wait := c.name, c.wait
			time.Sleep(wait)
			before := kidOf(t, sign(t, s, tn))
			k, err := s.RotateSigning(t.Context(), operators(tn), tn, jose.ES256)
			if err != nil {
				t.Fatal(err)
			}
			ahead := time.Until(k.SignsFrom)
			if published := k.SignsFrom.Sub(k.CreatedAt); published < 300*time.Second || wait > 0 && ahead > 3*time.Second {
				t.Errorf("%s: published %v before it signs, in %v", name, published, ahead)
			}
			time.Sleep(ahead + 6*time.Second)
			after := sign(t, s, tn)
			if kid := kidOf(t, after); kid != k.KID || kid == before {
				t.Errorf("%s: signed by %s after a rotation from %s to %s", name, kid, before, k.KID)
			}
			if _, err := s.VerifyAccess(tn, first, tn.At(time.Now())); err != nil && wait == 0 {
				t.Errorf("%s: a token of the key before: %v", name, err)
			}
		}
	})
}

// TestLongTokensKeepTheirKey: a key whose row says so, even a moment before it would have gone, stays until then; withdrawing it tells the feed
// for as long as a token of it could live.
func TestLongTokensKeepTheirKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, dirs := testDirectory(t, time.Now, 1)
		dirs.change(d, func(snap *tenant.Snapshot) { snap.Tenants[0].Policy.Keys.RotationH = 2 })
		f := &fakeKeys{}
		s, tn := node(t, f, d, Config{ReloadEvery: 30 * time.Minute}), d.ByID(tenantID)
		kid := kidOf(t, sign(t, s, tn))
		synctest.Wait()
		until := time.Now().Add(6 * time.Hour)
		time.Sleep(121 * time.Minute)
		plain := kidOf(t, sign(t, s, tn))
		time.Sleep(62 * time.Minute) // gone in two minutes, read again in 27
		f.mu.Lock()
		for i := range f.keys { // another process has signed a long token; this node has not read it yet
			if f.keys[i].KID == kid {
				f.keys[i].KeepUntil = until
			}
		}
		f.mu.Unlock()
		time.Sleep(10 * time.Minute)
		if !slices.Contains(published(t, s), kid) || s.Kept(tn.ID, tn.At(time.Now())) != 1 {
			t.Fatal("the key is gone before its long token")
		}
		time.Sleep(time.Until(until) - time.Minute)
		if kids := published(t, s); !slices.Contains(kids, kid) || slices.Contains(kids, plain) {
			t.Fatalf("published %v: the key of the long token, %s, and not the next one, %s, were to be there", kids, kid, plain)
		}
		time.Sleep(2 * time.Minute)
		if slices.Contains(published(t, s), kid) || s.Kept(tn.ID, tn.At(time.Now())) != 0 {
			t.Fatal("the key stays after its long token")
		}
	})
}

// TestWithdrawnAfterRotation: when the signing key is withdrawn its successor signs, and not the key that a rotation retired shortly before.
func TestWithdrawnAfterRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _ := testDirectory(t, time.Now, 1)
		s, tn := node(t, &fakeKeys{}, d, Config{}), d.ByID(tenantID)
		retired := sign(t, s, tn)
		time.Sleep(time.Hour)
		k, err := s.RotateSigning(t.Context(), operators(tn), tn, jose.ES256)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if kid := kidOf(t, sign(t, s, tn)); kid != k.KID {
			t.Fatalf("%s signs after a rotation to %s", kid, k.KID)
		}
		if err := s.WithdrawSigning(t.Context(), operators(tn), tn, k.KID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(6 * time.Second)
		if kid := kidOf(t, sign(t, s, tn)); kid == k.KID || kid == kidOf(t, retired) {
			t.Errorf("%s signs after the withdrawal of %s; %s was retired before it", kid, k.KID, kidOf(t, retired))
		}
	})
}

// beaten lets a server announce the next key just before the first one that is added.
type beaten struct {
	fakeKeys
	rival string
}

func (f *beaten) AddSigningKey(ctx context.Context, k SigningKey, rec audit.Record) (bool, error) {
	if f.rival == "" {
		first := k
		first.KID, first.SignsFrom = k.KID+"-rival", k.SignsFrom.Add(168*time.Hour)
		f.rival = first.KID
		if _, err := f.fakeKeys.AddSigningKey(ctx, first, rec); err != nil {
			return false, err
		}
	}
	return f.fakeKeys.AddSigningKey(ctx, k, rec)
}

// TestRotationMeetsAnAnnouncement: an operator who rotates at the moment at which a server announces the next key is not refused; the
// announced key is the one that signs.
func TestRotationMeetsAnAnnouncement(t *testing.T) {
	d, _ := testDirectory(t, time.Now, 1)
	tn, at := d.ByID(tenantID), time.Now()
	f := &beaten{fakeKeys: fakeKeys{keys: []SigningKey{
		{TenantID: tn.ID, KID: "d-1", Kind: Rotating, Alg: jose.ES256, CreatedAt: at.Add(-2 * time.Hour), SignsFrom: at.Add(-time.Hour)},
	}}}
	s := New(f, testRing(), d, Config{Now: time.Now, Log: quiet(), Holder: quickKeys{}})
	k, err := s.RotateSigning(t.Context(), operators(tn), tn, jose.ES256)
	if err != nil || k.KID != f.rival || k.SignsFrom.After(at.Add(time.Hour)) {
		t.Fatalf("rotated to %s from %s, %v; %s was announced", k.KID, k.SignsFrom, err, f.rival)
	}
}

func TestWithdrawalIsToldForAsLongAsTokensLive(t *testing.T) {
	d, _ := testDirectory(t, time.Now, 1)
	tn := d.ByID(tenantID)
	at := time.Now()
	f := &recordingKeys{fakeKeys: fakeKeys{keys: []SigningKey{
		{TenantID: tn.ID, KID: "d-short", Kind: Rotating, Alg: jose.ES256}, {TenantID: tn.ID, KID: "s-1", Kind: Static, Alg: jose.RS256},
		{TenantID: tn.ID, KID: "d-kept", Kind: Rotating, Alg: jose.ES256, KeepUntil: at.Add(1000 * time.Hour)},
	}}}
	s := New(f, testRing(), d, Config{Now: time.Now, Log: quiet(), Holder: quickKeys{}})
	for kid, least := range map[string]time.Duration{"d-short": time.Hour, "d-kept": 1000 * time.Hour, "s-1": 100 * 365 * 24 * time.Hour} {
		if err := s.WithdrawSigning(t.Context(), operators(tn), tn, kid); err != nil {
			t.Fatal(err)
		}
		if r := f.last.Revocations; len(r) != 1 || r[0].Target != kid || r[0].Until.Before(at.Add(least)) {
			t.Errorf("%s: the feed is told %+v", kid, r)
		}
	}
}

// recordingKeys keeps the last record of a withdrawal.
type recordingKeys struct {
	fakeKeys
	last audit.Record
}

func (r *recordingKeys) Withdraw(ctx context.Context, tenantID, kid string, at time.Time, rec audit.Record) error {
	r.last = rec
	return r.fakeKeys.Withdraw(ctx, tenantID, kid, at, rec)
}

// TestRotationWithoutServer: the command alone announces the next key when there is none.
func TestRotationWithoutServer(t *testing.T) {
	d, _ := testDirectory(t, time.Now, 1)
	f, tn := &fakeKeys{}, d.ByID(tenantID)
	s := New(f, testRing(), d, Config{Now: time.Now, Log: quiet(), Holder: quickKeys{}})
	if _, err := s.RotateSigning(t.Context(), operators(tn), tn, jose.ES256); err == nil {
		t.Fatal("rotated from nothing")
	}
	f.keys = []SigningKey{{TenantID: tn.ID, KID: "d-1", Kind: Rotating, Alg: jose.ES256, SignsFrom: time.Now().Add(-time.Hour)}}
	k, err := s.RotateSigning(t.Context(), operators(tn), tn, jose.ES256)
	if err != nil || len(f.keys) != 2 || k.Slot != 1 || k.SignsFrom.Sub(k.CreatedAt) < 300*time.Second {
		t.Fatalf("%+v %v", k, err)
	}
}

// TestRingRotation: at every instant of a rotation of every purpose, what one node writes the other reads, and both write.
func TestRingRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeKeys{}
		masters := secret.Masters{master(t)}
		d, dirs := testDirectory(t, time.Now, 1)
		var nodes []*Service
		for range 2 {
			s := New(f, secret.NewRing(), d, Config{Now: time.Now, Log: quiet(), Holder: quickKeys{}})
			if err := s.EnsureRing(t.Context(), masters); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			go s.Run(ctx)
			defer func() { cancel(); synctest.Wait() }()
			nodes = append(nodes, s)
		}
		call := operators(d.ByID(tenantID))
		for _, p := range []secret.Purpose{secret.PurposeMAC, secret.PurposeSeal, secret.PurposePepper} {
			k, err := nodes[0].RotateRing(t.Context(), call, p)
			if err != nil {
				t.Fatal(err)
			}
			dirs.change(d, func(*tenant.Snapshot) {}) // as the store does with the key
			for range 160 {
				time.Sleep(250 * time.Millisecond)
				exchange(t, nodes[0].ring, nodes[1].ring)
				exchange(t, nodes[1].ring, nodes[0].ring)
			}
			if used := activeOf(t, nodes[1].ring, p); used != k.ID {
				t.Errorf("%s: key %d is in use after the rotation to %d", p, used, k.ID)
			}
		}
		for _, row := range f.ring {
			if row.ID <= 3 && row.RetiredAt.IsZero() {
				t.Errorf("key %d (%s) is not retired", row.ID, row.Purpose)
			}
		}
	})
}

func activeOf(t *testing.T, r *secret.Ring, p secret.Purpose) uint32 {
	t.Helper()
	switch p {
	case secret.PurposeMAC:
		return r.ActiveMAC()
	case secret.PurposePepper:
		id, _, err := r.Pepper("c", nil)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	sealed, err := r.Seal("c", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(sealed[3])
}

func exchange(t *testing.T, from, to *secret.Ring) {
	t.Helper()
	id, mac, err := from.MAC("c", []byte("m"))
	if err != nil || !to.CheckMAC(id, "c", []byte("m"), mac) {
		t.Fatalf("a MAC of key %d is unknown to the other node (%v)", id, err)
	}
	sealed, err := from.Seal("c", nil, []byte("m"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := to.Open("c", nil, sealed); err != nil {
		t.Fatal(err)
	}
	pepper, _, err := from.Pepper("c", []byte("m"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := to.PepperWith(pepper, "c", []byte("m")); err != nil {
		t.Fatal(err)
	}
}

// TestRewrap: after it the old master key is needed by nothing, and a second one has nothing to do.
func TestRewrap(t *testing.T) {
	f := &fakeKeys{}
	before, fresh := master(t), master(t)
	d, _ := testDirectory(t, time.Now, 1)
	call := operators(d.ByID(tenantID))
	open := func(m secret.Masters) *Service {
		s := New(f, secret.NewRing(), d, Config{Now: time.Now, Log: quiet()})
		if err := s.EnsureRing(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		return s
	}
	sealed, err := open(secret.Masters{before}).ring.Seal("c", nil, []byte("kept"))
	if err != nil {
		t.Fatal(err)
	}
	both := open(secret.Masters{fresh, before})
	for _, want := range []int{3, 0} {
		if n, err := both.Rewrap(t.Context(), call); err != nil || n != want {
			t.Fatalf("rewrapped %d, want %d: %v", n, want, err)
		}
	}
	if plain, err := open(secret.Masters{fresh}).ring.Open("c", nil, sealed); err != nil || string(plain) != "kept" {
		t.Fatalf("with the new master key alone: %v", err)
	}
}
