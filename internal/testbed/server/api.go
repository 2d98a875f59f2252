package server

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"
)

// StartAPI runs an API beside the server (testbed/api, built with the given tags) until the test ends, and makes it the target's. It keeps the
// machine's time, so the tenant's clock must not be moved.
func (s *Server) StartAPI(t testing.TB, tags string, env ...string) {
	t.Helper()
	cmd := exec.Command(build(t, tags, "./internal/testbed/api"), "-issuer", s.Issuer, "-keys", s.URL+"/.well-known/jwks.json")
	cmd.Env = append(os.Environ(), env...)
	log := &Output{}
	cmd.Stderr = log
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	ready := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(out).ReadString('\n')
		ready <- text
	}()
	select {
	case text := <-ready:
		var told struct{ URL string }
		if json.Unmarshal([]byte(text), &told) != nil || told.URL == "" {
			t.Fatalf("the API did not start: %q\n%s", text, log)
		}
		s.API = told.URL
	case <-time.After(60 * time.Second):
		t.Fatalf("the API is not ready within 60 s:\n%s", log)
	}
}
