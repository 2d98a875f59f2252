package colour

import (
	"testing"

	"pgregory.net/rapid"
)

func TestContrastOfKnownPairs(t *testing.T) {
	if got := Contrast(Black, White); got < 20.99 || got > 21.01 {
		t.Errorf("black on white = %v, want 21", got)
	}
	grey, _ := Parse("#767676") // the well-known lightest grey that passes AA on white
	if got := Contrast(grey, White); got < 4.5 || got > 4.6 {
		t.Errorf("#767676 on white = %v", got)
	}
}

func TestParseTakesOnlySixHexDigits(t *testing.T) {
	for _, bad := range []string{"", "red", "#fff", "#12345g", "#1234567", "123456#", "#+12345", "#12 345", "#0x1234"} {
		if c, ok := Parse(bad); ok {
			t.Errorf("%q was taken as %v", bad, c)
		}
	}
	if c, ok := Parse("#Ab01fF"); !ok || c.String() != "#ab01ff" {
		t.Errorf("got %v %v", c, ok)
	}
}

func TestEveryAccentBecomesReadable(t *testing.T) {
	dark := []RGB{{0x11, 0x14, 0x1a}, {0x1a, 0x1e, 0x26}}
	rapid.Check(t, func(t *rapid.T) {
		c := RGB{rapid.Byte().Draw(t, "r"), rapid.Byte().Draw(t, "g"), rapid.Byte().Draw(t, "b")}
		for _, grounds := range [][]RGB{{White, {0xf6, 0xf7, 0xf9}}, dark} {
			r := Readable(c, AA, grounds...)
			for _, g := range grounds {
				if got := Contrast(r, g); got < AA {
					t.Fatalf("%v → %v on %v has contrast %v", c, r, g, got)
				}
			}
			if got := Contrast(On(r), r); got < AA {
				t.Fatalf("text %v on %v has contrast %v", On(r), r, got)
			}
		}
	})
}
