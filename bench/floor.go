package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/crypto/argon2"
	_ "modernc.org/sqlite"
)

// floorServer answers each kind of work with nothing but its cryptography and one durable write.
type floorServer struct {
	rsa    *rsa.PrivateKey
	ec     *ecdsa.PrivateKey
	insert func(ctx context.Context, row []byte) error
	read   func(ctx context.Context) error
	hash   chan struct{}
	jwks   []byte
	signed []byte
}

func serveFloor(ctx context.Context, store string) error {
	f := &floorServer{hash: make(chan struct{}, runtime.NumCPU()), jwks: []byte(strings.Repeat("k", 1600))}
	var err error
	if f.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return err
	}
	if f.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	digest := sha256.Sum256(nil)
	if f.signed, err = rsa.SignPKCS1v15(nil, f.rsa, crypto.SHA256, digest[:]); err != nil {
		return err
	}
	if f.insert, f.read, err = openFloorStore(ctx, store); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", l.Addr())
	_ = os.Stdout.Sync()
	mux := http.NewServeMux()
	mux.HandleFunc("/rs", f.signAndWrite(f.signRSA))
	mux.HandleFunc("/es", f.signAndWrite(f.signEC))
	mux.HandleFunc("/sign-rs", signOnly(f.signRSA))
	mux.HandleFunc("/sign-es", signOnly(f.signEC))
	mux.HandleFunc("/code-rs", f.exchange(f.signRSA))
	mux.HandleFunc("/code-es", f.exchange(f.signEC))
	mux.HandleFunc("/login", f.signAndWrite(f.hashAndSign))
	mux.HandleFunc("/jwks", func(w http.ResponseWriter, r *http.Request) { answer(w, f.jwks) })
	mux.HandleFunc("/me", f.verifyAndRead)
	server := &http.Server{Handler: mux}
	go func() { <-ctx.Done(); _ = server.Close() }()
	if err := server.Serve(l); err != http.ErrServerClosed {
		return err
	}
	return nil
}

func answer(w http.ResponseWriter, b []byte) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b)
}

// signOnly is for tokens that leave no trace in the store.
func signOnly(sign func(digest []byte) ([]byte, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		digest := sha256.Sum256(body)
		sig, err := sign(digest[:])
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		answer(w, []byte(base64.RawURLEncoding.EncodeToString(sig)))
	}
}

func (f *floorServer) signAndWrite(sign func(digest []byte) ([]byte, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		digest := sha256.Sum256(body)
		signature, err := sign(digest[:])
		if err == nil {
			err = f.insert(r.Context(), body)
		}
		if err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		answer(w, []byte(`{"access_token":"`+strings.Repeat("x", 700)+base64.RawURLEncoding.EncodeToString(signature)+`"}`))
	}
}

// exchange checks a secret and a verifier by one hash each, signs an access token and an ID token, and writes once.
func (f *floorServer) exchange(sign func(digest []byte) ([]byte, error)) http.HandlerFunc {
	known := sha256.Sum256([]byte(clientSecret))
	both := func(digest []byte) ([]byte, error) {
		proved, access := sha256.Sum256([]byte(verifier)), sha256.Sum256(digest)
		if secret := sha256.Sum256([]byte(clientSecret)); subtle.ConstantTimeCompare(secret[:], known[:]) != 1 {
			return nil, errors.New("another secret")
		}
		if _, err := sign(access[:]); err != nil {
			return nil, err
		}
		return sign(proved[:])
	}
	return f.signAndWrite(both)
}

func (f *floorServer) signRSA(digest []byte) ([]byte, error) {
	return rsa.SignPKCS1v15(nil, f.rsa, crypto.SHA256, digest)
}

func (f *floorServer) signEC(digest []byte) ([]byte, error) {
	return ecdsa.SignASN1(rand.Reader, f.ec, digest)
}

