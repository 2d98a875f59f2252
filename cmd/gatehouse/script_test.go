package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	harness "github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// TestMain lets the test binary play the program, so that scripts and tests run the real command line in a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"gatehouse": main})
}

// TestScripts runs testdata/script. Beside testscript's own commands there are
//
//	serve NAME ARGS…       start "gatehouse serve ARGS…", wait for its ready line, set NAME_url, NAME_admin, NAME_tenant, NAME_secret, NAME_internal
//	stop NAME              SIGTERM; it must leave with 0
//	http [-poll] METHOD URL [-H 'Name: value']… [-d body] STATUS   the answer's body becomes stdout; -poll asks again until STATUS comes
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			e.Setenv("T_MASTER", testMaster)
			e.Setenv("T_ADMIN", "an-admin-key-that-is-long")
			e.Values[key{}] = &servers{all: map[string]*server{}}
			s := e.Values[key{}].(*servers)
			e.Defer(s.kill)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"serve": cmdServe, "stop": cmdStop, "http": cmdHTTP, "envfile": cmdEnvFile, "idof": cmdIDOf},
	})
}

type (
	key     struct{}
	servers struct {
		all map[string]*server
	}
	server struct {
		cmd    *exec.Cmd
		ready  readyLine
		stderr *harness.Output
		rest   *bufio.Reader
	}
)

func (s *servers) kill() {
	for _, v := range s.all {
		_ = v.cmd.Process.Kill()
		_ = v.cmd.Wait()
	}
}

// startServer starts the program and waits for its ready line.
func startServer(program, dir string, env []string, args ...string) (*server, error) {
	s := &server{cmd: exec.Command(program, append([]string{"serve"}, args...)...), stderr: &harness.Output{}}
	s.cmd.Dir, s.cmd.Env, s.cmd.Stderr = dir, env, s.stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	s.rest = bufio.NewReader(out)
	line, err := s.rest.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &s.ready)
	}
	if err != nil || !s.ready.Ready {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		return nil, fmt.Errorf("no ready line (%w): %s%s", err, line, s.stderr)
	}
	return s, nil
}

// stop asks the program to end, and reports what it said and how it left.
func (s *server) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	timer := time.AfterFunc(drainFor+5*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer timer.Stop()
	rest, _ := io.ReadAll(s.rest)
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("%w\n%s", err, s.stderr)
	}
	if len(rest) > 0 {
		return fmt.Errorf("more than the ready line on standard output: %s", rest)
	}
	return nil
}

func cmdServe(ts *testscript.TestScript, neg bool, args []string) {
	all := ts.Value(key{}).(*servers)
	program, err := exec.LookPath("gatehouse")
	if err != nil {
		program = filepath.Join(strings.Split(ts.Getenv("PATH"), string(os.PathListSeparator))[0], "gatehouse")
	}
	env := []string{}
	for _, name := range []string{"PATH", "HOME", "T_MASTER", "T_ADMIN", "TMPDIR"} {
		env = append(env, name+"="+ts.Getenv(name))
	}
	s, err := startServer(program, ts.MkAbs("."), env, args[1:]...)
	if neg {
		if err == nil {
			all.all[args[0]] = s
			ts.Fatalf("it serves")
		}
		_, _ = fmt.Fprint(ts.Stdout(), err)
		return
	}
	ts.Check(err)
	all.all[args[0]] = s
	for name, value := range map[string]string{"url": s.ready.URL, "admin": s.ready.AdminURL, "tenant": s.ready.TenantID, "client": s.ready.ClientID, "secret": s.ready.ClientSecret, "internal": s.ready.InternalKey} {
		ts.Setenv(args[0]+"_"+name, value)
	}
}

func cmdStop(ts *testscript.TestScript, _ bool, args []string) {
	all := ts.Value(key{}).(*servers)
	s := all.all[args[0]]
	delete(all.all, args[0])
	ts.Check(s.stop())
	_, _ = fmt.Fprint(ts.Stderr(), s.stderr)
}

func cmdHTTP(ts *testscript.TestScript, _ bool, args []string) {
	until := time.Now()
	if args[0] == "-poll" { // again until the status is right
		until, args = until.Add(30*time.Second), args[1:]
	}
	for {
		status, body := httpOnce(ts, args)
		if fmt.Sprint(status) == args[len(args)-1] {
			_, _ = ts.Stdout().Write(body)
			return
		}
		if time.Now().After(until) {
			ts.Fatalf("%d %s, want %s", status, body, args[len(args)-1])
		}
	}
}

func httpOnce(ts *testscript.TestScript, args []string) (int, []byte) {
	r, err := http.NewRequest(args[0], args[1], nil)
	ts.Check(err)
	for args = args[2:]; len(args) >= 2; args = args[2:] {
		switch name, value, _ := strings.Cut(args[1], ": "); {
		case args[0] == "-H" && name == "Host":
			r.Host = value
		case args[0] == "-H":
			r.Header.Set(name, value)
		case args[0] == "-d":
			r.Body = io.NopCloser(strings.NewReader(args[1]))
			if r.Header.Get("Content-Type") == "" {
				r.Header.Set("Content-Type", "application/json")
			}
		}
	}
	answer, err := (&http.Client{Timeout: 20 * time.Second}).Do(r)
	ts.Check(err)
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	ts.Check(err)
	return answer.StatusCode, body
}
