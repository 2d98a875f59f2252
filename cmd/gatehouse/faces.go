package main

import (
	"github.com/gatehouse-auth/gatehouse/internal/web"
	"github.com/gatehouse-auth/gatehouse/internal/web/pages"
)

// pageRoutes are the hosted pages. Mailbox and try-it page exist with dev only: they show everybody's mail to whoever asks.
func (b *building) pageRoutes() ([]web.Route, error) {
	p, err := pages.New(pages.Config{Login: countedLogins{b.logins, b.outcomes}, Handoffs: b.logins, Sessions: b.sessions, Directory: b.directory, Mailbox: b.store.Outbox(), Dev: b.site.dev})
	if err != nil {
		return nil, err
	}
	return p.Routes(), nil
}
