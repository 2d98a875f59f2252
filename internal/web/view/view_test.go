package view

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/gatehouse-auth/gatehouse/internal/colour"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

func TestSheetStaysSmall(t *testing.T) {
	_, css := Sheet(nil)
	if len(css) > 12<<10 {
		t.Errorf("the sheet has %d bytes, more than 12 kB", len(css))
	}
	if len(ownScript.body) > 4<<10 {
		t.Errorf("the script has %d bytes", len(ownScript.body))
	}
}

// The grounds that contrast is computed against are the ones the sheet paints.
func TestGroundsAreTheSheets(t *testing.T) {
	found := regexp.MustCompile(`--(?:ground|card): (#[0-9a-f]{6})`).FindAllStringSubmatch(string(baseSheet), -1)
	var sheet, code []string
	for _, f := range found {
		sheet = append(sheet, f[1])
	}
	for _, g := range [][]colour.RGB{{lightGrounds[1], lightGrounds[0]}, {darkGrounds[1], darkGrounds[0]}} {
		code = append(code, g[0].String(), g[1].String())
	}
	if strings.Join(sheet, " ") != strings.Join(code, " ") {
		t.Errorf("sheet %v, code %v", sheet, code)
	}
}

// Every pair of text and ground in the sheet itself passes AA, in both themes.
func TestSheetColoursAreReadable(t *testing.T) {
	light, dark, _ := strings.Cut(string(baseSheet), "@media (prefers-color-scheme: dark)")
	for name, part := range map[string]string{"light": light, "dark": dark} {
		v := map[string]colour.RGB{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6})`).FindAllStringSubmatch(part, -1) {
			v[m[1]], _ = colour.Parse(m[2])
		}
		for _, pair := range [][2]string{{"ink", "card"}, {"ink", "ground"}, {"ink", "well"}, {"soft", "card"}, {"soft", "ground"}, {"soft", "well"}, {"bad", "card"},
			{"bad", "bad-well"}, {"ink", "bad-well"}, {"good", "card"}, {"dev-ink", "dev"}} {
			if c := colour.Contrast(v[pair[0]], v[pair[1]]); c < colour.AA {
				t.Errorf("%s: %s on %s has contrast %.2f", name, pair[0], pair[1], c)
			}
		}
		if c := colour.Contrast(v["edge"], v["card"]); c < 3 { // WCAG 1.4.11
			t.Errorf("%s: the edge of a field has contrast %.2f", name, c)
		}
	}
}

func TestThemesAreReadableAndCannotInject(t *testing.T) {
	shape := regexp.MustCompile(`^:root\{--accent:#[0-9a-f]{6};--on-accent:#[0-9a-f]{6};--radius:\d{1,2}px\}` +
		`@media \(prefers-color-scheme:dark\)\{:root\{--accent:#[0-9a-f]{6};--on-accent:#[0-9a-f]{6}\}\}\n$`)
	rapid.Check(t, func(t *rapid.T) {
		theme := tenant.Theme{Accent: rapid.OneOf(rapid.String(), rapid.StringMatching(`#[0-9a-fA-F]{6}`)).Draw(t, "accent"), RadiusPx: rapid.Int().Draw(t, "radius")}
		if got := variables(theme); !shape.MatchString(got) {
			t.Fatalf("%+v gives %q", theme, got)
		}
	})
	a, _ := Sheet(&tenant.Tenant{Policy: tenant.Policy{Theme: tenant.Theme{Accent: "#ff0000"}}})
	if b, _ := Sheet(nil); a == b {
		t.Error("two themes share a name")
	}
}

func TestLogosOfOtherHostsAreLeftOut(t *testing.T) {
	for url, ok := range map[string]bool{
		"data:image/svg+xml,%3Csvg/%3E": true, "/logo.svg": true, "https://example.com/logo.png": false, "//example.com/logo.png": false,
		"javascript:alert(1)": false, "": false, "data:text/html,x": false,
	} {
		got := logo(&tenant.Tenant{Policy: tenant.Policy{Theme: tenant.Theme{LogoURL: url}}})
		if (got != "") != ok {
			t.Errorf("logo %q → %q", url, got)
		}
	}
	if webAddress("javascript:alert(1)") != "" || webAddress("https://example.com/terms") == "" {
		t.Error("terms")
	}
}

func TestLayoutEscapes(t *testing.T) {
	p := Page{Lang: "en", Title: `</title><script>alert(1)</script>`, Name: `"><script>`, Logo: `x" onerror="alert(1)`, Terms: "https://example.com/\"><script>", Trace: "<b>"}
	w := httptest.NewRecorder()
	if err := faultPage(p, "<script>", "").Render(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if body := w.Body.String(); strings.Count(body, "<script") != 1 || strings.Contains(body, `onerror="`) || strings.Contains(body, "<b>") {
		t.Error(body)
	}
}

// An address loses nothing where it may break, and stays text.
func TestAddressesBreakAtTheirParts(t *testing.T) {
	for address, want := range map[string]string{
		"ada@example.com": "ada@<wbr>example<wbr>.com", "a.b@c.d": "a<wbr>.b@<wbr>c<wbr>.d", "": "", "@": "@", ".a": ".a", "x..y@": "x<wbr>.<wbr>.y@",
		`<b>@"x".com`: `&lt;b&gt;@<wbr>&#34;x&#34;<wbr>.com`,
	} {
		w := httptest.NewRecorder()
		if err := Address(address).Render(t.Context(), w); err != nil || w.Body.String() != want {
			t.Errorf("%q is shown as %s (%v), want %s", address, w.Body, err, want)
		}
	}
}

// What is large stays large: a later rule for all fields must not make codes small again.
func TestCodesAreLarge(t *testing.T) {
	if !strings.Contains(string(baseSheet), ".box .digits {") {
		t.Error("the rule for codes is not more special than the one for fields")
	}
}
