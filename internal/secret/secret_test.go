package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"
)

// holder has secrets in exported and unexported fields, alone, behind pointers and in slices and maps.
type holder struct {
	Open   Text
	closed Text
	Ptr    *Text
	List   []Text
	Map    map[string]Text
	master Master
	Ring   RingKey
}

func TestNothingPrints(t *testing.T) {
	const word = "hunter2-very-secret-text-32bytes"
	text := NewText(word)
	master, err := newMaster([]byte(word))
	if err != nil {
		t.Fatal(err)
	}
	key := RingKey{ID: 7, Purpose: PurposeMAC, Key: []byte(word)}
	h := holder{text, text, &text, []Text{text}, map[string]Text{"a": text}, master, key}
	var out bytes.Buffer
	for _, v := range []any{text, &text, master, &master, Masters{master}, key, []RingKey{key}, h, &h, []holder{h}, NewRing(key)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%08b", "% x"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
		if b, err := json.Marshal(v); err == nil {
			out.Write(b)
		} else {
			out.WriteString(err.Error())
		}
	}
	wrapping := fmt.Sprint([]byte(*master.wrapping))
	for name, leak := range map[string]string{
		"text": word, "hex": fmt.Sprintf("%x", word), "HEX": fmt.Sprintf("%X", word), "bytes": strings.Trim(fmt.Sprint([]byte(word)), "[]"),
		"spaced": fmt.Sprintf("% x", word), "wrapping": strings.Trim(wrapping, "[]"), "wrapping hex": fmt.Sprintf("%x", *master.wrapping),
	} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("the secret leaked as %s", name)
		}
	}
	for _, v := range []any{text, master, key} {
		if _, err := json.Marshal(v); err == nil {
			t.Errorf("%T was encoded", v)
		}
	}
}

func TestText(t *testing.T) {
	a, b, none := NewText("a"), NewText("b"), NewText("")
	if !a.Equal(NewText("a")) || a.Equal(b) || a.Equal(none) || !none.Equal(Text{}) {
		t.Error("Equal is wrong")
	}
	if a.IsZero() || !none.IsZero() || !(Text{}).IsZero() || a.Reveal() != "a" || (Text{}).Reveal() != "" {
		t.Error("Reveal or IsZero is wrong")
	}
}

func TestIDs(t *testing.T) {
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	a, b := NewID(at), NewID(at.Add(time.Millisecond))
	if a >= b {
		t.Errorf("%s does not sort before %s", a, b)
	}
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(a) {
		t.Errorf("%s is no UUIDv7", a)
	}
	raw, ok := ParseID(a)
	if !ok || FormatID(raw) != a {
		t.Errorf("%s does not survive", a)
	}
	ms := int64(0)
	for _, c := range raw[:6] {
		ms = ms<<8 | int64(c)
	}
	if ms != at.UnixMilli() {
		t.Errorf("instant %d, want %d", ms, at.UnixMilli())
	}
	for _, bad := range []string{"", strings.ToUpper(a), a[1:], a + "0", "{" + a[1:35] + "}", strings.ReplaceAll(a, "-", "0"), a[:35] + "g", a[:35] + "é"} {
		if _, ok := ParseID(bad); ok {
			t.Errorf("%q was taken", bad)
		}
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("01890a5d-ac96-774b-bcce-b302099a8057")
	f.Add("01890A5D-AC96-774B-BCCE-B302099A8057")
	f.Fuzz(func(t *testing.T, s string) {
		if raw, ok := ParseID(s); ok && FormatID(raw) != s {
			t.Fatalf("%q is not canonical", s)
		}
	})
}

func TestRandom(t *testing.T) {
	seen := map[string]bool{}
	counts := [10]int{}
	for range 2000 {
		d := Digits(6)
		if len(d) != 6 || strings.Trim(d, "0123456789") != "" {
			t.Fatalf("digits %q", d)
		}
		for _, c := range d {
			counts[c-'0']++
		}
		r := Random(16)
		if len(r) != 22 || seen[r] {
			t.Fatalf("random %q", r)
		}
		seen[r] = true
	}
	for d, n := range counts {
		if n < 1000 || n > 1400 { // 12,000 digits: 6 sigma are ±197
			t.Errorf("digit %d came %d times in 12000", d, n)
		}
	}
}

func TestHashes(t *testing.T) {
	if got := H1("abc"); got != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" { // FIPS 180-2 appendix B.1
		t.Errorf("H1 %s", got)
	}
	if fmt.Sprintf("%x", Hash("abc")) != H1("abc") || RefreshHash("abc") != HashH1(H1("abc")) {
		t.Error("the hashes disagree")
	}
}
