package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// printer writes what a command found: a table for people, or JSON for programs.
type printer struct {
	w    io.Writer
	json bool
}

// value prints v as one JSON line, or runs people.
func (p printer) value(v any, people func(w io.Writer) error) error {
	if p.json {
		return json.NewEncoder(p.w).Encode(v)
	}
	return people(p.w)
}

// table prints items as {"items": […]}, or as a table with a heading.
func (p printer) table(items any, head []string, rows [][]string) error {
	return p.value(map[string]any{"items": items}, func(w io.Writer) error {
		t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		_, _ = fmt.Fprintln(t, strings.Join(head, "\t"))
		for _, row := range rows {
			for i := range row {
				row[i] = printable(row[i])
			}
			_, _ = fmt.Fprintln(t, strings.Join(row, "\t"))
		}
		return t.Flush()
	})
}

// printable frees a text that strangers chose from what would move the cursor or break the table: a name or user agent must not be able to
// rewrite an operator's screen.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return '\ufffd'
		}
		return r
	}, text)
	if text == "" {
		return "-"
	}
	return text
}

func instantText(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

// bar is a progress bar on standard error. Where that is no terminal it is silent.
type bar struct {
	w     io.Writer
	what  string
	total int64
	shown time.Time
	now   func() time.Time
}

const barEvery = 100 * time.Millisecond

func newBar(w io.Writer, what string, total int64, now func() time.Time) *bar {
	if !terminal(w) {
		return nil
	}
	return &bar{w: w, what: what, total: total, now: now}
}

// terminal reports whether w is one; the null device is a character device too.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 || os.Getenv("TERM") == "dumb" {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}

// at shows how far the work is; total may be unknown (0).
func (b *bar) at(done int64, note string) {
	if b == nil || b.now().Sub(b.shown) < barEvery {
		return
	}
	b.shown = b.now()
	b.draw(done, note)
}

func (b *bar) draw(done int64, note string) {
	const width = 30
	if b.total <= 0 {
		_, _ = fmt.Fprintf(b.w, "\r\x1b[K%s %s", b.what, note)
		return
	}
	full := int(min(done, b.total) * width / b.total)
	_, _ = fmt.Fprintf(b.w, "\r\x1b[K%s [%s%s] %3d%% %s", b.what, strings.Repeat("=", full), strings.Repeat(" ", width-full),
		min(done, b.total)*100/b.total, note)
}

// end wipes the bar.
func (b *bar) end() {
	if b != nil {
		_, _ = fmt.Fprint(b.w, "\r\x1b[K")
	}
}
