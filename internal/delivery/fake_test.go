package delivery

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
)

// fakeStore is an outbox in memory with the semantics of Store.
type fakeStore struct {
	mu      sync.Mutex
	rows    map[string]*fakeRow
	leases  map[string]int
	box     []BoxMail
	retried []time.Time
}

type fakeRow struct {
	msg      audit.Message
	attempts int
	until    time.Time
}

func newFake(msgs ...audit.Message) *fakeStore {
	s := &fakeStore{rows: map[string]*fakeRow{}, leases: map[string]int{}}
	s.add(msgs...)
	return s
}

func (s *fakeStore) add(msgs ...audit.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range msgs {
		s.rows[m.ID] = &fakeRow{msg: m}
	}
}

func (s *fakeStore) Lease(_ context.Context, n int, wall time.Time, lease time.Duration) ([]Leased, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Leased
	for id, r := range s.rows {
		if len(out) == n || r.msg.NotBefore.After(wall) || r.until.After(wall) {
			continue
		}
		r.until = wall.Add(lease)
		s.leases[id]++
		out = append(out, Leased{Message: r.msg, Attempts: r.attempts})
	}
	return out, nil
}

func (s *fakeStore) Hold(_ context.Context, id string, until time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.rows[id]; r != nil {
		r.until = until
	}
	return nil
}

func (s *fakeStore) Done(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.rows, id)
	return nil
}

func (s *fakeStore) Retry(_ context.Context, id string, next time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rows[id]
	r.attempts, r.msg.NotBefore, r.until = r.attempts+1, next, time.Time{}
	s.retried = append(s.retried, next)
	return nil
}

func (s *fakeStore) PutMail(_ context.Context, m BoxMail) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.box = append(s.box, m)
	return nil
}

func (s *fakeStore) Mailbox(context.Context, string, string, int) ([]BoxMail, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]BoxMail(nil), s.box...), nil
}

func (s *fakeStore) ClearMailbox(context.Context, string) error { return nil }

func (s *fakeStore) Backlog(context.Context) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.rows), nil
}

type fakeTenants map[string]*tenant.Tenant

func (f fakeTenants) ByID(id string) *tenant.Tenant { return f[id] }

// clock is a machine clock that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// rig is a worker with everything it needs.
type rig struct {
	*Worker
	store *fakeStore
	clock *clock
	ring  *secret.Ring
	log   *lockedBuffer
	real  *tenant.Tenant // mails of it leave
	test  *tenant.Tenant // mails of it stay
}

func newRig(t *testing.T, smtp SMTP) *rig {
	t.Helper()
	r := &rig{
		store: newFake(), clock: &clock{at: time.Date(2026, 3, 5, 14, 0, 0, 0, time.UTC)}, log: &lockedBuffer{},
		ring: secret.NewRing(secret.RingKey{ID: 1, Purpose: secret.PurposeSeal, Key: secret.Bytes(32), Active: true}),
		real: &tenant.Tenant{ID: "real", Name: "Example Shop"}, test: &tenant.Tenant{ID: "test", Name: "Demo", Test: true},
	}
	w, err := New(Config{
		Store: r.store, Ring: r.ring, Directory: fakeTenants{"real": r.real, "test": r.test}, Now: r.clock.now, SMTP: smtp,
		Log: slog.New(slog.NewTextHandler(r.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Worker = w
	return r
}

// post writes a message as a room would.
func (r *rig) post(t *testing.T, tn *tenant.Tenant, kind string, m Mail) {
	t.Helper()
	msg, err := Message(r.ring, &audit.Call{Wall: r.clock.now(), TenantID: tn.ID}, kind, m)
	if err != nil {
		t.Fatal(err)
	}
	r.store.add(msg)
}

// run starts the worker for the test's life.
func (r *rig) run(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		if ok() {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	t.Fatalf("never happened: %s", what)
}
