package session

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

const testFamily = "01890a5d-ac96-774b-bcce-b302099a8057"

func testRing() *secret.Ring {
	return secret.NewRing(
		secret.RingKey{ID: 1, Purpose: secret.PurposeSeal, Key: bytes.Repeat([]byte{1}, 32), Active: true},
		secret.RingKey{ID: 2, Purpose: secret.PurposeMAC, Key: bytes.Repeat([]byte{2}, 32), Active: true},
	)
}

func TestTokenText(t *testing.T) {
	ring := testRing()
	text, err := mintToken(ring, "t", testFamily, 7)
	if err != nil {
		t.Fatal(err)
	}
	got, ok := parseToken(text)
	if !ok || got.familyID() != testFamily || got.generation() != 7 || got.keyID() != 2 {
		t.Fatalf("parse %q: %v %s %d %d", text, ok, got.familyID(), got.generation(), got.keyID())
	}
	if !got.genuine(ring, "t") {
		t.Error("our own token is not genuine")
	}
	if got.genuine(ring, "other") {
		t.Error("a token of one tenant is genuine in another")
	}
	other, _ := mintToken(ring, "t", testFamily, 7)
	if other == text {
		t.Error("two tokens of one generation are equal")
	}
	if StripPrefix("st_rt_"+text) != text || StripPrefix(text) != text {
		t.Error("the dialect prefix was not stripped")
	}
}

func TestTokenTextEveryBitIsUnderTheMAC(t *testing.T) {
	ring := testRing()
	text, _ := mintToken(ring, "t", testFamily, 7)
	for i := range rawLen * 8 {
		p, _ := parseToken(text)
		p.raw[i/8] ^= 1 << (i % 8)
		if p.genuine(ring, "t") {
			t.Fatalf("bit %d may be changed", i)
		}
	}
}

func TestTokenTextStrict(t *testing.T) {
	text, _ := mintToken(testRing(), "t", testFamily, 7)
	last := text[len(text)-1]
	stray := string(rune(last + 1)) // same bytes, other trailing bits
	for name, bad := range map[string]string{
		"empty": "", "no prefix": text[3:], "short": text[:len(text)-1], "long": text + "A", "padding": text[:len(text)-1] + "=",
		"newline": text[:50] + "\n" + text[51:], "newline at the end": text[:len(text)-1] + "\n", "stray bits": text[:len(text)-1] + stray,
		"space": " " + text[1:], "standard alphabet": text[:20] + "+/" + text[22:], "dialect": "st_rt_" + text, "version": "gr_Ag" + text[5:],
	} {
		if _, ok := parseToken(bad); ok {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestTokenTextAllocations(t *testing.T) {
	text, _ := mintToken(testRing(), "t", testFamily, 7)
	if n := testing.AllocsPerRun(100, func() { parseToken(text) }); n != 0 {
		t.Errorf("parse allocates %v times", n)
	}
}

// minted is a token of testRing; the fuzzer's processes must agree on the one that is not forged.
const minted = "gr_AQAAAAIBiQpdrJZ3S7zOswIJmoBXAAAAB-Ie3C5Bd0W7MPxc50Ffv5nNUuQGdfwteV1AE15xDGePzcDUlQcrGq6QXPcafAng8pB3p54clPtR74__aJfc-ko"

func FuzzTokenText(f *testing.F) {
	ring, text := testRing(), minted
	if p, ok := parseToken(text); !ok || !p.genuine(ring, "t") {
		f.Fatal("the form of tokens has changed: those already handed out would be refused")
	}
	f.Add(text)
	f.Add("st_rt_" + text)
	f.Add("gr_" + strings.Repeat("A", encodedLen))
	f.Add("gr_" + strings.Repeat("\n", encodedLen))
	f.Fuzz(func(t *testing.T, s string) {
		p, ok := parseToken(StripPrefix(s))
		if !ok {
			return
		}
		if back := tokenPrefix + tokenEncoding.EncodeToString(p.raw[:]); back != StripPrefix(s) {
			t.Errorf("two spellings of one token: %q and %q", s, back)
		}
		if _, ok := secret.ParseID(p.familyID()); !ok {
			t.Errorf("family id %q", p.familyID())
		}
		if p.genuine(ring, "t") && StripPrefix(s) != text {
			t.Errorf("forged: %q", s)
		}
	})
}
