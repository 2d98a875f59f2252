package testbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a PostgreSQL server of our own.
type Server struct {
	bin, dir string
	port     int
	durable  bool
	as       *syscall.Credential
	cmd      *exec.Cmd
	exited   chan struct{}
}

// PrivatePostgres starts a server for one test that may be stopped and killed. It is durable: what it has answered survives Kill.
func PrivatePostgres(t testing.TB) *Server {
	t.Helper()
	s, err := start(true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Stop()
		_ = os.RemoveAll(s.dir)
	})
	return s
}

// URL is that of the server's first database, which is empty.
func (s *Server) URL() string {
	return "postgres://postgres@127.0.0.1:" + strconv.Itoa(s.port) + "/postgres?sslmode=disable"
}

// start makes a data folder and a server in it. A guard process removes both when this process ends, however it ends.
func start(durable bool) (*Server, error) {
	bin, err := find()
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, durable: durable}
	if s.as, err = unprivileged(); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "gatehouse-postgres-"); err != nil {
		return nil, err
	}
	if s.as != nil {
		if err := os.Chown(s.dir, int(s.as.Uid), int(s.as.Gid)); err != nil {
			return nil, err
		}
	}
	if err := s.guard(); err != nil {
		return nil, err
	}
	// A locale that sorts unlike bytes, so that a column that forgot its collation is noticed.
	err = s.initdb("--locale=C", "--locale-provider=icu", "--icu-locale=en-US")
	if err != nil {
		_ = os.RemoveAll(filepath.Join(s.dir, "data"))
		err = s.initdb("--locale=C")
	}
	if err == nil {
		err = s.Start()
	}
	return s, err
}

// find looks for PostgreSQL's programs where Debian keeps them, then on the PATH.
func find() (string, error) {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	for i := len(dirs) - 1; i >= 0; i-- {
		if _, err := os.Stat(filepath.Join(dirs[i], "initdb")); err == nil {
			return dirs[i], nil
		}
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		return "", errors.New("no PostgreSQL for the tests: install it (apt-get install postgresql), or name a server in " + Environment +
			" (postgres://user@host/postgres, a role that may create databases)")
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	return filepath.Dir(path), nil
}

// unprivileged gives another user when we are root, as whom PostgreSQL refuses to run.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor nobody; run the tests as another user")
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(s.bin, name), args...)
	c.Dir = s.dir
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: s.as, Setsid: true}
	return c
}

func (s *Server) initdb(more ...string) error {
	args := append([]string{"-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"}, more...)
	if out, err := s.command("initdb", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// Start starts the server, or starts it again, on the same port and data.
func (s *Server) Start() error { return onPort(&s.port, s.launch) }

func (s *Server) launch(port int) error {
	args := []string{
		"-D", "data", "-p", strconv.Itoa(port), "-h", "127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=300",
		"-c", "shared_buffers=64MB", "-c", "log_min_messages=fatal",
	}
	if !s.durable {
		args = append(args, "-c", "fsync=off", "-c", "full_page_writes=off")
	}
	s.cmd, s.exited = s.command("postgres", args...), make(chan struct{})
	if err := s.cmd.Start(); err != nil {
		return err
	}
	go func(c *exec.Cmd, done chan struct{}) {
		_ = c.Wait()
		close(done)
	}(s.cmd, s.exited)
	return s.wait(port)
}

// guard starts a process that reads from us until we are gone, and then ends the server and removes its folder.
func (s *Server) guard() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	// The pid is read late, from the server's own file: one remembered from here may belong to somebody else by then.
	c := exec.Command("sh", "-c", `cat >/dev/null; pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid"
		for i in 1 2 3 4 5 6 7 8 9 10; do [ -e "$1/data/postmaster.pid" ] || break; sleep 0.1; done
		rm -rf "$1"`, "guard", s.dir)
	c.Stdin = r
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = c.Start()
	_ = r.Close()
	if err != nil {
		_ = w.Close()
		return err
	}
	keep = append(keep, w)
	go func() { _ = c.Wait() }()
	return nil
}

var keep []*os.File // write ends that close when this process ends

func (s *Server) wait(port int) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	url := (&Server{port: port}).URL()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := pgx.Connect(ctx, url)
		if err == nil {
			return c.Close(ctx)
		}
		select {
		case <-s.exited:
			return fmt.Errorf("the PostgreSQL server ended at once: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("the PostgreSQL server does not answer: %w", err)
		case <-tick.C:
		}
	}
}

// Stop shuts the server down in order.
func (s *Server) Stop() { s.signal(syscall.SIGINT) }

func (s *Server) signal(sig syscall.Signal) {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	_ = s.cmd.Process.Signal(sig)
	<-s.exited
}