func (f *floorServer) hashAndSign(digest []byte) ([]byte, error) {
	f.hash <- struct{}{}
	argon2.IDKey(digest, digest[:16], 2, 19456, 1, 32)
	<-f.hash
	return f.signRSA(digest)
}

func (f *floorServer) verifyAndRead(w http.ResponseWriter, r *http.Request) {
	digest := sha256.Sum256(nil)
	err := rsa.VerifyPKCS1v15(&f.rsa.PublicKey, crypto.SHA256, digest[:], f.signed)
	if err == nil {
		err = f.read(r.Context())
	}
	if err != nil {
		http.Error(w, err.Error(), 500)
		return
	}
	answer(w, []byte(`{"id":"`+strings.Repeat("x", 200)+`"}`))
}

func openFloorStore(ctx context.Context, store string) (insert func(context.Context, []byte) error, read func(context.Context) error, err error) {
	const ddl = `CREATE TABLE IF NOT EXISTS floor (id %s PRIMARY KEY, row TEXT)`
	if strings.HasPrefix(store, "postgres") {
		pool, err := pgxpool.New(ctx, store+"&pool_max_conns=16")
		if err != nil {
			return nil, nil, err
		}
		if _, err := pool.Exec(ctx, fmt.Sprintf(ddl, "BIGSERIAL")); err != nil {
			return nil, nil, err
		}
		insert = grouped(func(ctx context.Context, rows []string) error {
			_, err := pool.Exec(ctx, `INSERT INTO floor (row) SELECT unnest($1::text[])`, rows)
			return err
		})
		read = func(ctx context.Context) error {
			var row string
			err := pool.QueryRow(ctx, `SELECT coalesce(max(row), '') FROM floor WHERE id = $1`, 1).Scan(&row)
			return err
		}
		return insert, read, nil
	}
	db, err := sql.Open("sqlite", "file:"+store+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, nil, err
	}
	if _, err := db.ExecContext(ctx, fmt.Sprintf(ddl, "INTEGER")); err != nil {
		return nil, nil, err
	}
	one, err := db.PrepareContext(ctx, `SELECT row FROM floor WHERE id = $1`)
	if err != nil {
		return nil, nil, err
	}
	read = func(ctx context.Context) error {
		var row string
		if err := one.QueryRowContext(ctx, 1).Scan(&row); err != nil && err != sql.ErrNoRows {
			return err
		}
		return nil
	}
	insert, err = insertSQLite(ctx, db)
	return insert, read, err
}

func insertSQLite(ctx context.Context, db *sql.DB) (func(context.Context, []byte) error, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	stmt, err := conn.PrepareContext(ctx, `INSERT INTO floor (row) VALUES ($1)`)
	if err != nil {
		return nil, err
	}
	return grouped(func(ctx context.Context, rows []string) error {
		if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
			return err
		}
		for _, row := range rows {
			if _, err := stmt.ExecContext(ctx, row); err != nil {
				return err
			}
		}
		_, err := conn.ExecContext(ctx, "COMMIT")
		return err
	}), nil
}

type insertJob struct {
	row  string
	done chan error
}

// grouped inserts whatever waits in one transaction: the cheapest durable write there is.
func grouped(commit func(ctx context.Context, rows []string) error) func(context.Context, []byte) error {
	jobs := make(chan insertJob, 1024)
	go func() {
		for job := range jobs {
			group := []insertJob{job}
			for more := true; more && len(group) < 256; {
				select {
				case j := <-jobs:
					group = append(group, j)
				default:
					more = false
				}
			}
			settle(group, commit)
		}
	}()
	return func(_ context.Context, row []byte) error {
		j := insertJob{row: string(row), done: make(chan error, 1)}
		jobs <- j
		return <-j.done
	}
}

func settle(group []insertJob, commit func(ctx context.Context, rows []string) error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	rows := make([]string, len(group))
	for i, j := range group {
		rows[i] = j.row
	}
	err := commit(ctx, rows)
	for _, j := range group {
		j.done <- err
	}
}
