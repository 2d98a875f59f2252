package endtoend

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite"

	"github.com/gatehouse-auth/gatehouse/internal/drill"
	"github.com/gatehouse-auth/gatehouse/internal/secret"
	"github.com/gatehouse-auth/gatehouse/internal/testbed/server"
)

// Whoever steals the database gets no session out of it: not from what stands in it, not with old tokens beside it.

const realTenant = `
smtp: {url: %q, from: login@example.com}
tenants:
- id: 0198c000-0000-7000-8000-000000000001
  slug: main
  name: Example
  default_client: demo
  lives: {refresh_min_rotation_s: 0}
  clients:
  - {id: demo, name: Demo, auto_register: true}
`

// cell is one value of a stolen table.
type cell struct {
	table, column string
	raw           []byte
	binary        bool
}

// loot is everything a stolen database holds: the cells of every table, and the bytes of its files where there are any.
type loot struct {
	cells []cell
	files []byte
}

// handed is what the server gave to people, and what they told it.
type handed struct {
	live map[string]string // must not stand in the loot
	old  []string          // rotated refresh tokens the thief also has
	next string            // the refresh token that is live now
	link string            // a sign-up link not used yet
}

func TestStolenDatabase(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		s, h, l := stolen(t, o)
		for what, text := range h.live {
			if place := l.holds(text); place != "" {
				t.Errorf("%s stands in clear in %s", what, place)
			}
		}
		if l.holds("canary-of-this-drill") == "" {
			t.Fatal("the search does not even find what was stored in clear: it proves nothing")
		}
		if opened := l.breakSeals(h.old); opened != "" {
			t.Errorf("an old refresh token and the dump opened %s", opened)
		}
		l.tryEverything(t, s)
		r, err := s.Visitor().Get(t.Context(), h.link)
		must(t, "the mailed link after all that", r, err, 200)
		r, err = s.Refresh(t.Context(), "", h.next)
		must(t, "the owner's refresh after all that", r, err, 200)
	})
}

// TestStolenDatabaseBites: with ring keys stored unwrapped, the same thief succeeds.
func TestStolenDatabaseBites(t *testing.T) {
	engines(t, func(t *testing.T, o server.Options) {
		o.Binary, o.Env = server.Build(t, "gatehouse_weak"), []string{"WEAK_GATEHOUSE=sealed-at-rest"}
		_, h, l := stolen(t, o)
		if l.breakSeals(h.old) == "" {
			t.Fatal("the drill cannot go red: unwrapped ring keys opened nothing")
		}
	})
}

// stolen lives through logins, refreshes, pending mails, and then copies the database.
func stolen(t *testing.T, o server.Options) (*server.Server, handed, *loot) {
	t.Helper()
	ctx := t.Context()
	office := newPostOffice(t)
	o.Config, o.Data = fmt.Sprintf(realTenant, office.url), t.TempDir()
	s := server.Start(t, o)
	p := &drill.Person{Email: drill.Fresh("owner"), Password: "the owner's own password", Visitor: s.Visitor()}
	r, err := p.Post(ctx, "/register", map[string]string{"email": p.Email, "password": p.Password, "name": "canary-of-this-drill"})
	must(t, "register", r, err, 202)
	used := office.link(t, p.Email, 1)
	if r, err = p.Post(ctx, used, map[string]string{}); err != nil || r.Status >= 400 {
		t.Fatalf("proof: %v %v", r, err)
	}
	r, err = p.LogIn(ctx, p.Visitor)
	must(t, "login", r, err, 200)
	h := handed{live: map[string]string{"the password": p.Password, "a used link": tail(used), "an access token": r.Text("access_token"),
		"a refresh token of a cookie login": r.Text("refresh_token")}}
	for name, value := range p.Cookies {
		h.live["cookie "+name] = value
	}
	_, first := bearer(ctx, t, p)
	h.old = []string{first}
	token := first
	for n := range 3 { // each use confirms the one before
		r, err = s.Refresh(ctx, "", token)
		must(t, "refresh", r, err, 200)
		h.live[fmt.Sprintf("refresh token %d", n)], h.live[fmt.Sprintf("access token %d", n)] = token, r.Text("access_token")
		if token = r.Text("refresh_token"); n == 0 {
			h.old = append(h.old, token)
		}
	}
	h.next, h.live["the newest refresh token"] = token, token
	pendingMails(ctx, t, office, p, &h)
	return s, h, steal(t, s, o)
}

