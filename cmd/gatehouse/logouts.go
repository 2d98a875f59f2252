package main

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/delivery"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
	"github.com/gatehouse-auth/gatehouse/internal/token/kind"
)

// logoutSigner signs logout tokens with the tenant's rotating key.
type logoutSigner struct{ tokens *token.Service }

// SignLogout implements delivery.LogoutSigner.
func (s logoutSigner) SignLogout(ctx context.Context, t *tenant.Tenant, alg string, at time.Time, claims []byte) (string, error) {
	return s.tokens.Sign(ctx, t, token.Shape{Key: token.Rotating, Alg: alg, Type: kind.Logout.Types[0]}, at, claims)
}

// told makes the back-channel logouts of ended sessions: one for each whose application has an endpoint.
func told(ring *secret.Ring, wall time.Time, client func(tenantID, id string) *tenant.Client, tenantID string, ended []session.Ended) ([]audit.Message, error) {
	var out []audit.Message
	for _, e := range ended {
		c := client(tenantID, e.ClientID)
		if c == nil || c.Settings.OAuth.BackchannelLogoutURI == "" {
			continue
		}
		m, err := delivery.LogoutMessage(ring, wall, tenantID, delivery.Logout{Client: c.ID, Session: e.ID, Subject: e.Subject})
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// tell is what the store asks when sessions end. Messages find the worker at its next look, within a second of the commit.
func (b *building) tell(tenantID string, ended []session.Ended) ([]audit.Message, error) {
	if b.directory == nil { // while the configuration is applied, before anybody is served
		return nil, nil
	}
	return told(b.ring, b.now(), b.directory.Client, tenantID, ended)
}

// tell is the same for commands beside a server, whose worker sends what they leave. The ring is read before, and only where some
// application wants to be told.
func (d *desk) tell(tenantID string, ended []session.Ended) ([]audit.Message, error) {
	if d.ring == nil {
		return nil, nil
	}
	return told(d.ring, d.wall(), d.client, tenantID, ended)
}

func (d *desk) client(tenantID, id string) *tenant.Client {
	for i := range d.have.Clients {
		if c := &d.have.Clients[i]; c.TenantID == tenantID && c.ID == id {
			return c
		}
	}
	return nil
}

// readyToTell reads the ring when an application wants to be told of logouts.
func (d *desk) readyToTell() error {
	for i := range d.have.Clients {
		if d.have.Clients[i].Settings.OAuth.BackchannelLogoutURI != "" {
			_, ring, err := d.tokens()
			d.ring = ring
			return err
		}
	}
	return nil
}
