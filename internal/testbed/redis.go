package testbed

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// redisDatabases is how many tests of one process may have a database of their own on the shared server.
const redisDatabases = 4096

var sharedRedis struct {
	once   sync.Once
	server *RedisServer
	err    error
	serial atomic.Int64
}

// Redis gives the URL of an empty database on a Redis or Valkey server that is started once per test process. It fails the test, and never
// skips it, when there is none to start.
func Redis(t testing.TB) string {
	t.Helper()
	sharedRedis.once.Do(func() { sharedRedis.server, sharedRedis.err = startRedis() })
	if sharedRedis.err != nil {
		t.Fatal(sharedRedis.err)
	}
	n := sharedRedis.serial.Add(1)
	if n >= redisDatabases {
		t.Fatalf("more than %d tests asked for a Redis database", redisDatabases)
	}
	return sharedRedis.server.URL() + "/" + strconv.FormatInt(n, 10)
}

// RedisServer is a Redis or Valkey server of our own.
type RedisServer struct {
	bin, dir string
	port     int
	more     []string
	cmd      *exec.Cmd
	exited   chan struct{}
}

// PrivateRedis starts a server for one test that may be stopped, killed, frozen and started again. It forgets everything when it ends
// unless more settings ("--name", "value") say otherwise.
func PrivateRedis(t testing.TB, more ...string) *RedisServer {
	t.Helper()
	s, err := startRedis(more...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Kill()
		_ = os.RemoveAll(s.dir)
	})
	return s
}

// URL is that of the server's first database.
func (s *RedisServer) URL() string { return "redis://127.0.0.1:" + strconv.Itoa(s.port) }

func startRedis(more ...string) (*RedisServer, error) {
	s := &RedisServer{more: more}
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil {
			s.bin = path
			break
		}
	}
	if s.bin == "" {
		return nil, errors.New("no Redis for the tests: install it (apt-get install redis-server, or valkey-server)")
	}
	var err error
	if s.dir, err = os.MkdirTemp("", "gatehouse-redis-"); err != nil {
		return nil, err
	}
	if err := s.guard(); err != nil {
		return nil, err
	}
	return s, s.Start()
}

// Start starts the server, or starts it again, on the same port and folder.
func (s *RedisServer) Start() error { return onPort(&s.port, s.launch) }

func (s *RedisServer) launch(port int) error {
	args := append([]string{
		"--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--save", "", "--appendonly", "no", "--dir", s.dir,
		"--pidfile", s.dir + "/pid", "--daemonize", "no", "--databases", strconv.Itoa(redisDatabases), "--loglevel", "warning",
	}, s.more...)
	s.cmd, s.exited = exec.Command(s.bin, args...), make(chan struct{})
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	if err := os.WriteFile(s.dir+"/guarded", []byte(strconv.Itoa(s.cmd.Process.Pid)), 0o600); err != nil {
		return err
	}
	go func(c *exec.Cmd, done chan struct{}) {
		_ = c.Wait()
		close(done)
	}(s.cmd, s.exited)
	return s.wait(port)
}

// wait returns when the server answers PING.
func (s *RedisServer) wait(port int) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	patience := time.After(30 * time.Second)
	for {
		if pinged(port) {
			return nil
		}
		select {
		case <-s.exited:
			return errors.New("the Redis server ended at once")
		case <-patience:
			return errors.New("the Redis server does not answer")
		case <-tick.C:
		}
	}
}

func pinged(port int) bool {
	c, err := net.DialTimeout("tcp", "127.0.0.1:"+strconv.Itoa(port), time.Second)
	if err != nil {
		return false
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	if _, err := fmt.Fprint(c, "PING\r\n"); err != nil {
		return false
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	return err == nil && strings.HasPrefix(line, "+PONG")
}

// Stop shuts the server down in order: it saves, where its settings say so.
func (s *RedisServer) Stop() { s.signal(syscall.SIGTERM) }

// Kill ends the server as a crash would.
func (s *RedisServer) Kill() { s.signal(syscall.SIGKILL) }

// Freeze makes the server hang, with its connections open, until Thaw.
func (s *RedisServer) Freeze() { _ = s.cmd.Process.Signal(syscall.SIGSTOP) }

// Thaw lets a frozen server go on.
func (s *RedisServer) Thaw() { _ = s.cmd.Process.Signal(syscall.SIGCONT) }

func (s *RedisServer) signal(sig syscall.Signal) {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	_ = s.cmd.Process.Signal(sig)
	<-s.exited
}

// guard starts a process that reads from us until we are gone, and then ends the server and removes its folder.
func (s *RedisServer) guard() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	// The pid is read late, and believed only while it works in our folder, as redis-server does with --dir: numbers are used again.
	c := exec.Command("sh", "-c", `cat >/dev/null; pid=$(cat "$1/guarded" 2>/dev/null)
		if [ -n "$pid" ] && [ "$(readlink -f "/proc/$pid/cwd" 2>/dev/null)" = "$(readlink -f "$1")" ]; then kill -KILL "$pid"; fi
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