func tail(link string) string { return link[strings.LastIndexByte(link, '/')+1:] }

// pendingMails leaves a reset, a change of address and somebody's sign-up open.
func pendingMails(ctx context.Context, t *testing.T, office *postOffice, p *drill.Person, h *handed) {
	t.Helper()
	r, err := p.Post(ctx, "/password/forgot", map[string]string{"email": p.Email})
	must(t, "forgot", r, err, 202)
	h.live["a reset link"] = tail(office.link(t, p.Email, 2))
	next, newcomer := drill.Fresh("moving"), drill.Fresh("newcomer")
	r, err = p.Do(ctx, http.MethodPatch, "/me", map[string]string{"email": next})
	must(t, "change of address", r, err, 200)
	h.live["a change link"] = tail(office.link(t, next, 1))
	r, err = p.Target.Visitor().Post(ctx, "/register", map[string]string{"email": newcomer, "password": "a newcomer's password"})
	must(t, "register", r, err, 202)
	h.link = office.link(t, newcomer, 1)
	h.live["a sign-up link"], h.live["a newcomer's password"] = tail(h.link), "a newcomer's password"
}

func steal(t *testing.T, s *server.Server, o server.Options) *loot {
	t.Helper()
	l := &loot{}
	if o.Store != "" {
		l.postgres(t, o.Store)
		return l
	}
	dir := t.TempDir()
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(filepath.Join(s.Data, "gatehouse.db"+suffix))
		if err != nil {
			t.Fatal(err)
		}
		l.files = append(l.files, b...)
		if err := os.WriteFile(filepath.Join(dir, "gatehouse.db"+suffix), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l.sqlite(t, filepath.Join(dir, "gatehouse.db"))
	return l
}

func (l *loot) add(table, column string, v any) {
	switch v := v.(type) {
	case string:
		l.cells = append(l.cells, cell{table, column, []byte(v), false})
	case []byte:
		l.cells = append(l.cells, cell{table, column, bytes.Clone(v), true})
	}
}

func (l *loot) sqlite(t *testing.T, file string) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	names, err := db.QueryContext(t.Context(), `SELECT name FROM sqlite_master WHERE type = 'table'`)
	if err != nil {
		t.Fatal(err)
	}
	var tables []string
	for names.Next() {
		var name string
		do(t, names.Scan(&name))
		tables = append(tables, name)
	}
	do(t, names.Err())
	for _, table := range tables {
		rows, err := db.QueryContext(t.Context(), `SELECT * FROM "`+table+`"`)
		do(t, err)
		columns, err := rows.Columns()
		do(t, err)
		for rows.Next() {
			values, dest := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				dest[i] = &values[i]
			}
			do(t, rows.Scan(dest...))
			for i, v := range values {
				l.add(table, columns[i], v)
			}
		}
		do(t, rows.Err())
	}
}

