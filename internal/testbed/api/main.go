// Command api is an API as others would write it, on package resource: it takes people's tokens, bound ones by their proofs, and asks nobody. It
// owns nothing but the program that tests and drills call; it runs until its standard input ends.
//
// usage: api -issuer http://localhost:8080 -keys http://localhost:8080/.well-known/jwks.json
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/gatehouse-auth/gatehouse/resource"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "api:", err)
		os.Exit(1)
	}
}

func run() error {
	issuer := flag.String("issuer", "", "whose tokens are taken")
	keys := flag.String("keys", "", "where its public keys are")
	flag.Parse()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	origin := "http://" + l.Addr().String()
	v, err := resource.New(resource.Config{
		Issuer: *issuer, AnyAudience: true, JWKSURL: *keys, HTTP: &http.Client{Timeout: 30 * time.Second}, Proofs: &resource.Proofs{Origin: origin},
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /orders", v.RequireUser()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t, _ := resource.FromContext(r.Context())
		_, _ = fmt.Fprintf(w, "the orders of %s", t.Subject)
	})))
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 30 * time.Second}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = s.Close()
	}()
	if err := json.NewEncoder(os.Stdout).Encode(map[string]string{"url": origin}); err != nil {
		return err
	}
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
