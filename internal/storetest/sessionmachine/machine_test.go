package sessionmachine_test

import (
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/storetest/sessionmachine"
)

func TestMachineOnMemory(t *testing.T) {
	w, _ := sessionmachine.NewMemoryWorld()
	sessionmachine.Machine(t, w)
}