func (l *loot) postgres(t *testing.T, url string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	do(t, err)
	defer func() { _ = c.Close(context.Background()) }()
	rows, err := c.Query(t.Context(), `SELECT tablename FROM pg_tables WHERE schemaname = 'public'`)
	do(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	do(t, err)
	for _, table := range tables {
		rows, err := c.Query(t.Context(), `SELECT * FROM `+pgx.Identifier{table}.Sanitize())
		do(t, err)
		for rows.Next() {
			values, err := rows.Values()
			do(t, err)
			for i, v := range values {
				l.add(table, rows.FieldDescriptions()[i].Name, v)
			}
		}
		do(t, rows.Err())
	}
}

// holds looks for a text and, when it is base64, hex or a token, for the bytes it stands for. It gives where it found it.
func (l *loot) holds(text string) string {
	look := [][]byte{[]byte(text)}
	for _, part := range append(strings.Split(text, "."), strings.TrimPrefix(text, "gr_")) {
		if raw, err := base64.RawURLEncoding.DecodeString(part); err == nil && len(raw) >= 32 && !strings.HasPrefix(string(raw), "{") {
			look = append(look, raw, []byte(hex.EncodeToString(raw)), raw[:min(len(raw), 57)]) // without the MAC of a refresh token
		}
	}
	for _, want := range look {
		for _, c := range l.cells {
			if bytes.Contains(c.raw, want) {
				return c.table + "." + c.column
			}
		}
		if bytes.Contains(l.files, want) {
			return "the files"
		}
	}
	return ""
}

// breakSeals guesses that every 32 bytes of a stored ring key are that key, and opens with it and each old token what was sealed.
func (l *loot) breakSeals(old []string) string {
	var families []string
	for _, c := range l.cells {
		if c.table == "session" && c.column == "id" {
			families = append(families, string(c.raw))
		}
	}
	for _, k := range l.cells {
		if k.table != "ring_key" || !k.binary {
			continue
		}
		for i := 0; i+32 <= len(k.raw); i++ {
			var guess []secret.RingKey
			for id := range uint32(8) {
				guess = append(guess, secret.RingKey{ID: id, Purpose: secret.PurposeSeal, Key: k.raw[i : i+32], Active: true})
			}
			if found := l.open(secret.NewRing(guess...), families, old); found != "" {
				return found
			}
		}
	}
	return ""
}

func (l *loot) open(ring *secret.Ring, families, old []string) string {
	for _, c := range l.cells {
		if c.table != "session" || !strings.HasPrefix(c.column, "sealed_") {
			continue
		}
		for _, id := range families {
			for _, with := range append([]string{""}, old...) {
				if plain, err := ring.Open("refresh successor "+id, []byte(with), c.raw); err == nil && strings.HasPrefix(string(plain), "gr_") {
					return c.column
				}
			}
		}
	}
	return ""
}

// tryEverything presents every value of the loot, as it stands and in every usual spelling, wherever a token is taken.
func (l *loot) tryEverything(t *testing.T, s *server.Server) {
	t.Helper()
	seen := map[string]bool{}
	var all []string
	for _, c := range l.cells {
		for _, text := range c.spellings() {
			if len(text) >= 16 && len(text) < 2000 && !seen[text] && !strings.ContainsAny(text, "\r\n\x00") {
				seen[text] = true
				all = append(all, text)
			}
		}
	}
	t.Logf("%d values to try", len(all))
	const callers = 16
	deadline, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	_, err := drill.Together(callers, func(i int) (int, error) {
		for n := i; n < len(all); n += callers {
			if err := useless(deadline, s, all[n]); err != nil {
				return 0, err
			}
		}
		return 0, nil
	})
	if err != nil {
		t.Error(err)
	}
}

func (c cell) spellings() []string {
	if !c.binary {
		return []string{string(c.raw)}
	}
	url := base64.RawURLEncoding.EncodeToString(c.raw)
	return []string{url, "gr_" + url, hex.EncodeToString(c.raw), base64.StdEncoding.EncodeToString(c.raw)}
}

func useless(ctx context.Context, s *server.Server, text string) error {
	if r, err := s.Refresh(ctx, "", text); err != nil || r.Status < 400 {
		return fmt.Errorf("a stored value refreshes: %v %w", r, err)
	}
	if r, err := s.Visitor().Post(ctx, "/password/reset", map[string]string{"token": text, "password": "the thief's new password"}); err != nil || r.Status < 400 {
		return fmt.Errorf("a stored value resets a password: %v %w", r, err)
	}
	if strings.IndexFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) >= 0 {
		return nil
	}
	if r, err := s.Me(ctx, text); err != nil || r.Status < 400 {
		return fmt.Errorf("a stored value is an access token: %v %w", r, err)
	}
	if strings.ContainsAny(text, "/?#%") {
		return nil
	}
	if r, err := s.Visitor().Get(ctx, "/email/verify/"+text); err != nil || r.Status < 400 {
		return fmt.Errorf("a stored value is a mailed link: %v %w", r, err)
	}
	return nil
}
