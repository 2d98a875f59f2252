package transfer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
)

// Bounds of an import: lines and batches in memory are what it takes, however long the file.
const (
	maxLine   = 128 << 10
	BatchSize = 500
)

// EventImported is written once for each batch.
const EventImported = "users.imported"

// Progress is how far an import is: everything before Offset is in the store or was reported.
type Progress struct {
	Offset  int64 `json:"offset"` // bytes of the file
	Line    int64 `json:"line"`   // lines before Offset
	Added   int64 `json:"added"`
	Present int64 `json:"present"`
	Refused int64 `json:"refused"`
}

// Importer reads lines into a store.
type Importer struct {
	Store Store
	Rules Rules
	Actor audit.Actor
	Trace string
	Now   func() time.Time
	// Report is told of each line that was not imported; the rest goes on.
	Report func(Problem)
	// Saved is told after each batch, when its transaction is durable. A process that dies before has its batch found present next time.
	Saved func(Progress) error
}

// Run reads r, which begins at from.Offset of the file, to its end.
func (im *Importer) Run(ctx context.Context, r io.Reader, from Progress) (Progress, error) {
	lines := bufio.NewReaderSize(r, maxLine)
	p := from
	for {
		b, end, err := im.collect(lines, &p)
		if err != nil {
			return p, err
		}
		if err := im.put(ctx, b, &p); err != nil {
			return p, err
		}
		if err := im.Saved(p); err != nil || end {
			return p, err
		}
	}
}

// batch is entries with the numbers of their lines.
type batch struct {
	entries []Entry
	lines   []int64
	first   int64
}

// collect reads the lines of one batch, good or bad.
func (im *Importer) collect(r *bufio.Reader, p *Progress) (b batch, end bool, err error) {
	im.Rules.At = im.Rules.Tenant.At(im.Now())
	b.first = p.Line + 1
	for range BatchSize {
		raw, n, long, err := readLine(r)
		p.Offset += n
		if n > 0 {
			p.Line++
		}
		end = errors.Is(err, io.EOF)
		if err != nil && !end {
			return b, false, err
		}
		im.take(raw, long, p, &b)
		if end {
			return b, true, nil
		}
	}
	return b, false, nil
}

func (im *Importer) take(raw []byte, long bool, p *Progress, b *batch) {
	raw = bytes.TrimSpace(raw)
	if p.Line == 1 {
		raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	}
	if long {
		im.refuse(p, p.Line, bad{"", "is longer than 128 KiB"})
		return
	}
	if len(raw) == 0 {
		return
	}
	person, err := parse(raw)
	if err == nil {
		var e Entry
		if e, err = im.Rules.entry(&person); err == nil {
			b.entries, b.lines = append(b.entries, e), append(b.lines, p.Line)
			return
		}
	}
	im.refuse(p, p.Line, err)
}

func (im *Importer) refuse(p *Progress, line int64, err error) {
	p.Refused++
	problem := Problem{Line: line, Message: err.Error()}
	var b bad
	if errors.As(err, &b) {
		problem.Field, problem.Message = b.field, b.message
	}
	im.Report(problem)
}

// put writes a batch in one transaction.
func (im *Importer) put(ctx context.Context, b batch, p *Progress) error {
	if len(b.entries) == 0 {
		return nil
	}
	wall := im.Now()
	rec := audit.Record{Events: []audit.Event{{
		ID: secret.NewID(wall), TenantID: im.Rules.Tenant.ID, At: im.Rules.At, Type: EventImported, Actor: im.Actor, Trace: im.Trace,
		Detail: map[string]string{"first_line": strconv.FormatInt(b.first, 10), "lines": strconv.Itoa(len(b.entries))},
	}}}
	outcomes, err := im.Store.Import(ctx, im.Rules.Tenant.ID, b.entries, rec)
	if err != nil {
		return err
	}
	for i, o := range outcomes {
		switch o {
		case Added:
			p.Added++
		case Present:
			p.Present++
		case Clash:
			im.refuse(p, b.lines[i], bad{"", "its id, e-mail address, username or a link belongs to another user"})
		}
	}
	return nil
}

// readLine gives a line without keeping more than maxLine of it, and how many bytes it took.
func readLine(r *bufio.Reader) (line []byte, n int64, long bool, err error) {
	part, err := r.ReadSlice('\n')
	n = int64(len(part))
	if !errors.Is(err, bufio.ErrBufferFull) {
		return part, n, false, err
	}
	for errors.Is(err, bufio.ErrBufferFull) {
		part, err = r.ReadSlice('\n')
		n += int64(len(part))
	}
	return nil, n, true, err
}
