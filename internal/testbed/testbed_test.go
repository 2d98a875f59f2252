package testbed

import (
	"testing"

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
	if err := s.Ping(t.Context()); err != nil {
		t.Fatalf("after a restart: %v", err)
	}
}
