package view

import (
	"encoding/xml"
	"fmt"
	"strings"
	"testing"

	"rsc.io/qr"
)

// The drawing has exactly the library's modules, and nothing of the text stands in it.
func TestQRDrawsEveryModule(t *testing.T) {
	text := "https://login.example.com/ui/handoff/" + strings.Repeat("Ab-_9", 9)
	svg, err := QR(text)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		ViewBox string `xml:"viewBox,attr"`
		Paths   []struct {
			D string `xml:"d,attr"`
		} `xml:"path"`
	}
	if err := xml.Unmarshal([]byte(svg), &doc); err != nil || len(doc.Paths) != 2 {
		t.Fatalf("%v, %d paths", err, len(doc.Paths))
	}
	want, err := qr.Encode(text, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	if doc.ViewBox != fmt.Sprintf("0 0 %d %d", want.Size+8, want.Size+8) {
		t.Errorf("view box %q", doc.ViewBox)
	}
	black := map[[2]int]bool{}
	for _, run := range strings.Split(strings.Trim(doc.Paths[1].D, "Mz"), "zM") {
		var x, y, n, back int
		if _, err := fmt.Sscanf(run, "%d %dh%dv1h-%d", &x, &y, &n, &back); err != nil || n != back {
			t.Fatalf("run %q: %v", run, err)
		}
		for i := range n {
			black[[2]int{x + i - 4, y - 4}] = true
		}
	}
	for y := range want.Size {
		for x := range want.Size {
			if black[[2]int{x, y}] != want.Black(x, y) {
				t.Fatalf("module %d,%d is drawn wrong", x, y)
			}
		}
	}
	if strings.Contains(svg, "example") || strings.Contains(svg, "style") || strings.Contains(svg, "<script") {
		t.Error("the drawing holds more than modules")
	}
}

func TestQRRefusesWhatDoesNotFit(t *testing.T) {
	if _, err := QR(strings.Repeat("x", 5000)); err == nil {
		t.Error("5000 bytes fit in a QR code")
	}
}
