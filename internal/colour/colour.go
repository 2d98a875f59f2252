// Package colour owns contrast: it turns an operator's accent colour into ones that people can read, on a light and on a dark ground. It
// does not own any page, sheet or mail, and imports nothing of ours.
package colour

import (
	"fmt"
	"math"
	"strconv"
)

// RGB is an sRGB colour, channels 0–255.
type RGB struct{ R, G, B uint8 }

// Parse reads "#rrggbb"; anything else is not a colour. What passes is rebuilt by String, so no operator text reaches a style sheet.
func Parse(s string) (RGB, bool) {
	if len(s) != 7 || s[0] != '#' {
		return RGB{}, false
	}
	n, err := strconv.ParseUint(s[1:], 16, 32)
	if err != nil {
		return RGB{}, false
	}
	return RGB{uint8(n >> 16), uint8(n >> 8), uint8(n)}, true
}

// String writes "#rrggbb".
func (c RGB) String() string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }

// Luminance is the relative luminance of WCAG 2.2, 0 (black) to 1 (white).
func (c RGB) Luminance() float64 {
	return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
}

func linear(v uint8) float64 {
	f := float64(v) / 255
	if f <= 0.04045 {
		return f / 12.92
	}
	return math.Pow((f+0.055)/1.055, 2.4)
}

// Contrast is the contrast ratio of WCAG 2.2 between two colours, 1 to 21.
func Contrast(a, b RGB) float64 {
	la, lb := a.Luminance(), b.Luminance()
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

// Mix gives a with share t (0–1) of b.
func Mix(a, b RGB, t float64) RGB {
	ch := func(x, y uint8) uint8 { return uint8(math.Round(float64(x) + (float64(y)-float64(x))*t)) }
	return RGB{ch(a.R, b.R), ch(a.G, b.G), ch(a.B, b.B)}
}

// The ends of the scale.
var (
	Black = RGB{0, 0, 0}
	White = RGB{255, 255, 255}
)

// AA is the least contrast of normal text in WCAG 2.2 (1.4.3).
const AA = 4.5

// Readable moves c towards black or white, as little as needed, until it stands out by least against every one of grounds. The grounds
// of one theme are all light or all dark.
func Readable(c RGB, least float64, grounds ...RGB) RGB {
	end := White
	if len(grounds) > 0 && Contrast(Black, grounds[0]) > Contrast(White, grounds[0]) {
		end = Black
	}
	for step := range 51 {
		out := Mix(c, end, float64(step)/50)
		if stands(out, least, grounds) {
			return out
		}
	}
	return end
}

func stands(c RGB, least float64, grounds []RGB) bool {
	for _, g := range grounds {
		if Contrast(c, g) < least {
			return false
		}
	}
	return true
}

// On gives the better of white and near-black for text on c, white where both serve.
func On(c RGB) RGB {
	if Contrast(White, c) >= AA {
		return White
	}
	ink := RGB{0x0b, 0x0d, 0x12}
	if Contrast(ink, c) > Contrast(White, c) {
		return ink
	}
	return White
}
