package endtoend

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

var (
	scene      = regexp.MustCompile(`(?m)^\S+ +POST /\S+ +\d{3}  .*$`)
	serialAddr = regexp.MustCompile(`ada-\d+@`)
)

// TestExampleMicroservices runs the example as its README says and compares the story with the one printed there.
func TestExampleMicroservices(t *testing.T) {
	dir := filepath.Join(server.Root(), "examples", "microservices")
	text, err := os.ReadFile(filepath.Join(dir, "README.md"))
	do(t, err)
	want := scene.FindAllString(string(text), -1)
	if len(want) != 7 {
		t.Fatalf("the README tells %d scenes", len(want))
	}
	program := filepath.Join(t.TempDir(), "microservices")
	build := exec.Command("go", "build", "-o", program, "./examples/microservices")
	build.Dir = server.Root()
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the example: %v\n%s", err, out)
	}
	s := server.Start(t, server.Options{})
	for what, args := range map[string][]string{
		"a server of its own": {"-once", "-gatehouse", server.Build(t, "")},
		"a running server":    {"-once", "-url", s.URL, "-key", s.APIKey, "-client", s.ClientID},
	} {
		t.Run(what, func(t *testing.T) {
			ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
			defer stop()
			cmd := exec.CommandContext(ctx, program, args...)
			cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
			cmd.WaitDelay = 20 * time.Second
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			got := scene.FindAllString(serialAddr.ReplaceAllString(string(out), "ada@"), -1)
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("it told\n%s\nand the README tells\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}
