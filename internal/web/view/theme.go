package view

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/colour"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

//go:embed assets/sheet.css
var baseSheet []byte

var baseHash = sha256.Sum256(baseSheet)

// The grounds that the sheet paints on; an accent must stand out against both of a theme. They are the sheet's --card and --ground.
var (
	lightGrounds = []colour.RGB{{R: 0xff, G: 0xff, B: 0xff}, {R: 0xf4, G: 0xf5, B: 0xf7}}
	darkGrounds  = []colour.RGB{{R: 0x16, G: 0x19, B: 0x20}, {R: 0x0e, G: 0x11, B: 0x16}}
	ownAccent    = colour.RGB{R: 0x2f, G: 0x4b, B: 0xc4}
)

const (
	defaultRadius = 8
	maxRadius     = 24
)

// variables is the tenant's part of the sheet. Colours are rebuilt from parsed numbers, so nothing an operator types can become CSS, and
// contrast never falls below WCAG AA, whatever accent was chosen.
func variables(theme tenant.Theme) string {
	accent, ok := colour.Parse(theme.Accent)
	if !ok {
		accent = ownAccent
	}
	light, dark := colour.Readable(accent, colour.AA, lightGrounds...), colour.Readable(accent, colour.AA, darkGrounds...)
	radius := theme.RadiusPx
	if radius <= 0 {
		radius = defaultRadius
	}
	return fmt.Sprintf(":root{--accent:%s;--on-accent:%s;--radius:%dpx}@media (prefers-color-scheme:dark){:root{--accent:%s;--on-accent:%s}}\n",
		light, colour.On(light), min(radius, maxRadius), dark, colour.On(dark))
}

// Sheet is the tenant's style sheet and its file name, which changes with every byte of it. t may be nil.
func Sheet(t *tenant.Tenant) (name string, css []byte) {
	own := variables(themeOf(t))
	return sheetName(own), append([]byte(own), baseSheet...)
}

func sheetName(own string) string {
	h := sha256.New()
	h.Write(baseHash[:])
	h.Write([]byte(own))
	return hex.EncodeToString(h.Sum(nil)[:8]) + ".css"
}

func themeOf(t *tenant.Tenant) tenant.Theme {
	if t == nil {
		return tenant.Theme{}
	}
	return t.Policy.Theme
}

// logo gives a logo that the content policy lets through: an image in the setting itself or a file of this origin. A foreign host would
// learn who opens which one-time page.
func logo(t *tenant.Tenant) string {
	u := themeOf(t).LogoURL
	if strings.HasPrefix(u, "data:image/") || (strings.HasPrefix(u, "/") && !strings.HasPrefix(u, "//")) {
		return u
	}
	return ""
}
