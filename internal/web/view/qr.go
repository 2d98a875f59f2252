package view

import (
	"strconv"
	"strings"

	"rsc.io/qr"

	"github.com/gatehouse-auth/gatehouse/internal/fault"
)

// quiet is the white margin that readers need, in modules (ISO/IEC 18004 section 6.3.8).
const quiet = 4

// QR draws text as a QR code: one SVG element without style, script or size, black on white in either theme, so that every reader reads it.
func QR(text string) (string, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return "", fault.From(err)
	}
	size := strconv.Itoa(code.Size + 2*quiet)
	var b strings.Builder
	b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ` + size + ` ` + size + `" shape-rendering="crispEdges" role="img" aria-label="QR code">`)
	b.WriteString(`<path fill="#fff" d="M0 0h` + size + `v` + size + `H0z"/><path d="`)
	for y := range code.Size {
		drawRow(&b, code, y)
	}
	b.WriteString(`"/></svg>`)
	return b.String(), nil
}

// drawRow writes each run of black modules as one rectangle.
func drawRow(b *strings.Builder, code *qr.Code, y int) {
	for x := 0; x < code.Size; x++ {
		run := 0
		for x+run < code.Size && code.Black(x+run, y) {
			run++
		}
		if run == 0 {
			continue
		}
		n := strconv.Itoa(run)
		b.WriteString("M" + strconv.Itoa(x+quiet) + " " + strconv.Itoa(y+quiet) + "h" + n + "v1h-" + n + "z")
		x += run
	}
}
