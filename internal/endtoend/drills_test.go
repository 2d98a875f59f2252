package endtoend

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// underDrill is a server with everything that the attacks want of it.
func underDrill(t *testing.T, o server.Options) *server.Server {
	t.Helper()
	s := server.Start(t, withStrictClient(o))
	s.Initial = initialToken(t, s, o, -1)
	return s
}

// TestDrills plays every attack against the product: each must be refused or contained.
func TestDrills(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		o.Strict = "strict"
		s := underDrill(t, o)
		for _, d := range drill.All() {
			t.Run(d.Name, func(t *testing.T) {
				v, err := d.Run(t.Context(), &s.Target)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%s: %s", v.Outcome, v.Detail)
				if !v.Held() {
					t.Fatalf("the attack succeeded: %s", v.Detail)
				}
			})
		}
	})
}

// TestDrillsBite plays them against a build whose defences are switched off: a drill that is still refused proves nothing.
func TestDrillsBite(t *testing.T) {
	weak := server.Build(t, "gatehouse_weak")
	for _, d := range drill.All() {
		t.Run(d.Name, func(t *testing.T) {
			s := underDrill(t, server.Options{Binary: weak, Strict: "strict", Env: []string{"WEAK_GATEHOUSE=" + strings.Join(d.Defences, ",")}})
			v, err := d.Run(t.Context(), &s.Target)
			if err != nil {
				t.Fatal(err)
			}
			if v.Held() {
				t.Fatalf("the drill was %s although %v was off: it cannot go red", v.Outcome, d.Defences)
			}
		})
	}
}
