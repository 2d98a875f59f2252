package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// opsFlags are the flags of every operator's command. They name the same store as serve's.
type opsFlags struct {
	Data   string `help:"Directory of everything that is kept in files." default:"." type:"path"`
	Config string `help:"Configuration file." type:"path" placeholder:"FILE"`
	Dev    bool   `help:"The store of a development server: no configuration needed."`
	JSON   bool   `name:"json" help:"Print JSON instead of a table."`
}

// desk is where an operator's command works: the store, open beside a server that may be running, and who acts.
type desk struct {
	site    site
	store   *sqlstore.Store
	have    tenant.Snapshot
	ring    *secret.Ring // nil unless an application is to be told of logouts
	actor   audit.Actor
	out     printer
	stderr  io.Writer
	wall    func() time.Time
	context context.Context
}

// exitCode is an error that says how the process leaves and nothing else.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

var errNoStore = errors.New("there is no store yet: is --data the directory of the server?")

// open reads the configuration as serve does and opens the store. It makes a SQLite file only when create says so: a command with the wrong
// --data must not leave an empty database behind.
func (f *opsFlags) open(ctx context.Context, w world, create bool) (*desk, error) {
	log := slog.New(slog.NewTextHandler(w.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	cfg, err := loadConfig(ctx, sources{File: f.Config, Environ: w.Environ, Dev: f.Dev}, newResolver(log))
	if err != nil {
		return nil, err
	}
	d := &desk{
		site: site{cfg: cfg, dev: f.Dev, data: f.Data, url: devIssuer, log: log}, actor: operator(),
		out: printer{w: w.Stdout, json: f.JSON}, stderr: w.Stderr, wall: time.Now, context: ctx,
	}
	if file, ok := strings.CutPrefix(d.site.storeURL(), "sqlite:"); ok && !create {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return d, errNoStore
		}
	}
	if create {
		if err := os.MkdirAll(f.Data, 0o700); err != nil {
			return nil, err
		}
	}
	return d, d.connect(ctx)
}

func (d *desk) connect(ctx context.Context) (err error) {
	if d.store, err = sqlstore.Open(ctx, d.site.storeURL(), sqlstore.Config{MaxConns: 3, Log: d.site.log, Tell: d.tell}); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if err := d.store.Migrate(ctx); err != nil {
		return errors.Join(fmt.Errorf("migrations: %w", err), d.store.Close())
	}
	if d.have, err = d.store.Tenants().Snapshot(ctx); err != nil {
		return errors.Join(err, d.store.Close())
	}
	if err := d.readyToTell(); err != nil {
		return errors.Join(err, d.store.Close())
	}
	return nil
}

// work opens the store, runs the command and closes it.
func (f *opsFlags) work(ctx context.Context, w world, do func(d *desk) error) error {
	d, err := f.open(ctx, w, false)
	if err != nil {
		return err
	}
	return errors.Join(do(d), d.store.Close())
}

// operator is who acts, for the trail: the user of the operating system, by name where there is one.
func operator() audit.Actor {
	id := fmt.Sprintf("uid %d", os.Getuid())
	if u, err := user.Current(); err == nil && u.Username != "" {
		id = u.Username
	}
	return audit.Actor{Kind: "operator", ID: id}
}

// tenant finds the tenant an operator named by slug or id; the only one when none was named.
func (d *desk) tenant(name string) (*tenant.Tenant, error) {
	for i := range d.have.Tenants {
		t := &d.have.Tenants[i]
		if name == t.Slug || name == t.ID || name == "" && len(d.have.Tenants) == 1 {
			return t, nil
		}
	}
	switch {
	case len(d.have.Tenants) == 0:
		return nil, errors.New("the store has no tenant")
	case name == "":
		return nil, fmt.Errorf("name one with --tenant: %s", strings.Join(d.slugs(), ", "))
	}
	return nil, fmt.Errorf("no such tenant; there are: %s", strings.Join(d.slugs(), ", "))
}

func (d *desk) slugs() []string {
	var out []string
	for i := range d.have.Tenants {
		out = append(out, d.have.Tenants[i].Slug)
	}
	return out
}

// call is an operator's call at a tenant, stamped now.
func (d *desk) call(t *tenant.Tenant) *audit.Call {
	wall := d.wall()
	return &audit.Call{At: t.At(wall), Wall: wall, TenantID: t.ID, Actor: d.actor, Face: "operator", Trace: secret.NewID(wall)}
}

// tokens is the token room on this store, with the ring keys read. Its worker does not run.
func (d *desk) tokens() (*token.Service, *secret.Ring, error) {
	masters, err := d.site.masters()
	if err != nil {
		return nil, nil, err
	}
	dir := tenant.NewDirectory(d.store.Tenants(), d.wall)
	if err := dir.Refresh(d.context); err != nil {
		return nil, nil, err
	}
	ring := secret.NewRing()
	s := token.New(d.store.Keys(), ring, dir, token.Config{Now: d.wall, Log: d.site.log})
	if err := s.EnsureRing(d.context, masters); err != nil {
		return nil, nil, fmt.Errorf("master_keys: %w", err)
	}
	return s, ring, nil
}
