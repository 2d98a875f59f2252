package credential

import (
	"bytes"
	"strings"
	"testing"
)

const goodPHC = "$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

func TestParsePHC(t *testing.T) {
	h, err := parsePHC(goodPHC)
	if err != nil || h.memory != 19456 || h.passes != 2 || h.lanes != 1 || len(h.salt) != 16 || len(h.sum) != 32 {
		t.Fatalf("%+v, %v", h, err)
	}
}

func TestParsePHCRefuses(t *testing.T) {
	swap := func(old, new string) string { return strings.Replace(goodPHC, old, new, 1) }
	for name, s := range map[string]string{
		"empty":               "",
		"other algorithm":     swap("argon2id", "argon2i"),
		"other version":       swap("v=19", "v=16"),
		"gigabytes":           swap("m=19456", "m=4194304"),
		"above the bound":     swap("m=19456", "m=131073"),
		"too much work":       strings.Replace(swap("m=19456", "m=131072"), "t=2", "t=3", 1),
		"too little memory":   swap("m=19456", "m=7"),
		"no pass":             swap("t=2", "t=0"),
		"too many passes":     swap("t=2", "t=17"),
		"no lane":             swap("p=1", "p=0"),
		"lanes wrap around":   swap("p=1", "p=257"),
		"memory wraps around": swap("m=19456", "m=4294986752"),
		"leading zero":        swap("t=2", "t=02"),
		"plus sign":           swap("t=2", "t=+2"),
		"missing parameter":   swap(",p=1", ""),
		"doubled parameter":   swap("t=2", "t=2,t=2"),
		"other order":         swap("m=19456,t=2", "t=2,m=19456"),
		"key id":              swap("p=1", "p=1,keyid=AA"),
		"short salt":          swap("AAECAwQFBgcICQoLDA0ODw$", "AAECAwQFBg$"),
		"empty hash":          goodPHC[:strings.LastIndex(goodPHC, "$")+1],
		"newline in base64":   goodPHC[:len(goodPHC)-2] + "\n" + goodPHC[len(goodPHC)-2:],
		"padding":             goodPHC + "=",
		"loose last bits":     goodPHC[:len(goodPHC)-1] + "9",
		"a part too many":     goodPHC + "$",
		"leading text":        "x" + goodPHC,
		"long":                goodPHC + strings.Repeat("A", 400),
		"url alphabet":        swap("AAECAwQF", "AAEC_wQF"),
	} {
		if h, err := parsePHC(s); err == nil {
			t.Errorf("%s: %q was read as %+v", name, s, h)
		} else if len(s) > 40 && strings.Contains(err.Error(), s[32:40]) {
			t.Errorf("%s: the error shows the hash: %v", name, err)
		}
	}
}

func FuzzParsePHC(f *testing.F) {
	f.Add(goodPHC)
	f.Add("$argon2id$v=19$m=131072,t=2,p=16$AAECAwQFBgcICQoLDA0ODw$AAECAwQFBgcICQoLDA0ODw")
	f.Add("$argon2id$v=19$m=,t=,p=$$")
	f.Add("$2a$10$AAECAwQFBgcICQoLDA0ODw")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parsePHC(s)
		if err != nil {
			return
		}
		if h.String() != s {
			t.Fatalf("%q reads as %q: two texts for one hash", s, h.String())
		}
		if h.memory > maxMemoryKiB || h.memory*h.passes > maxWorkKiB || h.lanes > maxLanes || len(h.sum) > maxSum || len(h.salt) > maxSalt {
			t.Fatalf("%q demands too much: %+v", s, h.params)
		}
		again, err := parsePHC(h.String())
		if err != nil || !bytes.Equal(again.salt, h.salt) || !bytes.Equal(again.sum, h.sum) {
			t.Fatalf("%q does not survive a round trip", s)
		}
	})
}
