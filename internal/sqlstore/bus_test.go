package sqlstore_test

import (
	"log/slog"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/ephemeral"
	"github.com/gatehouse-auth/gatehouse/internal/ephemeral/ephemeraltest"
	"github.com/gatehouse-auth/gatehouse/internal/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
)

func TestBus(t *testing.T) {
	for _, b := range testbed.Stores(t) {
		t.Run(b.Name, func(t *testing.T) {
			nodes := 1
			if b.Name == "postgres" {
				nodes = 2
			}
			ephemeraltest.RunBus(t, nodes, func(t *testing.T) ephemeral.Bus {
				return testbed.Open(t, b.URL, sqlstore.Config{}).Bus(slog.New(slog.DiscardHandler))
			})
		})
	}
}
