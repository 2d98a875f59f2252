package endtoend

import (
	"slices"
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
				if needsAPI(&d) {
					s := server.Start(t, withStrictClient(server.Options{Strict: "strict"}))
					s.StartAPI(t, "")
					held(t, &d, s)
					return
				}
				held(t, &d, s)
			})
		}
	})
}

// needsAPI: the API keeps the machine's time, as proofs do, and other drills move the clock of their tenant: it gets a server of its own.
func needsAPI(d *drill.Drill) bool { return slices.Contains(d.Defences, "resource-proof") }

func held(t *testing.T, d *drill.Drill, s *server.Server) {
	t.Helper()
	v, err := d.Run(t.Context(), &s.Target)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %s", v.Outcome, v.Detail)
	if !v.Held() {
		t.Fatalf("the attack succeeded: %s", v.Detail)
	}
}

// TestDrillsBite plays them against a build whose defences are switched off: a drill that is still refused proves nothing.
func TestDrillsBite(t *testing.T) {
	weak := server.Build(t, "gatehouse_weak")
	for _, d := range drill.All() {
		t.Run(d.Name, func(t *testing.T) {
			env := "WEAK_GATEHOUSE=" + strings.Join(d.Defences, ",")
			s := underDrill(t, server.Options{Binary: weak, Strict: "strict", Env: []string{env}})
			if needsAPI(&d) {
				s.StartAPI(t, "gatehouse_weak", env)
			}
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
