package main

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/gatehouse-auth/gatehouse/resource"
)

const (
	feedName     = "revocation feed"
	feedReaders  = 100
	feedSessions = 100_000
	feedRounds   = 60
)

// reader is one resource server, as far as this measurement sees it.
type reader struct {
	*resource.Verifier
	feed *resource.Feed
}

// crowd is all of them, and what they asked.
type crowd struct {
	p       *pair
	issuer  string
	stop    context.CancelFunc
	readers []reader
	asked   atomic.Int64 // about tokens
	anew    atomic.Int64 // came without a number
}

// RoundTrip counts what is asked.
func (c *crowd) RoundTrip(r *http.Request) (*http.Response, error) {
	switch {
	case strings.HasPrefix(r.URL.Path, "/internal/"):
		c.asked.Add(1)
	case r.URL.Path == "/oauth2/revocations":
		if r.URL.Query().Get("stream") == "" {
			c.anew.Add(1)
		}
	}
	return http.DefaultTransport.RoundTrip(r)
}

// measureFeed shows how long a revocation takes to reach every one of a hundred resource servers, and what becomes of them without a feed.
func (p *pair) measureFeed(ctx context.Context, o options) error {
	token, err := p.token()
	if err != nil {
		return err
	}
	if err := p.fill(ctx, max(0, feedSessions-o.big)); err != nil {
		return err
	}
	c := &crowd{p: p, issuer: issuerOf(token)}
	if err := c.gather(ctx, feedReaders); err != nil {
		return err
	}
	fmt.Printf("\n%-10s %s: %d followers, %d sessions\n", p.engine, feedName, feedReaders, max(o.big, feedSessions))
	for _, step := range []func(context.Context) error{c.logouts, c.serviceTokens, c.cut, c.restart} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("%s: %w", feedName, err)
		}
	}
	fmt.Printf("%-10s   calls to ask about a token: %d\n", p.engine, c.asked.Load())
	c.stop()
	c.readers = nil
	return c.memory(ctx)
}

func (p *pair) token() (string, error) {
	c, err := dial(p.product.url)
	if err != nil {
		return "", err
	}
	defer func() { _ = c.conn.Close() }()
	if err := c.logIn("rs"); err != nil {
		return "", err
	}
	return c.access, nil
}

func issuerOf(token string) string {
	var claims struct{ Iss string }
	raw, _ := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	_ = json.Unmarshal(raw, &claims)
	return claims.Iss
}

func (c *crowd) gather(ctx context.Context, n int) error {
	running, stop := context.WithCancel(ctx)
	c.stop = stop
	base := c.p.product.url
	for range n {
		cfg := resource.FeedConfig{
			Issuer: c.issuer, URL: base + "/oauth2/revocations", JWKSURL: base + "/.well-known/jwks.json", HTTP: &http.Client{Transport: c},
			APIKey: func() string { return c.p.internalKey }, Lost: resource.ModeRefuse, Log: slog.New(slog.DiscardHandler),
		}
		f, err := resource.NewFeed(cfg)
		if err != nil {
			return err
		}
		v, err := resource.New(resource.Config{Issuer: c.issuer, AnyAudience: true, JWKSURL: cfg.JWKSURL, HTTP: cfg.HTTP, Feed: f})
		if err != nil {
			return err
		}
		go func() { _ = f.Run(running) }()
		c.readers = append(c.readers, reader{v, f})
	}
	ready, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for _, r := range c.readers {
		if err := r.feed.Ready(ready); err != nil {
			return err
		}
	}
	return nil
}

// all waits until every reader answers a token with the reason ("" accepts) and gives how long that took.
func (c *crowd) all(ctx context.Context, token, reason string, most time.Duration) (time.Duration, error) {
	began := time.Now()
	for i, r := range c.readers {
		for {
			got := ""
			if _, err := r.Verify(ctx, token); err != nil {
				got = strings.TrimPrefix(err.Error(), "resource: ")
			}
			if got == reason {
				break
			}
			if time.Since(began) > most {
				return 0, fmt.Errorf("follower %d still says %q, not %q, after %s", i, got, reason, most)
			}
			time.Sleep(200 * time.Microsecond)
		}
	}
	return time.Since(began), nil
}

