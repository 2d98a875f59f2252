package tenant

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
)

// Store keeps tenants and clients. Every change moves one number, the version, which nodes poll to learn that their copy is old.
type Store interface {
	// Snapshot reads every tenant and client in one consistent view, with the version it belongs to.
	Snapshot(ctx context.Context) (Snapshot, error)
	// Version is the number of the newest change; one indexed read.
	Version(ctx context.Context) (int64, error)
	// Put creates or replaces the given tenants and clients, whole, and moves the version. Clients not named are left alone. A new
	// tenant gets its organisation "public". A slug or issuer held by another tenant is a Conflict.
	Put(ctx context.Context, tenants []Tenant, clients []Client, rec audit.Record) error
	// RemoveClient marks a client removed and ends, in the same transaction, every live session of it.
	RemoveClient(ctx context.Context, tenantID, clientID string, at time.Time, rec audit.Record) error
	// AdvanceClock adds d to a test tenant's clock and gives the new version; NotFound for others (ReasonNotTest).
	AdvanceClock(ctx context.Context, tenantID string, d time.Duration, rec audit.Record) (version int64, err error)
	// ReportNode says that a node is alive at the machine instant wall and has applied version. Rows of nodes silent for an hour go.
	ReportNode(ctx context.Context, nodeID string, version int64, wall time.Time) error
	// Lagging counts nodes seen since the given instant that have not applied version.
	Lagging(ctx context.Context, version int64, since time.Time) (int, error)
}

// Snapshot is all tenants and clients at one version.
type Snapshot struct {
	Version int64
	Tenants []Tenant
	Clients []Client // removed ones are absent
}
