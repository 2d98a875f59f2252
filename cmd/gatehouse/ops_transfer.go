package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/transfer"
)

type usersExportCmd struct {
	tenantFlags
	Output     string `help:"File to write; standard output when absent." type:"path" placeholder:"FILE"`
	WithHashes bool   `help:"Password hashes too. Keep the file as safe as the store."`
}

// Run exports.
func (u *usersExportCmd) Run(ctx context.Context, w world) error {
	return u.at(ctx, w, func(d *desk, t *tenant.Tenant) (err error) {
		out := w.Stdout
		if u.Output != "" {
			f, err := os.OpenFile(u.Output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, f.Sync(), f.Close()) }()
			out = f
		}
		var pepper transfer.PepperName
		if u.WithHashes {
			_, ring, err := d.tokens()
			if err != nil {
				return err
			}
			pepper = transfer.NamePeppers(ring)
		}
		buffered := bufio.NewWriterSize(out, 64<<10)
		var show *bar
		if u.Output != "" || !terminal(w.Stdout) {
			show = newBar(w.Stderr, "export", 0, d.wall)
		}
		n, err := transfer.Export(ctx, d.store.Transfer(), t.ID, buffered, pepper, func(n int64) { show.at(0, fmt.Sprintf("%d users", n)) })
		show.end()
		if err := errors.Join(err, buffered.Flush()); err != nil {
			return err
		}
		if u.Output == "" {
			return nil // standard output holds the lines and nothing else
		}
		return d.out.value(map[string]int64{"exported": n}, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "%d users\n", n)
			return err
		})
	})
}

type usersImportCmd struct {
	tenantFlags
	File string `arg:"" help:"File of JSON lines." type:"existingfile"`
}

// importState is the file beside the imported one that says how far the import is, so that one that was killed goes on where it was.
type importState struct {
	Tenant string `json:"tenant"`
	Bytes  int64  `json:"bytes"` // of the imported file
	Head   string `json:"head"`  // hash of its first bytes
	transfer.Progress
}

const headBytes = 4096

var errRefusedLines = errors.New("some lines were not imported")

// Run imports.
func (u *usersImportCmd) Run(ctx context.Context, w world) error {
	return u.at(ctx, w, func(d *desk, t *tenant.Tenant) error {
		f, err := os.Open(u.File)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		state, err := u.resume(f, t)
		if err != nil {
			return err
		}
		im, err := u.importer(d, t)
		if err != nil {
			return err
		}
		show := newBar(w.Stderr, "import", state.Bytes, d.wall)
		im.Saved = func(p transfer.Progress) error {
			state.Progress = p
			show.at(p.Offset, fmt.Sprintf("%d added, %d refused", p.Added, p.Refused))
			return keepState(u.sidecar(), state)
		}
		p, err := im.Run(ctx, f, state.Progress)
		show.end()
		if err != nil {
			return fmt.Errorf("after line %d: %w (the same command goes on from there)", p.Line, err)
		}
		if err := os.Remove(u.sidecar()); err != nil {
			return err
		}
		return u.finish(d, p)
	})
}

func (u *usersImportCmd) sidecar() string { return u.File + ".progress" }

func (u *usersImportCmd) importer(d *desk, t *tenant.Tenant) (*transfer.Importer, error) {
	_, ring, err := d.tokens()
	if err != nil {
		return nil, err
	}
	clients := map[string]*tenant.Client{}
	for i := range d.have.Clients {
		if c := &d.have.Clients[i]; c.TenantID == t.ID {
			clients[c.ID] = c
		}
	}
	call := d.call(t)
	return &transfer.Importer{
		Store: d.store.Transfer(), Actor: d.actor, Trace: call.Trace, Now: d.wall,
		Rules: transfer.Rules{
			Tenant: t, Client: func(id string) *tenant.Client { return clients[id] },
			Pepper: transfer.NamePeppers(ring),
		},
		Report: func(p transfer.Problem) {
			_ = d.out.value(p, func(io.Writer) error {
				_, err := fmt.Fprintln(d.stderr, p.String())
				return err
			})
		},
	}, nil
}

// resume reads how far an import of this very file came, and moves f there.
func (u *usersImportCmd) resume(f *os.File, t *tenant.Tenant) (importState, error) {
	info, err := f.Stat()
	if err != nil {
		return importState{}, err
	}
	head := make([]byte, headBytes)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return importState{}, err
	}
	sum := sha256.Sum256(head[:n])
	fresh := importState{Tenant: t.ID, Bytes: info.Size(), Head: hex.EncodeToString(sum[:])}
	raw, err := os.ReadFile(u.sidecar())
	var kept importState
	if err != nil || json.Unmarshal(raw, &kept) != nil { // none, or cut off: lines that are there are found present
		return fresh, nil //nolint:nilerr // no state is where every import begins
	}
	if kept.Tenant != fresh.Tenant || kept.Bytes != fresh.Bytes || kept.Head != fresh.Head {
		return fresh, fmt.Errorf("%s tells of another file or tenant; remove it to begin anew", u.sidecar())
	}
	_, err = f.Seek(kept.Offset, io.SeekStart)
	return kept, err
}

// keepState replaces the file whole, so that a kill leaves the old or the new one.
func keepState(path string, s importState) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	next := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"-"+secret.Random(4))
	if err := os.WriteFile(next, append(raw, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(next, path)
}

func (u *usersImportCmd) finish(d *desk, p transfer.Progress) error {
	err := d.out.value(map[string]any{"done": true, "lines": p.Line, "added": p.Added, "present": p.Present, "refused": p.Refused},
		func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "%d lines: %d added, %d there already, %d refused\n", p.Line, p.Added, p.Present, p.Refused)
			return err
		})
	if err == nil && p.Refused > 0 {
		err = errRefusedLines
	}
	return err
}
