package endtoend

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// peer is a running program of peers/node.
type peer struct {
	t   *testing.T
	URL string
}

// startNode runs a program of peers/node until the test ends. Without Node.js, or the libraries of the lock file, the test fails.
func startNode(t *testing.T, script string, config map[string]any) *peer {
	t.Helper()
	dir := filepath.Join(server.Root(), "peers", "node")
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("no node: install Node.js 20 or newer and npm (Debian: nodejs npm), or run .ci/setup, which make test does")
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "supertokens-node")); err != nil {
		t.Fatal("peers/node has no libraries: run .ci/setup, which make test does, or npm ci --ignore-scripts in peers/node")
	}
	arg, err := json.Marshal(config)
	do(t, err)
	cmd := exec.Command(node, script, string(arg))
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log := &server.Output{}
	cmd.Stderr = log
	_, err = cmd.StdinPipe() // it ends when this end closes
	do(t, err)
	out, err := cmd.StdoutPipe()
	do(t, err)
	do(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", script, log)
		}
	})
	ready := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(out).ReadString('\n')
		ready <- text
	}()
	p := &peer{t: t}
	select {
	case text := <-ready:
		if json.Unmarshal([]byte(text), p) != nil || p.URL == "" {
			t.Fatalf("%s did not start: %q\n%s", script, text, log)
		}
	case <-time.After(60 * time.Second):
		t.Fatalf("%s is not ready within 60 s:\n%s", script, log)
	}
	return p
}

// in is the peer for a subtest, which its failures belong to.
func (p *peer) in(t *testing.T) *peer { return &peer{t: t, URL: p.URL} }

// try calls a function of the library by name; failure is what it threw.
func (p *peer) try(fn string, args ...any) (result any, failure string) {
	p.t.Helper()
	return p.ask(map[string]any{"fn": fn, "args": args})
}

func (p *peer) ask(body map[string]any) (result any, failure string) {
	p.t.Helper()
	r := p.tab().send(http.MethodPost, "/rpc", body)
	if r.status != http.StatusOK {
		p.t.Fatalf("%v: answered %d: %s", body["fn"], r.status, r.body)
	}
	failure, _ = r.json["error"].(string)
	return r.json["result"], failure
}

// call is try for what must succeed.
func (p *peer) call(fn string, args ...any) any {
	p.t.Helper()
	v, failure := p.try(fn, args...)
	if failure != "" {
		p.t.Fatalf("%s: %s", fn, failure)
	}
	return v
}

// many calls a function several times and gives all results.
func (p *peer) many(times int, fn string, args ...any) []any {
	p.t.Helper()
	v, failure := p.ask(map[string]any{"fn": fn, "args": args, "times": times})
	list, _ := v.([]any)
	if failure != "" || len(list) != times {
		p.t.Fatalf("%s, %d times: %d results, %s", fn, times, len(list), failure)
	}
	return list
}

// object is a JSON object.
type object = map[string]any

// dig reads a value below objects and arrays: "user.emails.0". It is nil when there is none.
func dig(v any, path string) any {
	for _, name := range strings.Split(path, ".") {
		switch have := v.(type) {
		case object:
			v = have[name]
		case []any:
			var i int
			if _, err := fmt.Sscan(name, &i); err != nil || i >= len(have) {
				return nil
			}
			v = have[i]
		default:
			return nil
		}
	}
	return v
}

func digText(v any, path string) string {
	s, _ := dig(v, path).(string)
	return s
}

// tab is a browser: a jar of cookies that knows paths, and headers it sends each time.
type tab struct {
	t      *testing.T
	base   string
	http   *http.Client
	header http.Header
}

// seen is an answer.
type seen struct {
	status int
	header http.Header
	body   []byte
	json   object
}

func (p *peer) tab() *tab {
	jar, err := cookiejar.New(nil)
	do(p.t, err)
	return &tab{t: p.t, base: p.URL, header: http.Header{}, http: &http.Client{Jar: jar, Timeout: 60 * time.Second}}
}

// with is the same browser with one more header.
func (b *tab) with(name, value string) *tab {
	c := *b
	c.header = b.header.Clone()
	c.header.Set(name, value)
	return &c
}

// twin is another machine with the same cookies and headers.
func (b *tab) twin() *tab {
	p := &peer{t: b.t, URL: b.base}
	c := p.tab()
	maps.Copy(c.header, b.header)
	known := map[string]bool{}
	for _, path := range []string{"/", refreshPath} {
		at := b.at(path)
		var kept []*http.Cookie
		for _, k := range b.http.Jar.Cookies(at) {
			if !known[k.Name] {
				kept = append(kept, &http.Cookie{Name: k.Name, Value: k.Value, Path: path})
			}
			known[k.Name] = true
		}
		c.http.Jar.SetCookies(at, kept)
	}
	return c
}

func (b *tab) at(path string) *url.URL {
	u, err := url.Parse(b.base + path)
	do(b.t, err)
	return u
}

// cookie is one that would be sent to a path, "" when there is none.
func (b *tab) cookie(path, name string) string {
	for _, c := range b.http.Jar.Cookies(b.at(path)) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

func (b *tab) send(method, path string, body any) *seen {
	b.t.Helper()
	var raw []byte
	if body != nil {
		var err error
		raw, err = json.Marshal(body)
		do(b.t, err)
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.base+path, bytes.NewReader(raw))
	do(b.t, err)
	maps.Copy(r.Header, b.header)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := b.http.Do(r)
	do(b.t, err)
	defer func() { _ = res.Body.Close() }()
	s := &seen{status: res.StatusCode, header: res.Header}
	s.body, err = io.ReadAll(res.Body)
	do(b.t, err)
	_ = json.Unmarshal(s.body, &s.json) // what is no object is nil
	return s
}

// want sends and fails the test unless the answer has the status.
func (b *tab) want(status int, method, path string, body any) *seen {
	b.t.Helper()
	r := b.send(method, path, body)
	if r.status != status {
		b.t.Fatalf("%s %s: answered %d, want %d: %s", method, path, r.status, status, r.body)
	}
	return r
}
