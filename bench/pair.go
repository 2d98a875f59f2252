package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// work is one kind of request, on both sides.
type work struct {
	name   string
	client string                // whose tokens are used
	floor  string                // path at the floor; "" leaves the floor out
	op     func(c *caller) error // at the product
	goal   float64               // least ratio of processor time, floor to product; 0 is none
	most   time.Duration         // processor time of one at the product, likewise

	ready func(p *pair, c *caller) error     // after the caller has logged in, before anything is measured; may be nil
	stock func(p *pair, all []*caller) error // before each turn of the product, not measured; may be nil
}

var works = []work{
	{name: "refresh RS256", client: "rs", floor: "/rs", op: refresh, goal: 0.8},
	{name: "refresh ES256", client: "es", floor: "/es", op: refresh, goal: 0.5},
	{name: "refresh RS256 (default)", client: "demo", floor: "/rs", op: refresh},
	{name: "login RS256", client: "rs", floor: "/login", op: login, goal: 0.95},
	{name: "JWKS", client: "rs", floor: "/jwks", op: jwks, goal: 0.6},
	{name: "/me", client: "rs", floor: "/me", op: me},
	{name: "client credentials RS256", client: "own-rs", floor: "/sign-rs", op: clientCredentials, goal: 0.8},
	{name: "client credentials ES256", client: "own-es", floor: "/sign-es", op: clientCredentials, goal: 0.5},
	{name: "code exchange RS256", client: "own-rs", floor: "/code-rs", ready: signedOn, stock: stock, op: exchange},
	{name: "code exchange ES256", client: "own-es", floor: "/code-es", ready: signedOn, stock: stock, op: exchange},
	{name: "introspection", client: "own-rs", floor: "/me", op: introspection, most: 150 * time.Microsecond},
	{name: "userinfo", client: "own-rs", floor: "/me", ready: scoped, op: userInfo},
	{name: "JWKS of the issuer", client: "rs", floor: "/jwks", op: issuerJWKS},
}

const (
	email    = "bench@example.com"
	password = "correct horse battery staple"
	config   = `
ephemeral: {url: store}
tenants:
- id: 0198c000-0000-7000-8000-0000000000be
  slug: main
  test: true
  default_client: demo
  limits: {password_network: "off", password_network_account: "off", password_account: "off", password_device: "off", mail_network: "off", mail_address: "off"}
  clients:
  - {id: demo, auto_register: true, token_delivery: bearer}
  - {id: rs, alg: RS256, auto_register: true, token_delivery: bearer, lives: {refresh_min_rotation_s: 0}}
  - {id: es, alg: ES256, auto_register: true, token_delivery: bearer, lives: {refresh_min_rotation_s: 0}}
  - {id: own-rs, alg: RS256, secret: "env:BENCH_SECRET", auto_register: true, token_delivery: bearer, redirect_uris: ["http://localhost/callback"],
    oauth: {grant_types: [authorization_code, refresh_token, client_credentials, password], id_token_alg: RS256}}
  - {id: own-es, alg: ES256, secret: "env:BENCH_SECRET", auto_register: true, token_delivery: bearer, redirect_uris: ["http://localhost/callback"],
    oauth: {grant_types: [authorization_code, refresh_token, client_credentials, password], id_token_alg: ES256}}
`
)

// pair is floor and product, each a process of its own on a store of its own on the same engine.
type pair struct {
	engine     string
	dir        string
	storeURL   string
	product    *process
	floor      *process
	postmaster int
	took       time.Duration
	results    []result
	enrolled   map[string]bool // people beside the first
	minted     int             // codes so far

	address     string // of the product, the same when it is started again
	internalKey string
}

type process struct {
	cmd *exec.Cmd
	url string
}

func prepare(ctx context.Context, o options, engine string) (*pair, error) {
	dir, err := os.MkdirTemp("", "gatehouse-bench-")
	if err != nil {
		return nil, err
	}
	p := &pair{engine: engine, dir: dir, enrolled: map[string]bool{}}
	floorStore := filepath.Join(dir, "floor.db")
	if engine == "postgres" {
		if p.storeURL, p.postmaster, err = freshDatabase(ctx, o.postgres, "bench_product"); err != nil {
			return nil, err
		}
		if floorStore, _, err = freshDatabase(ctx, o.postgres, "bench_floor"); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "gatehouse.yaml"), []byte(config), 0o600); err != nil {
		return nil, err
	}
	if err := p.startProduct(o); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if p.floor, _, err = start(exec.Command(self, "-floor", floorStore), nil); err != nil {
		return nil, err
	}
	return p, p.signUp(email)
}

