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

// fiveLines are the lines of the README behind a mark.
func fiveLines(t *testing.T, readme, mark string) string {
	t.Helper()
	_, after, ok := strings.Cut(readme, "<!-- "+mark+" -->\n```sh\n")
	lines, _, end := strings.Cut(after, "```")
	if !ok || !end || strings.Count(lines, "\n") != 5 {
		t.Fatalf("the README has no five lines of %s: %q", mark, lines)
	}
	return lines
}

// plays runs lines against the server at address and wants every text in what they say.
func plays(t *testing.T, dir, lines, address string, wants ...string) {
	t.Helper()
	sh := exec.Command("sh", "-eu", "-c", strings.ReplaceAll(lines, "localhost:8080", address))
	sh.Dir = dir
	out, err := sh.CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	for _, want := range wants {
		if !strings.Contains(string(out), want) {
			t.Errorf("the lines did not say %s:\n%s", want, out)
		}
	}
}

// TestFirstLoginOfTheReadme runs the README's lines as they are printed, but for the port.
func TestFirstLoginOfTheReadme(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	login := fiveLines(t, string(raw), "first-login")
	client := fiveLines(t, string(raw), "client-token")
	dir := t.TempDir()
	s, err := startServer(program(t), dir, []string{"HOME=" + t.TempDir()}, "--dev", "--listen", "127.0.0.1:0", "--data", ".data")
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimPrefix(s.ready.URL, "http://")
	plays(t, dir, login, address, `"message":"user has not verified their primary email"`, `"email":"ada@example.com"`, `"email_verified":true`)
	plays(t, dir, client, address, `"active":true`, `{"active":false}`)
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if log := s.stderr.String(); strings.Contains(log, "an evening walk") {
		t.Error("the log has the password")
	}
}
