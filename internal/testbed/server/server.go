// Package server starts the built binary for end-to-end tests: one build a run, any number of processes. It owns processes and their
// ready lines; it does not own databases (testbed) or what a test says over HTTP (drill.Visitor).
package server

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
)

// Server is one running process.
type Server struct {
	drill.Target
	Secret string // the demo client's
	Data   string
	Took   time.Duration // from exec to the ready line

	t    testing.TB
	cmd  *exec.Cmd
	logs *Output
	done chan struct{}
}

// Options say how to start. The zero value is `serve --dev` on fresh SQLite.
type Options struct {
	Data   string   // data folder; fresh when empty
	Store  string   // store URL; SQLite in Data when empty
	Redis  string   // URL of the Redis for what expires; none when empty
	Config string   // YAML, written to a file; the demo configuration when empty
	Env    []string // more environment
	Args   []string // more flags
	Binary string   // another binary than Build's
	Strict string   // the configuration's client with auto_register off, for drills
}

var built struct {
	sync.Mutex
	path map[string]string
}

// Build gives the path of the binary, built once a run with the given build tags, or what GATEHOUSE_TEST_BINARY names.
func Build(t testing.TB, tags string) string {
	t.Helper()
	if p := os.Getenv("GATEHOUSE_TEST_BINARY"); p != "" && tags == "" {
		return p
	}
	return build(t, tags, "./cmd/gatehouse")
}

func build(t testing.TB, tags, program string) string {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	name := program + " " + tags
	if p, ok := built.path[name]; ok {
		return p
	}
	dir, err := os.MkdirTemp("", "gatehouse-build-")
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, filepath.Base(program))
	cmd := exec.Command("go", "build", "-tags", tags, "-o", out, program)
	cmd.Dir = Root()
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", program, err, b)
	}
	if built.path == nil {
		built.path = map[string]string{}
	}
	built.path[name] = out
	return out
}

// Root is the module's root folder.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "..")
}

// Cleanup removes what Build made; call it at the end of TestMain.
func Cleanup() {
	built.Lock()
	defer built.Unlock()
	for _, p := range built.path {
		_ = os.RemoveAll(filepath.Dir(p))
	}
}

// Start runs a server until the test ends.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	if o.Data == "" {
		o.Data = t.TempDir()
	}
	if o.Binary == "" {
		o.Binary = Build(t, "")
	}
	args := []string{"serve", "--dev", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data", o.Data}
	if o.Config != "" {
		file := filepath.Join(o.Data, "gatehouse.yaml")
		if err := os.WriteFile(file, []byte(o.Config), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", file)
	}
	s := &Server{t: t, Data: o.Data, logs: &Output{}, done: make(chan struct{})}
	s.cmd = exec.Command(o.Binary, append(args, o.Args...)...)
	s.cmd.Env = append(os.Environ(), o.Env...)
	if o.Store != "" {
		s.cmd.Env = append(s.cmd.Env, "GATEHOUSE_STORE__URL="+o.Store)
	}
	if o.Redis != "" {
		s.cmd.Env = append(s.cmd.Env, "GATEHOUSE_EPHEMERAL__URL="+o.Redis)
	}
	s.cmd.Stderr = s.logs
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.run(o)
	return s
}

func (s *Server) run(o Options) {
	t := s.t
	t.Helper()
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 1)
	go func() {
		defer close(s.done)
		r := bufio.NewScanner(out)
		for r.Scan() {
			select {
			case lines <- r.Text():
			default:
			}
		}
		_ = s.cmd.Wait()
	}()
	t.Cleanup(s.cleanup)
	select {
	case line := <-lines:
		s.Took = time.Since(began)
		s.ready(line, o)
	case <-s.done:
		t.Fatalf("the server ended before it was ready:\n%s", s.logs)
	case <-time.After(30 * time.Second):
		t.Fatalf("no ready line within 30 s:\n%s", s.logs)
	}
}

func (s *Server) ready(line string, o Options) {
	s.t.Helper()
	var r struct {
		Ready        bool   `json:"ready"`
		URL          string `json:"url"`
		AdminURL     string `json:"admin_url"`
		Issuer       string `json:"issuer"`
		TenantID     string `json:"tenant_id"`
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
		InternalKey  string `json:"internal_api_key"`
		SuperKey     string `json:"supertokens_api_key"`
	}
	if err := json.Unmarshal([]byte(line), &r); err != nil || !r.Ready {
		s.t.Fatalf("ready line %q: %v", line, err)
	}
	s.Target = drill.Target{
		URL: r.URL, Issuer: r.Issuer, AdminURL: r.AdminURL, TenantID: r.TenantID, ClientID: r.ClientID, Strict: o.Strict, Now: time.Now,
		Patience: 20 * time.Second, // for a mail, on a machine that does other things as well
		HTTP: &http.Client{
			Timeout:       30 * time.Second,
			Transport:     &http.Transport{MaxIdleConnsPerHost: 128},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	s.Secret, s.APIKey, s.SuperKey = r.ClientSecret, r.InternalKey, r.SuperKey
}

func (s *Server) cleanup() {
	if s.HTTP != nil {
		s.HTTP.CloseIdleConnections()
	}
	_ = s.Stop()
	if s.t.Failed() {
		s.t.Logf("log of the server:\n%s", s.logs.Tail(8000))
	}
}

// Stop ends the server as an operator would and gives its exit error.
func (s *Server) Stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(15 * time.Second):
		s.Kill()
	}
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("exit code %d", code)
	}
	return nil
}

// Kill ends the server as a power cut would.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill()
	<-s.done
}

// PID is the process id, for measurements.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Logs is what the server wrote to standard error so far.
func (s *Server) Logs() string { return s.logs.String() }

// MustAdvance moves the tenant's clock or fails the test.
func (s *Server) MustAdvance(ctx context.Context, d time.Duration) {
	s.t.Helper()
	if err := s.Advance(ctx, d); err != nil {
		s.t.Fatal(err)
	}
}
