package testbed

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
)

func TestEachStoreIsFreshAndAnswers(t *testing.T) {
	Each(t, func(t *testing.T, s *sqlstore.Store) {
		if err := s.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		snapshot, err := s.Tenants().Snapshot(t.Context())
		if err != nil || len(snapshot.Tenants) != 0 || snapshot.Version != 0 {
			t.Fatalf("a fresh store holds %+v, %v", snapshot, err)
		}
	})
}

func TestPrivateServerComesBack(t *testing.T) {
	p := PrivatePostgres(t)
	s := Open(t, p.URL(), sqlstore.Config{})
	p.Kill()
	if err := s.Ping(t.Context()); err == nil {
		t.Fatal("a killed server answers")
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	// The pool may still hold a connection to the dead server.
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); ; <-tick.C {
		err := s.Ping(t.Context())
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("long after a restart: %v", err)
		}
	}
}
