package sqlstore

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

type tenants struct{ e engine }

// Tenants is the tenant room's store.
func (s *Store) Tenants() tenant.Store { return tenants{s.e} }

const (
	tenantColumns = `id, slug, name, issuer, test, clock_offset, policy, managed_by, version`
	clientColumns = `tenant_id, id, name, secret_hash, settings, managed_by, version`
)

var (
	directoryVersion = hot(both(`SELECT version FROM directory_version WHERE one = 1`))
	directoryMove    = hot(both(`UPDATE directory_version SET version = version + 1 WHERE one = 1 RETURNING version`))
	tenantAll        = both(`SELECT ` + tenantColumns + ` FROM tenant ORDER BY id`)
	clientAll        = both(`SELECT ` + clientColumns + ` FROM client WHERE removed_at = 0 ORDER BY tenant_id, id`)
	// The clock is not replaced: it only ever grows, and an applied file does not know it.
	tenantPut = both(`INSERT INTO tenant (` + tenantColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1)
		ON CONFLICT (id) DO UPDATE SET slug = excluded.slug, name = excluded.name, issuer = excluded.issuer, test = excluded.test,
			clock_offset = CASE WHEN excluded.clock_offset > tenant.clock_offset THEN excluded.clock_offset ELSE tenant.clock_offset END,
			policy = excluded.policy, managed_by = excluded.managed_by, version = tenant.version + 1`)
	organisationPut = both(`INSERT INTO organisation (tenant_id, id, name, managed_by) VALUES ($1, 'public', 'public', $2)
		ON CONFLICT DO NOTHING`)
	clientPut = both(`INSERT INTO client (` + clientColumns + `) VALUES ($1, $2, $3, $4, $5, $6, 1)
		ON CONFLICT (tenant_id, id) DO UPDATE SET name = excluded.name, secret_hash = excluded.secret_hash, settings = excluded.settings,
			managed_by = excluded.managed_by, version = client.version + 1, removed_at = 0`)
	clientRemove = both(`UPDATE client SET removed_at = $3, version = version + 1 WHERE tenant_id = $1 AND id = $2 AND removed_at = 0`)
	clockAdvance = both(`UPDATE tenant SET clock_offset = clock_offset + $2, version = version + 1 WHERE id = $1 AND test`)
	nodeGet      = hot(both(`SELECT version, seen_at FROM node WHERE id = $1`))
	nodePut      = hot(both(`INSERT INTO node (id, version, seen_at) VALUES ($1, $2, $3)
		ON CONFLICT (id) DO UPDATE SET version = excluded.version, seen_at = excluded.seen_at`))
	nodeForget  = both(`DELETE FROM node WHERE seen_at < $1`) // a handful of rows
	nodeLagging = both(`SELECT count(*) FROM node WHERE version < $1 AND seen_at >= $2`)
)

// Version is the number of the newest change.
func (s tenants) Version(ctx context.Context) (version int64, err error) {
	err = s.e.read(ctx, func(q queryer) error {
		_, err := q.row(directoryVersion, in{}, &version)
		return err
	})
	return version, err
}

// Snapshot reads everything in one view.
func (s tenants) Snapshot(ctx context.Context) (out tenant.Snapshot, err error) {
	err = s.e.view(ctx, func(q queryer) error {
		out = tenant.Snapshot{}
		if _, err := q.row(directoryVersion, in{}, &out.Version); err != nil {
			return err
		}
		if err := q.each(tenantAll, in{}, func(scan scanner) error { return scanTenant(scan, &out) }); err != nil {
			return err
		}
		return q.each(clientAll, in{}, func(scan scanner) error { return scanClient(scan, &out) })
	})
	return out, err
}

func scanTenant(scan scanner, into *tenant.Snapshot) error {
	var t tenant.Tenant
	var offset int64
	var policy string
	err := scan(&t.ID, &t.Slug, &t.Name, &t.Issuer, &t.Test, &offset, &policy, &t.ManagedBy, &t.Version)
	if err != nil {
		return err
	}
	t.ClockOffset = time.Duration(offset) * time.Microsecond
	into.Tenants = append(into.Tenants, t)
	return decode(policy, &into.Tenants[len(into.Tenants)-1].Policy)
}

func scanClient(scan scanner, into *tenant.Snapshot) error {
	var c tenant.Client
	var settings string
	if err := scan(&c.TenantID, &c.ID, &c.Name, &c.SecretHash, &settings, &c.ManagedBy, &c.Version); err != nil {
		return err
	}
	into.Clients = append(into.Clients, c)
	return decode(settings, &into.Clients[len(into.Clients)-1].Settings)
}

// Put creates or replaces.
func (s tenants) Put(ctx context.Context, ts []tenant.Tenant, cs []tenant.Client, rec audit.Record) error {
	return s.e.write(ctx, func(q queryer) error {
		if err := move(q, nil); err != nil {
			return err
		}
		for i := range ts {
			if err := putTenant(q, &ts[i]); err != nil {
				return err
			}
		}
		for i := range cs {
			if err := putClient(q, &cs[i]); err != nil {
				return err
			}
		}
		return writeRecord(q, rec)
	})
}

// move takes the next version. It comes first in every verb, so that nodes that change the directory at once take turns.
func move(q queryer, version *int64) error {
	var v int64
	_, err := q.row(directoryMove, in{}, &v)
	if version != nil {
		*version = v
	}
	return err
}

func putTenant(q queryer, t *tenant.Tenant) error {
	policy, err := encode(t.Policy)
	if err != nil {
		return err
	}
	err = q.later(tenantPut, t.ID, t.Slug, t.Name, t.Issuer, t.Test, t.ClockOffset.Microseconds(), policy, t.ManagedBy)
	if err != nil {
		return err
	}
	return q.later(organisationPut, t.ID, t.ManagedBy)
}

func putClient(q queryer, c *tenant.Client) error {
	settings, err := encode(c.Settings)
	if err != nil {
		return err
	}
	return q.later(clientPut, c.TenantID, c.ID, c.Name, hashOrNull(c.SecretHash), settings, c.ManagedBy)
}

// RemoveClient marks a client removed and ends its sessions.
func (s tenants) RemoveClient(ctx context.Context, tenantID, clientID string, at time.Time, rec audit.Record) error {
	return s.e.write(ctx, func(q queryer) error {
		if err := move(q, nil); err != nil {
			return err
		}
		n, err := q.exec(clientRemove, tenantID, clientID, micros(at))
		if err != nil {
			return err
		}
		if n == 0 {
			return notFound("no such client")
		}
		out, err := end(q, endByClient, tenantID, string(fault.ReasonClientGone), at, "", clientID)
		if err != nil {
			return err
		}
		return writeEnded(q, tenantID, out, rec)
	})
}

// AdvanceClock moves a test tenant's clock.
func (s tenants) AdvanceClock(ctx context.Context, tenantID string, d time.Duration, rec audit.Record) (version int64, err error) {
	if d < 0 {
		return 0, fault.New(fault.Invalid, fault.ReasonInvalid, "a clock only moves forward")
	}
	err = s.e.write(ctx, func(q queryer) error {
		if err := move(q, &version); err != nil {
			return err
		}
		n, err := q.exec(clockAdvance, tenantID, d.Microseconds())
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.NotFound, fault.ReasonNotTest, "not a test tenant")
		}
		return writeRecord(q, rec)
	})
	return version, err
}

// silentNode is how long a node may be silent before its row goes.
const silentNode = time.Hour

// reportEvery is how old a node's row may grow. Nodes report at every poll, and each write is a sync of the disk.
const reportEvery = time.Second

// ReportNode says that a node is alive. It writes only when there is something new to say.
func (s tenants) ReportNode(ctx context.Context, nodeID string, version int64, wall time.Time) error {
	var stored, seen int64
	err := s.e.read(ctx, func(q queryer) error {
		_, err := q.row(nodeGet, in{nodeID}, &stored, &seen)
		return err
	})
	if age := wall.Sub(instant(seen)); err != nil || seen != 0 && stored == version && age >= 0 && age < reportEvery {
		return err
	}
	return s.e.write(ctx, func(q queryer) error {
		if err := q.later(nodePut, nodeID, version, micros(wall)); err != nil {
			return err
		}
		return q.later(nodeForget, micros(wall.Add(-silentNode)))
	})
}

// Lagging counts live nodes that have not applied version.
func (s tenants) Lagging(ctx context.Context, version int64, since time.Time) (n int, err error) {
	err = s.e.read(ctx, func(q queryer) error {
		var count int64
		_, err := q.row(nodeLagging, in{version, micros(since)}, &count)
		n = int(count)
		return err
	})
	return n, err
}