func (p *pair) startProduct(o options) error {
	cmd := exec.Command(o.binary, "serve", "--dev", "--listen", cmp.Or(p.address, "127.0.0.1:0"), "--admin-listen", "127.0.0.1:0",
		"--data", p.dir, "--config", filepath.Join(p.dir, "gatehouse.yaml"))
	cmd.Env = append(os.Environ(), "BENCH_SECRET="+clientSecret)
	if p.storeURL != "" {
		cmd.Env = append(cmd.Env, "GATEHOUSE_STORE__URL="+p.storeURL)
	}
	var err error
	p.product, p.took, err = start(cmd, func(line string) string {
		var r struct {
			URL         string
			InternalKey string `json:"internal_api_key"`
		}
		_ = json.Unmarshal([]byte(line), &r)
		p.internalKey = r.InternalKey
		if u, err := url.Parse(r.URL); err == nil {
			p.address = "127.0.0.1:" + u.Port()
		}
		return r.URL
	})
	return err
}

func start(cmd *exec.Cmd, url func(string) string) (*process, time.Duration, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, 0, err
	}
	log, err := os.CreateTemp("", "gatehouse-bench-log-")
	if err != nil {
		return nil, 0, err
	}
	cmd.Stderr = log
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, 0, err
	}
	r := bufio.NewReader(out)
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, 0, fmt.Errorf("no ready line (log in %s): %w", log.Name(), err)
	}
	took := time.Since(began)
	go func() { _, _ = io.Copy(io.Discard, r) }()
	line = strings.TrimSpace(line)
	if url != nil {
		line = url(line)
	}
	_ = os.Remove(log.Name())
	return &process{cmd: cmd, url: line}, took, nil
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait()
}

func (p *pair) close() {
	p.product.stop()
	p.floor.stop()
	_ = os.RemoveAll(p.dir)
}

// signUp makes a person. The first is the one whom every session belongs to, but those of codes.
func (p *pair) signUp(email string) error {
	c, err := dial(p.product.url)
	if err != nil {
		return err
	}
	defer func() { _ = c.conn.Close() }()
	body := fmt.Sprintf(`{"email":%q,"password":%q,"client_id":"demo"}`, email, password)
	_, _ = c.call("POST", "/login/password", "", body) // 401: the attempt is stored and the mail is sent
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var mails []struct{ Links []string }
		b, err := c.call("GET", "/dev/mailbox?to="+email, "", "")
		if err != nil || json.Unmarshal(b, &mails) != nil || len(mails) == 0 {
			continue
		}
		_, path, _ := strings.Cut(mails[0].Links[0], "/email/")
		_, err = c.call("POST", "/email/"+path, "", fmt.Sprintf(`{"password":%q}`, password))
		if err == nil || strings.Contains(err.Error(), " 303 ") {
			return nil
		}
		return err
	}
	return fmt.Errorf("no mail arrived")
}

func (c *caller) logIn(client string) error {
	b, err := c.patient("POST", "/login/password", "", fmt.Sprintf(`{"email":%q,"password":%q,"client_id":%q}`, email, password, client))
	if err != nil {
		return err
	}
	return c.keep(b)
}

// patient asks again while the server says that it is busy.
func (c *caller) patient(method, path, headers, body string) ([]byte, error) {
	for {
		b, err := c.call(method, path, headers, body)
		if !errors.Is(err, errBusy) {
			return b, err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (c *caller) keep(b []byte) error {
	var r struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if err := json.Unmarshal(b, &r); err != nil || r.Refresh == "" {
		return fmt.Errorf("no tokens in the answer: %v", err)
	}
	c.access, c.refresh = r.Access, r.Refresh
	return nil
}

func refresh(c *caller) error {
	b, err := c.call("POST", "/jwt/refresh", c.clientHeader(), `{"refresh_token":"`+c.refresh+`"}`)
	if err != nil {
		return err
	}
	return c.keep(b)
}

func login(c *caller) error { return c.logIn(c.client) }

func jwks(c *caller) error {
	_, err := c.call("GET", "/.well-known/jwks.json", "", "")
	return err
}

func me(c *caller) error {
	_, err := c.call("GET", "/me", "Authorization: Bearer "+c.access+"\r\n", "")
	return err
}

func (c *caller) clientHeader() string { return "X-Client-Id: " + c.client + "\r\n" }
