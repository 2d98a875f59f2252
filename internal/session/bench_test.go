package session_test

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/storetest/sessionmachine"
	"github.com/gatehouse-auth/gatehouse/internal/tenant"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// quietStore keeps one family and nothing else, so that a benchmark measures the engine.
type quietStore struct {
	session.Store
	l session.Loaded
}

func (q *quietStore) Load(context.Context, session.Ref) (session.Loaded, error) { return q.l, nil }

func (q *quietStore) Swap(_ context.Context, _, to session.Family, _ audit.Record) (bool, error) {
	q.l.Family = to
	q.l.Family.Version++
	return true, nil
}

func (q *quietStore) Touch(context.Context, session.Family, time.Time) (bool, error) {
	return true, nil
}

type quietSigner struct{ sessionmachine.Signer }

func (quietSigner) SignAccess(context.Context, *tenant.Tenant, string, token.AccessClaims) (string, error) {
	return "access", nil
}

func benchmark(b *testing.B, step time.Duration, rotate bool) {
	w, m := sessionmachine.NewMemoryWorld()
	ring, ctx, now := sessionmachine.NewRing(), context.Background(), sessionmachine.Start
	u, _ := w.NewUser(ctx, now)
	opened, err := session.New(m, quietSigner{}, ring, session.Config{}).Open(ctx, sessionmachine.Call(&w, now), session.OpenRequest{
		Tenant: w.Tenant, Client: w.Client, User: u,
	})
	if err != nil {
		b.Fatal(err)
	}
	q := &quietStore{l: session.Loaded{Family: opened.Family, Holder: opened.Holder}}
	q.l.Family.IdleExpiry, q.l.Family.AbsoluteExpiry = time.Time{}, time.Time{}
	s := session.New(q, quietSigner{}, ring, session.Config{})
	jar := opened.Refresh
	call := sessionmachine.Call(&w, now)
	b.ReportAllocs()
	for b.Loop() {
		call.At = call.At.Add(step)
		t, err := s.Refresh(ctx, call, session.RefreshRequest{Tenant: w.Tenant, Client: w.Client, Refresh: jar})
		if err != nil || rotate && t.Refresh.Equal(jar) {
			b.Fatal("not rotated", err)
		}
		if rotate {
			jar = secret.NewText(t.Refresh.Reveal())
		}
	}
}

func BenchmarkRefreshRotate(b *testing.B) { benchmark(b, 61*time.Second, true) }

func BenchmarkRefreshRepeat(b *testing.B) { benchmark(b, time.Second, false) }
