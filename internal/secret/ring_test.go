package secret

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"
)

func key(id uint32, p Purpose, active bool) RingKey {
	return RingKey{ID: id, Purpose: p, Key: bytes.Repeat([]byte{byte(id), 0x5a}, 16), Active: active}
}

func testRing() *Ring {
	return NewRing(key(1, PurposeSeal, true), key(2, PurposeMAC, true), key(3, PurposePepper, true))
}

func TestSealOpens(t *testing.T) {
	r := testRing()
	for _, with := range [][]byte{nil, []byte("predecessor")} {
		for _, plain := range [][]byte{nil, []byte("x"), bytes.Repeat([]byte("long"), 1000)} {
			sealed, err := r.Seal("a", with, plain)
			if err != nil {
				t.Fatal(err)
			}
			got, err := r.Open("a", with, sealed)
			if err != nil || !bytes.Equal(got, plain) {
				t.Fatalf("open: %v", err)
			}
			for name, f := range map[string]func() ([]byte, error){
				"context": func() ([]byte, error) { return r.Open("b", with, sealed) },
				"with":    func() ([]byte, error) { return r.Open("a", append([]byte("y"), with...), sealed) },
				"cut":     func() ([]byte, error) { return r.Open("a", with, sealed[:len(sealed)-1]) },
				"longer":  func() ([]byte, error) { return r.Open("a", with, append(bytes.Clone(sealed), 0)) },
			} {
				if _, err := f(); !errors.Is(err, ErrSealed) {
					t.Errorf("other %s: %v", name, err)
				}
			}
			for i := range sealed[:40%len(sealed)] {
				bad := bytes.Clone(sealed)
				bad[i] ^= 1
				if _, err := r.Open("a", with, bad); err == nil {
					t.Fatalf("byte %d changed and it still opens", i)
				}
			}
		}
	}
	if _, err := r.Open("a", nil, nil); !errors.Is(err, ErrSealed) {
		t.Errorf("nothing: %v", err)
	}
}

func TestSealsDiffer(t *testing.T) {
	r := testRing()
	a, _ := r.Seal("a", nil, []byte("x"))
	b, _ := r.Seal("a", nil, []byte("x"))
	if bytes.Equal(a, b) {
		t.Error("the same value was sealed alike")
	}
}

func TestRingRotates(t *testing.T) {
	r := testRing()
	sealed, _ := r.Seal("a", nil, []byte("x"))
	id, mac, _ := r.MAC("m", []byte("x"))
	pid, pep, _ := r.Pepper("p", []byte("x"))
	r.Replace([]RingKey{key(1, PurposeSeal, false), key(2, PurposeMAC, true), key(3, PurposePepper, false), key(11, PurposeSeal, true), key(12, PurposeMAC, true), key(13, PurposePepper, true)})
	if got, err := r.Open("a", nil, sealed); err != nil || string(got) != "x" {
		t.Errorf("an old seal: %v", err)
	}
	if !r.CheckMAC(id, "m", []byte("x"), mac) {
		t.Error("an old MAC fails")
	}
	if again, err := r.PepperWith(pid, "p", []byte("x")); err != nil || !bytes.Equal(again, pep) {
		t.Error("an old pepper fails")
	}
	if r.ActiveMAC() != 12 {
		t.Errorf("active MAC key %d, want the newest", r.ActiveMAC())
	}
	r.Replace([]RingKey{key(11, PurposeSeal, true)})
	if _, err := r.Open("a", nil, sealed); !errors.Is(err, ErrNoKey) {
		t.Errorf("a seal of a dropped key: %v", err)
	}
	if r.CheckMAC(id, "m", []byte("x"), mac) || r.ActiveMAC() != 0 {
		t.Error("a dropped MAC key still works")
	}
}

func TestPurposesStayApart(t *testing.T) {
	r := testRing()
	if _, err := r.MACWith(1, "m", nil); !errors.Is(err, ErrNoKey) {
		t.Error("a sealing key made a MAC")
	}
	if _, err := r.PepperWith(2, "m", nil); !errors.Is(err, ErrNoKey) {
		t.Error("a MAC key peppered")
	}
	sealed, _ := r.Seal("a", nil, []byte("x"))
	sealed[3] = 2
	if _, err := r.Open("a", nil, sealed); !errors.Is(err, ErrNoKey) {
		t.Error("a MAC key was tried for opening")
	}
	id, a, _ := r.MAC("ab", []byte("c"))
	if r.CheckMAC(id, "a", []byte("bc"), a) || r.CheckMAC(id, "ab", []byte("d"), a) || r.CheckMAC(id, "ab", []byte("c"), a[:31]) {
		t.Error("a wrong MAC was taken")
	}
}

func TestEmptyAndShortKeys(t *testing.T) {
	r := NewRing(RingKey{ID: 1, Purpose: PurposeSeal, Active: true}, RingKey{ID: 2, Purpose: PurposeMAC, Key: []byte("short"), Active: true})
	if _, err := r.Seal("a", nil, nil); !errors.Is(err, ErrNoKey) {
		t.Errorf("seal: %v", err)
	}
	if _, _, err := r.MAC("a", nil); !errors.Is(err, ErrNoKey) {
		t.Errorf("MAC: %v", err)
	}
	if _, _, err := r.Pepper("a", nil); !errors.Is(err, ErrNoKey) {
		t.Errorf("pepper: %v", err)
	}
}

func TestRingKeepsItsOwnCopy(t *testing.T) {
	k := key(2, PurposeMAC, true)
	r := NewRing(k)
	id, mac, _ := r.MAC("m", nil)
	clear(k.Key)
	if !r.CheckMAC(id, "m", nil, mac) {
		t.Error("the caller's slice is the ring's key")
	}
}

func TestCacheIsBounded(t *testing.T) {
	r := testRing()
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 400 {
				context := fmt.Sprint("c", i)
				sealed, err := r.Seal(context, nil, []byte{byte(g)})
				if got, err2 := r.Open(context, nil, sealed); err != nil || err2 != nil || got[0] != byte(g) {
					t.Errorf("%s: %v %v", context, err, err2)
				}
			}
		})
	}
	wg.Wait()
	kept := 0
	r.p.Load().aeads.m.Range(func(any, any) bool { kept++; return true })
	if kept > maxAEADs+4 {
		t.Errorf("%d ciphers kept", kept)
	}
}

func FuzzOpen(f *testing.F) {
	r := testRing()
	good, _ := r.Seal("a", nil, []byte("x"))
	f.Add(good)
	f.Add([]byte{0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, sealed []byte) {
		if plain, err := r.Open("a", nil, sealed); err == nil && string(plain) != "x" { // each fuzzing process seals its own seed
			t.Fatalf("a made-up value opens: %x", plain)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	r, plain := testRing(), make([]byte, 100)
	for name, with := range map[string][]byte{"alone": nil, "with": []byte("predecessor")} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = r.Seal("a", with, plain)
			}
		})
	}
}
