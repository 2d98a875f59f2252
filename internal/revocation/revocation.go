// Package revocation owns the revocation feed of a node: what followers are sent, in which order, and the signed batches they share. It
// does not own the entries, which every verb that revokes writes beside its change, nor HTTP, nor what a verifier does with the news.
package revocation

import (
	"context"
	"log/slog"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// Entry is a revocation with its place in the feed of its tenant.
type Entry struct {
	Seq int64
	audit.Revocation
}

// Head is where a tenant's feed ends: the stream's name, new after a restore or a move, and the number of its newest entry.
type Head struct {
	Stream string
	Seq    int64
}

// Span is a part of one tenant's feed: After < number <= UpTo, without what names only tokens that are dead at At.
type Span struct {
	TenantID    string
	After, UpTo int64
	At          time.Time // the tenant's clock
}

// Store reads the feed. Numbers are given without gaps in the order of commits: when a number can be seen, so can every smaller one.
type Store interface {
	// Head names the stream and its newest number; 0 when nothing was ever revoked.
	Head(ctx context.Context, tenantID string) (Head, error)
	// Page gives the first entries of a span, at most limit, in order.
	Page(ctx context.Context, span Span, limit int) ([]Entry, error)
	// Purge deletes entries that were relevant only before the instant and gives how many went.
	Purge(ctx context.Context, tenantID string, at time.Time) (int, error)
}

// Signer signs what followers are sent (token.Service).
type Signer interface {
	Sign(ctx context.Context, t *tenant.Tenant, shape token.Shape, at time.Time, claims []byte) (string, error)
}

// Config of a Feed. Store, Signer, Directory and Now are needed; zero durations and numbers take the defaults.
type Config struct {
	Store     Store
	Signer    Signer
	Directory *tenant.Directory
	Now       func() time.Time // the machine's clock
	Log       *slog.Logger
	Poll      time.Duration // how soon what nobody announced is seen; 250 ms
	Beat      time.Duration // between signs of life; 1 s
	Followers int           // most at once on this node; 2,000
}

func (c Config) filled() Config {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Poll == 0 {
		c.Poll = 250 * time.Millisecond
	}
	if c.Beat == 0 {
		c.Beat = time.Second
	}
	if c.Followers == 0 {
		c.Followers = 2000
	}
	return c
}

// Stats are figures for metrics.
type Stats struct {
	Followers int
	Sequence  int64 // sum of the newest numbers of the tenants that are followed here
	Batches   int64 // signed since the start
	Dropped   int64 // followers that were too slow
}
