package token

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

func master(t testing.TB) secret.Master {
	t.Helper()
	m, err := secret.ParseMaster(secret.Random(32))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func ringNode(store KeyStore) (*Service, *secret.Ring) {
	ring := secret.NewRing()
	return New(store, ring, nil, Config{Now: time.Now, Log: quiet()}), ring
}

func TestRingIsMadeOnce(t *testing.T) {
	f := &fakeKeys{}
	masters := secret.Masters{master(t)}
	var rings [16]*secret.Ring
	var wg sync.WaitGroup
	for i := range rings {
		wg.Go(func() {
			s, ring := ringNode(f)
			rings[i] = ring
			if err := s.EnsureRing(t.Context(), masters); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(f.ring) != 3 {
		t.Fatalf("%d ring keys", len(f.ring))
	}
	sealed, err := rings[0].Seal("c", nil, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	id, mac, _ := rings[0].MAC("c", []byte("x"))
	for i, r := range rings {
		if plain, err := r.Open("c", nil, sealed); err != nil || string(plain) != "x" || !r.CheckMAC(id, "c", []byte("x"), mac) {
			t.Errorf("ring %d has other keys: %v", i, err)
		}
		if _, _, err := r.Pepper("c", nil); err != nil {
			t.Errorf("ring %d: %v", i, err)
		}
	}
}

func TestRingMasters(t *testing.T) {
	f := &fakeKeys{}
	old, next := master(t), master(t)
	s, ring := ringNode(f)
	if err := s.EnsureRing(t.Context(), nil); !errors.Is(err, secret.ErrNoMaster) {
		t.Errorf("without master: %v", err)
	}
	if err := s.EnsureRing(t.Context(), secret.Masters{old}); err != nil {
		t.Fatal(err)
	}
	sealed, _ := ring.Seal("c", nil, []byte("x"))
	s2, ring2 := ringNode(f)
	if err := s2.EnsureRing(t.Context(), secret.Masters{next, old}); err != nil {
		t.Fatal(err)
	}
	if _, err := ring2.Open("c", nil, sealed); err != nil {
		t.Error(err)
	}
	s3, _ := ringNode(f)
	err := s3.EnsureRing(t.Context(), secret.Masters{next})
	if !errors.Is(err, secret.ErrUnwrap) || !strings.Contains(err.Error(), "ring key 1") || !strings.Contains(err.Error(), "master_keys") {
		t.Errorf("without the right master: %v", err)
	}
	if len(f.ring) != 3 {
		t.Errorf("%d ring keys after a failed start", len(f.ring))
	}
	f.ring[0].Wrapped, f.ring[1].Wrapped = f.ring[1].Wrapped, f.ring[0].Wrapped
	if err := s.EnsureRing(t.Context(), secret.Masters{old}); !errors.Is(err, secret.ErrUnwrap) {
		t.Errorf("swapped rows: %v", err)
	}
	f.err = errors.New("down")
	if err := s.EnsureRing(t.Context(), secret.Masters{old}); !errors.Is(err, f.err) {
		t.Errorf("store down: %v", err)
	}
}

// TestRingRefreshes: a key that another node added is known at once and used by nobody before every node knows it.
func TestRingRefreshes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeKeys{}
		masters := secret.Masters{master(t)}
		a, ringA := ringNode(f)
		b, ringB := ringNode(f)
		for _, s := range []*Service{a, b} {
			if err := s.EnsureRing(t.Context(), masters); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := a.addRingKey(t.Context(), masters, 9, secret.PurposeMAC, audit.Record{}); err != nil {
			t.Fatal(err)
		}
		b.refreshRing(t.Context())
		if _, err := ringB.MACWith(9, "c", nil); err != nil || ringB.ActiveMAC() == 9 {
			t.Errorf("a new key: known %v, active %d", err, ringB.ActiveMAC())
		}
		time.Sleep(RingDelay)
		a.refreshRing(t.Context())
		b.refreshRing(t.Context())
		if ringA.ActiveMAC() != 9 || ringB.ActiveMAC() != 9 {
			t.Errorf("active MAC keys %d and %d", ringA.ActiveMAC(), ringB.ActiveMAC())
		}
		f.err = errors.New("down")
		b.refreshRing(t.Context())
		if ringB.ActiveMAC() != 9 {
			t.Error("a failed reading emptied the ring")
		}
	})
}

func TestSealedKeysNameTheirRow(t *testing.T) {
	h := inProcess{testRing()}
	_, sealed, err := h.Make(t.Context(), "t1", "d-1", "ES256")
	if err != nil {
		t.Fatal(err)
	}
	row := SigningKey{TenantID: "t1", KID: "d-1", Alg: "ES256", Sealed: sealed}
	if _, err := h.Handle(row); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*SigningKey){
		"tenant": func(k *SigningKey) { k.TenantID = "t2" }, "kid": func(k *SigningKey) { k.KID = "d-2" }, "alg": func(k *SigningKey) { k.Alg = "RS256" },
	} {
		moved := row
		change(&moved)
		if _, err := h.Handle(moved); err == nil {
			t.Errorf("a key opens under another %s", name)
		}
	}
}
