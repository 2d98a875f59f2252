package main

import (
	"context"
	"errors"

	"github.com/gatehouse-auth/gatehouse/internal/secretref"
)

type serveCmd struct {
	Listen      string `help:"Address of the API and the pages; port 0 takes a free one." placeholder:"HOST:PORT"`
	AdminListen string `help:"Address of the admin listener." placeholder:"HOST:PORT"`
	Data        string `help:"Directory of everything that is kept in files." default:"." type:"path"`
	Config      string `help:"Configuration file." type:"path" placeholder:"FILE"`
	Dev         bool   `help:"Development: loopback only, demo tenant and client, mailbox and try-it page, no key needed."`
}

// Run serves until ctx ends.
func (s *serveCmd) Run(ctx context.Context, w world) error {
	cfg, err := loadConfig(ctx, s.sources(w.Environ), secretref.New())
	if err != nil {
		return err
	}
	_ = cfg
	return errors.New("not yet")
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
