package sessionmachine_test

import (
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/storetest/sessionmachine"
)

func TestMachineOnMemory(t *testing.T) {
	w, _ := sessionmachine.NewMemoryWorld()
	sessionmachine.Machine(t, w)
}

func TestParallelOnMemory(t *testing.T) {
	w, m := sessionmachine.NewMemoryWorld()
	sessionmachine.Parallel(t, w, 64, 50)
	rec, _ := m.Written()
	ended := 0
	for _, e := range rec.Events {
		if e.Type == session.EventEnded {
			ended++
		}
	}
	if ended != 1 || len(rec.Messages) != 1 || len(rec.Revocations) != 1 {
		t.Errorf("64 replays left %d ends, %d notices, %d revocations; want one each", ended, len(rec.Messages), len(rec.Revocations))
	}
}

func TestRaceOnMemory(t *testing.T) {
	w, _ := sessionmachine.NewMemoryWorld()
	sessionmachine.Race(t, w, 64)
}
