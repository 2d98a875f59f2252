package main

import (
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/recipe"
	"github.com/gatehouse-auth/gatehouse/internal/servicekey"
	"github.com/gatehouse-auth/gatehouse/internal/web"
	"github.com/gatehouse-auth/gatehouse/internal/web/hosted"
	"github.com/gatehouse-auth/gatehouse/internal/web/oauthapi"
	"github.com/gatehouse-auth/gatehouse/internal/web/pages"
	"github.com/gatehouse-auth/gatehouse/internal/web/supertokens"
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

// oauthRoutes are the wing below /oauth2.
func (b *building) oauthRoutes() ([]web.Route, error) {
	f, err := oauthapi.New(oauthapi.Config{
		Front: b.oauth, SignOns: b.signOns, Clients: b.oauth, Back: b.oauth, Registrar: b.oauth, Keys: b.tokens, Tenants: b.directory,
		Proofs: b.proved, Feed: b.feed, ServiceKeys: b.serviceKeys(), Now: time.Now,
	})
	if err != nil {
		return nil, err
	}
	return f.Routes(), nil
}

// serviceKeys checks internal API keys.
func (b *building) serviceKeys() *servicekey.Service {
	return servicekey.NewService(b.store.ServiceKeys(), b.site.log)
}

// superRoutes are the API that SuperTokens' libraries take for their core.
func (b *building) superRoutes() ([]web.Route, error) {
	f, err := supertokens.New(supertokens.Config{
		Recipe: b.recipe, Passwords: b.logins,
		Directory: b.directory, ServiceKeys: b.serviceKeys(), Organisations: b.store.Organisations(),
		Keys: b.tokens, Sessions: countedSessions{b.sessions, b.outcomes}, Users: b.store.Users(), Services: b.services, Ping: b.store.Ping,
	})
	if err != nil {
		return nil, err
	}
	return f.Routes(), nil
}

// openRecipe makes the rules of what only that API has.
func (b *building) openRecipe() (err error) {
	b.recipe, err = recipe.New(recipe.Config{
		Accounts: b.store.Accounts(), People: b.store.People(), Tokens: b.store.RecipeTokens(), Roles: b.store.AppRoles(),
		Metadatas: b.store.Metadatas(), Externals: b.store.Externals(), Organisations: b.store.Divisions(), Apps: b.store.Apps(),
		Tenants: b.store.Tenants(), Directory: b.directory, Passwords: b.passwords,
	})
	return err
}
