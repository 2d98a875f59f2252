// Command bench measures the server against the bare cost of its cryptography and one durable write: floor and product take turns in one
// run, and only their ratios mean anything. It owns no assertion; timings are for people.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"
)

type options struct {
	binary   string
	postgres string
	slice    time.Duration
	turns    int
	big      int
	engine   string
	floor    string
	only     string
}

func main() {
	var o options
	flag.StringVar(&o.binary, "binary", "bin/gatehouse", "the server to measure")
	flag.StringVar(&o.postgres, "postgres", os.Getenv("GATEHOUSE_TEST_POSTGRES"), "admin URL of a PostgreSQL server; empty measures SQLite alone")
	flag.DurationVar(&o.slice, "slice", 700*time.Millisecond, "length of one turn")
	flag.IntVar(&o.turns, "turns", 5, "turns each of floor and product")
	flag.IntVar(&o.big, "big", 1_000_000, "stored sessions of the large store; 0 leaves it out")
	flag.StringVar(&o.engine, "engine", "", "measure this engine only: sqlite or postgres")
	flag.StringVar(&o.only, "only", "", "measure only the works whose name holds this text; resource: the verifier alone, without a server")
	flag.StringVar(&o.floor, "floor", "", "internal: serve the floor on this store")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	var err error
	if o.floor != "" {
		err = serveFloor(ctx, o.floor)
	} else {
		err = run(ctx, o)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if o.only == "" || o.only == "resource" {
		if err := measureResource(ctx, o); err != nil {
			return fmt.Errorf("resource: %w", err)
		}
	}
	if o.only == "resource" {
		return nil
	}
	fmt.Printf("%-10s %-26s %5s %10s %10s %6s %10s %10s %6s %8s %8s\n",
		"engine", "work", "conns", "floor/s", "ours/s", "ratio", "floor µs", "ours µs", "cpu", "p99 fl.", "p99")
	for _, engine := range []string{"sqlite", "postgres"} {
		if o.engine != "" && o.engine != engine || engine == "postgres" && o.postgres == "" {
			continue
		}
		if err := measureEngine(ctx, o, engine); err != nil {
			return fmt.Errorf("%s: %w", engine, err)
		}
	}
	return nil
}

func measureEngine(ctx context.Context, o options, engine string) error {
	p, err := prepare(ctx, o, engine)
	if err != nil {
		return err
	}
	defer p.close()
	for _, w := range works {
		if !strings.Contains(w.name, o.only) {
			continue
		}
		for _, conns := range []int{1, 16, 64} {
			if err := p.compare(ctx, o, w, conns); err != nil {
				return fmt.Errorf("%s with %d connections: %w", w.name, conns, err)
			}
		}
	}
	if o.big > 0 {
		if err := p.compareSizes(ctx, o); err != nil {
			return fmt.Errorf("large store: %w", err)
		}
	}
	err = p.startAndMemory(ctx, o)
	p.summary()
	return err
}
