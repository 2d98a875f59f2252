package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/user"
	"github.com/gatehouse-auth/gatehouse/internal/why"
)

type whyCmd struct {
	tenantFlags
	ID string `arg:"" name:"id" help:"A trace id (as in the answer), a session id, a user id, or an e-mail address."`
}

// trail lets why read the store's.
type trail struct{ t sqlstore.Trail }

// Find implements why.Trail.
func (t trail) Find(ctx context.Context, q why.Query) ([]audit.Event, error) {
	return t.t.Find(ctx, sqlstore.TrailQuery{TenantID: q.TenantID, Trace: q.Trace, Session: q.Session, Subject: q.Subject, Client: q.Client})
}

// Run explains.
func (c *whyCmd) Run(ctx context.Context, w world) error {
	return c.work(ctx, w, func(d *desk) error {
		for i := range d.have.Tenants {
			t := &d.have.Tenants[i]
			if c.Tenant != "" && c.Tenant != t.Slug && c.Tenant != t.ID {
				continue
			}
			answer, err := d.why(ctx, t, c.ID)
			if errors.Is(err, why.ErrNothing) {
				continue
			}
			if err != nil {
				return err
			}
			return d.printWhy(t, answer)
		}
		return why.ErrNothing
	})
}

// why asks one tenant, by whatever the id turns out to be.
func (d *desk) why(ctx context.Context, t *tenant.Tenant, id string) (why.Answer, error) {
	a := why.Asker{Trail: trail{d.store.Events()}, Sessions: d.store.Sessions(), Client: func(tenantID, clientID string) bool {
		for i := range d.have.Clients {
			if d.have.Clients[i].TenantID == tenantID && d.have.Clients[i].ID == clientID {
				return true
			}
		}
		return false
	}}
	at := t.At(d.wall())
	if email, err := user.NormaliseEmail(id); err == nil {
		subject, err := d.store.Transfer().Find(ctx, t.ID, user.Email, email)
		if err != nil && fault.From(err).Kind == fault.NotFound {
			return why.Answer{}, why.ErrNothing
		}
		if err != nil {
			return why.Answer{}, err
		}
		return a.Subject(ctx, t.ID, subject, at)
	}
	for _, ask := range []func() (why.Answer, error){
		func() (why.Answer, error) { return a.Trace(ctx, t.ID, id, at) },
		func() (why.Answer, error) { return a.Session(ctx, t.ID, id, at) },
		func() (why.Answer, error) { return a.Subject(ctx, t.ID, id, at) },
	} {
		if out, err := ask(); !errors.Is(err, why.ErrNothing) {
			return out, err
		}
	}
	return why.Answer{}, why.ErrNothing
}

func (d *desk) printWhy(t *tenant.Tenant, a why.Answer) error {
	return d.out.value(a, func(w io.Writer) error {
		_, _ = fmt.Fprintf(w, "%s\n  (%s", printable(a.Root), a.Cause)
		if a.Session != "" {
			_, _ = fmt.Fprintf(w, ", session %s", printable(a.Session))
		}
		_, _ = fmt.Fprintf(w, ", tenant %s)\n", t.Slug)
		for _, s := range a.Chain {
			_, _ = fmt.Fprintf(w, "  %s  %s\n", s.At.UTC().Format(time.RFC3339), printable(s.Text))
		}
		return nil
	})
}
