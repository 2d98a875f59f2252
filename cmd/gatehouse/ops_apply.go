package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

type applyCmd struct {
	opsFlags
	Plan  bool `help:"Only show what would change; the exit code is 2 when that is anything."`
	Prune bool `help:"Remove clients that the file managed and no longer names; their sessions end."`
}

// planChanged is the exit code of a plan that is not empty.
const planChanged = 2

var errNothingConfigured = errors.New("the configuration lists no tenants")

// Run makes tenants, clients, roles and policies in the store agree with the configuration.
func (a *applyCmd) Run(ctx context.Context, w world) error {
	d, err := a.open(ctx, w, !a.Plan)
	if a.Plan && errors.Is(err, errNoStore) {
		return a.show(d, tenant.NewPlan(tenant.Snapshot{}, d.wanted(), a.Prune))
	}
	if err != nil {
		return err
	}
	return errors.Join(a.run(ctx, d), d.store.Close())
}

// wanted is what the file lists. An issuer that it leaves out, as dev allows, stays what it is.
func (d *desk) wanted() tenant.Snapshot {
	return fromFile(d.site.cfg, func(id string) string {
		for i := range d.have.Tenants {
			if d.have.Tenants[i].ID == id {
				return d.have.Tenants[i].Issuer
			}
		}
		return devIssuer
	})
}

func (a *applyCmd) run(ctx context.Context, d *desk) error {
	want := d.wanted()
	if len(want.Tenants) == 0 {
		return errNothingConfigured // an empty list is more likely the wrong file than a wish
	}
	plan := tenant.NewPlan(d.have, want, a.Prune)
	if a.Plan {
		return a.show(d, plan)
	}
	wall := d.wall()
	if len(plan.Tenants)+len(plan.Clients) > 0 {
		if err := d.store.Tenants().Put(ctx, plan.Tenants, plan.Clients, appliedRecord(&plan, d.have, d.actor, wall)); err != nil {
			return err
		}
	}
	for _, c := range plan.Removed() {
		at := clockOf(d.have, c.TenantID, wall)
		if err := d.store.Tenants().RemoveClient(ctx, c.TenantID, c.Client, at, removedRecord(c, d.actor, at, wall)); err != nil {
			return err
		}
	}
	return a.print(d, plan)
}

// tokenLeft bounds how long an access token of a removed client may live.
const tokenLeft = 24 * time.Hour

func removedRecord(c tenant.Change, actor audit.Actor, at, wall time.Time) audit.Record {
	return audit.Record{
		Events: []audit.Event{{
			ID: secret.NewID(wall), TenantID: c.TenantID, At: at, Type: "client.removed", Reason: "client_gone", Client: c.Client, Actor: actor,
		}},
		Revocations: []audit.Revocation{{
			TenantID: c.TenantID, Kind: "client", Target: c.Client, At: at, Reason: "client_gone", Until: at.Add(tokenLeft),
		}},
	}
}

func (a *applyCmd) show(d *desk, plan tenant.Plan) error {
	if err := a.print(d, plan); err != nil {
		return err
	}
	if !plan.Empty() {
		return exitCode(planChanged)
	}
	return nil
}

type planOut struct {
	Empty   bool            `json:"empty"`
	Applied bool            `json:"applied"`
	Changes []tenant.Change `json:"changes"`
	Notes   []tenant.Change `json:"notes"`
}

func (a *applyCmd) print(d *desk, plan tenant.Plan) error {
	out := planOut{
		Empty: plan.Empty(), Applied: !a.Plan, Changes: append([]tenant.Change{}, plan.Changes...), Notes: append([]tenant.Change{}, plan.Notes...),
	}
	return d.out.value(out, func(w io.Writer) error {
		for _, c := range append(out.Changes, out.Notes...) {
			_, _ = fmt.Fprintln(w, printable(c.String()))
			for _, f := range c.Fields {
				_, _ = fmt.Fprintf(w, "    %s: %s -> %s\n", f.Name, printable(f.From), printable(f.To))
			}
		}
		var err error
		switch {
		case plan.Empty():
			_, err = fmt.Fprintln(w, "the store agrees with the file")
		case a.Plan:
			_, err = fmt.Fprintf(w, "%d to change; gatehouse apply does it\n", len(plan.Changes))
		default:
			_, err = fmt.Fprintf(w, "%d changed\n", len(plan.Changes))
		}
		return err
	})
}
