package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"
)

// drainFor is how long requests in hand may take after a stop was asked for.
const drainFor = 10 * time.Second

type serveCmd struct {
	Listen      string `help:"Address of the API and the pages; port 0 takes a free one." placeholder:"HOST:PORT"`
	AdminListen string `help:"Address of the admin listener." placeholder:"HOST:PORT"`
	Data        string `help:"Directory of everything that is kept in files." default:"." type:"path"`
	Config      string `help:"Configuration file." type:"path" placeholder:"FILE"`
	Dev         bool   `help:"Development: loopback only, demo tenant and client, mailbox and try-it page, no key needed."`
}

// Run serves until ctx ends.
func (s *serveCmd) Run(ctx context.Context, w world) error {
	log, stopLog := newLog(w.Stderr, s.Dev)
	defer stopLog()
	resolver := newResolver(log)
	cfg, err := loadConfig(ctx, s.sources(w.Environ), resolver)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.Data, 0o700); err != nil {
		return err
	}
	tuneMemory()
	slog.SetDefault(log)
	doors, err := listen(ctx, cfg, s.Dev)
	if err != nil {
		return err
	}
	defer doors.close()
	b, err := open(ctx, site{cfg: cfg, dev: s.Dev, data: s.Data, url: doors.url, log: log, resolver: resolver, renewEvery: renewEvery})
	if err != nil {
		return err
	}
	err = s.serve(ctx, b, doors, w)
	return errors.Join(err, b.close(ctx))
}

// serve opens the doors, says so, and comes back when everything has stopped.
func (s *serveCmd) serve(ctx context.Context, b *building, doors *doors, w world) error {
	workers, stop := context.WithCancel(context.WithoutCancel(ctx)) // workers outlive the stop signal until the last request is answered
	defer stop()
	done := b.startWorkers(workers)
	public, admin := newServer(b.hall, b.site.log), newServer(b.admin(doors.adminPort()), b.site.log)
	public.RegisterOnShutdown(b.feed.Close) // its streams would never end by themselves
	failed := make(chan error, len(doors.public)+1)
	for _, l := range doors.public {
		go func() { failed <- public.Serve(l) }()
	}
	go func() { failed <- admin.Serve(doors.admin) }()
	err := b.announce(w, doors)
	if err == nil {
		select {
		case <-ctx.Done():
			b.site.log.Info("stopping", "drain_s", drainFor.Seconds())
		case err = <-failed:
			err = fmt.Errorf("a listener failed: %w", err)
		}
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainFor)
	defer cancel()
	shut := errors.Join(public.Shutdown(drain), admin.Shutdown(drain))
	stop()
	<-done
	if errors.Is(shut, context.DeadlineExceeded) {
		b.site.log.Warn("some requests were cut off")
		shut = errors.Join(public.Close(), admin.Close())
	}
	return errors.Join(err, shut)
}

// newServer bounds how long and how much a stranger may take to say what he wants (slow loris, endless headers).
func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

func (s *serveCmd) sources(environ []string) sources {
	flags := map[string]string{}
	if s.Listen != "" {
		flags["listen.public"] = s.Listen
	}
	if s.AdminListen != "" {
		flags["listen.admin"] = s.AdminListen
	}
	return sources{File: s.Config, Environ: environ, Flags: flags, Dev: s.Dev}
}
