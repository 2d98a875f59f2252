package sqlstore_test

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
)

func TestClock(t *testing.T) {
	testbed.Each(t, func(t *testing.T, s *sqlstore.Store) {
		before := time.Now()
		at, err := s.Clock(t.Context())
		if err != nil || at.Before(before.Add(-time.Second)) || at.After(time.Now().Add(time.Second)) {
			t.Fatalf("the database says %v at %v, %v", at, before, err)
		}
	})
}
