package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

func testMaster(t testing.TB, fill byte) Master {
	t.Helper()
	raw := bytes.Repeat([]byte{fill, 0xfb, 0xff}, 11)[:32]
	m, err := ParseMaster(hex.EncodeToString(raw))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestParseMaster(t *testing.T) {
	raw := bytes.Repeat([]byte{0xfb, 0xff, 0xbf, 1}, 8) // + and / in base64
	want, err := newMaster(raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)), base64.StdEncoding.EncodeToString(raw), base64.RawStdEncoding.EncodeToString(raw),
		base64.URLEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw), "\n " + hex.EncodeToString(raw) + "\r\n",
	} {
		if m, err := ParseMaster(text); err != nil || *m.wrapping != *want.wrapping || m.id != want.id {
			t.Errorf("%s: %v", text, err)
		}
	}
	long := base64.StdEncoding.EncodeToString(append(bytes.Clone(raw), 1))
	for _, text := range []string{
		"", "secret", hex.EncodeToString(raw[:31]), long, hex.EncodeToString(raw) + "00", strings.Repeat("0", 64), strings.Repeat("A", 43),
		base64.StdEncoding.EncodeToString(raw[:31]), strings.Repeat("é", 32), base64.RawStdEncoding.EncodeToString(raw) + "==",
	} {
		_, err := ParseMaster(text)
		if !errors.Is(err, ErrMasterForm) {
			t.Errorf("%q: got %v", text, err)
		}
		if len(text) > 6 && strings.Contains(err.Error(), text) {
			t.Errorf("the error shows %q", text)
		}
	}
}

func TestMastersWrap(t *testing.T) {
	old, next, other := testMaster(t, 1), testMaster(t, 2), testMaster(t, 3)
	wrapped, err := Masters{old}.Wrap("ring 1", []byte("key"))
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]Masters{"same": {old}, "new in front": {next, old}} {
		if plain, err := m.Unwrap("ring 1", wrapped); err != nil || string(plain) != "key" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if (Masters{next, old}).Current(wrapped) || !(Masters{old, next}).Current(wrapped) {
		t.Error("Current is wrong")
	}
	if _, err := (Masters{other, next}).Unwrap("ring 1", wrapped); !errors.Is(err, ErrUnwrap) {
		t.Errorf("other masters: %v", err)
	}
	if _, err := (Masters{old}).Unwrap("ring 2", wrapped); !errors.Is(err, ErrUnwrap) {
		t.Errorf("other context: %v", err)
	}
	for i := range wrapped {
		bad := bytes.Clone(wrapped)
		bad[i] ^= 1
		if _, err := (Masters{old}).Unwrap("ring 1", bad); !errors.Is(err, ErrUnwrap) {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
	for _, none := range []Masters{nil, {Master{}}} {
		if _, err := none.Wrap("c", nil); !errors.Is(err, ErrNoMaster) {
			t.Errorf("no master: %v", err)
		}
		if _, err := none.Unwrap("c", wrapped); err == nil {
			t.Error("no master unwrapped")
		}
	}
}

// Two masters whose short ids collide: the right one is found all the same.
func TestMasterIDsMayCollide(t *testing.T) {
	a, b := testMaster(t, 1), testMaster(t, 2)
	b.id = a.id
	wrapped, _ := Masters{a}.Wrap("c", []byte("key"))
	if plain, err := (Masters{b, a}).Unwrap("c", wrapped); err != nil || string(plain) != "key" {
		t.Errorf("got %v", err)
	}
}

func FuzzUnwrap(f *testing.F) {
	m := Masters{testMaster(f, 1)}
	good, _ := m.Wrap("c", []byte("key"))
	f.Add(good)
	f.Add(m[0].id[:])
	f.Fuzz(func(t *testing.T, wrapped []byte) {
		if plain, err := m.Unwrap("c", wrapped); err == nil && string(plain) != "key" { // each fuzzing process wraps its own seed
			t.Fatalf("a made-up value unwraps: %x", plain)
		}
	})
}

func FuzzParseMaster(f *testing.F) {
	f.Add(strings.Repeat("0f", 32))
	f.Add(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1, 2}, 16)))
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseMaster(text)
		if err == nil && (m.wrapping == nil || m.id == [4]byte{}) {
			t.Fatal("an empty master")
		}
		if err != nil && !errors.Is(err, ErrMasterForm) {
			t.Fatalf("got %v", err)
		}
	})
}
