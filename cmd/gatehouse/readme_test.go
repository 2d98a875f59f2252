package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// program gives the path of the test binary playing the program; testscript.Main made it and put it first in PATH.
func program(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("gatehouse")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestFirstLoginOfTheReadme runs the README's lines as they are printed, but for the port.
func TestFirstLoginOfTheReadme(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(raw), "<!-- first-login -->\n```sh\n")
	lines, _, end := strings.Cut(after, "```")
	if !ok || !end || strings.Count(lines, "\n") != 5 {
		t.Fatalf("the README has no five lines of a first login: %q", lines)
	}
	s, err := startServer(program(t), t.TempDir(), []string{"HOME=" + t.TempDir()}, "--dev", "--listen", "127.0.0.1:0", "--data", ".")
	if err != nil {
		t.Fatal(err)
	}
	sh := exec.Command("sh", "-eu", "-c", strings.ReplaceAll(lines, "localhost:8080", strings.TrimPrefix(s.ready.URL, "http://")))
	out, err := sh.CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	for _, want := range []string{`"message":"user has not verified their primary email"`, `"email":"ada@example.com"`, `"email_verified":true`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the lines did not say %s:\n%s", want, out)
		}
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if log := s.stderr.String(); strings.Contains(log, "an evening walk") {
		t.Error("the log has the password")
	}
}