// rounds measures from the answer to a revocation until the last reader refuses.
func (c *crowd) rounds(ctx context.Context, what string, make func() (token string, revoke func() error, err error)) error {
	var took []time.Duration
	for range feedRounds {
		token, revoke, err := make()
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if _, err := c.all(ctx, token, "", 5*time.Second); err != nil {
			return err
		}
		if err := revoke(); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		d, err := c.all(ctx, token, resource.ReasonRevoked, 5*time.Second)
		if err != nil {
			return err
		}
		took = append(took, d)
	}
	slices.Sort(took)
	p99 := took[len(took)*99/100]
	fmt.Printf("%-10s   %-28s until the last refusal: median %s, p99 %s; goal 1s, reached %s\n", c.p.engine, what,
		took[len(took)/2].Round(10*time.Microsecond), p99.Round(10*time.Microsecond), yes(p99 <= time.Second))
	return nil
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func (c *crowd) logouts(ctx context.Context) error {
	return c.rounds(ctx, "logout", func() (string, func() error, error) {
		token, err := c.p.token()
		return token, func() error { return c.logout(token) }, err
	})
}

func (c *crowd) logout(token string) error {
	conn, err := dial(c.p.product.url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.conn.Close() }()
	_, err = conn.call("POST", "/logout", "Authorization: Bearer "+token+"\r\n", "{}")
	return err
}

func (c *crowd) serviceTokens(ctx context.Context) error {
	const path = "/internal/service-tokens"
	if _, err := c.service(ctx, http.MethodGet, path, ""); err != nil {
		fmt.Printf("%-10s   %-28s this server makes none\n", c.p.engine, "service token revoked")
		return nil //nolint:nilerr // an older server is no failure of the measurement
	}
	return c.rounds(ctx, "service token revoked", func() (string, func() error, error) {
		var made struct{ ID, Token string }
		raw, err := c.service(ctx, http.MethodPost, path, `{"name":"bench"}`)
		if err == nil {
			err = json.Unmarshal(raw, &made)
		}
		return made.Token, func() error { _, err := c.service(ctx, http.MethodDelete, path+"/"+made.ID, ""); return err }, err
	})
}

// service calls an internal endpoint.
func (c *crowd) service(ctx context.Context, method, path, body string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.p.product.url+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("X-Internal-Api-Key", c.p.internalKey)
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= 300 {
		err = fmt.Errorf("%s was answered %d", path, res.StatusCode)
	}
	return raw, err
}

// cut stops the server without ending its connections, as a network that swallows packets would.
func (c *crowd) cut(ctx context.Context) error {
	token, err := c.p.token()
	if err != nil {
		return err
	}
	if _, err := c.all(ctx, token, "", 5*time.Second); err != nil {
		return err
	}
	if err := c.p.product.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	took, err := c.all(ctx, token, resource.ReasonFeedLost, 10*time.Second)
	if e := c.p.product.cmd.Process.Signal(syscall.SIGCONT); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	back, err := c.all(ctx, token, "", 20*time.Second)
	if err == nil {
		fmt.Printf("%-10s   %-28s declared mode at the last after %s, back %s after the mend; goal 5s, reached %s\n", c.p.engine, "feed cut",
			took.Round(time.Millisecond), back.Round(time.Millisecond), yes(took <= 5*time.Second+50*time.Millisecond))
	}
	return err
}

// restart ends the server and starts it again at the same place; a session ends before any reader can be back.
func (c *crowd) restart(ctx context.Context) error {
	token, err := c.p.token()
	if err != nil {
		return err
	}
	if _, err := c.all(ctx, token, "", 5*time.Second); err != nil {
		return err
	}
	c.anew.Store(0)
	c.p.product.stop()
	if err := c.p.startProduct(options{binary: c.p.product.cmd.Path}); err != nil {
		return err
	}
	if err := c.logout(token); err != nil {
		return err
	}
	took, err := c.all(ctx, token, resource.ReasonRevoked, 10*time.Second)
	if err == nil {
		fmt.Printf("%-10s   %-28s all refuse what was revoked right after it %s later; without a gap, %d of %d came without their number\n", c.p.engine,
			"server restarted", took.Round(time.Millisecond), c.anew.Load(), len(c.readers))
	}
	return err
}

// memory lets one reader take in a hundred thousand entries.
func (c *crowd) memory(ctx context.Context) error {
	if err := c.p.manyRevocations(ctx, feedSessions); err != nil {
		return err
	}
	before, began := heap(), time.Now()
	if err := c.gather(ctx, 1); err != nil {
		return err
	}
	took := time.Since(began)
	defer c.stop()
	s := c.readers[0].feed.Stats()
	each := float64(heap()-before) / float64(max(1, s.Entries))
	fmt.Printf("%-10s   %-28s %d entries in %s, %.1f bytes each by their own account, %.1f of heap; goal 64, reached %s\n", c.p.engine, "a newcomer",
		s.Entries, took.Round(time.Millisecond), float64(s.Bytes)/float64(max(1, s.Entries)), each, yes(s.Entries >= feedSessions && each <= 64))
	runtime.KeepAlive(c)
	return nil
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// manyRevocations writes entries as the server would, about sessions that are there.
func (p *pair) manyRevocations(ctx context.Context, n int) error {
	db, err := p.openStore()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	now := time.Now()
	for _, q := range []string{
		fmt.Sprintf(`INSERT INTO revocation (tenant_id, seq, kind, target, epoch, at, reason, until)
			SELECT s.tenant_id, (SELECT seq FROM revocation_counter c WHERE c.tenant_id = s.tenant_id) + row_number() OVER (),
				'session', s.id, 0, %d, 'bench', %d FROM (SELECT tenant_id, id FROM %s LIMIT %d) s`,
			now.UnixMicro(), now.Add(time.Hour).UnixMicro(), table, n),
		fmt.Sprintf(`UPDATE revocation_counter SET seq = seq + %d`, n),
	} {
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (p *pair) openStore() (*sql.DB, error) {
	if p.engine != "postgres" {
		return sql.Open("sqlite", "file:"+filepath.Join(p.dir, "gatehouse.db")+"?_pragma=busy_timeout(60000)")
	}
	cfg, err := pgx.ParseConfig(p.storeURL)
	if err != nil {
		return nil, err
	}
	return stdlib.OpenDB(*cfg), nil
}
