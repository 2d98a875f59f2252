package login_test

import (
	"context"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/audit"
	"github.com/gatehouse-auth/gatehouse/internal/fault"
	"github.com/gatehouse-auth/gatehouse/internal/login"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

var noRecord audit.Record

// newWorldOn is w with another configuration over the same stores.
func newWorldOn(t *testing.T, w *world, cfg login.Config) *world {
	t.Helper()
	b := w.b
	b.prepare = noPreparation
	v := newWorld(t, b, cfg)
	v.now, v.t, v.shut, v.auto = w.now, w.t, w.shut, w.auto
	*v.dir = *w.dir
	v.networks.Store(w.networks.Load() + 1000)
	return v
}

// sessionLives asks whether a session that a login opened still stands.
func (w *world) sessionLives(t *testing.T, out login.PasswordResult) bool {
	t.Helper()
	switch s := w.b.sessions.(type) {
	case *memory:
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.sessions[out.Tokens.Family.ID] != ""
	case session.Store:
		l, err := s.Load(context.Background(), session.Ref{TenantID: w.t.ID, ID: out.Tokens.Family.ID})
		if fault.ReasonOf(err) == fault.ReasonNotFound {
			return false
		}
		must(t, err)
		return !l.Family.Revoked()
	}
	t.Fatal("unknown backend")
	return false
}
