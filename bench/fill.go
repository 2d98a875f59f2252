package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
)

// table is where sessions live; the fill copies one row many times with new ids and hashes.
const table = "session"

// freshDatabase makes an empty database on the server and gives its URL and the server's process id.
func freshDatabase(ctx context.Context, admin, name string) (string, int, error) {
	c, err := pgx.Connect(ctx, admin)
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = c.Close(ctx) }()
	for _, q := range []string{"DROP DATABASE IF EXISTS " + name + " WITH (FORCE)", "CREATE DATABASE " + name} {
		if _, err := c.Exec(ctx, q); err != nil {
			return "", 0, err
		}
	}
	u, err := url.Parse(admin)
	if err != nil {
		return "", 0, err
	}
	u.Path = "/" + name
	if u.RawQuery == "" {
		u.RawQuery = "sslmode=disable"
	}
	var backend int
	if err := c.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&backend); err != nil {
		return "", 0, err
	}
	return u.String(), parent(backend), nil
}

// fill copies one session n times.
func (p *pair) fill(ctx context.Context, n int) error {
	if p.engine == "postgres" {
		return fillPostgres(ctx, p.storeURL, n)
	}
	db, err := sql.Open("sqlite", p.file())
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	columns, err := columnsOf(ctx, db)
	if err != nil {
		return err
	}
	const step = 20_000 // the server's own writes wait for one step at most
	for done := 0; done < n; done += step {
		q := fmt.Sprintf(`WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d)
			INSERT INTO %s (%s) SELECT %s FROM c, (SELECT * FROM %s LIMIT 1) f`,
			step, table, strings.Join(columns, ","), strings.Join(copied(columns,
				`lower(substr(hex(randomblob(4)),1,8)||'-'||hex(randomblob(2))||'-7'||substr(hex(randomblob(2)),2)||'-8'||substr(hex(randomblob(2)),2)||'-'||hex(randomblob(6)))`,
				`randomblob(32)`), ","), table)
		if _, err := db.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	_, err = db.ExecContext(ctx, "ANALYZE")
	return err
}

// file is the store of a product on SQLite, to be opened beside it.
func (p *pair) file() string {
	return "file:" + filepath.Join(p.dir, "gatehouse.db") + "?_pragma=busy_timeout(60000)"
}

func columnsOf(ctx context.Context, db *sql.DB) ([]string, error) {
	rows, err := db.QueryContext(ctx, "SELECT name FROM pragma_table_info('"+table+"')")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		out = append(out, name)
	}
	return out, rows.Err()
}

// copied replaces the columns that must differ.
func copied(columns []string, id, hash string) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		switch c {
		case "id":
			out[i] = id
		case "head":
			out[i] = hash
		case "pending":
			out[i] = "NULL"
		default:
			out[i] = "f." + c
		}
	}
	return out
}

func fillPostgres(ctx context.Context, storeURL string, n int) error {
	c, err := pgx.Connect(ctx, storeURL)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close(ctx) }()
	rows, err := c.Query(ctx, "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1", table)
	if err != nil {
		return err
	}
	columns, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	q := fmt.Sprintf(`INSERT INTO %s (%s) SELECT %s FROM generate_series(1, %d), (SELECT * FROM %s LIMIT 1) f`, table,
		strings.Join(columns, ","), strings.Join(copied(columns, "gen_random_uuid()::text", "sha256(gen_random_uuid()::text::bytea)"), ","), n, table)
	if _, err := c.Exec(ctx, q); err != nil {
		return err
	}
	_, err = c.Exec(ctx, "VACUUM ANALYZE "+table)
	return err
}
