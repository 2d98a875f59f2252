package ephemeral_test

import (
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/ephemeral"
	"github.com/gatehouse-auth/gatehouse/internal/ephemeral/ephemeraltest"
	"github.com/gatehouse-auth/gatehouse/internal/testbed"
)

func TestMemoryBus(t *testing.T) {
	ephemeraltest.RunBus(t, 1, func(*testing.T) ephemeral.Bus { return ephemeral.NewMemoryBus() })
}

func TestRedisBus(t *testing.T) {
	url := testbed.Redis(t)
	ephemeraltest.RunBus(t, 2, func(t *testing.T) ephemeral.Bus { return openRedis(t, url).Bus() })
}
