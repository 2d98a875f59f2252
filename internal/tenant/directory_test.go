package tenant_test

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// slowStore gives an old snapshot to its first reader, late.
type slowStore struct {
	tenant.Store
	version int64
	asked   chan struct{}
	release chan struct{}
}

func (s *slowStore) Version(context.Context) (int64, error) { return s.version, nil }

func (s *slowStore) Snapshot(context.Context) (tenant.Snapshot, error) {
	if s.asked != nil {
		asked := s.asked
		s.asked = nil
		old := snapshot(s.version)
		close(asked)
		<-s.release
		return old, nil
	}
	return snapshot(s.version), nil
}

func snapshot(version int64) tenant.Snapshot {
	return tenant.Snapshot{Version: version, Tenants: []tenant.Tenant{{ID: "t", ClockOffset: time.Duration(version) * time.Minute}}}
}

// TestSlowReaderDoesNotBringBackAnOldView: a poll that began before a change and ends after it must not undo what the change's own look
// has brought. It did: a clock that had been moved stood still for one poll more.
func TestSlowReaderDoesNotBringBackAnOldView(t *testing.T) {
	s := &slowStore{version: 1, asked: make(chan struct{}), release: make(chan struct{})}
	asked := s.asked
	d := tenant.NewDirectory(s, time.Now)
	done := make(chan error)
	go func() { done <- d.Refresh(t.Context()) }()
	<-asked
	s.version = 2
	if err := d.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(s.release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := d.ByID("t").ClockOffset; got != 2*time.Minute || d.Version() != 2 {
		t.Fatalf("version %d, clock moved by %v: the slow reader won", d.Version(), got)
	}
}
