package ephemeral

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// ErrRedisURL says that a text is no URL of a Redis. It never repeats the text, which may hold a password.
var ErrRedisURL = errors.New("must be redis://[user:password@]host[:port][/database] or rediss://…")

// ValidateRedisURL gives ErrRedisURL or nil.
func ValidateRedisURL(text string) error {
	_, err := parseRedisURL(text)
	return err
}

// parseRedisURL is strict: the usual query parameters of such URLs include one that switches the check of certificates off.
func parseRedisURL(text string) (rueidis.ClientOption, error) {
	var o rueidis.ClientOption
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
		return o, ErrRedisURL
	}
	switch u.Scheme {
	case "redis":
	case "rediss":
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: u.Hostname()}
	default:
		return o, ErrRedisURL
	}
	port := u.Port()
	if port == "" {
		port = "6379"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return o, ErrRedisURL
	}
	if db := strings.TrimPrefix(u.Path, "/"); db != "" {
		n, err := strconv.ParseUint(db, 10, 16)
		if err != nil {
			return o, ErrRedisURL
		}
		o.SelectDB = int(n)
	}
	o.InitAddress = []string{net.JoinHostPort(u.Hostname(), port)}
	o.Username = u.User.Username()
	o.Password, _ = u.User.Password()
	if o.Username != "" && o.Password == "" {
		return o, ErrRedisURL
	}
	o.ClientName = "gatehouse"
	o.DisableCache = true
	o.DisableRetry = true // a verb that was perhaps carried out must not be carried out again: the second Spend would find nothing
	o.Dialer.Timeout = patience
	o.ConnWriteTimeout = 2 * patience
	o.PipelineMultiplex = -1 // one connection: verbs are pipelined on it, and who answers is one
	o.ReadBufferEachConn, o.WriteBufferEachConn, o.RingScaleEachConn = 32<<10, 32<<10, 8
	return o, nil
}

// dial counts connections: every new one may lead to another Redis than the last.
func (r *Redis) dial(ctx context.Context, address string, d *net.Dialer, c *tls.Config) (conn net.Conn, err error) {
	if c != nil {
		conn, err = (&tls.Dialer{NetDialer: d, Config: c}).DialContext(ctx, "tcp", address)
	} else {
		conn, err = d.DialContext(ctx, "tcp", address)
	}
	if err == nil {
		r.life.Add(1)
		select {
		case r.watch <- struct{}{}:
		default:
		}
	}
	return conn, err
}

// state is what a look at Redis finds.
type state struct {
	evicts      bool
	incarnation string // of all primaries: changes when one restarts or another takes over
}

func ask(ctx context.Context, c rueidis.Client) (state, error) {
	var ids []string
	var s state
	for _, node := range c.Nodes() {
		text, err := node.Do(ctx, node.B().Info().Build()).ToString()
		if err != nil {
			return s, err
		}
		info := fields(text)
		if role := info["role"]; role != "" && role != "master" {
			continue
		}
		ids = append(ids, info["run_id"])
		s.evicts = s.evicts || info["maxmemory"] != "0" && info["maxmemory"] != "" && info["maxmemory_policy"] != "noeviction"
	}
	if len(ids) == 0 {
		return s, errors.New("redis: no primary answers")
	}
	slices.Sort(ids)
	sum := sha256.Sum256([]byte(strings.Join(ids, " ")))
	s.incarnation = hex.EncodeToString(sum[:8])
	return s, nil
}

// fields reads the answer of INFO. Managed services forbid CONFIG, but not INFO.
func fields(info string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			out[name] = value
		}
	}
	return out
}

func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return word
}
