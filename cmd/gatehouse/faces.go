package main

import (
	"github.com/gatehouse-auth/gatehouse/internal/web"
	"github.com/gatehouse-auth/gatehouse/internal/web/hosted"
	"github.com/gatehouse-auth/gatehouse/internal/web/pages"
)

// pageRoutes are the hosted pages. Mailbox and try-it page exist with dev only: they show everybody's mail to whoever asks.
func (b *building) pageRoutes() ([]web.Route, error) {
	logins := countedLogins{b.logins, b.outcomes}
	flow, err := hosted.New(hosted.Config{
		Login: logins, Flow: b.oauth, Devices: b.oauth, SignOns: b.signOns, Sessions: b.sessions, Users: b.store.Users(), Directory: b.directory,
	})
	if err != nil {
		return nil, err
	}
	p, err := pages.New(pages.Config{
		Login: logins, Handoffs: b.logins, Sessions: b.sessions, Directory: b.directory, Mailbox: b.store.Outbox(), Flow: flow, Dev: b.site.dev,
	})
	if err != nil {
		return nil, err
	}
	return append(p.Routes(), flow.Routes()...), nil
}
